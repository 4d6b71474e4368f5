#include <string.h>
#include <strings.h>

#include "io/web_private.h"

/* What one pass over the header lines finds. */
struct head {
    size_t lines;
    size_t cookie_length;
    unsigned hosts;
    unsigned lengths;
    unsigned encodings;
    const char *length;   /* of the body, as it was written */
    const char *encoding; /* of the body */
    bool malformed;
};

/* RFC 9110 5.6.2 */
static bool is_token(const char *text, size_t length)
{
    static const char marks[] = "!#$%&'*+-.^_`|~";

    if (length == 0)
        return false;
    for (size_t i = 0; i < length; i++) {
        char c = text[i];
        bool alphanumeric =
            (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        if (!alphanumeric && (c == '\0' || !strchr(marks, c)))
            return false;
    }
    return true;
}

static bool has_control(const char *text, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        unsigned char c = (unsigned char)text[i];
        if ((c < ' ' && c != '\t') || c == 0x7f)
            return true;
    }
    return false;
}

static enum MHD_Result note_line(void *userdata, enum MHD_ValueKind kind, const char *name,
                                 size_t name_length, const char *value, size_t value_length)
{
    struct head *head = userdata;

    head->lines++;
    if (!is_token(name, name_length) || has_control(value, value_length))
        head->malformed = true;
    if (strcasecmp(name, "Host") == 0) {
        head->hosts++;
    } else if (strcasecmp(name, "Content-Length") == 0) {
        head->lengths++;
        head->length = value;
    } else if (strcasecmp(name, "Transfer-Encoding") == 0) {
        head->encodings++;
        head->encoding = value;
    } else if (strcasecmp(name, "Cookie") == 0) {
        head->cookie_length += value_length;
    }
    return MHD_YES;
}

/* The library cuts a text at a NUL without a word. All parts of the request line lie in one
 * buffer, so a part that ends before the next one begins had a NUL inside. */
static bool line_has_nul(const struct web_request *request, const char *version)
{
    const char *between = request->method + strlen(request->method) + 1;

    if (version != request->raw_target + request->raw_length + 1)
        return true;
    for (; between < request->raw_target; between++) {
        if (*between != ' ')
            return true;
    }
    return false;
}

/* Whether the library's pool has too little room left for the head of an answer. */
static bool fills_the_pool(const struct web_request *request, const struct head *head)
{
    struct MHD_Connection *mhd = request->connection->mhd;
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_REQUEST_HEADER_SIZE);
    int cookies = MHD_get_connection_values(mhd, MHD_COOKIE_KIND, NULL, NULL);
    size_t records = head->lines + (cookies > 0 ? (size_t)cookies : 0);

    /* Nothing here exceeds the pool, so that no sum can overflow. */
    return (info ? info->header_size : 0) + head->cookie_length + records * WEB_RECORD_SIZE >
           WEB_POOL_SIZE - WEB_ANSWER_HEAD_ROOM;
}

/* The library has seen to it that a length is a number that fits 64 bits. */
static bool length_exceeds(const char *digits, size_t maximum)
{
    size_t value = 0;

    for (; *digits >= '0' && *digits <= '9'; digits++) {
        value = value * 10 + (size_t)(*digits - '0');
        if (value > maximum)
            return true;
    }
    return false;
}

static enum web_refusal check_framing(const struct head *head, size_t body_max)
{
    if (head->lengths + head->encodings > 1)
        return WEB_REFUSED_FRAMING;
    if (head->encodings && strcasecmp(head->encoding, "chunked") != 0)
        return WEB_REFUSED_FRAMING;
    if (head->encodings && body_max == 0)
        return WEB_REFUSED_BODY_TOO_LARGE;
    if (head->lengths && length_exceeds(head->length, body_max))
        return WEB_REFUSED_BODY_TOO_LARGE;
    return WEB_REFUSED_NOT;
}

enum web_refusal web_check_head(struct web_request *request, const char *version)
{
    const struct web_options *options = &request->connection->server->options;
    struct head head = { 0 };

    (void)MHD_get_connection_values_n(request->connection->mhd, MHD_HEADER_KIND, note_line, &head);
    request->pool_is_full = fills_the_pool(request, &head);
    if (request->refusal)
        return request->refusal;
    if (line_has_nul(request, version))
        return WEB_REFUSED_TARGET;
    if (!is_token(request->method, strlen(request->method)))
        return WEB_REFUSED_METHOD;
    if (head.malformed)
        return WEB_REFUSED_HEADER;
    if (request->pool_is_full)
        return WEB_REFUSED_HEAD_TOO_LARGE;
    if (head.hosts > 1 || (options->require_host && head.hosts != 1))
        return WEB_REFUSED_HOST;
    return check_framing(&head, options->body_max);
}

struct search {
    const char *name;
    const char *value;
    unsigned found;
};

static enum MHD_Result note_match(void *userdata, enum MHD_ValueKind kind, const char *name,
                                  const char *value)
{
    struct search *search = userdata;

    if (strcasecmp(name, search->name) == 0) {
        search->value = value;
        search->found++;
    }
    return search->found > 1 ? MHD_NO : MHD_YES;
}

static struct search find_header(const struct web_request *request, const char *name)
{
    struct search search = { .name = name };

    (void)MHD_get_connection_values(request->connection->mhd, MHD_HEADER_KIND, note_match, &search);
    return search;
}

const char *web_header(const struct web_request *request, const char *name)
{
    struct search search = find_header(request, name);

    return search.found == 1 ? search.value : NULL;
}

bool web_has_header(const struct web_request *request, const char *name)
{
    return find_header(request, name).found > 0;
}

const char *web_method(const struct web_request *request)
{
    return request->method;
}

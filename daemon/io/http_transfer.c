/* One transfer: its options, what libcurl asks while it runs, and what came of it. */

#include <ctype.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include "io/http_private.h"

enum { DECIMAL = 10, MS_PER_S = 1000, RETRY_AFTER_COUNT_MAX = 8 };

static const int64_t retry_after_max_s = INT64_C(365) * 24 * 3600;

static const char user_agent[] = "tokenbroker/" TOKENBROKER_VERSION;
static const char fallback_ca_file[] = "/etc/ssl/certs/ca-certificates.crt";

static const struct {
    CURLoption option;
    long value;
} number_options[] = {
    { CURLOPT_NOSIGNAL, 1 },
    { CURLOPT_FOLLOWLOCATION, 0 },
    { CURLOPT_NETRC, CURL_NETRC_IGNORED },
    { CURLOPT_DISALLOW_USERNAME_IN_URL, 1 },
    { CURLOPT_SUPPRESS_CONNECT_HEADERS, 1 },
    { CURLOPT_HTTP09_ALLOWED, 0 },
    { CURLOPT_SSL_VERIFYPEER, 1 },
    { CURLOPT_SSL_VERIFYHOST, 2 },
    { CURLOPT_SSLVERSION, CURL_SSLVERSION_TLSv1_2 },
    { CURLOPT_PROXY_SSLVERSION, CURL_SSLVERSION_TLSv1_2 },
    { CURLOPT_CA_CACHE_TIMEOUT, HTTP_CA_CACHE_S },
    { CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_2TLS },
    { CURLOPT_TCP_KEEPALIVE, 1 },
    { CURLOPT_CONNECTTIMEOUT_MS, HTTP_CONNECT_TIMEOUT_MS },
    { CURLOPT_MAXAGE_CONN, HTTP_IDLE_MAX_S },
    { CURLOPT_MAXLIFETIME_CONN, HTTP_CONNECTION_MAX_S },
    /* A name server that does not answer: without this the end of the transfer waits for the
     * thread that asks it, and the whole loop with it. */
    { CURLOPT_QUICK_EXIT, 1 },
};

static size_t on_body(char *bytes, size_t size, size_t count, void *userdata)
{
    struct http_transfer *transfer = userdata;
    size_t length = size * count, room = HTTP_REPLY_MAX - transfer->reply.length;

    buffer_append(&transfer->reply, bytes, length < room ? length : room);
    transfer->no_memory = transfer->reply.failed;
    transfer->truncated = length > room;
    return transfer->no_memory || transfer->truncated ? 0 : length;
}

static size_t on_header(char *bytes, size_t size, size_t count, void *userdata)
{
    struct http_transfer *transfer = userdata;

    size_t length = size * count;

    if (length > 5 && memcmp(bytes, "HTTP/", 5) == 0)
        transfer->header_whole = false; /* another one, after a 100 */
    else if (length > 0 && (bytes[0] == '\r' || bytes[0] == '\n'))
        transfer->header_whole = true;
    transfer->header_bytes += length;
    return transfer->header_bytes > HTTP_HEADER_MAX ? 0 : length;
}

/*
 * Called when a connection stands, right before the request is written to it. libcurl by itself
 * writes a request again, on a fresh connection, when a kept one ended before the first byte of an
 * answer, or when HTTP/2 refused the stream: a POST too, as its body is still there. The server may
 * have spent the refresh token by then, so the second time ends the transfer; sending again is for
 * those to decide who know what the provider makes of it.
 */
static int on_request(void *userdata, char *remote_ip, char *local_ip, int remote_port,
                      int local_port)
{
    struct http_transfer *transfer = userdata;

    if (transfer->written)
        return CURL_PREREQFUNC_ABORT;
    transfer->written = true;
    return CURL_PREREQFUNC_OK;
}

static bool loopback_address(const struct sockaddr *address)
{
    const struct sockaddr_in *in = (const void *)address;
    const struct sockaddr_in6 *in6 = (const void *)address;

    if (address->sa_family == AF_INET)
        return ntohl(in->sin_addr.s_addr) >> 24 == IN_LOOPBACKNET;
    return address->sa_family == AF_INET6 && IN6_IS_ADDR_LOOPBACK(&in6->sin6_addr);
}

/* Whatever a name resolves to, plain http does not leave the machine. */
static curl_socket_t on_open(void *userdata, curlsocktype purpose, struct curl_sockaddr *address)
{
    const struct http_transfer *transfer = userdata;
    unsigned patience = HTTP_UNACKNOWLEDGED_MAX_MS;

    if (transfer->plain && !loopback_address(&address->addr))
        return CURL_SOCKET_BAD;
    int fd = socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
    if (fd < 0)
        return CURL_SOCKET_BAD;
    /* Without it a dead connection is only found out later. */
    (void)setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &patience, sizeof patience);
    return fd;
}

static CURLcode set_numbers(CURL *easy)
{
    for (size_t i = 0; i < sizeof number_options / sizeof number_options[0]; i++) {
        CURLcode code = curl_easy_setopt(easy, number_options[i].option, number_options[i].value);
        if (code != CURLE_OK)
            return code;
    }
    return CURLE_OK;
}

static const char *system_ca_file(void)
{
    const curl_version_info_data *info = curl_version_info(CURLVERSION_NOW);

    return info->cainfo ? info->cainfo : fallback_ca_file;
}

static CURLcode set_places(const struct http_transfer *transfer, const struct http_request *request)
{
    /* "" and not NULL: those keep libcurl from reading the environment. */
    const char *proxy = request->proxy && !transfer->plain ? request->proxy : "";
    const struct {
        CURLoption option;
        const char *value;
    } texts[] = {
        { CURLOPT_URL, request->url },
        { CURLOPT_PROTOCOLS_STR, transfer->plain ? "http" : "https" },
        { CURLOPT_USERAGENT, user_agent },
        { CURLOPT_PROXY, proxy },
        { CURLOPT_NOPROXY, "" },
        { CURLOPT_CAINFO, request->ca_file ? request->ca_file : system_ca_file() },
        { CURLOPT_PROXY_CAINFO, system_ca_file() },
        /* With a directory set too, the bundle would be parsed anew for each connection. */
        { CURLOPT_CAPATH, NULL },
        { CURLOPT_PROXY_CAPATH, NULL },
    };

    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        CURLcode code = curl_easy_setopt(transfer->easy, texts[i].option, texts[i].value);
        if (code != CURLE_OK)
            return code;
    }
    return CURLE_OK;
}

/* libcurl's copy is wiped by its allocator. One text for both: each reader takes what it is for. */
static CURLcode set_identity(CURL *easy, const struct secret *identity)
{
    if (!identity)
        return CURLE_OK;

    /* libcurl takes a pointer to bytes that it only copies. */
    struct curl_blob blob = {
        .data = (void *)(uintptr_t)secret_reveal(identity),
        .len = secret_length(identity),
        .flags = CURL_BLOB_COPY,
    };
    CURLcode code = curl_easy_setopt(easy, CURLOPT_SSLCERT_BLOB, &blob);
    return code == CURLE_OK ? curl_easy_setopt(easy, CURLOPT_SSLKEY_BLOB, &blob) : code;
}

/* Callbacks and pointers to what the transfer owns: setting these cannot fail. */
static void set_callbacks(struct http_transfer *transfer)
{
    CURL *easy = transfer->easy;

    (void)curl_easy_setopt(easy, CURLOPT_PRIVATE, transfer);
    (void)curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
    (void)curl_easy_setopt(easy, CURLOPT_WRITEDATA, transfer);
    (void)curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header);
    (void)curl_easy_setopt(easy, CURLOPT_HEADERDATA, transfer);
    (void)curl_easy_setopt(easy, CURLOPT_PREREQFUNCTION, on_request);
    (void)curl_easy_setopt(easy, CURLOPT_PREREQDATA, transfer);
    (void)curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, on_open);
    (void)curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, transfer);
    (void)curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, transfer->error);
    (void)curl_easy_setopt(easy, CURLOPT_HTTPHEADER, transfer->headers);
}

static void set_method(struct http_transfer *transfer, const struct http_request *request)
{
    CURL *easy = transfer->easy;

    if (strcmp(request->method, "POST") != 0)
        return;
    (void)curl_easy_setopt(easy, CURLOPT_POST, 1L);
    /* Not copied: the transfer's own bytes, which it wipes. */
    (void)curl_easy_setopt(easy, CURLOPT_POSTFIELDS, buffer_text(&transfer->body));
    (void)curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)transfer->body.length);
}

/* A NULL value takes the header that libcurl would send away. */
static int add_header(struct http_transfer *transfer, const char *name, const char *value)
{
    CLEANUP(cleanup_buffer) struct buffer line = BUFFER_WITH_MAXIMUM(HTTP_REQUEST_MAX);

    if (value && strpbrk(value, "\r\n"))
        return -EINVAL;
    if (value && strlen(name) + strlen(": ") + strlen(value) > HTTP_REQUEST_MAX)
        return -E2BIG;
    buffer_append_text(&line, name);
    buffer_append_text(&line, value ? ": " : ":");
    buffer_append_text(&line, value ? value : "");
    if (line.failed)
        return -ENOMEM;

    struct curl_slist *longer = curl_slist_append(transfer->headers, buffer_text(&line));
    if (!longer)
        return -ENOMEM;
    transfer->headers = longer;
    return 0;
}

static int add_headers(struct http_transfer *transfer, const struct http_request *request)
{
    bool authorized = request->authorization && request->authorization[0];

    int r = add_header(transfer, "Accept", request->accept ? request->accept : "application/json");
    if (r == 0)
        r = add_header(transfer, "Content-Type", request->content_type);
    if (r == 0)
        r = add_header(transfer, "Expect", NULL);
    if (r == 0 && authorized)
        r = add_header(transfer, "Authorization", request->authorization);
    return r;
}

static int copy_body(struct http_transfer *transfer, const struct http_request *request)
{
    if (!request->content_type)
        return 0;

    buffer_append(&transfer->body, request->body, request->body_length);
    if (!transfer->body.failed)
        return 0;
    return request->body_length > HTTP_REQUEST_MAX ? -E2BIG : -ENOMEM;
}

static int check_request(const struct http_request *request)
{
    if (strcmp(request->method, "GET") != 0 && strcmp(request->method, "POST") != 0)
        return -EINVAL;
    return strlen(request->url) > HTTP_REQUEST_MAX ? -E2BIG : 0;
}

static int set_up_easy(struct http_transfer *transfer, const struct http_request *request)
{
    transfer->easy = curl_easy_init();
    if (!transfer->easy)
        return -ENOMEM;

    CURLcode code = set_numbers(transfer->easy);
    /* Without TLS libcurl learns only from the first answer that there is no HTTP/2, and requests
     * that wait for it to share the connection would stand behind one slow answer. */
    if (code == CURLE_OK)
        code = curl_easy_setopt(transfer->easy, CURLOPT_PIPEWAIT, transfer->plain ? 0L : 1L);
    if (code == CURLE_OK)
        code = set_places(transfer, request);
    if (code == CURLE_OK)
        code = set_identity(transfer->easy, request->client_identity);
    if (code != CURLE_OK)
        return code == CURLE_OUT_OF_MEMORY ? -ENOMEM : -EINVAL;
    set_callbacks(transfer);
    set_method(transfer, request);
    return 0;
}

int http_transfer_new(const struct http_request *request, struct http_transfer **ret)
{
    int r = check_request(request);
    if (r < 0)
        return r;

    CLEANUP(cleanup_http_transfer) struct http_transfer *transfer = calloc(1, sizeof *transfer);
    if (!transfer)
        return -ENOMEM;
    transfer->whole_ms = request->timeout_ms > 0 ? request->timeout_ms : HTTP_WHOLE_TIMEOUT_MS;
    transfer->body = BUFFER_WITH_MAXIMUM(HTTP_REQUEST_MAX);
    transfer->reply = BUFFER_WITH_MAXIMUM(HTTP_REPLY_MAX);
    /* A usual reply is not to be lost for want of memory: what it brings may exist once only. */
    buffer_reserve(&transfer->reply, HTTP_REPLY_USUAL);
    if (transfer->reply.failed)
        return -ENOMEM;

    r = http_check_url(transfer, request->url);
    if (r == 0)
        r = copy_body(transfer, request);
    if (r == 0)
        r = add_headers(transfer, request);
    if (r == 0 && !transfer->refusal[0])
        r = set_up_easy(transfer, request);
    if (r < 0)
        return r;
    *ret = steal(transfer);
    return 0;
}

struct http_transfer *http_transfer_free(struct http_transfer *transfer)
{
    if (!transfer)
        return NULL;

    loop_source_free(transfer->deadline);
    curl_easy_cleanup(transfer->easy);
    curl_slist_free_all(transfer->headers);
    buffer_release(&transfer->body);
    buffer_release(&transfer->reply);
    free(transfer);
    return NULL;
}

static const char *header_value(CURL *easy, const char *name)
{
    struct curl_header *header;

    if (curl_easy_header(easy, name, 0, CURLH_HEADER, -1, &header) != CURLHE_OK)
        return NULL;
    return header->value;
}

/* RFC 9110 10.2.3: seconds, or a date. libcurl's own reading cannot tell 0 from none. */
static int64_t read_retry_after(const char *value, const char *date)
{
    int64_t seconds;

    if (!value[0])
        return -1;
    if (value[strspn(value, "0123456789")] == '\0') {
        seconds = strtoll(value, NULL, DECIMAL); /* past its range it is the largest number */
    } else {
        time_t until = curl_getdate(value, NULL);
        /* By the server's own clock where it tells it: ours may differ. */
        time_t from = date ? curl_getdate(date, NULL) : -1;
        if (until < 0)
            return -1;
        seconds = until - (from < 0 ? time(NULL) : from);
    }
    if (seconds < 0)
        return 0;
    return seconds < retry_after_max_s ? seconds : retry_after_max_s;
}

/* Of several the longest: the server and what stands before it may each want a rest. */
static int64_t retry_after(CURL *easy)
{
    const char *date = header_value(easy, "Date");
    struct curl_header *header;
    int64_t longest = -1;

    for (size_t i = 0; i < RETRY_AFTER_COUNT_MAX; i++) {
        if (curl_easy_header(easy, "Retry-After", i, CURLH_HEADER, -1, &header) != CURLHE_OK)
            break;
        int64_t seconds = read_retry_after(header->value, date);
        longest = seconds > longest ? seconds : longest;
    }
    return longest;
}

/* libcurl's own words name hosts and certificates, which is what a person needs when nothing was
 * sent; later they may quote the server, so only the fixed text of the code is used. */
static const char *what_failed(const struct http_transfer *transfer, CURLcode code)
{
    if (transfer->refusal[0])
        return transfer->refusal;
    if (!transfer->written)
        return transfer->error[0] ? transfer->error : curl_easy_strerror(code);
    if (transfer->header_bytes > HTTP_HEADER_MAX)
        return "the header of the answer is too large";
    if (transfer->no_memory)
        return "no memory for the answer";
    if (code == CURLE_OPERATION_TIMEDOUT)
        return "no whole answer in time";
    if (code == CURLE_ABORTED_BY_CALLBACK || code == CURLE_OK)
        return "the connection ended before a whole answer came";
    return curl_easy_strerror(code);
}

static void tell_problem(const struct http_transfer *transfer, CURLcode code,
                         struct http_reply *reply)
{
    int room = (int)sizeof reply->problem - HTTP_HOST_MAX - 2;

    (void)snprintf(reply->problem, sizeof reply->problem, "%s%s%.*s", transfer->host,
                   transfer->host[0] ? ": " : "", room, what_failed(transfer, code));
    for (char *c = reply->problem; *c; c++) {
        if (iscntrl((unsigned char)*c))
            *c = ' ';
    }
}

static enum http_outcome outcome_of(const struct http_transfer *transfer, CURLcode code)
{
    if (!transfer->written)
        return HTTP_NOT_SENT;
    /* libcurl takes a connection that ends within the header for the end of an answer. */
    if (!transfer->header_whole)
        return HTTP_NO_ANSWER;
    return code == CURLE_OK || transfer->truncated ? HTTP_ANSWERED : HTTP_NO_ANSWER;
}

void http_transfer_reply(struct http_transfer *transfer, CURLcode code, struct http_reply *ret)
{
    long status = 0;
    char *content_type = NULL;

    *ret = (struct http_reply){
        .outcome = outcome_of(transfer, code),
        .body = buffer_text(&transfer->reply),
        .length = transfer->reply.length,
        .truncated = transfer->truncated,
        .retry_after_s = -1,
    };
    if (ret->outcome != HTTP_ANSWERED)
        tell_problem(transfer, code, ret);
    if (!transfer->written)
        return;

    /* Both leave the values above where nothing came. */
    (void)curl_easy_getinfo(transfer->easy, CURLINFO_RESPONSE_CODE, &status);
    (void)curl_easy_getinfo(transfer->easy, CURLINFO_CONTENT_TYPE, &content_type);
    ret->status = (int)status;
    ret->content_type = content_type;
    ret->retry_after_s = retry_after(transfer->easy);
}

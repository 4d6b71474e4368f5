#include "oauth/authorize.h"

#include <errno.h>
#include <string.h>

#include "base/printable.h"

/* The parameters that we read, in the order of struct fields. */
enum field { FIELD_CODE, FIELD_STATE, FIELD_ISS, FIELD_ERROR, FIELD_DESCRIPTION, FIELD_COUNT };

static const char *const field_names[FIELD_COUNT] = {
    [FIELD_CODE] = "code",
    [FIELD_STATE] = "state",
    [FIELD_ISS] = "iss",
    [FIELD_ERROR] = "error",
    [FIELD_DESCRIPTION] = "error_description",
};

/* Values as they stand in the query, still encoded; NULL: absent. */
struct raw_fields {
    const char *value[FIELD_COUNT];
    size_t length[FIELD_COUNT];
};

enum { DECODE_BROKEN = 1, DECODE_TOO_LONG };

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

/* Decodes one byte of application/x-www-form-urlencoded; returns what it took, 0 when broken. */
static size_t decode_byte(const char *text, size_t length, char *ret)
{
    if (text[0] != '%') {
        *ret = (char)(text[0] == '+' ? ' ' : text[0]);
        return 1;
    }
    if (length < 3 || hex_digit(text[1]) < 0 || hex_digit(text[2]) < 0)
        return 0;
    *ret = (char)(hex_digit(text[1]) << 4 | hex_digit(text[2]));
    return 3;
}

/* Writes at most size - 1 bytes and a NUL. Returns 0, DECODE_BROKEN or DECODE_TOO_LONG. */
static int decode(const char *text, size_t length, char *out, size_t size)
{
    size_t written = 0;
    for (size_t i = 0; i < length;) {
        if (written + 1 >= size)
            return DECODE_TOO_LONG;
        size_t taken = decode_byte(text + i, length - i, &out[written]);
        if (taken == 0 || out[written] == '\0')
            return DECODE_BROKEN;
        written++;
        i += taken;
    }
    out[written] = '\0';
    return 0;
}

static int find_field(const char *name)
{
    for (int i = 0; i < FIELD_COUNT; i++) {
        if (strcmp(name, field_names[i]) == 0)
            return i;
    }
    return -1;
}

static int note_pair(struct raw_fields *fields, const char *pair, size_t length,
                     struct complaint *complaint)
{
    const char *equals = memchr(pair, '=', length);
    size_t name_length = equals != NULL ? (size_t)(equals - pair) : length;
    char name[sizeof("error_description") + 1];
    int r = decode(pair, name_length, name, sizeof(name));
    if (r == DECODE_BROKEN) {
        complain(complaint, "the redirect has a parameter name with a broken encoding");
        return RESPONSE_MALFORMED;
    }
    int field = r == 0 ? find_field(name) : -1;
    if (field < 0)
        return 0;
    if (fields->value[field] != NULL) {
        complain(complaint, "the redirect has the parameter '%s' twice", name);
        return RESPONSE_MALFORMED;
    }
    fields->value[field] = equals != NULL ? equals + 1 : pair + length;
    fields->length[field] = equals != NULL ? length - name_length - 1 : 0;
    return 0;
}

/* A NUL could end a value early for whoever reads it next, so it is refused anywhere. */
static bool holds_nul(const char *query, size_t length)
{
    return memchr(query, '\0', length) != NULL || memmem(query, length, "%00", 3) != NULL;
}

static int split(const char *query, size_t length, struct raw_fields *fields,
                 struct complaint *complaint)
{
    if (holds_nul(query, length)) {
        complain(complaint, "the redirect has a NUL in its query");
        return RESPONSE_MALFORMED;
    }
    const char *end = query + length;
    for (const char *pair = query; pair < end;) {
        const char *separator = memchr(pair, '&', (size_t)(end - pair));
        const char *pair_end = separator != NULL ? separator : end;
        int r = note_pair(fields, pair, (size_t)(pair_end - pair), complaint);
        if (r != 0)
            return r;
        pair = separator != NULL ? separator + 1 : end;
    }
    return 0;
}

/* A parameter without a value counts as absent (RFC 6749 3.1): ret_text is "" then. */
static int decode_field(const struct raw_fields *fields, enum field field, char *ret_text,
                        struct complaint *complaint)
{
    ret_text[0] = '\0';
    if (fields->value[field] == NULL)
        return 0;
    int r =
        decode(fields->value[field], fields->length[field], ret_text, AUTHORIZE_PARAMETER_MAX + 1);
    if (r == 0)
        return 0;
    complain(complaint, "the redirect's parameter '%s' %s", field_names[field],
             r == DECODE_BROKEN ? "has a broken encoding" : "is too long");
    return RESPONSE_MALFORMED;
}

static int read_secret(const struct raw_fields *fields, enum field field, struct secret **ret,
                       struct complaint *complaint)
{
    char text[AUTHORIZE_PARAMETER_MAX + 1];
    int r = decode_field(fields, field, text, complaint);
    if (r == 0 && text[0] != '\0')
        r = secret_new(text, strlen(text), ret);
    explicit_bzero(text, sizeof(text));
    return r;
}

static int read_text(const struct raw_fields *fields, enum field field, char **ret,
                     struct complaint *complaint)
{
    char text[AUTHORIZE_PARAMETER_MAX + 1];
    int r = decode_field(fields, field, text, complaint);
    if (r != 0 || text[0] == '\0')
        return r;
    char line[AUTHORIZE_PARAMETER_MAX + 1];
    printable_line(text, PRINTABLE_ALL_WORDS, line, sizeof(line));
    *ret = strdup(line);
    return *ret != NULL ? 0 : -ENOMEM;
}

static int read_fields(const struct raw_fields *fields, struct authorization_response *response,
                       struct complaint *complaint)
{
    int r = read_secret(fields, FIELD_CODE, &response->code, complaint);
    if (r == 0)
        r = read_secret(fields, FIELD_STATE, &response->state, complaint);
    if (r == 0)
        r = read_text(fields, FIELD_ISS, &response->iss, complaint);
    if (r == 0)
        r = read_text(fields, FIELD_ERROR, &response->error, complaint);
    if (r == 0)
        r = read_text(fields, FIELD_DESCRIPTION, &response->error_description, complaint);
    return r;
}

static int decide_kind(struct authorization_response *response, struct complaint *complaint)
{
    if (response->code != NULL && response->error != NULL) {
        complain(complaint, "the redirect has both 'code' and 'error'");
        return RESPONSE_MALFORMED;
    }
    response->kind = RESPONSE_NEITHER;
    if (response->code != NULL)
        response->kind = RESPONSE_CODE;
    if (response->error != NULL)
        response->kind = RESPONSE_ERROR;
    return 0;
}

int authorization_response_parse(const char *query, size_t length,
                                 struct authorization_response *ret, struct complaint *complaint)
{
    struct authorization_response response = { 0 };
    struct raw_fields fields = { 0 };
    int r = split(query, length, &fields, complaint);
    if (r == 0)
        r = read_fields(&fields, &response, complaint);
    if (r == 0)
        r = decide_kind(&response, complaint);
    if (r != 0) {
        authorization_response_release(&response);
        return r;
    }
    *ret = response;
    return 0;
}

void authorization_response_release(struct authorization_response *response)
{
    if (response == NULL)
        return;
    secret_free(response->code);
    secret_free(response->state);
    free(response->iss);
    free(response->error);
    free(response->error_description);
    *response = (struct authorization_response){ 0 };
}

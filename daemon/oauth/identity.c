#include "oauth/identity.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

enum {
    PATH_PART_MAX = 128,
    CLAIMS_MAX = 64 * 1024,     /* a whole reply's worth */
    VALUE_TEXT_MAX = 512 * 1024 /* the same, every byte escaped */
};

/* A member sought without regard to case. */
struct search {
    const char *key;
    const struct json *found;
    unsigned count;
};

static bool compare_member(void *userdata, const char *key, const struct json *member)
{
    struct search *search = userdata;
    if (strcasecmp(key, search->key) == 0) {
        search->found = member;
        search->count++;
    }
    return true;
}

static const struct json *find_member(const struct json *value, const char *key)
{
    const struct json *exact = json_member(value, key);
    if (exact != NULL || json_kind(value) != JSON_OBJECT)
        return exact;
    struct search search = { .key = key };
    json_each_member(value, compare_member, &search);
    return search.count == 1 ? search.found : NULL;
}

static const struct json *walk(const struct json *value, const char *path)
{
    while (value != NULL && *path != '\0') {
        char part[PATH_PART_MAX];
        size_t length = strcspn(path, ".");
        if (length == 0 || length >= sizeof(part))
            return NULL;
        memcpy(part, path, length);
        part[length] = '\0';
        value = find_member(value, part);
        path += length;
        path += *path == '.' ? 1 : 0;
    }
    return value;
}

/* The value of a character of RFC 4648's base64url alphabet, -1 for others. */
static int base64url_digit(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    if (c == '-')
        return 62;
    return c == '_' ? 63 : -1;
}

/* False when text is not base64url. */
static bool append_base64url_decoded(struct buffer *out, const char *text, size_t length)
{
    unsigned bits = 0, bit_count = 0;
    while (length > 0 && text[length - 1] == '=')
        length--;
    for (size_t i = 0; i < length; i++) {
        int digit = base64url_digit(text[i]);
        if (digit < 0)
            return false;
        bits = (bits << 6 | (unsigned)digit) & 0xfff;
        bit_count += 6;
        if (bit_count >= 8) {
            bit_count -= 8;
            buffer_append_char(out, (char)(bits >> bit_count & 0xff));
        }
    }
    return true;
}

/*
 * The claims of a JWT (RFC 7519). Its signature is not checked: the token came straight from the
 * token endpoint over verified TLS, which stands in for it (OpenID Connect Core 3.1.3.7). Returns 0
 * and sets *ret (NULL when this is no signed JWT), or -ENOMEM.
 */
static int read_claims(const char *token, struct json **ret)
{
    CLEANUP(cleanup_buffer) struct buffer claims = BUFFER_WITH_MAXIMUM(CLAIMS_MAX);
    const char *payload = strchr(token, '.');
    const char *end = payload != NULL ? strchr(payload + 1, '.') : NULL;
    if (end == NULL || strchr(end + 1, '.') != NULL)
        return 0;
    if (!append_base64url_decoded(&claims, payload + 1, (size_t)(end - payload - 1)))
        return 0;
    if (claims.failed)
        return -ENOMEM;
    int r = json_parse(buffer_text(&claims), claims.length, ret, NULL);
    return r == JSON_INVALID ? 0 : r;
}

static int read_id_token(const struct json *reply, struct json **ret)
{
    const char *token = json_member_string(reply, "id_token");
    return token != NULL ? read_claims(token, ret) : 0;
}

static int to_text(const struct json *value, char **ret)
{
    CLEANUP(cleanup_buffer) struct buffer text = BUFFER_WITH_MAXIMUM(VALUE_TEXT_MAX);
    enum json_kind kind = json_kind(value);
    if (kind == JSON_STRING)
        buffer_append_text(&text, json_string(value));
    else if (kind != JSON_ABSENT && kind != JSON_NULL)
        json_append(&text, value);
    if (text.failed)
        return -ENOMEM;
    char *identity = NULL;
    if (text.length > 0 && text.length <= IDENTITY_MAX) {
        identity = buffer_steal_text(&text);
        if (identity == NULL)
            return -ENOMEM;
    }
    *ret = identity;
    return 0;
}

/* An identity is shown, so it must not be a token, whatever the configuration says. */
static const struct json *find_identity(const struct json *reply, const char *path)
{
    static const char *const secrets[] = { "", "access_token", "refresh_token", "id_token" };
    for (size_t i = 0; i < sizeof(secrets) / sizeof(secrets[0]); i++) {
        if (strcasecmp(path, secrets[i]) == 0)
            return NULL;
    }
    return walk(reply, path);
}

int identity_read(const struct json *reply, const char *path, char **ret)
{
    static const char in_id_token[] = "id_token.";
    const size_t prefix = sizeof(in_id_token) - 1;
    if (strncmp(path, in_id_token, prefix) != 0)
        return to_text(find_identity(reply, path), ret);
    CLEANUP(cleanup_json) struct json *claims = NULL;
    int r = read_id_token(reply, &claims);
    return r == 0 ? to_text(walk(claims, path + prefix), ret) : r;
}

int identity_read_nonce(const struct json *reply, char **ret)
{
    return identity_read(reply, "id_token.nonce", ret);
}

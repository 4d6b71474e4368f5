#include "oauth/token_grant.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/printable.h"
#include "oauth/identity.h"
#include "oauth/lifetime.h"
#include "oauth/scope.h"

enum {
    LIFETIME_MIN_MS = 1000,
    UNIT_SECOND_MS = 1000,
    DURATION_DIGITS_MAX = 18,
    TOKEN_TYPE_SIZE = 64,
    MEMBER_TEXT_MAX = 8 * TOKEN_REPLY_MAX, /* a whole reply, every byte escaped */
};

/* RFC 6749 A.12, A.17: VSCHAR. Anything else would be dangerous in a header. */
static bool has_token_characters(const char *text)
{
    for (; *text != '\0'; text++) {
        if (*text < 0x20 || *text > 0x7e)
            return false;
    }
    return true;
}

static bool holds_nothing(const struct json *member)
{
    enum json_kind kind = json_kind(member);
    bool boolean;
    if (kind == JSON_STRING)
        return json_string(member)[0] == '\0';
    return kind == JSON_ABSENT || kind == JSON_NULL || json_boolean(member, &boolean);
}

int token_grant_read_token(const struct json *reply, const char *name, struct secret **ret,
                           enum token_member *ret_member)
{
    const struct json *member = json_member(reply, name);
    if (holds_nothing(member)) {
        *ret_member = TOKEN_MEMBER_ABSENT;
        return 0;
    }
    const char *text = json_string(member);
    if (text == NULL || strlen(text) > SECRET_MAX || !has_token_characters(text)) {
        *ret_member = TOKEN_MEMBER_UNREADABLE;
        return 0;
    }
    int r = secret_new(text, strlen(text), ret);
    if (r == 0)
        *ret_member = TOKEN_MEMBER_READ;
    return r;
}

static bool digits_to_integer(const char *text, int64_t *ret)
{
    size_t length = strlen(text);
    if (length == 0 || length > DURATION_DIGITS_MAX)
        return false;
    int64_t value = 0;
    for (; *text != '\0'; text++) {
        if (*text < '0' || *text > '9')
            return false;
        value = value * 10 + (*text - '0');
    }
    *ret = value;
    return true;
}

/* A number, or a string of digits; 1 s to 10 years. */
static bool read_units(const struct json *member, int64_t unit_ms, int64_t *ret_ms)
{
    int64_t value;
    const char *text = json_string(member);
    bool read = text != NULL ? digits_to_integer(text, &value) : json_integer(member, &value);
    if (!read || value < 0)
        return false;
    if (value > LIFETIME_MAX_MS / unit_ms || value * unit_ms < LIFETIME_MIN_MS)
        return false;
    *ret_ms = value * unit_ms;
    return true;
}

bool token_grant_read_seconds(const struct json *member, int64_t *ret_ms)
{
    return read_units(member, UNIT_SECOND_MS, ret_ms);
}

/* A duration in the provider's unit. */
static bool read_duration(const struct provider *provider, const struct json *member,
                          int64_t *ret_ms)
{
    const bool milliseconds = provider->lifetime_unit == LIFETIME_MILLISECONDS;
    return read_units(member, milliseconds ? 1 : UNIT_SECOND_MS, ret_ms);
}

static void read_lifetimes(const struct provider *provider, const struct json *reply,
                           struct token_grant *grant)
{
    const struct json *member = json_member(reply, "expires_in");
    bool given = json_kind(member) != JSON_ABSENT && json_kind(member) != JSON_NULL;
    bool has_default = provider->default_lifetime_ms > 0;
    if (!read_duration(provider, member, &grant->lifetime_ms)) {
        grant->lifetime_ms = lifetime_assumed_ms(provider);
        grant->lifetime_assumed = true;
        grant->expires_in_odd = given || !has_default;
    }
    member = json_member(reply, "refresh_token_expires_in");
    if (!read_duration(provider, member, &grant->refresh_token_lifetime_ms))
        grant->refresh_token_lifetime_ms = 0;
}

static int read_token_type(const struct json *reply, struct token_grant *grant)
{
    const char *type = json_member_string(reply, "token_type");
    char line[TOKEN_TYPE_SIZE] = "Bearer";
    if (type != NULL && type[0] != '\0' && strcasecmp(type, "bearer") != 0)
        printable_line(type, PRINTABLE_ALL_WORDS, line, sizeof(line));
    grant->token_type = strdup(line);
    return grant->token_type != NULL ? 0 : -ENOMEM;
}

/* It is shown to people: what cannot be shown separates words. NULL is fine. */
static void append_scope(struct buffer *out, const char *text, const char *separators)
{
    if (text == NULL)
        return;
    size_t size = strlen(text) + 1; /* a line never grows */
    CLEANUP(cleanup_string) char *line = malloc(size);
    if (line == NULL) {
        out->failed = true;
        return;
    }
    printable_line(text, PRINTABLE_ALL_WORDS, line, size);
    scope_append_normal(out, line, separators, SCOPE_MAX);
}

/* Some servers send a list instead of a text. */
static void append_scopes(struct buffer *out, const struct json *scope, const char *separators)
{
    append_scope(out, json_string(scope), separators);
    for (size_t i = 0; i < json_array_length(scope); i++)
        append_scope(out, json_string(json_array_at(scope, i)), separators);
}

static int read_scope(const struct provider *provider, const struct json *reply,
                      struct token_grant *grant)
{
    CLEANUP(cleanup_buffer) struct buffer scope = BUFFER_WITH_MAXIMUM(SCOPE_MAX);
    append_scopes(&scope, json_member(reply, "scope"), provider->scope_separator);
    if (scope.failed)
        return -ENOMEM;
    if (scope.length == 0)
        return 0;
    grant->scope = buffer_steal_text(&scope);
    return grant->scope != NULL ? 0 : -ENOMEM;
}

static bool is_standard_member(const char *key)
{
    static const char *const keys[] = {
        "access_token", "refresh_token",           "token_type", "expires_in", "scope",
        "id_token",     "refresh_token_expires_in"
    };
    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
        if (strcmp(key, keys[i]) == 0)
            return true;
    }
    return false;
}

/* userdata is the buffer of the object. */
static bool append_extra_member(void *userdata, const char *key, const struct json *member)
{
    struct buffer *out = userdata;
    if (is_standard_member(key))
        return true;
    CLEANUP(cleanup_buffer) struct buffer text = BUFFER_WITH_MAXIMUM(MEMBER_TEXT_MAX);
    buffer_append_char(&text, out->length > 0 ? ',' : '{');
    json_append_string(&text, key);
    buffer_append_char(&text, ':');
    json_append(&text, member);
    out->failed = out->failed || text.failed;
    /* A member that does not fit is left out whole; the '}' needs room too. */
    if (text.length + 1 <= EXTRA_MAX - out->length)
        buffer_append(out, text.data, text.length);
    return !out->failed;
}

static int read_extra(const struct json *reply, struct token_grant *grant)
{
    CLEANUP(cleanup_buffer) struct buffer extra = BUFFER_WITH_MAXIMUM(EXTRA_MAX);
    json_each_member(reply, append_extra_member, &extra);
    buffer_append_text(&extra, extra.length == 0 ? "{}" : "}");
    if (extra.failed)
        return -ENOMEM;
    grant->extra = buffer_steal_text(&extra);
    return grant->extra != NULL ? 0 : -ENOMEM;
}

int token_grant_read(const struct provider *provider, const struct json *reply,
                     struct token_grant *grant)
{
    read_lifetimes(provider, reply, grant);
    int r = read_token_type(reply, grant);
    if (r == 0)
        r = read_scope(provider, reply, grant);
    return r == 0 ? read_extra(reply, grant) : r;
}

int token_grant_read_owner(const struct provider *provider, const struct json *reply,
                           struct token_grant *grant)
{
    const enum json_kind id_token = json_kind(json_member(reply, "id_token"));
    grant->has_id_token = id_token != JSON_ABSENT && id_token != JSON_NULL;
    int r =
        provider->identity != NULL ? identity_read(reply, provider->identity, &grant->identity) : 0;
    return r == 0 ? identity_read_nonce(reply, &grant->nonce) : r;
}

void token_grant_release(struct token_grant *grant)
{
    if (grant == NULL)
        return;
    secret_free(grant->access_token);
    secret_free(grant->refresh_token);
    free(grant->token_type);
    free(grant->scope);
    free(grant->extra);
    free(grant->identity);
    free(grant->nonce);
    *grant = (struct token_grant){ 0 };
}

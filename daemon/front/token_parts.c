#include "front/token_parts.h"

#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "base/json.h"

enum { MS_PER_S = 1000 };

static void append_member(struct buffer *out, const char *key, const char *text)
{
    buffer_append_format(out, ",\"%s\":", key);
    json_append_string(out, text);
}

/* All up to where the token goes, once more, as the API wants it. */
static void append_present(struct buffer *out, const struct provider *provider, bool schemed)
{
    buffer_append_text(out, ",\"present\":{\"in\":");
    json_append_string(out, provider->present_in);
    append_member(out, "name", provider->present_name);
    buffer_append_text(out, ",\"value\":");
    if (!schemed)
        return;
    json_append_string(out, provider->present_scheme);
    /* Its closing quote gives way to the space before the token. */
    if (!out->failed)
        out->data[--out->length] = '\0';
}

/* Printable ASCII but for the quote and the backslash. */
static bool needs_no_escape(const struct secret *token)
{
    const char *at = secret_reveal(token);

    for (; *at; at++) {
        if (*at < 0x20 || *at > 0x7e || *at == '"' || *at == '\\')
            return false;
    }
    return true;
}

int token_parts_make(const struct account_name *account, const struct issued_token *token,
                     const struct provider *provider, struct token_parts *ret)
{
    CLEANUP(cleanup_buffer) struct buffer out = BUFFER_WITH_MAXIMUM(WIRE_ANSWER_MAX);
    struct token_parts parts = { 0 };
    char text[ACCOUNT_TEXT_SIZE];

    /* A query parameter holds the bare token (RFC 6750 2.3). */
    parts.schemed = strcmp(provider->present_in, "header") == 0 && *provider->present_scheme;
    parts.verbatim = needs_no_escape(token->access_token);

    buffer_append_text(&out, "{\"account\":");
    json_append_string(&out, account_text(account, text));
    buffer_append_text(&out, ",\"access_token\":");
    parts.ends[0] = out.length;
    append_member(&out, "token_type", token->token_type ? token->token_type : "Bearer");
    parts.ends[1] = out.length;
    if (token->scope)
        append_member(&out, "scope", token->scope);
    append_present(&out, provider, parts.schemed);
    parts.ends[2] = out.length;
    buffer_append_char(&out, '}');
    if (provider->api_base)
        append_member(&out, "api_base", provider->api_base);
    buffer_append_text(&out, ",\"extra\":");
    buffer_append_text(&out, token->extra ? token->extra : "{}");
    buffer_append_char(&out, '}');
    parts.ends[3] = out.length;

    parts.text = buffer_steal_text(&out);
    if (!parts.text)
        return -ENOMEM;
    *ret = parts;
    return 0;
}

void token_parts_release(struct token_parts *parts)
{
    free(parts->text);
    *parts = (struct token_parts){ 0 };
}

static void append_part(struct buffer *out, const struct token_parts *parts, size_t index)
{
    size_t start = index == 0 ? 0 : parts->ends[index - 1];
    buffer_append(out, parts->text + start, parts->ends[index] - start);
}

static void append_times(struct buffer *out, const struct issued_token *token, int64_t now)
{
    if (token->expires_at == 0)
        return;
    int64_t left_ms = token->expires_at > now ? token->expires_at - now : 0;
    buffer_append_format(out, ",\"expires_in\":%lld,\"expires_at\":%lld",
                         (long long)(left_ms / MS_PER_S),
                         (long long)(clock_to_wall(token->expires_at) / MS_PER_S));
}

static void append_token(struct buffer *out, const struct token_parts *parts,
                         const struct secret *token)
{
    if (!parts->verbatim) {
        json_append_secret(out, token);
        return;
    }
    buffer_append_char(out, '"');
    buffer_append(out, secret_reveal(token), secret_length(token));
    buffer_append_char(out, '"');
}

void token_parts_append(struct buffer *out, const struct token_parts *parts,
                        const struct issued_token *token, int64_t now)
{
    append_part(out, parts, 0);
    append_token(out, parts, token->access_token);
    append_part(out, parts, 1);
    append_times(out, token, now);
    append_part(out, parts, 2);
    size_t value_at = out->length;
    append_token(out, parts, token->access_token);
    if (parts->schemed && !out->failed)
        out->data[value_at] = ' ';
    append_part(out, parts, 3);
}

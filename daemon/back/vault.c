#include "back/vault.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"

/* The plain blob: a version byte, then fields of a tag byte, a length of four bytes (little end
 * first) and the bytes. Unknown tags are passed over. */
enum { BLOB_VERSION = 1, FIELD_HEADER = 5, CONTEXT_MAX = ACCOUNT_TEXT_SIZE + 40 };

enum field_tag {
    FIELD_ACCESS_TOKEN = 1,
    FIELD_REFRESH_TOKEN = 2,
    FIELD_PREDECESSOR = 3,
    FIELD_TOKEN_TYPE = 4,
    FIELD_EXTRA = 5,
};

static void put_field(struct buffer *out, enum field_tag tag, const char *bytes, size_t length)
{
    if (length > UINT32_MAX) {
        out->failed = true;
        return;
    }
    const unsigned char header[FIELD_HEADER] = {
        (unsigned char)tag,
        (unsigned char)(length & 0xff),
        (unsigned char)(length >> 8 & 0xff),
        (unsigned char)(length >> 16 & 0xff),
        (unsigned char)(length >> 24 & 0xff),
    };
    buffer_append(out, header, sizeof header);
    buffer_append(out, bytes, length);
}

static void put_secret(struct buffer *out, enum field_tag tag, const struct secret *secret)
{
    if (secret)
        put_field(out, tag, secret_reveal(secret), secret_length(secret));
}

static void put_text(struct buffer *out, enum field_tag tag, const char *text)
{
    if (text)
        put_field(out, tag, text, strlen(text));
}

static void encode(struct buffer *out, const struct grant *grant)
{
    buffer_append_char(out, BLOB_VERSION);
    put_secret(out, FIELD_ACCESS_TOKEN, grant->access_token);
    put_secret(out, FIELD_REFRESH_TOKEN, grant->refresh_token);
    put_secret(out, FIELD_PREDECESSOR, grant->predecessor);
    put_text(out, FIELD_TOKEN_TYPE, grant->token_type);
    put_text(out, FIELD_EXTRA, grant->extra);
}

static int take_secret(const char *bytes, size_t length, struct secret **slot)
{
    return *slot ? VAULT_BROKEN : secret_new(bytes, length, slot);
}

static int take_text(const char *bytes, size_t length, char **slot)
{
    if (*slot || memchr(bytes, '\0', length))
        return VAULT_BROKEN;
    *slot = strndup(bytes, length);
    return *slot ? 0 : -ENOMEM;
}

static int take_field(struct grant *grant, int tag, const char *bytes, size_t length)
{
    switch (tag) {
    case FIELD_ACCESS_TOKEN:
        return take_secret(bytes, length, &grant->access_token);
    case FIELD_REFRESH_TOKEN:
        return take_secret(bytes, length, &grant->refresh_token);
    case FIELD_PREDECESSOR:
        return take_secret(bytes, length, &grant->predecessor);
    case FIELD_TOKEN_TYPE:
        return take_text(bytes, length, &grant->token_type);
    case FIELD_EXTRA:
        return take_text(bytes, length, &grant->extra);
    default:
        return 0;
    }
}

static int decode(const struct buffer *plain, struct grant *ret)
{
    const unsigned char *bytes = (const unsigned char *)plain->data;
    size_t left = plain->length;
    if (left < 1 || bytes[0] != BLOB_VERSION)
        return VAULT_BROKEN;
    for (bytes++, left--; left > 0;) {
        if (left < FIELD_HEADER)
            return VAULT_BROKEN;
        size_t length = (size_t)bytes[1] | (size_t)bytes[2] << 8 | (size_t)bytes[3] << 16 |
                        (size_t)bytes[4] << 24;
        if (length > left - FIELD_HEADER)
            return VAULT_BROKEN;
        int r = take_field(ret, bytes[0], (const char *)bytes + FIELD_HEADER, length);
        if (r != 0)
            return r;
        bytes += FIELD_HEADER + length;
        left -= FIELD_HEADER + length;
    }
    return 0;
}

static void row_context(char out[static CONTEXT_MAX], const struct account_row *row)
{
    char name[ACCOUNT_TEXT_SIZE];
    (void)snprintf(out, CONTEXT_MAX, "account %s %" PRIu64, account_text(&row->name, name),
                   row->generation);
}

static void kept_context(char out[static CONTEXT_MAX], const struct kept_row *row)
{
    char name[ACCOUNT_TEXT_SIZE];
    (void)snprintf(out, CONTEXT_MAX, "kept %d %s", (int)row->kind, account_text(&row->name, name));
}

/* What it was when held consents lay among the kept rows, as kind 0. */
static void held_context(char out[static CONTEXT_MAX], const struct held_row *row)
{
    char name[ACCOUNT_TEXT_SIZE];
    (void)snprintf(out, CONTEXT_MAX, "kept 0 %s", account_text(&row->name, name));
}

static int open_blob(const struct seal_key *key, const char *context, const void *sealed,
                     size_t length, struct grant *ret)
{
    CLEANUP(cleanup_buffer) struct buffer plain = BUFFER_WITH_MAXIMUM(SEAL_PLAIN_MAX);
    CLEANUP(cleanup_grant) struct grant grant = { 0 };
    int r = unseal(key, context, sealed, length, &plain);
    if (r == SEAL_BROKEN)
        return VAULT_BROKEN;
    if (r == 0)
        r = decode(&plain, &grant);
    if (r != 0)
        return r;
    *ret = grant;
    grant = (struct grant){ 0 };
    return 0;
}

/* Seals bytes and hands them to *sealed, freeing what was there. */
static int close_blob(const struct seal_key *key, const char *context, const char *bytes,
                      size_t length, void **sealed, size_t *sealed_length)
{
    struct buffer out = BUFFER_WITH_MAXIMUM(SEAL_PLAIN_MAX + SEAL_OVERHEAD);
    int r = seal(key, context, bytes, length, &out);
    if (r != 0 || out.failed) {
        buffer_release(&out);
        return r != 0 ? r : -ENOMEM;
    }
    free(*sealed);
    *sealed_length = out.length;
    *sealed = buffer_steal_text(&out);
    return 0;
}

static int close_grant(const struct seal_key *key, const char *context, const struct grant *grant,
                       void **sealed, size_t *sealed_length)
{
    CLEANUP(cleanup_buffer) struct buffer plain = BUFFER_WITH_MAXIMUM(SEAL_PLAIN_MAX);
    encode(&plain, grant);
    if (plain.failed)
        return -E2BIG;
    return close_blob(key, context, plain.data, plain.length, sealed, sealed_length);
}

int vault_open(const struct seal_key *key, const struct account_row *row, struct grant *ret)
{
    char context[CONTEXT_MAX];
    if (row->generation == 0 && !row->sealed) {
        *ret = (struct grant){ 0 };
        return 0;
    }
    row_context(context, row);
    return open_blob(key, context, row->sealed, row->sealed_length, ret);
}

int vault_close(const struct seal_key *key, struct account_row *row, const struct grant *grant)
{
    char context[CONTEXT_MAX];
    row_context(context, row);
    return close_grant(key, context, grant, &row->sealed, &row->sealed_length);
}

int vault_open_held(const struct seal_key *key, const struct held_row *row, struct grant *ret)
{
    char context[CONTEXT_MAX];
    held_context(context, row);
    return open_blob(key, context, row->sealed, row->sealed_length, ret);
}

int vault_close_held(const struct seal_key *key, struct held_row *row, const struct grant *grant)
{
    char context[CONTEXT_MAX];
    held_context(context, row);
    return close_grant(key, context, grant, &row->sealed, &row->sealed_length);
}

int vault_open_kept(const struct seal_key *key, const struct kept_row *row, struct grant *ret)
{
    char context[CONTEXT_MAX];
    kept_context(context, row);
    return open_blob(key, context, row->sealed, row->sealed_length, ret);
}

int vault_close_kept(const struct seal_key *key, struct kept_row *row, const struct grant *grant)
{
    char context[CONTEXT_MAX];
    kept_context(context, row);
    return close_grant(key, context, grant, &row->sealed, &row->sealed_length);
}

static void link_context(char out[static CONTEXT_MAX], const struct link_row *row)
{
    (void)snprintf(out, CONTEXT_MAX, "link %s", row->digest);
}

int vault_open_link(const struct seal_key *key, const struct link_row *row, struct secret **ret)
{
    CLEANUP(cleanup_buffer) struct buffer plain = BUFFER_WITH_MAXIMUM(SEAL_PLAIN_MAX);
    char context[CONTEXT_MAX];
    link_context(context, row);
    int r = unseal(key, context, row->sealed, row->sealed_length, &plain);
    if (r == 0)
        r = secret_new(plain.data, plain.length, ret);
    return r == SEAL_BROKEN ? VAULT_BROKEN : r;
}

int vault_close_link(const struct seal_key *key, struct link_row *row, const struct secret *token)
{
    char context[CONTEXT_MAX];
    link_context(context, row);
    return close_blob(key, context, secret_reveal(token), secret_length(token), &row->sealed,
                      &row->sealed_length);
}

int vault_close_bytes(const struct seal_key *key, struct kept_row *row, const char *bytes,
                      size_t length)
{
    char context[CONTEXT_MAX];
    kept_context(context, row);
    return close_blob(key, context, bytes, length, &row->sealed, &row->sealed_length);
}

static void context_of(char out[static CONTEXT_MAX], enum sealed_kind kind,
                       const struct sealed_row *row)
{
    const struct account_row account = { .name = row->name, .generation = row->generation };
    const struct held_row held = { .name = row->name };
    const struct kept_row kept = { .kind = row->kept, .name = row->name };
    struct link_row link = { .name = row->name };
    memcpy(link.digest, row->digest, sizeof link.digest);
    if (kind == SEALED_ACCOUNT)
        row_context(out, &account);
    else if (kind == SEALED_HELD)
        held_context(out, &held);
    else if (kind == SEALED_KEPT)
        kept_context(out, &kept);
    else
        link_context(out, &link);
}

int vault_seal_again(const struct seal_key *key, enum sealed_kind kind,
                     const struct sealed_row *row, struct buffer *out)
{
    char context[CONTEXT_MAX];
    context_of(context, kind, row);
    int r = seal_again(key, context, row->sealed, row->sealed_length, out);
    return r == SEAL_BROKEN ? VAULT_BROKEN : r;
}

void grant_release(struct grant *grant)
{
    secret_free(grant->access_token);
    secret_free(grant->refresh_token);
    secret_free(grant->predecessor);
    free(grant->token_type);
    free(grant->extra);
    *grant = (struct grant){ 0 };
}

int grant_issue(const struct grant *grant, const struct account_row *row, struct issued_token **ret)
{
    CLEANUP(cleanup_issued_token) struct issued_token *token = calloc(1, sizeof *token);
    if (!token)
        return -ENOMEM;
    token->generation = row->generation;
    token->obtained_at = row->refreshed_at;
    token->lifetime_ms = row->lifetime_ms;
    token->expires_at = row->expires_at;
    int r = secret_copy(grant->access_token, &token->access_token);
    if (r == 0)
        r = text_copy(grant->token_type ? grant->token_type : "Bearer", &token->token_type);
    if (r == 0)
        r = text_copy(row->scope, &token->scope);
    if (r == 0)
        r = text_copy(grant->extra ? grant->extra : "{}", &token->extra);
    if (r != 0)
        return r;
    *ret = steal(token);
    return 0;
}

#pragma once

/*
 * An account's tokens as they lie sealed in its row. The blob is bound to the account's name and
 * the generation of its token, so that a row's blob cannot be put into another row or into its own
 * past.
 */

#include "base/secret.h"
#include "io/seal.h"
#include "io/store.h"
#include "messages.h"

/* What a blob holds. Anything may be absent (NULL). */
struct grant {
    struct secret *access_token;
    struct secret *refresh_token;
    struct secret *predecessor; /* the refresh token before the current one */
    char *token_type;
    char *extra; /* a JSON object: what else the provider sent */
};

enum { VAULT_BROKEN = 100 };

/* Opens row->sealed; a row that never had a grant opens as an empty one. Returns 0, VAULT_BROKEN
 * (another key, or changed on disk) or -errno. */
int vault_open(const struct seal_key *key, const struct account_row *row, struct grant *ret);

/* Seals into row->sealed, replacing what was there. Returns 0 or -errno. */
int vault_close(const struct seal_key *key, struct account_row *row, const struct grant *grant);

/* The same for a held consent, bound to the account's name. */
int vault_open_held(const struct seal_key *key, const struct held_row *row, struct grant *ret);
int vault_close_held(const struct seal_key *key, struct held_row *row, const struct grant *grant);

/* The same for a kept row: a token to revoke. */
int vault_open_kept(const struct seal_key *key, const struct kept_row *row, struct grant *ret);
int vault_close_kept(const struct seal_key *key, struct kept_row *row, const struct grant *grant);

/* The same for a link's token, bound to its digest. */
int vault_open_link(const struct seal_key *key, const struct link_row *row, struct secret **ret);
int vault_close_link(const struct seal_key *key, struct link_row *row, const struct secret *token);

/* Any bytes of a kept row: a reply that could not be read. */
int vault_close_bytes(const struct seal_key *key, struct kept_row *row, const char *bytes,
                      size_t length);

/* Appends what lies sealed in any row, sealed by the key itself. Returns as vault_open() does. */
int vault_seal_again(const struct seal_key *key, enum sealed_kind kind,
                     const struct sealed_row *row, struct buffer *out);

/* Wipes and frees what it holds. */
void grant_release(struct grant *grant);

/* The access token as the front may have it. Returns 0 or -errno. */
int grant_issue(const struct grant *grant, const struct account_row *row,
                struct issued_token **ret);

static inline void cleanup_grant(struct grant *grant)
{
    grant_release(grant);
}

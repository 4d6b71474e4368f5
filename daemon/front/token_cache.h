#pragma once

/* The tokens that may be handed out at once: bounded in number and bytes, the longest unused go
 * first. */

#include "front/account_map.h"
#include "front/token_parts.h"
#include "messages.h"

enum {
    TOKEN_CACHE_ENTRIES_MAX = 4096,
    TOKEN_CACHE_SECRET_BYTES_MAX = SECRET_REGION_MAX / 2, /* the rest is for what moves */
    TOKEN_CACHE_PUBLIC_BYTES_MAX = 16 * 1024 * 1024,
};

struct cached_token {
    struct account_node node;
    struct issued_token *token;
    struct token_parts parts;
    size_t secret_bytes;
    size_t public_bytes;
    struct cached_token *newer, *older; /* in the order of use */
};

struct token_cache;

/* Returns 0 or -ENOMEM. */
int token_cache_new(struct token_cache **ret);
struct token_cache *token_cache_free(struct token_cache *cache);

/* The account's token, expired or not, NULL when there is none; it counts as used now. Owned by
 * the cache, valid until the next put, replace or forget. */
struct cached_token *token_cache_find(struct token_cache *cache, const struct account_name *name);

/* Takes the token over; one of the same or a larger generation that is there already stays. What is
 * there then, or NULL when memory is short. */
struct cached_token *token_cache_put(struct token_cache *cache, const struct account_name *name,
                                     struct issued_token *token);

/* As token_cache_put(), but only where the account has an entry. Takes the token over. */
void token_cache_replace(struct token_cache *cache, const struct account_name *name,
                         struct issued_token *token);

/* Forgets a token whose generation is at most this; 0: whatever it is. */
void token_cache_forget(struct token_cache *cache, const struct account_name *name,
                        uint64_t generation);

/* Forgets the token with that fingerprint. */
void token_cache_reject(struct token_cache *cache, const struct account_name *name,
                        const char *fingerprint);

/* Drops everything. */
void token_cache_forget_all(struct token_cache *cache);

/* Forgets what was made from the settings. */
void token_cache_forget_parts(struct token_cache *cache);

DEFINE_CLEANUP(struct token_cache *, token_cache, token_cache_free)

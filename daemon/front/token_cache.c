#include "front/token_cache.h"

#include <errno.h>
#include <string.h>

enum {
    SECRET_BYTES_MIN = 64, /* the secret region's smallest piece; pieces are powers of two */
    SECRET_BYTES_OVERHEAD = 8,
    PUBLIC_BYTES_BASE = 1024, /* an entry with its parts but for the texts counted */
};

struct token_cache {
    struct account_map map;
    struct cached_token *newest, *oldest;
    size_t count;
    size_t secret_bytes;
    size_t public_bytes;
};

int token_cache_new(struct token_cache **ret)
{
    struct token_cache *cache = calloc(1, sizeof(*cache));
    if (!cache)
        return -ENOMEM;
    if (account_map_init(&cache->map, TOKEN_CACHE_ENTRIES_MAX) < 0) {
        free(cache);
        return -ENOMEM;
    }
    *ret = cache;
    return 0;
}

struct token_cache *token_cache_free(struct token_cache *cache)
{
    if (!cache)
        return NULL;
    token_cache_forget_all(cache);
    account_map_release(&cache->map);
    free(cache);
    return NULL;
}

static void unlink_entry(struct token_cache *cache, struct cached_token *entry)
{
    *(entry->newer ? &entry->newer->older : &cache->newest) = entry->older;
    *(entry->older ? &entry->older->newer : &cache->oldest) = entry->newer;
    entry->newer = entry->older = NULL;
}

static void link_newest(struct token_cache *cache, struct cached_token *entry)
{
    entry->older = cache->newest;
    *(cache->newest ? &cache->newest->newer : &cache->oldest) = entry;
    cache->newest = entry;
}

static size_t text_bytes(const char *text)
{
    return text ? strlen(text) : 0;
}

/* Puts the token into an entry that has none. */
static void fill(struct token_cache *cache, struct cached_token *entry, struct issued_token *token)
{
    size_t needed = secret_length(token->access_token) + SECRET_BYTES_OVERHEAD;

    entry->secret_bytes = SECRET_BYTES_MIN;
    while (entry->secret_bytes < needed)
        entry->secret_bytes *= 2;
    /* Each text is there twice: in the token and in the parts. */
    entry->public_bytes =
        PUBLIC_BYTES_BASE +
        2 * (text_bytes(token->scope) + text_bytes(token->token_type) + text_bytes(token->extra));
    entry->token = token;
    cache->secret_bytes += entry->secret_bytes;
    cache->public_bytes += entry->public_bytes;
}

static void empty(struct token_cache *cache, struct cached_token *entry)
{
    cache->secret_bytes -= entry->secret_bytes;
    cache->public_bytes -= entry->public_bytes;
    token_parts_release(&entry->parts);
    entry->token = issued_token_free(entry->token);
}

static void drop(struct token_cache *cache, struct cached_token *entry)
{
    account_map_remove(&cache->map, &entry->node);
    unlink_entry(cache, entry);
    empty(cache, entry);
    cache->count--;
    free(entry);
}

static bool too_much(const struct token_cache *cache)
{
    return cache->count > TOKEN_CACHE_ENTRIES_MAX ||
           cache->secret_bytes > TOKEN_CACHE_SECRET_BYTES_MAX ||
           cache->public_bytes > TOKEN_CACHE_PUBLIC_BYTES_MAX;
}

/* The newest stays: one token alone is always within the bounds. */
static void evict(struct token_cache *cache)
{
    while (too_much(cache) && cache->oldest != cache->newest)
        drop(cache, cache->oldest);
}

static struct cached_token *peek(const struct token_cache *cache, const struct account_name *name)
{
    return (struct cached_token *)account_map_find(&cache->map, name);
}

struct cached_token *token_cache_find(struct token_cache *cache, const struct account_name *name)
{
    struct cached_token *entry = peek(cache, name);

    if (entry && entry != cache->newest) {
        unlink_entry(cache, entry);
        link_newest(cache, entry);
    }
    return entry;
}

static void renew(struct token_cache *cache, struct cached_token *entry, struct issued_token *token)
{
    if (token->generation <= entry->token->generation) {
        issued_token_free(token);
        return;
    }
    empty(cache, entry);
    fill(cache, entry, token);
    evict(cache);
}

struct cached_token *token_cache_put(struct token_cache *cache, const struct account_name *name,
                                     struct issued_token *token)
{
    struct cached_token *entry = token_cache_find(cache, name);
    if (entry) {
        renew(cache, entry, token);
        return entry;
    }
    entry = calloc(1, sizeof(*entry));
    if (!entry) {
        issued_token_free(token);
        return NULL;
    }
    entry->node.name = *name;
    account_map_add(&cache->map, &entry->node);
    link_newest(cache, entry);
    cache->count++;
    fill(cache, entry, token);
    evict(cache);
    return entry;
}

void token_cache_replace(struct token_cache *cache, const struct account_name *name,
                         struct issued_token *token)
{
    struct cached_token *entry = peek(cache, name);
    if (entry)
        renew(cache, entry, token);
    else
        issued_token_free(token);
}

void token_cache_forget(struct token_cache *cache, const struct account_name *name,
                        uint64_t generation)
{
    struct cached_token *entry = peek(cache, name);
    if (entry && (generation == 0 || entry->token->generation <= generation))
        drop(cache, entry);
}

void token_cache_reject(struct token_cache *cache, const struct account_name *name,
                        const char *fingerprint)
{
    char ours[FINGERPRINT_SIZE];
    struct cached_token *entry = peek(cache, name);

    if (entry && strcmp(secret_fingerprint(entry->token->access_token, ours), fingerprint) == 0)
        drop(cache, entry);
}

void token_cache_forget_all(struct token_cache *cache)
{
    while (cache->oldest)
        drop(cache, cache->oldest);
}

void token_cache_forget_parts(struct token_cache *cache)
{
    for (struct cached_token *entry = cache->newest; entry; entry = entry->older)
        token_parts_release(&entry->parts);
}

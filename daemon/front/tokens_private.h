#pragma once

/* Shared by tokens.c (who waits) and tokens_notices.c (what is heard meanwhile). */

#include "front/account_map.h"
#include "front/token_answer.h"
#include "front/token_cache.h"
#include "front/tokens.h"

struct waiter;

struct waiter_list {
    struct waiter *first, *last;
};

/* One account's question to the back and those who wait for its answer. It is there while the
 * question is out, also when all who waited are gone: what comes goes to the cache. */
struct flight {
    struct account_node node;
    struct tokens *tokens;
    uid_t uid; /* who asked first: the question counts as theirs */
    uint64_t ask;
    int64_t asked_min_ttl_ms;
    /* What was heard since the question went out; an answer to a later question knows it. */
    uint64_t floor;  /* a token of a smaller generation is not served */
    bool distrusted; /* nor is any token, and a failure may be history */
    struct waiter_list waiting;
    struct waiter_list settling; /* those for whom the answer that just came is looked at */
    size_t count;
};

struct tokens {
    struct context *context;
    struct token_cache *cache;
    struct account_map flights;
    size_t waiter_count;
    bool stopping;
    struct token_server server;
};

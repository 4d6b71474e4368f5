#pragma once

/* Is a cached token good enough for who asks, and the answer that holds it. */

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/buffer.h"
#include "front/context.h"
#include "front/token_cache.h"
#include "io/store.h"
#include "io/web.h"
#include "messages.h"

/* What a client asks for; it may. */
struct token_wish {
    struct account_name account; /* of a provider that is configured */
    uid_t uid;
    char unit[AUDIT_UNIT_SIZE];
    int64_t min_ttl_ms; /* -1: the default */
    int64_t wait_ms;
    bool plain;                /* the bare token instead of JSON */
    const struct asker *asker; /* during the call alone */
    bool may_consent;          /* filled in with a failure: may be told the account's link */
};

enum token_verdict {
    TOKEN_GOOD,
    TOKEN_SHORT,      /* none, or not enough time left: another one is needed */
    TOKEN_IMPOSSIBLE, /* no token of this account lasts that long */
};

/* What answers are made with. */
struct token_server {
    struct context *context;
    struct buffer answer; /* empty between answers; kept, so that a cached token's answer allocates
                             nothing here */
};

/* entry may be NULL. Whether a token was rejected or replaced is the cache's business. */
enum token_verdict token_judge(const struct cached_token *entry, int64_t min_ttl_ms);

/* Answers with the token (TOKEN_GOOD; counted in the audit) or that it is impossible. */
void token_answer(struct token_server *server, struct web_request *web,
                  const struct token_wish *wish, struct cached_token *entry,
                  enum token_verdict verdict);

/* Answers with a failure about the wish's account. */
void token_fail(struct token_server *server, struct web_request *web, const struct token_wish *wish,
                const struct failure *failure);
void token_refuse(struct token_server *server, struct web_request *web,
                  const struct token_wish *wish, enum wire_error error, const char *text);

#pragma once

/*
 * Who gets which token: at once from the cache, or after one question to the back that all who ask
 * for the account share. A token is never handed out with less time left than asked for, nor one
 * that was rejected or replaced, as far as the back has told.
 */

#include "front/context.h"
#include "front/token_answer.h"
#include "io/web.h"
#include "messages.h"

enum {
    TOKENS_WAITERS_MAX = 2048,
    TOKENS_WAITERS_PER_ACCOUNT_MAX = 1024,
    TOKENS_WAITERS_PER_ACCOUNT_AND_UID_MAX = 512, /* who may ask for it shuts nobody else out */
    TOKENS_TRIES_MAX = 8,                         /* answers that did not serve a waiter */
};

struct tokens;

/* Returns 0 or -errno. */
int tokens_new(struct context *context, struct tokens **ret);

/* No request waits any more: the server is gone. NULL is fine; returns NULL. */
struct tokens *tokens_free(struct tokens *tokens);

/* Answers the request, now or later. */
void tokens_request(struct tokens *tokens, struct web_request *web, const struct token_wish *wish);

/* A NOTICE; its token may be stolen. */
void tokens_notice(struct tokens *tokens, struct message *notice);

/* The token with that fingerprint is not handed out again, neither from the cache nor when it comes
 * as the answer to a question that is out already. */
void tokens_reject(struct tokens *tokens, const struct account_name *account,
                   const char *fingerprint);

/* The context's settings are others now; tokens_rights_changed() is told besides. */
void tokens_settings_changed(struct tokens *tokens);

/* Settings or approvals have changed: those who wait and may not have the token any more are
 * answered as if they asked now, the others go on waiting. Not within a handler. */
void tokens_rights_changed(struct tokens *tokens);

/* All who wait are told `busy`, and so is whoever would have to wait from now on. */
void tokens_stop(struct tokens *tokens);

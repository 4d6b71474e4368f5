#pragma once

/* How a consent is written down: as the account's new grant, or held when it is another's. */

#include "back/judgement.h"
#include "back/keeper.h"
#include "back/vault.h"

enum { EXCHANGE_OWNED = 1 }; /* another account holds this refresh token */

struct exchange_write {
    const struct message *question; /* borrowed */
    struct setup *setup;            /* a reference */
    struct token_reply reply;       /* granted, or with a rescued refresh token */
    int64_t sent_at;

    /* what apply found and wrote */
    struct account_row row;
    struct issued_token *issued; /* NULL without an access token */
    struct consent *consent;
    struct account_name owner; /* with EXCHANGE_OWNED */
};

/* In a transaction; may run again. Returns 0, EXCHANGE_OWNED or -errno. */
int exchange_write_apply(struct exchange_write *write, const struct seal_key *key,
                         struct store *store);

/* Frees what it holds; question stays the caller's. */
void exchange_write_release(struct exchange_write *write);

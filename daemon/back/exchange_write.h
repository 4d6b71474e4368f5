#pragma once

/* How a consent is written down: as the account's new grant, or held when it is another's. */

#include "back/exchange_late.h"
#include "back/judgement.h"
#include "back/keeper.h"
#include "back/vault.h"

enum { EXCHANGE_OWNED = 1 }; /* another account holds this refresh token */

struct exchange_write {
    const struct message *question; /* borrowed */
    struct setup *setup;            /* a reference */
    struct token_reply reply;
    bool foreign;      /* its id_token is another login's: it is kept and grants nothing */
    struct buffer odd; /* a reply to be kept for a person to look at */
    int64_t sent_at;
    enum exchange_newer newer[2]; /* as a grant; held: for others to say */
    bool cancelled;               /* and answered so: nobody hears of what comes */
    bool logged_out;              /* the account was, while this was under way */

    /* what apply found and wrote */
    enum exchange_late late; /* then nothing else was written but the end of what came */
    struct account_row row;
    struct issued_token *issued; /* NULL without an access token */
    struct consent *consent;
    struct account_name owner; /* with EXCHANGE_OWNED */
};

/* What came as such, or was rescued; NULL: none. */
const struct secret *exchange_write_refresh_token(const struct exchange_write *write);

/* True for what is kept beside the account's grant. */
bool exchange_write_holds(enum consent_outcome outcome);

/* True for a reply with something to store as the account's grant: an access token, or a refresh
 * token that was rescued from a reply that is no grant. Not for one that is foreign. */
bool exchange_write_grants(const struct exchange_write *write);

/* Outside a transaction, before anything is sent: would what came be dropped, as far as is known
 * now? write->late says it. Returns 0, or STORE_FOREIGN or -errno where it could not be stored, as
 * the account cannot be read. */
int exchange_write_look(struct exchange_write *write, struct store *store);

/* True when apply stored what came, as the account's grant or beside it. */
bool exchange_write_stored(const struct exchange_write *write);

/* In a transaction; may run again. A reply that does not grant is only kept, where it is odd.
 * Returns 0, EXCHANGE_OWNED or -errno. */
int exchange_write_apply(struct exchange_write *write, struct keeper *keeper, struct store *store);

/* In a transaction, when nothing of what came is in the store: it is done with (back/unused.h), and
 * is not to live on where nobody knows of it. Returns 0 or -errno. */
int exchange_write_drop(const struct exchange_write *write, struct keeper *keeper,
                        struct store *store);

/* Frees what it holds; question stays the caller's. */
void exchange_write_release(struct exchange_write *write);

#pragma once

/* How a consent is written down: as the account's new grant, or held when it is another's. */

#include "back/judgement.h"
#include "back/keeper.h"
#include "back/vault.h"

enum { EXCHANGE_OWNED = 1 }; /* another account holds this refresh token */

/* Why a grant that came is nobody's. */
enum exchange_late {
    EXCHANGE_IN_TIME,
    EXCHANGE_LINK_OVER, /* the link was used, replaced or withdrawn while the code was in the air */
    EXCHANGE_REPLACED,  /* a login of the account whose code came later was finished first */
    EXCHANGE_CANCELLED, /* the login was */
    EXCHANGE_GONE,      /* the account was: logged out, or renamed */
};

struct exchange_write {
    const struct message *question; /* borrowed */
    struct setup *setup;            /* a reference */
    struct token_reply reply;
    bool foreign;      /* its id_token is another login's: it is kept and grants nothing */
    struct buffer odd; /* a reply to be kept for a person to look at */
    int64_t sent_at;
    bool replaced;  /* by a newer login, which is for others to say */
    bool cancelled; /* and answered so: nobody hears of what comes */

    /* what apply found and wrote */
    enum exchange_late late; /* then nothing else was written but the end of what came */
    struct account_row row;
    struct issued_token *issued; /* NULL without an access token */
    struct consent *consent;
    struct account_name owner; /* with EXCHANGE_OWNED */
};

/* True for a reply with something to store as the account's grant: an access token, or a refresh
 * token that was rescued from a reply that is no grant. Not for one that is foreign. */
bool exchange_write_grants(const struct exchange_write *write);

/* True when apply made what came the account's grant. */
bool exchange_write_connected(const struct exchange_write *write);

/* In a transaction; may run again. A reply that does not grant is only kept, where it is odd.
 * Returns 0, EXCHANGE_OWNED or -errno. */
int exchange_write_apply(struct exchange_write *write, struct keeper *keeper, struct store *store);

/* Frees what it holds; question stays the caller's. */
void exchange_write_release(struct exchange_write *write);

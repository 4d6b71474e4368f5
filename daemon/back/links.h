#pragma once

/* Links by which a person elsewhere consents for an account: at most one is open for each. */

#include "back/keeper.h"

enum {
    LINK_TOKEN_BYTES = 32,
    LINKS_OPEN_MAX = 20 * 1000,
    LINKS_OPEN_PER_UID_MAX = 10 * 1000, /* but for root and what the broker itself offers */
    LINK_CLICKS_PER_HOUR = 60,          /* of one link; a scanner's count like a person's */
};

#define LINK_HOUR_MS (INT64_C(60) * 60 * 1000)
/* Of one that is made because an account needs a consent. */
#define LINK_OFFERED_MS (INT64_C(30) * 24 * 60 * 60 * 1000)

#define LINK_OVER_TEXT                                                                             \
    "the link was used, replaced or withdrawn while you were at the provider: ask for a new one "  \
    "if the account is not connected"

/* In a transaction: makes a link and ends the one before. expect NULL: the account's identity where
 * that is known. *ret holds the token; release it. Returns 0, JOB_LINKS_FULL,
 * JOB_LINKS_QUOTA, JOB_LINK_OF_OTHER or -errno. */
int links_make(struct keeper *keeper, struct store *store, const struct account_name *name,
               const struct link_order *order, struct link_row *ret);

/* In a transaction: an account needs a consent. It gets a link, unless it has one, none can lead to
 * its provider, or a consent waits to be accepted. Returns 0 or -errno. */
int links_offer(struct keeper *keeper, struct store *store, const struct account_row *row);

/* The token of the link that a person can use for the account now; "" when there is none. */
void links_token(struct keeper *keeper, const struct account_name *name,
                 char out[static LINK_TOKEN_SIZE]);

/* Sets row->link to that link, if there is one and row has none. */
void links_attach(struct keeper *keeper, struct account_row *row);

/* Opens what is sealed in a row into its token; it stays NULL when it cannot be. */
void links_unseal(struct keeper *keeper, struct link_row *row);

/* Answers that the account needs a consent, with its link; makes one where it lacks one. */
void links_refuse(struct keeper *keeper, uint64_t id, const struct account_row *row);

/* keeper_call_hook(): the account needs a consent, why, and by which link. */
int links_call_hook(struct keeper *keeper, const struct account_name *name, uint64_t receipt,
                    const char *why);

/* What JOB_NO_LINK … JOB_LINK_BUSY mean. */
struct failure links_refusal(int result, const char *name);

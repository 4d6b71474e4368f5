#pragma once

/*
 * Calls a person, by the hook, for what an account's row says: its grant will die (once for each
 * level of its forecast: 30, 14, 7, 3, 1 days), it needs a consent, one is held for it, or it
 * turned out to be another identity's; and for a provider's pause.
 *
 * What is told is derived from the rows, and only what the hook has heard is noted in them. So
 * nothing is lost by a crash or a restart, and what the hook is too slow for waits in the store:
 * all accounts are looked at each hour, a few in each turn of the loop, and on from where the last
 * one found no place as soon as there is one. Who is noted is not told again.
 */

#include "back/keeper.h"

enum {
    WARN_EVERY_MS = 60 * 60 * 1000,
    WARN_ROWS_PER_TURN = 50,
    WARN_CALLS_MAX = 16,             /* that the hook has not heard yet */
    WARN_CALLS_FOR_ACCOUNTS_MAX = 8, /* of them: a pause is not kept waiting by many accounts */
};

#define WARN_MISMATCH_TEXT "a consent for another identity (%.100s) is held: accept or discard it"
#define WARN_UNTOLD_TEXT                                                                           \
    "a consent is held of which the provider did not say whose it is: accept or discard it"
#define WARN_IDENTITY_TEXT                                                                         \
    "a refresh says that the grant is of another identity (%.100s) than before (%.100s)"
#define WARN_HELD_TEXT "a first consent by link (identity: %.100s) is held: accept or discard it"

struct warn;

/* Returns 0 or -errno. */
int warn_new(struct keeper *keeper, struct warn **ret);

/* After commits_finish(). NULL is fine; returns NULL. */
struct warn *warn_free(struct warn *warn);

/* The account's row has changed: whoever is to be told of it need not wait for the next hour. */
void warn_look(struct keeper *keeper, const struct account_name *name);

/* The same where it needs a consent; those who follow are told too, once. */
void warn_needs_consent(struct keeper *keeper, const struct account_row *row);

/* A provider pauses. */
void warn_paused(struct keeper *keeper, const struct pause_row *row);

/* What was left untold, as the program could not be started or the store was another broker's, may
 * be told now. */
void warn_again(struct keeper *keeper);

/* A letter TELL_HEARD. */
void warn_heard(struct keeper *keeper, struct message *letter);

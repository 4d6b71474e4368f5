#pragma once

/*
 * Whether a provider is to rest as a whole: its state, written through the group commit, and the
 * plan of its canaries. Who is probed, and how, is the lane's business.
 */

#include "back/keeper.h"

enum {
    PAUSE_AFTER_REFUSALS = 3,         /* different accounts in a row */
    PAUSE_FIRST_PROBE_MS = 60 * 1000, /* after such refusals; refused credentials wait an hour */
    PAUSE_UNANSWERED_STEP = 6, /* of backoff_ms(), after the first probe without an answer: 1 min */
    PAUSE_RISKED_MAX = 2,
    PAUSE_MOVE_ON_MS = 24 * 60 * 60 * 1000, /* between two such accounts */
};

struct pause {
    struct pause_row row;
    struct account_name refused[PAUSE_AFTER_REFUSALS]; /* in a row, since the last success */
    size_t refused_count;
    /* Whose refresh tokens were sent with a wrong client secret, which may have cost them: these
     * probe, and nobody else's token is put to that. The second shows whether it is all accounts.
     */
    struct account_name risked[PAUSE_RISKED_MAX];
    size_t risked_count;
    unsigned unanswered; /* probes in a row; they decide nothing */
    unsigned turn;       /* counts the probes: every other one is another account's */
    int64_t moved_on_at; /* when somebody else was last let probe; 0: never */
    bool moves_on;       /* that is wanted now */
};

/* Reads what was stored; a set-up other than the stored one is probed now. Returns 0 or -errno. */
int pause_load(struct pause *pause, struct keeper *keeper, const struct setup *setup);

/* True while nothing but canaries may be sent. */
bool pause_holds(const struct pause *pause);

/* True while what probes may cost refresh tokens: a client secret was refused, or the store is a
 * copy. Then nobody else's is put to that, though its time runs out. */
bool pause_spares_others(const struct pause *pause);

/* Returns true when this refusal makes the provider pause. */
bool pause_add_refusal(struct pause *pause, struct keeper *keeper, const struct account_name *name);
/* The same. name NULL: no account's refresh token was sent with them. */
bool pause_credentials_refused(struct pause *pause, struct keeper *keeper,
                               const struct account_name *name, const char *error);

/* An account was refused. Where it probes the client secret, that is taken again: as its own token
 * may be lost, somebody else probes now; that happens once a day, or after a change, at most. */
void pause_account_refused(struct pause *pause, const struct account_name *name);

/* The store is a copy, whose refresh tokens may be spent: one account probes now, whatever it was
 * paused for, and what a person's consent shows is no reason to go on. */
void pause_copied(struct pause *pause, struct keeper *keeper);

/* In a transaction: the same for every provider that has somebody to refresh, configured or not. */
int pause_all_copied(struct store *store);

/* In a transaction: an account of from becomes one of to, where it is held back no less. */
int pause_carry(struct store *store, const char *from, const char *to);

/* After that: takes up what was written, for the lane that there is. */
void pause_carried(struct pause *pause, struct keeper *keeper, const char *from);

/* The canary did not pass. */
void pause_probe_failed(struct pause *pause, struct keeper *keeper);

/* It was not sent, or got no usable answer. */
void pause_probe_unanswered(struct pause *pause);

/* An account was refreshed. Returns true when that ends a pause. */
bool pause_succeeded(struct pause *pause, struct keeper *keeper);

/* A person's consent succeeded. known: it shows that the client's credentials are taken, as they
 * are configured. It shows nothing about refresh tokens, so a pause for anything else stays; but
 * where it brought one, that account is the next to probe. Returns true when it ends a pause. */
bool pause_consented(struct pause *pause, struct keeper *keeper, bool known, bool brought);

/* Someone asked for a probe now. */
void pause_probe_now(struct pause *pause, struct keeper *keeper);

/* Another set-up than the one that was refused is configured: probe now. False: it is the same. */
bool pause_setup_changed(struct pause *pause, struct keeper *keeper, const struct setup *setup);

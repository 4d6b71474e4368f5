#pragma once

/*
 * One lane for each provider: what is sent to it, how much at once, and when it rests.
 *
 * The window says how many refreshes may be in the air. It starts at one and doubles with success;
 * a refusal closes it to one again. So a provider that has gone wrong is met with one account, not
 * with all of them.
 *
 * What is no refresh visits the lane: it takes a place of the provider's `concurrency` and its turn
 * of the `rate_limit` like a flight. Where these leave little room, visits and flights that wait go
 * by turns: neither can starve the other.
 */

#include "back/credentials.h"
#include "back/flight.h"
#include "back/keeper.h"

enum {
    LANE_WINDOW_MAX = 32,            /* where the provider's `concurrency` does not say it */
    LANE_STORE_CHECK_MS = 1000,      /* while the store refuses writes */
    LANE_RECHECK_MS = 1000,          /* accounts that are due and have a flight already */
    LANE_REST_WAITED_MS = 10 * 1000, /* who asks while the provider rests longer is refused */
    LANE_LULL_MS = 60 * 1000,        /* without a success; then one flight goes first again */
    LANE_LATE_MS = 250,              /* a request may be on its way to the provider so long */
    LANE_QUEUE_MAX = 4096,
    LANE_RESTING_MAX =
        64,             /* due accounts in the air or at rest unanswered; others wait meanwhile */
    LANE_ROOM_MS = 250, /* until it is looked again whether there is room for a reply */
    LANE_ROOM_WAITED_MS = 2 * 1000, /* who asks while there is none for longer is refused */
};

struct lane;

/* Starts with what is stored of the provider's pause. Returns 0 or -errno. */
int lane_new(struct keeper *keeper, const struct provider *provider, struct client_secrets secrets,
             struct lane **ret);
/* Ends every flight; whoever waits is told to ask again. NULL is fine; returns NULL. */
struct lane *lane_free(struct lane *lane);

/* Takes another configuration; what is in the air ends with the one it began with. Returns 0 or
 * -errno (the old one stays). */
int lane_configure(struct lane *lane, const struct provider *provider,
                   struct client_secrets secrets);

/* The end: whoever waits for discovery is told so, and rows hear what only flights knew. Before
 * lane_free(), which tells only those who wait for a flight. */
void lane_give_up(struct lane *lane);

/* Not configured any more: what is in the air ends, nothing begins until lane_configure(). */
void lane_remove(struct lane *lane);
bool lane_removed(const struct lane *lane);

/* True while anything is on the wire or not durable yet. */
bool lane_busy(const struct lane *lane);

/* True while a refresh was sent whose reply has not come: it may hold the only copy of a grant. */
bool lane_on_wire(const struct lane *lane);

/* Starts what may start now, and sets the timer for what may later. */
void lane_pump(struct lane *lane);

/*
 * A client needs a new token of this account: joins its flight or queues one. The question with
 * this id is answered once, when the flight has ended and all of it is durable.
 */
void lane_demand(struct lane *lane, const struct account_name *name, uint64_t id, bool with_rows);

/* True while a flight of that account is in the air, resting or waiting for its turn. */
bool lane_flies(struct lane *lane, const struct account_name *name);

/* The store is no longer held for a copy: one account probes, then the rest follow. */
void lane_resume(struct lane *lane);

/* An account of the provider from is one of this lane's now. */
void lane_take_over(struct lane *lane, const char *from);

/* Forgets what was held against the provider and sends at once, to the endpoints that discovery
 * finds now: someone asked for it. */
void lane_retry(struct lane *lane);

/* The same for the accounts that want a consent and have a refresh token: each is tried once, and
 * one goes first. */
void lane_try_refused(struct lane *lane);

/* The set-up as it is now, with the client secret in force, borrowed; setup_ref() keeps it. */
struct setup *lane_setup(const struct lane *lane);

/* The same for a refresh of that account, which may be the one that tries client_secret_next. */
struct setup *lane_choose_setup(struct lane *lane, const struct account_name *name);

/* True when another flight than the one that is being started is in the air. */
bool lane_has_others_in_air(const struct lane *lane);

/* What a reply to it says of the secret that was tried: before any other report. */
enum trial_result lane_judge_trial(struct lane *lane, struct setup *used,
                                   const struct token_reply *reply);

/* Calls back once, at once or later: NULL when the endpoints are known, else why they are not. */
void lane_resolve(struct lane *lane, void (*resolved)(void *userdata, const struct failure *why),
                  void *userdata);
/* Whoever waits for that with this userdata is not called back. */
void lane_unresolve(struct lane *lane, const void *userdata);

/* Whether the provider rests, and what health says of it. */
bool lane_paused(const struct lane *lane);
/* Also where the store has not taken it yet. */
const struct pause_row *lane_pause_row(const struct lane *lane);
void lane_health(const struct lane *lane, struct provider_health *ret);

/* When another account than this one was last refreshed; 0: never since the start. */
int64_t lane_others_succeeded_at(const struct lane *lane, const struct account_name *name);

/* Why nothing is sent at present, for whoever asks. */
struct failure lane_pause_failure(const struct lane *lane);

/* One request of somebody else's that goes to the provider; a part of whoever sends it, zero at
 * first. */
typedef void (*lane_admitted)(void *userdata, const struct failure *why);
enum lane_visit_stage { LANE_VISIT_NONE, LANE_VISIT_WAITING, LANE_VISIT_INSIDE };
struct lane_visit {
    struct lane_visit *next;
    struct lane *lane;
    enum lane_visit_stage stage;
    lane_admitted admitted;
    void *userdata;
};

/* Calls admitted once, at once or later: with NULL, and the request may go; or with why it may not,
 * since the provider asked for a rest longer than LANE_REST_WAITED_MS, and the visit is over. */
void lane_visit(struct lane *lane, struct lane_visit *visit, lane_admitted admitted,
                void *userdata);
/* The request has ended, or will not be sent; one that is over or never began is fine. */
void lane_leave(struct lane_visit *visit);
/* The same for one that was just admitted and sends nothing: its turn of the rate limit is free. */
void lane_leave_unsent(struct lane_visit *visit);

/* Nothing is sent for so long; 0: nothing follows. */
void lane_asked_to_rest(struct lane *lane, int64_t rest_ms);

/* A refresh was tried: for lane_health(). */
void lane_count_attempt(struct lane *lane, enum verdict verdict);

/* Flights report what they met. */
void lane_succeeded(struct lane *lane, const struct account_name *name);
void lane_unanswered(struct lane *lane, int64_t retry_after_ms);
void lane_refused(struct lane *lane, const struct account_name *name, bool its_own);
/* name NULL: no refresh token was sent with them. */
void lane_credentials_refused(struct lane *lane, const struct account_name *name,
                              const char *error);
/* A person's consent succeeded, with that set-up; brought: a refresh token came for its account. It
 * is no success of a refresh: neither the window nor a judgement hears of it. */
void lane_consented(struct lane *lane, const struct setup *used, bool brought);
void lane_wait_again(struct lane *lane, struct flight *flight, int64_t rest_ms);
/* It was not sent, as there is no room for what would come: neither it nor another is for a while.
 */
void lane_cramped(struct lane *lane, struct flight *flight);
void lane_ready(struct lane *lane, struct flight *flight);
/* It goes before its row has heard that a reply was lost, if one was: the row hears it now. */
void lane_lost(struct lane *lane, const struct flight *flight);
void lane_landed(struct lane *lane, struct flight *flight);

#pragma once

/* The inside of a lane, for the files that make it up: lane.c (its life, what it hears),
 * lane_discovery.c (its endpoints, and who waits for them), lane_flights.c (its flights and their
 * queue), lane_grace.c (what a lost reply leaves time for), lane_pump.c (what starts when),
 * lane_visits.c (what goes there besides). */

#include "back/lane.h"
#include "back/pause.h"
#include "back/resolve.h"

struct resolve_waiter {
    struct resolve_waiter *next;
    void (*resolved)(void *userdata, const struct failure *why);
    void *userdata;
};

struct success {
    struct account_name name;
    int64_t at; /* 0: none yet */
};

/* A pass over the accounts for which a consent is wanted. */
struct again {
    bool looks;               /* it has not come to the end */
    bool all;                 /* whatever set-up they were refused under */
    bool marks;               /* `last` is being written to be due */
    bool undone;              /* that failed, and is tried again */
    struct account_name last; /* that it has come to; label "": none */
    int64_t marked_at;        /* when that was */
    char set_up[FINGERPRINT_SIZE];
};

struct lane {
    struct keeper *keeper;
    struct setup *setup;      /* with the client secret in force */
    struct provider *section; /* as configured, without what was discovered */
    struct provider *found;   /* what was, before a reload, until it is discovered anew; or NULL */
    struct credentials credentials;
    bool removed; /* not configured any more: what is in the air ends, nothing begins */
    struct pause pause;
    bool probes_anew; /* a canary in the air does not say when the next one goes: that is known */
    struct loop_source *timer; /* the next turn: a due account, a probe, the end of a rest */

    void *flights; /* a tree (tsearch) of all flights, by account */
    size_t flight_count;
    struct flight *queue_first;
    struct flight *queue_last;
    unsigned in_air;
    uint64_t attempts[VERDICT_COUNT]; /* since the start */
    unsigned window;
    struct lane_visit *visits_first; /* that wait to be let in */
    unsigned visitors;               /* that are on the wire */
    struct loop_source *door;        /* when the first of them may be let in */
    int64_t asked_to_rest_until;     /* by the provider (Retry-After) */
    int64_t undiscovered_until;      /* discovery failed */
    int64_t paced_from;              /* when the last request went; 0: none did */
    int64_t paced_until;             /* rate_limit: when the next may go */
    int64_t cramped_until;           /* no room for a reply: when the next flight may try */
    int64_t cramped_since;           /* 0: the last one had room */
    bool cramped_told;               /* once for each such time */
    bool flights_turn; /* the next request is a flight's, if one wants it: a visit was the last */
    struct success latest, before; /* of two different accounts */

    struct again again;
    struct resolve *resolve; /* discovery under way */
    struct resolve_waiter *resolve_waiters;
};

/* --- lane_again.c --- */

/* Accounts that were refused for good under another set-up are tried once more, one by one. */
void lane_look_again(struct lane *lane);

/* Goes on with the next, if its turn has come. */
void lane_look_on(struct lane *lane);

/* --- lane_discovery.c --- */

/* Begins discovery unless it is under way. Returns 0 or -errno. */
int lane_start_resolve(struct lane *lane);

/* Whoever waits for discovery waits for that of the new set-up now. */
void lane_resolve_anew(struct lane *lane);

/* A copy of what discovery has told of a server that this section still names; *ret stays NULL
 * where there is nothing. Returns 0 or -ENOMEM. */
int lane_copy_found(const struct lane *lane, const struct provider *section, struct provider **ret);

/* Ends it; whoever waits is told so. */
void lane_give_up_discovery(struct lane *lane);

/* Ends it without a word to whoever waits. */
void lane_end_discovery(struct lane *lane);

/* --- lane_flights.c --- */

/* NULL when the account has no flight. */
struct flight *lane_find_flight(const struct lane *lane, const struct account_name *name);

/* A new flight, at rest until it is queued or started. Returns 0 or -errno. */
int lane_add_flight(struct lane *lane, const struct account_name *name, struct flight **ret);
void lane_drop_flight(struct lane *lane, struct flight *flight);

/* The queue of those that wait for their turn; lane_dequeue() is NULL when it is empty. */
void lane_enqueue(struct lane *lane, struct flight *flight);
struct flight *lane_dequeue(struct lane *lane);

/* Answers whoever waits for it with this failure and drops it, which was taken from the queue. */
void lane_refuse_flight(struct lane *lane, struct flight *flight, const struct failure *failure);

/* The same for all that wait in the queue. */
void lane_refuse_queue(struct lane *lane, const struct failure *failure);

/* The same, but those that make their last try within the grace stay. */
void lane_refuse_all_but_last_tries(struct lane *lane, const struct failure *failure);

/* The same, but they stay in the queue. */
void lane_refuse_waiters(struct lane *lane, const struct failure *failure);

/* How many are in the air, or rest since a try that was not answered, with nobody waiting. */
size_t lane_count_unasked(const struct lane *lane);

/* Those between two tries get their next turn now. */
void lane_end_rests(struct lane *lane);

/* The rows of those that will get none hear what they have lost. */
void lane_tell_rows(struct lane *lane);

/* Drops every flight. */
void lane_drop_all(struct lane *lane);

/* --- lane_grace.c --- */

/* When the first account's last try within the provider's grace is due, for a lane that pauses;
 * INT64_MAX: no account has one. Once that time has come, *ret is the account. */
int64_t lane_last_in_grace_at(const struct lane *lane, struct account_name *ret);

/* --- lane_pump.c --- */

/* A pump at the next turn of the loop. */
void lane_pump_soon(struct lane *lane);

/* lane_pump() as the timer calls it. */
void lane_turn(void *lane);

/* Notes that a request goes now, for the provider's rate limit; that it did not go after all; and
 * that the limit may be another now. */
void lane_pace(struct lane *lane);
void lane_unpace(struct lane *lane);
void lane_pace_anew(struct lane *lane);

/* Until when nothing is sent: the provider asked for it, or could not be discovered. */
int64_t lane_rests_until(const struct lane *lane);

/* --- lane_visits.c --- */

/* False when as many requests are under way as the provider's `concurrency` allows. */
bool lane_has_room(const struct lane *lane);

/* Lets in those that wait, as many as may. */
void lane_admit(struct lane *lane);

/* --- lane.c --- */

/* Its section was changed: nothing can be refreshed there, also where accounts have refresh tokens;
 * and what is said to whoever asks. */
bool lane_is_static(const struct lane *lane);
struct failure lane_static_failure(const struct account_name *name);

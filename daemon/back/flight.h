#pragma once

/*
 * One refresh: from the row to the wire and back to the row. An account has at most one flight. A
 * flight outlives short retries and the steps after a refusal, so that whoever waits for it gets
 * one answer; each step that must not be taken twice is durable before the next is sent.
 *
 * The lane owns its flights, starts them, and hears from each: lane_landed() at its end, or
 * lane_wait_again() when it wants another turn after a rest.
 */

#include "back/judgement.h"
#include "back/keeper.h"

struct lane;
struct flight;

enum {
    FLIGHT_SET_ASIDE_MS = 60 * 60 * 1000, /* an account whose row is damaged */
    FLIGHT_READ_AGAIN_MS = 5 * 1000,      /* one that could not be read just now */
    FLIGHT_TOKEN_USUAL = 3 * 1024,        /* room is taken for such tokens at the least, where one
                                             was there before */
};

enum flight_stage {
    FLIGHT_QUEUED, /* waits for its turn in the lane */
    FLIGHT_IN_AIR, /* on the wire, or its outcome is not durable yet */
    FLIGHT_RESTING /* between two tries */
};

enum flight_way {
    FLIGHT_IN_TURN, /* goes again in seconds where nothing comes; takes the steps after a refusal */
    FLIGHT_CANARY,  /* one try and no more, of a lane that pauses */
    FLIGHT_IN_GRACE /* one answer: where none comes, it goes again until its grace ends */
};

/* Returns 0 or -errno. */
int flight_new(struct keeper *keeper, struct lane *lane, const struct account_name *name,
               struct flight **ret);
/* Ends what is on the wire; whoever still waits is refused as busy. */
struct flight *flight_free(struct flight *flight);

/* Owned by the flight. */
const struct account_name *flight_account(const struct flight *flight);
enum flight_stage flight_stage(const struct flight *flight);

/* Someone waits for the end; with_rows: wants the account's row too. Refused at once when memory is
 * short. */
void flight_join(struct flight *flight, uint64_t id, bool with_rows);

/* Sends it. */
void flight_start(struct flight *flight, enum flight_way way);
enum flight_way flight_way(const struct flight *flight);

/* It was sent, and its reply has not come. */
bool flight_is_on_wire(const struct flight *flight);

/* The last try was not sent, or got no usable answer. */
bool flight_is_unanswered(const struct flight *flight);

/* It is in the air, or rests since such a try, and nobody waits for it. */
bool flight_is_tried_unasked(const struct flight *flight);

/* When its first try was sent that had no usable answer; 0: none had none. */
int64_t flight_lost_at(const struct flight *flight);

/* Rests with nothing of its last try, whose secrets others need; then asks the lane for another
 * turn (lane_ready()). */
void flight_rest(struct flight *flight, int64_t rest_ms);

/* Whoever waits gets this answer. */
void flight_refuse(struct flight *flight, const struct failure *failure);

/* The lane's link for its queue. */
struct flight *flight_next(const struct flight *flight);
void flight_set_next(struct flight *flight, struct flight *next);

/* It waits in the lane's queue now, and rests no more. */
void flight_queued(struct flight *flight);

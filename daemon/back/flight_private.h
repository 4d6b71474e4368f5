#pragma once

/* A flight from within: flight.c sends it and takes what comes back, flight_landing.c tells who
 * waits, and the lane, what became of it once that is written down. */

#include "back/flight.h"
#include "back/flight_outcome.h"

struct flight {
    struct keeper *keeper;
    struct lane *lane;
    struct account_name name;
    struct flight *next;
    enum flight_stage stage;
    enum flight_way way; /* of the last try */
    bool set_aside;
    int64_t lost_at; /* when the first try was sent that had no usable answer; 0: none had none */
    unsigned tries;  /* without a usable answer, since the last rest that the row knows of */
    struct waiter *waiters;
    struct loop_source *rest;

    struct http_transfer *transfer;
    struct commit *commit; /* in which the reply will be written, taken before anything is sent */
    struct secret_room *room; /* for the tokens that it brings; the same */
    struct outcome outcome;   /* of the try that is under way */
};

/* What was to be written of this try is on disk, or (result) could not be. */
void flight_durable(void *userdata, int result);

/* Its row cannot be read, for why: OUTCOME_UNREADABLE, or OUTCOME_NOT_READ. It stays out of the way
 * for a while, so that it is not due at once. */
void flight_set_aside(struct flight *flight, int why);

/* What came cannot be written to its row, which is damaged: a refresh token is sealed beside it, in
 * the same store, before the account is set aside. */
void flight_lost_its_place(struct flight *flight);

/* Whether one lies there. Then it takes its place in the row, and the flight another turn: nothing
 * is sent before, since what the row has is spent. */
bool flight_has_kept(const struct flight *flight);
void flight_take_kept(struct flight *flight);

/* It is over; who waits gets the failure. */
void flight_land_with_failure(struct flight *flight, const struct failure *failure);

/* A try without a usable answer: whether it may go again in seconds, with nothing written. */
bool flight_short_retry_fits(const struct flight *flight);
void flight_retry_shortly(struct flight *flight);

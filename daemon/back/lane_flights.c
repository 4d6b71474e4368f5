#include "back/lane_private.h"

#include <errno.h>
#include <search.h>
#include <string.h>

static int by_account(const void *a, const void *b)
{
    return strcmp(flight_account(a)->label, flight_account(b)->label);
}

/* The tree compares flights, so a name is looked up by walking with a comparison of its own. */
static int name_to_flight(const void *name, const void *flight)
{
    return strcmp(((const struct account_name *)name)->label, flight_account(flight)->label);
}

struct flight *lane_find_flight(const struct lane *lane, const struct account_name *name)
{
    struct flight *const *node = tfind(name, &lane->flights, name_to_flight);
    return node ? *node : NULL;
}

void lane_enqueue(struct lane *lane, struct flight *flight)
{
    flight_queued(flight);
    flight_set_next(flight, NULL);
    if (lane->queue_last)
        flight_set_next(lane->queue_last, flight);
    else
        lane->queue_first = flight;
    lane->queue_last = flight;
}

struct flight *lane_dequeue(struct lane *lane)
{
    struct flight *flight = lane->queue_first;
    if (!flight)
        return NULL;
    lane->queue_first = flight_next(flight);
    if (!lane->queue_first)
        lane->queue_last = NULL;
    return flight;
}

int lane_add_flight(struct lane *lane, const struct account_name *name, struct flight **ret)
{
    struct flight *flight = NULL;
    int r = flight_new(lane->keeper, lane, name, &flight);
    if (r != 0)
        return r;
    if (!tsearch(flight, &lane->flights, by_account)) {
        flight_free(flight);
        return -ENOMEM;
    }
    lane->flight_count++;
    *ret = flight;
    return 0;
}

void lane_drop_flight(struct lane *lane, struct flight *flight)
{
    (void)tdelete(flight, &lane->flights, by_account);
    lane->flight_count--;
    flight_free(flight);
}

void lane_refuse_flight(struct lane *lane, struct flight *flight, const struct failure *failure)
{
    flight_refuse(flight, failure);
    lane_lost(lane, flight);
    lane_drop_flight(lane, flight);
}

void lane_refuse_queue(struct lane *lane, const struct failure *failure)
{
    for (struct flight *flight = lane_dequeue(lane); flight; flight = lane_dequeue(lane))
        lane_refuse_flight(lane, flight, failure);
}

void lane_refuse_all_but_last_tries(struct lane *lane, const struct failure *failure)
{
    struct flight *kept = NULL;
    lane_refuse_waiters(lane, failure);
    for (struct flight *flight = lane_dequeue(lane); flight; flight = lane_dequeue(lane)) {
        if (flight_way(flight) != FLIGHT_IN_GRACE) {
            lane_refuse_flight(lane, flight, failure);
            continue;
        }
        flight_set_next(flight, kept);
        kept = flight;
    }
    while (kept) {
        struct flight *flight = kept;
        kept = flight_next(flight);
        lane_enqueue(lane, flight);
    }
}

void lane_refuse_waiters(struct lane *lane, const struct failure *failure)
{
    for (struct flight *flight = lane->queue_first; flight; flight = flight_next(flight))
        flight_refuse(flight, failure);
}

/* twalk_r() visits every node; those with children three times. */
static void end_rest(const void *node, VISIT visit, void *closure)
{
    struct flight *flight = *(struct flight *const *)node;
    (void)closure;
    if ((visit == leaf || visit == preorder) && flight_stage(flight) == FLIGHT_RESTING)
        flight_rest(flight, 0);
}

void lane_end_rests(struct lane *lane)
{
    twalk_r(lane->flights, end_rest, NULL);
}

static void tell_row(const void *node, VISIT visit, void *closure)
{
    if (visit == leaf || visit == preorder)
        lane_lost(closure, *(struct flight *const *)node);
}

void lane_tell_rows(struct lane *lane)
{
    twalk_r(lane->flights, tell_row, lane);
}

static void count_unasked(const void *node, VISIT visit, void *closure)
{
    size_t *count = closure;
    if ((visit == leaf || visit == preorder) &&
        flight_is_tried_unasked(*(struct flight *const *)node))
        ++*count;
}

size_t lane_count_unasked(const struct lane *lane)
{
    size_t count = 0;
    twalk_r(lane->flights, count_unasked, &count);
    return count;
}

static void look_for_one_on_wire(const void *node, VISIT visit, void *closure)
{
    bool *found = closure;
    if ((visit == leaf || visit == preorder) && flight_is_on_wire(*(struct flight *const *)node))
        *found = true;
}

bool lane_on_wire(const struct lane *lane)
{
    bool found = false;
    if (lane->in_air > 0)
        twalk_r(lane->flights, look_for_one_on_wire, &found);
    return found;
}

static void free_flight(void *flight)
{
    flight_free(flight);
}

void lane_drop_all(struct lane *lane)
{
    tdestroy(lane->flights, free_flight);
    lane->flights = NULL;
    lane->flight_count = 0;
}

#include "front/deadlines.h"

#include <errno.h>
#include <stdlib.h>

#include "base/clock.h"

enum { SHARE_BUCKETS = 64 };

/* How many waits are a uid's; there while it has any. */
struct uid_share {
    uid_t uid;
    size_t count;
    struct uid_share *next;
};

/* A binary heap, the earliest first. */
struct deadlines {
    struct loop_source *timer;
    int64_t timer_at; /* what the timer is set to; INT64_MAX: off */
    size_t count;
    struct deadline *heap[DEADLINES_MAX + 1]; /* heap[0] is unused */
    struct uid_share *shares[SHARE_BUCKETS];
};

static void fired(void *userdata)
{
    struct deadlines *deadlines = userdata;

    deadlines->timer_at = INT64_MAX;
    deadlines_run(deadlines);
}

int deadlines_new(struct loop *loop, struct deadlines **ret)
{
    CLEANUP(cleanup_deadlines) struct deadlines *deadlines = calloc(1, sizeof(*deadlines));
    if (!deadlines)
        return -ENOMEM;
    deadlines->timer_at = INT64_MAX;
    int r = loop_add_timer(loop, fired, deadlines, &deadlines->timer);
    if (r < 0)
        return r;
    *ret = steal(deadlines);
    return 0;
}

struct deadlines *deadlines_free(struct deadlines *deadlines)
{
    if (!deadlines)
        return NULL;
    while (deadlines->count > 0)
        deadlines_remove(deadlines, deadlines->heap[deadlines->count]);
    loop_source_free(deadlines->timer);
    free(deadlines);
    return NULL;
}

static int share_take(struct deadlines *deadlines, uid_t uid, struct uid_share **ret)
{
    struct uid_share **bucket = &deadlines->shares[uid % SHARE_BUCKETS];
    struct uid_share *share = *bucket;

    while (share && share->uid != uid)
        share = share->next;
    if (!share) {
        share = calloc(1, sizeof(*share));
        if (!share)
            return -ENOMEM;
        share->uid = uid;
        share->next = *bucket;
        *bucket = share;
    }
    if (share->count == DEADLINES_PER_UID_MAX)
        return DEADLINES_QUOTA;
    share->count++;
    *ret = share;
    return 0;
}

static void share_give(struct deadlines *deadlines, struct uid_share *share)
{
    struct uid_share **link = &deadlines->shares[share->uid % SHARE_BUCKETS];

    if (--share->count > 0)
        return;
    while (*link != share)
        link = &(*link)->next;
    *link = share->next;
    free(share);
}

static void put(struct deadlines *deadlines, size_t place, struct deadline *deadline)
{
    deadlines->heap[place] = deadline;
    deadline->place = place;
}

/* Places one at `place` or above, moving later ones down. */
static void rise(struct deadlines *deadlines, size_t place, struct deadline *deadline)
{
    while (place > 1 && deadlines->heap[place / 2]->at > deadline->at) {
        put(deadlines, place, deadlines->heap[place / 2]);
        place /= 2;
    }
    put(deadlines, place, deadline);
}

/* Places one at `place` or below, moving earlier ones up. */
static void sink(struct deadlines *deadlines, size_t place, struct deadline *deadline)
{
    struct deadline **heap = deadlines->heap;

    for (size_t child = 2 * place; child <= deadlines->count; child = 2 * place) {
        if (child < deadlines->count && heap[child + 1]->at < heap[child]->at)
            child++;
        if (heap[child]->at >= deadline->at)
            break;
        put(deadlines, place, heap[child]);
        place = child;
    }
    put(deadlines, place, deadline);
}

/* The timer is only ever moved to earlier: one that fires too early finds nothing to do and is set
 * anew, which costs less than moving it with each request that is answered in time. */
static void set_timer(struct deadlines *deadlines)
{
    if (deadlines->count == 0 || deadlines->heap[1]->at >= deadlines->timer_at)
        return;
    deadlines->timer_at = deadlines->heap[1]->at;
    int64_t delay = deadlines->timer_at - clock_now();
    /* It fails only for a source that is no timer. */
    (void)loop_timer_set(deadlines->timer, delay > 0 ? delay : 0);
}

int deadlines_add(struct deadlines *deadlines, struct deadline *deadline, uid_t uid,
                  int64_t delay_ms, void (*expired)(struct deadline *deadline))
{
    if (deadlines->count == DEADLINES_MAX)
        return DEADLINES_FULL;
    int r = share_take(deadlines, uid, &deadline->share);
    if (r)
        return r;
    deadline->at = clock_now() + delay_ms;
    deadline->expired = expired;
    deadlines->count++;
    rise(deadlines, deadlines->count, deadline);
    set_timer(deadlines);
    return 0;
}

void deadlines_remove(struct deadlines *deadlines, struct deadline *deadline)
{
    size_t place = deadline->place;
    if (place == 0)
        return;

    deadline->place = 0;
    share_give(deadlines, deadline->share);
    deadline->share = NULL;
    struct deadline *last = deadlines->heap[deadlines->count--];
    if (last == deadline)
        return;
    if (place > 1 && deadlines->heap[place / 2]->at > last->at)
        rise(deadlines, place, last);
    else
        sink(deadlines, place, last);
}

void deadlines_run(struct deadlines *deadlines)
{
    while (deadlines->count > 0 && deadlines->heap[1]->at <= clock_now()) {
        struct deadline *first = deadlines->heap[1];
        deadlines_remove(deadlines, first);
        first->expired(first);
    }
    set_timer(deadlines);
}

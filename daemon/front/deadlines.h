#pragma once

/* Everything in the front that waits, and for whom: one timer for all, bounded in number and by
 * uid. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/cleanup.h"
#include "io/loop.h"

struct deadlines;
struct uid_share;

/* A part of whatever waits; zero at first. */
struct deadline {
    int64_t at;   /* broker time */
    size_t place; /* in the queue, from 1; 0: not waiting */
    struct uid_share *share;
    void (*expired)(struct deadline *deadline); /* it waits no longer when this is called */
};

enum {
    DEADLINES_MAX = 3072,
    DEADLINES_PER_UID_MAX = 1024,
};

enum {
    DEADLINES_FULL = 1, /* too many wait */
    DEADLINES_QUOTA,    /* too many of this uid, which others must not feel */
};

/* Returns 0 or -errno. */
int deadlines_new(struct loop *loop, struct deadlines **ret);

/* What still waits is dropped without a call. NULL is fine; returns NULL. */
struct deadlines *deadlines_free(struct deadlines *deadlines);

/* Calls expired(deadline) once after delay_ms, unless it was removed before. Returns 0,
 * DEADLINES_FULL, DEADLINES_QUOTA or -ENOMEM. */
int deadlines_add(struct deadlines *deadlines, struct deadline *deadline, uid_t uid,
                  int64_t delay_ms, void (*expired)(struct deadline *deadline));

/* One that does not wait is fine. */
void deadlines_remove(struct deadlines *deadlines, struct deadline *deadline);

/* Calls what has expired by now, as the timer does. */
void deadlines_run(struct deadlines *deadlines);

DEFINE_CLEANUP(struct deadlines *, deadlines, deadlines_free)

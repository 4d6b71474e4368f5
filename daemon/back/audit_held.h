#pragma once

/*
 * Rows of the audit that the front told of, until the store has them. While it refuses writes they
 * stay here and merge by their key, AUDIT_HELD_MAX at most: what does not fit any more is counted
 * as lost. Only an end while the store refuses loses what is here, and the log says how much.
 */

#include "back/keeper.h"
#include "io/store_audit_table.h"

struct audit_held;

enum {
    AUDIT_HELD_MAX = AUDIT_TABLE_ROOM_MAX,
    /* Of them, such as tell of no token: refusals come anew each minute, and must leave room for
     * who got one. */
    AUDIT_HELD_OTHERS_MAX = AUDIT_HELD_MAX / 2,
    /* Rows in one transaction: AUDIT_GROUP_MAX, down to these where the disk has room for few. */
    AUDIT_GROUP_MIN = 64,
};

/* Uses the keeper's loop, and its commits later. Returns 0 or -errno. */
int audit_held_new(struct keeper *keeper, struct audit_held **ret);

/* The end, after commits_finish(): writes all there is once more. NULL is fine. */
void audit_held_finish(struct audit_held *held);

/* What is still there is lost, which is logged. NULL is fine; returns NULL. */
struct audit_held *audit_held_free(struct audit_held *held);

/* How many rows wait for the store, and how many events were lost since the start. */
void audit_held_count(const struct audit_held *held, uint64_t *ret_rows, uint64_t *ret_lost);

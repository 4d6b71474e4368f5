#pragma once

/* Which callers are approved, as the back told last: a set in memory, so that a ready token waits
 * for no question. Nothing told yet, or forgotten: nobody is. */

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "io/store_callers.h"

struct approvals {
    struct caller_row *rows; /* sorted by uid, rule and unit; owned */
    size_t count;
};

/* Takes the rows over, in the place of those before; they are on the heap, or NULL. */
void approvals_set(struct approvals *approvals, struct caller_row *rows, size_t count);

/* approvals NULL is fine: nobody is approved. */
bool approvals_have(const struct approvals *approvals, const char *rule, uid_t uid,
                    const char *unit);

#pragma once

/* Whether the store is the newest there is, or a copy: restored from a backup, cloned, moved. */

#include "io/guard.h"
#include "io/store.h"
#include "main/options.h"

enum { ORIGIN_MACHINE_SIZE = 33 };

struct origin {
    struct guard *guard;               /* NULL: there is none */
    char machine[ORIGIN_MACHINE_SIZE]; /* this one; "": not known */
};

/* Looks, and writes into the store's facts what it found (`restored`) and that it was started once
 * more. Returns 0 or -errno; the caller closes the guard. */
int origin_check(const struct places *places, struct store *store, struct origin *ret,
                 struct complaint *complaint);

#pragma once

/*
 * How much of what waits goes into one transaction: fewer and later after each refusal of the
 * store, more again after each success. What never fits must not spoil the commits of others for
 * ever, among them a grant's newest token.
 */

#include <stddef.h>
#include <stdint.h>

enum {
    PORTION_PAUSE_MS = 1000,             /* doubles up to the next */
    PORTION_PAUSE_LONGEST_MS = 30 * 1000 /* the store takes writes, but not these */
};

struct portion {
    size_t now, least, most;
    int64_t pause_ms;
};

#define PORTION(min, max)                                                                          \
    (struct portion)                                                                               \
    {                                                                                              \
        .now = (max), .least = (min), .most = (max), .pause_ms = PORTION_PAUSE_MS                  \
    }

/* Returns after how many ms to try again. */
int64_t portion_refused(struct portion *portion);
/* The store took it. */
void portion_taken(struct portion *portion);

#pragma once

/*
 * Broker time: milliseconds that only go forward, over suspend, reboots and steps of the wall
 * clock. It is CLOCK_BOOTTIME plus an offset that is fixed at a boot's first start and kept in the
 * store with the boot id. All times in the daemon are broker time; wall time is made from it only
 * when something is shown.
 */

#include <stdbool.h>
#include <stdint.h>

enum {
    BOOT_ID_SIZE = 36 + 1,
    CLOCK_STORE_MS = 60 * 1000, /* so often broker time is stored while it runs */
};

/* Broker time as it was last stored. */
struct clock_record {
    char boot_id[BOOT_ID_SIZE]; /* "" when nothing was stored yet */
    int64_t offset_ms;          /* broker time minus CLOCK_BOOTTIME, of that boot */
    int64_t last_ms;            /* the latest broker time that was stored */
    int64_t doubt_ms;           /* how long ago anything before this was is not known; 0: nothing */
};

/* Where the time comes from; tests bring their own. */
struct clock_source {
    int64_t (*boottime_ms)(void);
    int64_t (*wall_ms)(void);
};

/* For tests; NULL goes back to the kernel's clocks. Call before any thread starts. */
void clock_use_source(const struct clock_source *source);

/*
 * The record that rules from now on; its last_ms is broker time now. In the boot of the stored
 * record the stored offset stays. In a new boot the offset is such that broker time starts at the
 * wall clock. Where that would be below stored->last_ms (a clock without a battery; a virtual
 * machine's snapshot takes a boot back) nobody knows how much time has passed: it goes on behind
 * all that can have happened by then, and doubt_ms says so. Pure.
 */
struct clock_record clock_decide(const struct clock_record *stored, const char *boot_id,
                                 int64_t boottime_ms, int64_t wall_ms);

/* Reads the kernel's boot id and clocks, decides, and starts broker time; once, before any thread.
 * *ret is to be stored. Returns 0 or -errno. */
int clock_start(const struct clock_record *stored, struct clock_record *ret);

/* Broker time now, in milliseconds. Before clock_start() it is CLOCK_BOOTTIME. */
int64_t clock_now(void);

/* Whether nobody knows how long ago that instant was: more time may have passed since than
 * clock_now() says. */
bool clock_doubts(int64_t broker_ms);

/* The wall clock's Unix time, in milliseconds, of an instant in broker time: computed from the wall
 * as it stands now. */
int64_t clock_to_wall(int64_t broker_ms);

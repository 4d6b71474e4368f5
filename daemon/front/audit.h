#pragma once

/*
 * Who got or was refused what, counted in memory and told to the back in groups: one row for each
 * account, uid, unit, verdict and token generation. A refusal's generation is the minute it was
 * counted in, so that refusals stay apart by minute.
 */

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "front/context.h"
#include "io/store_audit_table.h"

enum {
    AUDIT_FLUSH_MS = 5 * 1000,
    AUDIT_PENDING_MAX = 1024, /* rows that wait; one more brings the next flush about at once */
    /* Refused names within an hour, counted anew each minute; more are counted without a name, so
     * that nobody pushes the history out of the store by asking for names that do not exist. */
    AUDIT_REFUSED_NAMES_MAX = 512,
    AUDIT_REFUSED_WINDOW_MS = 60 * 60 * 1000,
};

#define AUDIT_FORBIDDEN "forbidden"

struct audit;

/* Uses the context's loop and asks. Returns 0 or -errno. */
int audit_new(struct context *context, struct audit **ret);

/* What was not flushed is lost, which is logged. NULL is fine; returns NULL. */
struct audit *audit_free(struct audit *audit);

/* An event is lost, which the next flush logs, only when the rows are full and the back does not
 * take them. */
void audit_count(struct audit *audit, const struct audit_event *event);

/* A refusal; those of one minute share a row. */
void audit_count_refusal(struct audit *audit, const char *account, uid_t uid, const char *unit);

/* Tells the back. False: what there is does not go through; it stays and is tried again later. */
bool audit_flush(struct audit *audit);

/* How many events were lost since the start. */
uint64_t audit_lost(const struct audit *audit);

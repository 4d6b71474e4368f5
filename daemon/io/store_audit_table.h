#pragma once

/* Rows of the audit in memory, before the store has them: what falls into one row there is counted
 * in one row here. It never allocates after it was made, and never grows beyond its room. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "io/store_audit.h"

#define AUDIT_TOKEN "token" /* the verdict of a token that was handed out */

enum { AUDIT_TABLE_ROOM_MAX = 16 * 1024 };

/* What is counted together. */
struct audit_event {
    const char *account; /* "": about none */
    uint32_t uid;
    const char *unit; /* "": not known; cut to AUDIT_UNIT_SIZE */
    const char *verdict;
    uint64_t generation;
};

struct audit_table {
    size_t room;
    size_t count;
    struct audit_row *rows; /* in the order in which they came */
    uint16_t *index;        /* row number + 1, by hash; 0: empty */
    uint32_t seed;
};

/* room: AUDIT_TABLE_ROOM_MAX rows at most; pages that no row was in take no memory. Returns 0 or
 * -ENOMEM. */
int audit_table_new(size_t room, struct audit_table **ret);

/* NULL is fine; returns NULL. */
struct audit_table *audit_table_free(struct audit_table *table);

/* The event's row; NULL when there is none yet. */
struct audit_row *audit_table_find(struct audit_table *table, const struct audit_event *event);

/* The same, or else a new one with a count and times of 0; NULL when there is no room for it. */
struct audit_row *audit_table_row(struct audit_table *table, const struct audit_event *event);

/* Drops the first rows, so many. */
void audit_table_drop(struct audit_table *table, size_t count);

/* How many events all its rows count. */
uint64_t audit_table_events(const struct audit_table *table);

/* By a seed that is not known to who could look for names that fall together. */
uint32_t audit_table_hash(const struct audit_table *table, const struct audit_event *event);

DEFINE_CLEANUP(struct audit_table *, audit_table, audit_table_free)

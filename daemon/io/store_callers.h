#pragma once

/* Callers in the store, approved and waiting. What io/store.h says of its calls holds for these. */

#include "io/store.h"

/* Who asked under an access rule that wants its callers approved, told apart by the rule's name,
 * uid and unit. */
enum {
    CALLER_RULE_SIZE = 64 + 1,
    CALLER_UNIT_SIZE = 255 + 1,
    CALLERS_APPROVED_MAX = 1024,
    CALLERS_WAITING_MAX = 128,
    CALLERS_WAITING_PER_UID_MAX = 8,
    CALLERS_MAX = CALLERS_APPROVED_MAX + CALLERS_WAITING_MAX,
};

/* In approved_by: the program on_caller. */
#define CALLER_BY_PROGRAM UINT32_MAX

struct caller_row {
    int64_t id; /* given by the store; never twice */
    char rule[CALLER_RULE_SIZE];
    uint32_t uid;
    char unit[CALLER_UNIT_SIZE];     /* "": none that tells it apart from the rest of the uid */
    char account[ACCOUNT_TEXT_SIZE]; /* that it asked for first; "": it asked about none */
    int64_t asked_at;                /* last, to the minute, while it waits */
    int64_t approved_at;             /* 0: it waits */
    uint32_t approved_by;            /* whose uid did it */
};

/* How many wait, how many of them of one uid, and how many are approved. */
struct caller_counts {
    uint64_t waiting, waiting_of_uid, approved;
};

/* One caller by who it is, or by its id; STORE_NOT_FOUND: there is none. */
int store_find_caller(struct store *store, const char *rule, uint32_t uid, const char *unit,
                      struct caller_row *ret);
int store_read_caller(struct store *store, int64_t id, struct caller_row *ret);
/* id 0: inserts it, and fills the id; else replaces all but who it is. */
int store_put_caller(struct store *store, struct caller_row *row);
int store_drop_caller(struct store *store, int64_t id);
/* In the order of their ids, at most limit. */
int store_each_caller(struct store *store, size_t limit,
                      bool (*each)(void *userdata, const struct caller_row *row), void *userdata);
int store_count_callers(struct store *store, uint32_t uid, struct caller_counts *ret);
/* Those that wait and last asked before then are gone. */
int store_forget_callers(struct store *store, int64_t before);

#pragma once

/* The audit in the store: rows that count. What io/store.h says of its calls holds for these. */

#include "io/store.h"

enum {
    AUDIT_UNIT_SIZE = 127 + 1,
    AUDIT_ROWS_MAX = 100 * 1000, /* the oldest go */
    AUDIT_GROUP_MAX = 4 * 1024,  /* rows in one transaction */
};

/* One row for each account, uid, unit, verdict and token generation. */
struct audit_row {
    int64_t id; /* grows; given by the store */
    char account[ACCOUNT_TEXT_SIZE];
    uint32_t uid;
    char unit[AUDIT_UNIT_SIZE];
    char verdict[32]; /* "token", "forbidden", "login", … */
    uint64_t generation;
    uint64_t count;
    int64_t first_at, last_at;
};

/* Adds row->count to the row with the same account, uid, unit, verdict and generation, or inserts
 * it. */
int store_add_audit(struct store *store, const struct audit_row *row);
/* The oldest rows beyond AUDIT_ROWS_MAX go, AUDIT_GROUP_MAX at a time. A call of its own, since
 * those rows may lie on a page that is damaged, which must keep no new one out. */
int store_trim_audit(struct store *store);

/* Which rows; zero and "" mean all. account and unit are globs of * and ?. */
struct audit_filter {
    char account[ACCOUNT_TEXT_SIZE];
    char unit[AUDIT_UNIT_SIZE];
    char verdict[32];
    bool has_uid;
    uint32_t uid;
    int64_t since;  /* of last_at */
    int64_t before; /* an id */
};
/* Newest first, at most limit. It looks at the newest AUDIT_ROWS_MAX rows alone. */
int store_each_audit(struct store *store, const struct audit_filter *filter, size_t limit,
                     bool (*each)(void *userdata, const struct audit_row *row), void *userdata);

/* The audit: rows that count. */

#include <errno.h>

#include "io/store_audit.h"
#include "io/store_sqlite_private.h"

/* The id is first: it is read with the rest, and given by SQLite when the rest is written. */
static const struct field audit_fields[] = {
    FIELD(audit_row, NUMBER, id),      FIELD_ARRAY(audit_row, account),
    FIELD(audit_row, UNSIGNED, uid),   FIELD_ARRAY(audit_row, unit),
    FIELD_ARRAY(audit_row, verdict),   FIELD(audit_row, COUNTER, generation),
    FIELD(audit_row, COUNTER, count),  FIELD(audit_row, NUMBER, first_at),
    FIELD(audit_row, NUMBER, last_at),
};

enum { AUDIT_FIELDS = sizeof audit_fields / sizeof audit_fields[0] };

static int write_audit(struct store *store, enum store_statement which, const struct audit_row *row)
{
    CLEANUP(cleanup_statement) sqlite3_stmt *statement = NULL;

    int r = store_writing(store, which, &statement);
    if (r == 0)
        r = store_bind_row(store, statement, 1, audit_fields + 1, AUDIT_FIELDS - 1, row);
    return r < 0 ? r : store_write(store, statement);
}

int store_add_audit(struct store *store, const struct audit_row *row)
{
    int r = write_audit(store, STATEMENT_COUNT_AUDIT, row);
    if (r < 0 || sqlite3_changes(store->db) > 0)
        return r;

    return write_audit(store, STATEMENT_INSERT_AUDIT, row);
}

int store_trim_audit(struct store *store)
{
    CLEANUP(cleanup_statement) sqlite3_stmt *statement = NULL;

    int r = store_writing(store, STATEMENT_TRIM_AUDIT, &statement);
    if (r == 0)
        r = store_bind_number(store, statement, 1, AUDIT_ROWS_MAX);
    if (r == 0)
        r = store_bind_limit(store, statement, 2, AUDIT_GROUP_MAX);
    return r < 0 ? r : store_write(store, statement);
}

static int each_audit(struct store *store, sqlite3_stmt *statement,
                      bool (*each)(void *userdata, const struct audit_row *row), void *userdata)
{
    for (;;) {
        struct audit_row row = { 0 };
        int r = store_step(store, statement);
        if (r <= 0)
            return r;
        r = store_read_row(store, statement, audit_fields, AUDIT_FIELDS, &row);
        if (r < 0)
            return r;
        if (!each(userdata, &row))
            return 0;
    }
}

static int bind_filter(struct store *store, sqlite3_stmt *statement,
                       const struct audit_filter *filter)
{
    int r = store_bind_number(store, statement, 1, filter->before > 0 ? filter->before : INT64_MAX);
    if (r == 0)
        r = store_bind_text(store, statement, 3, filter->account);
    if (r == 0)
        r = store_bind_text(store, statement, 4, filter->unit);
    if (r == 0)
        r = store_bind_text(store, statement, 5, filter->verdict);
    if (r == 0)
        r = store_bind_number(store, statement, 6, filter->has_uid ? (int64_t)filter->uid : -1);
    if (r == 0)
        r = store_bind_number(store, statement, 7, filter->since);
    return r == 0 ? store_bind_number(store, statement, 8, AUDIT_ROWS_MAX) : r;
}

int store_each_audit(struct store *store, const struct audit_filter *filter, size_t limit,
                     bool (*each)(void *userdata, const struct audit_row *row), void *userdata)
{
    CLEANUP(cleanup_statement) sqlite3_stmt *statement = NULL;

    int r = store_reading(store, STATEMENT_EACH_AUDIT, &statement);
    if (r == 0)
        r = bind_filter(store, statement, filter);
    if (r == 0)
        r = store_bind_limit(store, statement, 2, limit);
    return r < 0 ? r : each_audit(store, statement, each, userdata);
}

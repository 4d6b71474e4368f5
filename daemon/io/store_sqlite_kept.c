/* Sealed things that wait: unreadable replies, revocations. */

#include <errno.h>

#include "io/store_sqlite_private.h"

/* The id is first: it is read with the rest, and given by SQLite when the rest is written. */
static const struct field kept_fields[] = {
    FIELD(kept_row, NUMBER, id),
    FIELD_SIZED(kept_row, CHOICE, kind, KEPT_KINDS),
    FIELD_ARRAY(kept_row, name.provider),
    FIELD_ARRAY(kept_row, name.label),
    FIELD(kept_row, NUMBER, created_at),
    FIELD(kept_row, NUMBER, due_at),
    FIELD(kept_row, UNSIGNED, tries),
    FIELD(kept_row, TEXT, identity),
    FIELD_SIZED(kept_row, BYTES, sealed, offsetof(struct kept_row, sealed_length)),
};

enum { KEPT_FIELDS = sizeof kept_fields / sizeof kept_fields[0] };

/* All of them are gone before the first is told. */
static int each_dropped(struct store *store, sqlite3_stmt *statement,
                        void (*dropped)(void *userdata, int64_t id, const char *whose),
                        void *userdata)
{
    int r = store_step(store, statement);

    for (; r > 0; r = store_step(store, statement)) {
        const char *whose = (const char *)sqlite3_column_text(statement, 1);
        if (dropped)
            dropped(userdata, sqlite3_column_int64(statement, 0), whose ? whose : "");
    }
    return r;
}

int store_trim_kept(struct store *store, enum kept_kind kind, size_t left,
                    void (*dropped)(void *userdata, int64_t id, const char *account),
                    void *userdata)
{
    CLEANUP(cleanup_statement) sqlite3_stmt *statement = NULL;

    int r = store_writing(store, STATEMENT_TRIM_KEPT, &statement);
    if (r == 0)
        r = store_bind_number(store, statement, 1, kind);
    if (r == 0)
        r = store_bind_limit(store, statement, 2, left);
    return r < 0 ? r : each_dropped(store, statement, dropped, userdata);
}

int store_keep(struct store *store, const struct kept_row *row)
{
    CLEANUP(cleanup_statement) sqlite3_stmt *statement = NULL;

    int r = store_writing(store, STATEMENT_KEEP, &statement);
    if (r == 0)
        r = store_bind_row(store, statement, 1, kept_fields + 1, KEPT_FIELDS - 1, row);
    if (r == 0)
        r = store_write(store, statement);
    return r < 0 ? r : store_trim_kept(store, row->kind, KEPT_ROWS_MAX, NULL, NULL);
}

static int each_kept(struct store *store, sqlite3_stmt *statement,
                     bool (*each)(void *userdata, const struct kept_row *row), void *userdata)
{
    for (;;) {
        struct kept_row row = { 0 };
        int r = store_step(store, statement);
        if (r <= 0)
            return r;
        r = store_read_row(store, statement, kept_fields, KEPT_FIELDS, &row);
        if (r < 0)
            return r;
        if (!each(userdata, &row))
            return 0;
    }
}

int store_each_kept(struct store *store, enum kept_kind kind, int64_t due_before, size_t limit,
                    bool (*each)(void *userdata, const struct kept_row *row), void *userdata)
{
    CLEANUP(cleanup_statement) sqlite3_stmt *statement = NULL;

    int r = store_reading(store, STATEMENT_EACH_KEPT, &statement);
    if (r == 0)
        r = store_bind_number(store, statement, 1, kind);
    if (r == 0)
        r = store_bind_number(store, statement, 2, due_before);
    if (r == 0)
        r = store_bind_limit(store, statement, 3, limit);
    return r < 0 ? r : each_kept(store, statement, each, userdata);
}

int store_find_kept(struct store *store, enum kept_kind kind, const struct account_name *name,
                    int64_t after)
{
    CLEANUP(cleanup_statement) sqlite3_stmt *statement = NULL;

    int r = store_reading(store, STATEMENT_FIND_KEPT, &statement);
    if (r == 0)
        r = store_bind_number(store, statement, 1, kind);
    if (r == 0)
        r = store_bind_number(store, statement, 2, after);
    if (r == 0)
        r = store_bind_account(store, statement, 3, name);
    if (r == 0)
        r = store_step(store, statement);
    if (r < 0)
        return r;
    return r == 1 ? 0 : STORE_NOT_FOUND;
}

/* What a write by id comes to. */
static int write_kept(struct store *store, sqlite3_stmt *statement)
{
    int r = store_write(store, statement);

    if (r < 0)
        return r;
    return sqlite3_changes(store->db) > 0 ? 0 : STORE_NOT_FOUND;
}

int store_postpone_kept(struct store *store, int64_t id, int64_t due_at, unsigned tries)
{
    CLEANUP(cleanup_statement) sqlite3_stmt *statement = NULL;

    int r = store_writing(store, STATEMENT_POSTPONE_KEPT, &statement);
    if (r == 0)
        r = store_bind_number(store, statement, 1, id);
    if (r == 0)
        r = store_bind_number(store, statement, 2, due_at);
    if (r == 0)
        r = store_bind_number(store, statement, 3, tries);
    return r < 0 ? r : write_kept(store, statement);
}

int store_drop_kept(struct store *store, int64_t id)
{
    CLEANUP(cleanup_statement) sqlite3_stmt *statement = NULL;

    int r = store_writing(store, STATEMENT_DROP_KEPT, &statement);
    if (r == 0)
        r = store_bind_number(store, statement, 1, id);
    return r < 0 ? r : write_kept(store, statement);
}

int store_drop_revocations(struct store *store, const struct account_name *name,
                           const char *identity,
                           void (*dropped)(void *userdata, int64_t id, const char *label),
                           void *userdata)
{
    CLEANUP(cleanup_statement) sqlite3_stmt *statement = NULL;

    int r = store_writing(store, STATEMENT_DROP_REVOCATIONS, &statement);
    if (r == 0)
        r = store_bind_number(store, statement, 1, KEPT_REVOCATION);
    if (r == 0)
        r = store_bind_account(store, statement, 2, name);
    if (r == 0)
        r = store_bind_text(store, statement, 4, identity);
    return r < 0 ? r : each_dropped(store, statement, dropped, userdata);
}

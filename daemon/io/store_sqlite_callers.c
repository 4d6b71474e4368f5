/* Callers that wait for approval, or have it. */

#include "io/store_callers.h"
#include "io/store_sqlite_private.h"

static const struct field caller_fields[] = {
    FIELD(caller_row, NUMBER, id),          FIELD_ARRAY(caller_row, rule),
    FIELD(caller_row, UNSIGNED, uid),       FIELD_ARRAY(caller_row, unit),
    FIELD_ARRAY(caller_row, account),       FIELD(caller_row, NUMBER, asked_at),
    FIELD(caller_row, NUMBER, approved_at), FIELD(caller_row, UNSIGNED, approved_by),
};

enum {
    CALLER_FIELDS = sizeof caller_fields / sizeof caller_fields[0],
    CALLER_FIRST_FACT = 5, /* those from here on change */
};

/* The one row of a statement; what is damaged is as good as not there. */
static int read_one(struct store *store, sqlite3_stmt *statement, struct caller_row *ret)
{
    struct caller_row row = { 0 };
    int r = store_step(store, statement);
    if (r <= 0)
        return r < 0 ? r : STORE_NOT_FOUND;
    r = store_read_row(store, statement, caller_fields, CALLER_FIELDS, &row);
    if (r == 0)
        *ret = row;
    return r;
}

int store_find_caller(struct store *store, const char *rule, uint32_t uid, const char *unit,
                      struct caller_row *ret)
{
    CLEANUP(cleanup_statement) sqlite3_stmt *statement = NULL;

    int r = store_reading(store, STATEMENT_FIND_CALLER, &statement);
    if (r == 0)
        r = store_bind_text(store, statement, 1, rule);
    if (r == 0)
        r = store_bind_number(store, statement, 2, uid);
    if (r == 0)
        r = store_bind_text(store, statement, 3, unit);
    return r < 0 ? r : read_one(store, statement, ret);
}

int store_read_caller(struct store *store, int64_t id, struct caller_row *ret)
{
    CLEANUP(cleanup_statement) sqlite3_stmt *statement = NULL;

    int r = store_reading(store, STATEMENT_READ_CALLER, &statement);
    if (r == 0)
        r = store_bind_number(store, statement, 1, id);
    return r < 0 ? r : read_one(store, statement, ret);
}

static int insert(struct store *store, struct caller_row *row)
{
    CLEANUP(cleanup_statement) sqlite3_stmt *statement = NULL;

    int r = store_writing(store, STATEMENT_INSERT_CALLER, &statement);
    if (r == 0)
        r = store_bind_row(store, statement, 1, caller_fields + 1, CALLER_FIELDS - 1, row);
    if (r == 0)
        r = store_write(store, statement);
    if (r == 0)
        row->id = sqlite3_last_insert_rowid(store->db);
    return r;
}

static int update(struct store *store, const struct caller_row *row)
{
    CLEANUP(cleanup_statement) sqlite3_stmt *statement = NULL;

    int r = store_writing(store, STATEMENT_UPDATE_CALLER, &statement);
    if (r == 0)
        r = store_bind_number(store, statement, 1, row->id);
    if (r == 0)
        r = store_bind_row(store, statement, 2, caller_fields + CALLER_FIRST_FACT,
                           CALLER_FIELDS - CALLER_FIRST_FACT, row);
    return r < 0 ? r : store_write(store, statement);
}

int store_put_caller(struct store *store, struct caller_row *row)
{
    return row->id == 0 ? insert(store, row) : update(store, row);
}

static int delete_by(struct store *store, enum store_statement which, int64_t number)
{
    CLEANUP(cleanup_statement) sqlite3_stmt *statement = NULL;

    int r = store_writing(store, which, &statement);
    if (r == 0)
        r = store_bind_number(store, statement, 1, number);
    return r < 0 ? r : store_write(store, statement);
}

int store_drop_caller(struct store *store, int64_t id)
{
    return delete_by(store, STATEMENT_DROP_CALLER, id);
}

int store_forget_callers(struct store *store, int64_t before)
{
    return delete_by(store, STATEMENT_FORGET_CALLERS, before);
}

int store_each_caller(struct store *store, size_t limit,
                      bool (*each)(void *userdata, const struct caller_row *row), void *userdata)
{
    CLEANUP(cleanup_statement) sqlite3_stmt *statement = NULL;

    int r = store_reading(store, STATEMENT_EACH_CALLER, &statement);
    if (r == 0)
        r = store_bind_limit(store, statement, 1, limit);
    while (r == 0 && (r = store_step(store, statement)) == 1) {
        struct caller_row row = { 0 };
        r = store_read_row(store, statement, caller_fields, CALLER_FIELDS, &row);
        if (r == 0 && !each(userdata, &row))
            return 0;
    }
    return r;
}

int store_count_callers(struct store *store, uint32_t uid, struct caller_counts *ret)
{
    static const struct field counts[] = {
        FIELD(caller_counts, COUNTER, waiting),
        FIELD(caller_counts, COUNTER, waiting_of_uid),
        FIELD(caller_counts, COUNTER, approved),
    };
    CLEANUP(cleanup_statement) sqlite3_stmt *statement = NULL;

    int r = store_reading(store, STATEMENT_COUNT_CALLERS, &statement);
    if (r == 0)
        r = store_bind_number(store, statement, 1, uid);
    if (r == 0)
        r = store_step(store, statement);
    if (r <= 0)
        return r < 0 ? r : STORE_NOT_FOUND; /* a count has a row */
    return store_read_row(store, statement, counts, sizeof counts / sizeof counts[0], ret);
}

/* Links by which people elsewhere consent. */

#include <errno.h>

#include "io/store_sqlite_private.h"

enum { LINK_ENDINGS = LINK_WITHDRAWN + 1 };

static const struct field link_fields[] = {
    FIELD_ARRAY(link_row, name.provider),
    FIELD_ARRAY(link_row, name.label),
    FIELD_ARRAY(link_row, digest),
    FIELD(link_row, NUMBER, created_at),
    FIELD(link_row, NUMBER, expires_at),
    FIELD_SIZED(link_row, CHOICE, ending, LINK_ENDINGS),
    FIELD(link_row, NUMBER, ended_at),
    FIELD(link_row, NUMBER, forget_at),
    FIELD(link_row, UNSIGNED, uid),
    FIELD(link_row, UNSIGNED, clicks),
    FIELD(link_row, NUMBER, hour_began_at),
    FIELD(link_row, UNSIGNED, hour_clicks),
    FIELD(link_row, TEXT, expect),
    FIELD(link_row, TEXT, scope),
    FIELD(link_row, TEXT, params),
    FIELD_SIZED(link_row, BYTES, sealed, offsetof(struct link_row, sealed_length)),
};

enum { LINK_FIELDS = sizeof link_fields / sizeof link_fields[0] };

/* The row that a statement stands on; the caller's. */
static int take_row(struct store *store, sqlite3_stmt *statement, struct link_row *ret)
{
    struct link_row borrowed = { 0 };
    int r = store_read_row(store, statement, link_fields, LINK_FIELDS, &borrowed);

    if (r < 0)
        return r == -EIO ? STORE_FOREIGN : r;
    return link_row_copy(&borrowed, ret);
}

static int trim(struct store *store)
{
    CLEANUP(cleanup_statement) sqlite3_stmt *statement = NULL;

    int r = store_writing(store, STATEMENT_TRIM_LINKS, &statement);
    if (r == 0)
        r = store_bind_number(store, statement, 1, LINKS_OVER_MAX);
    return r < 0 ? r : store_write(store, statement);
}

int store_put_link(struct store *store, const struct link_row *row)
{
    CLEANUP(cleanup_statement) sqlite3_stmt *statement = NULL;

    int r = store_end_link(store, &row->name, LINK_REPLACED, row->created_at);
    if (r < 0)
        return r;
    r = store_writing(store, STATEMENT_PUT_LINK, &statement);
    if (r == 0)
        r = store_bind_row(store, statement, 1, link_fields, LINK_FIELDS, row);
    if (r == 0)
        r = store_write(store, statement);
    return r < 0 ? r : trim(store);
}

int store_read_link(struct store *store, const char *digest, struct link_row *ret)
{
    CLEANUP(cleanup_statement) sqlite3_stmt *statement = NULL;

    int r = store_reading(store, STATEMENT_READ_LINK, &statement);
    if (r == 0)
        r = store_bind_text(store, statement, 1, digest);
    if (r == 0)
        r = store_step(store, statement);
    if (r <= 0)
        return r < 0 ? r : STORE_NOT_FOUND;
    return take_row(store, statement, ret);
}

int store_open_link(struct store *store, const struct account_name *name, struct link_row *ret)
{
    CLEANUP(cleanup_statement) sqlite3_stmt *statement = NULL;
    int r = store_find_by_name(store, STATEMENT_OPEN_LINK, name, &statement);

    return r != 0 ? r : take_row(store, statement, ret);
}

int store_end_link(struct store *store, const struct account_name *name, enum link_ending ending,
                   int64_t now)
{
    CLEANUP(cleanup_statement) sqlite3_stmt *statement = NULL;

    int r = store_writing(store, STATEMENT_END_LINK, &statement);
    if (r == 0)
        r = store_bind_account(store, statement, 1, name);
    if (r == 0)
        r = store_bind_number(store, statement, 3, ending);
    if (r == 0)
        r = store_bind_number(store, statement, 4, now);
    if (r == 0)
        r = store_bind_number(store, statement, 5, now + LINK_REMEMBERED_MS);
    if (r == 0)
        r = store_write(store, statement);
    if (r < 0)
        return r;
    return sqlite3_changes(store->db) > 0 ? 0 : STORE_NOT_FOUND;
}

int store_count_click(struct store *store, const struct link_row *row)
{
    CLEANUP(cleanup_statement) sqlite3_stmt *statement = NULL;

    int r = store_writing(store, STATEMENT_COUNT_CLICK, &statement);
    if (r == 0)
        r = store_bind_text(store, statement, 1, row->digest);
    if (r == 0)
        r = store_bind_number(store, statement, 2, row->clicks);
    if (r == 0)
        r = store_bind_number(store, statement, 3, row->hour_began_at);
    if (r == 0)
        r = store_bind_number(store, statement, 4, row->hour_clicks);
    return r < 0 ? r : store_write(store, statement);
}

int store_move_link(struct store *store, const struct account_name *from,
                    const struct account_name *to, int64_t now)
{
    CLEANUP(cleanup_statement) sqlite3_stmt *statement = NULL;
    CLEANUP(cleanup_link_row) struct link_row open = { 0 };

    int r = store_open_link(store, from, &open);
    if (r != 0)
        return r == STORE_NOT_FOUND ? 0 : r;
    r = store_end_link(store, to, LINK_REPLACED, now);
    if (r < 0)
        return r;
    r = store_writing(store, STATEMENT_MOVE_LINK, &statement);
    if (r == 0)
        r = store_bind_account(store, statement, 1, from);
    if (r == 0)
        r = store_bind_account(store, statement, 3, to);
    return r < 0 ? r : store_write(store, statement);
}

int store_list_links(struct store *store, const struct account_name *after, size_t limit,
                     bool (*each)(void *userdata, const struct link_row *row), void *userdata)
{
    static const struct account_name before_all = { "", "" };
    CLEANUP(cleanup_statement) sqlite3_stmt *statement = NULL;

    int r = store_reading(store, STATEMENT_LIST_LINKS, &statement);
    if (r == 0)
        r = store_bind_account(store, statement, 1, after ? after : &before_all);
    if (r == 0)
        r = store_bind_limit(store, statement, 3, limit);
    while (r == 0 && (r = store_step(store, statement)) == 1) {
        struct link_row row = { 0 };
        r = store_read_row(store, statement, link_fields, LINK_FIELDS, &row);
        if (r == 0 && !each(userdata, &row))
            return 0;
    }
    return r;
}

int store_count_links(struct store *store, uint32_t uid, uint64_t *ret_all, uint64_t *ret_own)
{
    CLEANUP(cleanup_statement) sqlite3_stmt *statement = NULL;

    int r = store_reading(store, STATEMENT_COUNT_LINKS, &statement);
    if (r == 0)
        r = store_bind_number(store, statement, 1, uid);
    if (r == 0)
        r = store_step(store, statement);
    if (r < 0)
        return r;
    *ret_all = (uint64_t)sqlite3_column_int64(statement, 0);
    *ret_own = (uint64_t)sqlite3_column_int64(statement, 1);
    return 0;
}

int store_forget_links(struct store *store, int64_t now)
{
    CLEANUP(cleanup_statement) sqlite3_stmt *statement = NULL;

    int r = store_writing(store, STATEMENT_FORGET_LINKS, &statement);
    if (r == 0)
        r = store_bind_number(store, statement, 1, now);
    if (r == 0)
        r = store_bind_number(store, statement, 2, LINKS_FORGOTTEN_AT_ONCE);
    return r < 0 ? r : store_write(store, statement);
}

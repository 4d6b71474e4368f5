/* Consents for another identity, held until someone decides. */

#include <errno.h>
#include <string.h>

#include "io/store_sqlite_private.h"

static const struct field held_fields[] = {
    FIELD_ARRAY(held_row, name.provider),
    FIELD_ARRAY(held_row, name.label),
    FIELD(held_row, NUMBER, created_at),
    FIELD(held_row, NUMBER, refreshed_at),
    FIELD(held_row, NUMBER, lifetime_ms),
    FIELD(held_row, NUMBER, expires_at),
    FIELD(held_row, NUMBER, refresh_at),
    FIELD(held_row, NUMBER, refresh_token_expires_at),
    FIELD(held_row, NUMBER, refresh_token_life_ms),
    FIELD(held_row, TEXT, scope),
    FIELD(held_row, TEXT, identity),
    FIELD(held_row, UNSIGNED, warned_days),
    FIELD(held_row, BOOLEAN, lifetime_assumed),
    FIELD_SIZED(held_row, BYTES, sealed, offsetof(struct held_row, sealed_length)),
};

enum { HELD_FIELDS = sizeof held_fields / sizeof held_fields[0] };

/* A deep copy of what the statement lends. */
static int copy_row(const struct held_row *from, struct held_row *ret)
{
    struct held_row copy = *from;

    copy.scope = from->scope ? strdup(from->scope) : NULL;
    copy.identity = from->identity ? strdup(from->identity) : NULL;
    copy.sealed = malloc(from->sealed_length + 1);
    if (!copy.sealed || (from->scope && !copy.scope) || (from->identity && !copy.identity)) {
        held_row_release(&copy);
        return -ENOMEM;
    }
    if (from->sealed)
        memcpy(copy.sealed, from->sealed, from->sealed_length);
    *ret = copy;
    return 0;
}

int store_put_held(struct store *store, const struct held_row *row)
{
    CLEANUP(cleanup_statement) sqlite3_stmt *statement = NULL;

    int r = store_writing(store, STATEMENT_PUT_HELD, &statement);
    if (r == 0)
        r = store_bind_row(store, statement, 1, held_fields, HELD_FIELDS, row);
    return r < 0 ? r : store_write(store, statement);
}

int store_read_held(struct store *store, const struct account_name *name, struct held_row *ret)
{
    CLEANUP(cleanup_statement) sqlite3_stmt *statement = NULL;
    struct held_row borrowed = { 0 };

    int r = store_find_by_name(store, STATEMENT_READ_HELD, name, &statement);
    if (r != 0)
        return r;

    r = store_read_row(store, statement, held_fields, HELD_FIELDS, &borrowed);
    if (r < 0)
        return r == -EIO ? STORE_FOREIGN : r;
    return copy_row(&borrowed, ret);
}

int store_drop_held(struct store *store, const struct account_name *name)
{
    int r = store_write_by_name(store, STATEMENT_DROP_HELD, name);

    if (r < 0)
        return r;
    return sqlite3_changes(store->db) > 0 ? 0 : STORE_NOT_FOUND;
}

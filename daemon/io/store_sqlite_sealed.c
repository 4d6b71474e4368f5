/* What is sealed, whatever it is. */

#include "io/store_sqlite_private.h"

static const struct field sealed_fields[] = {
    FIELD(sealed_row, NUMBER, id),
    FIELD_ARRAY(sealed_row, name.provider),
    FIELD_ARRAY(sealed_row, name.label),
    FIELD(sealed_row, COUNTER, generation),
    FIELD_SIZED(sealed_row, CHOICE, kept, KEPT_KINDS),
    FIELD_ARRAY(sealed_row, digest),
    FIELD_SIZED(sealed_row, BYTES, sealed, offsetof(struct sealed_row, sealed_length)),
};

enum { SEALED_FIELDS = sizeof sealed_fields / sizeof sealed_fields[0] };

static int each_sealed(struct store *store, sqlite3_stmt *statement,
                       bool (*each)(void *userdata, const struct sealed_row *row), void *userdata)
{
    for (;;) {
        struct sealed_row row = { 0 };
        int r = store_step(store, statement);
        if (r <= 0)
            return r;
        r = store_read_row(store, statement, sealed_fields, SEALED_FIELDS, &row);
        if (r < 0)
            return r;
        if (!each(userdata, &row))
            return 0;
    }
}

int store_each_sealed(struct store *store, enum sealed_kind kind, int64_t after, size_t limit,
                      bool (*each)(void *userdata, const struct sealed_row *row), void *userdata)
{
    CLEANUP(cleanup_statement) sqlite3_stmt *statement = NULL;

    int r = store_reading(store, STATEMENT_EACH_SEALED + kind, &statement);
    if (r == 0)
        r = store_bind_number(store, statement, 1, after);
    if (r == 0)
        r = store_bind_limit(store, statement, 2, limit);
    return r < 0 ? r : each_sealed(store, statement, each, userdata);
}

int store_put_sealed(struct store *store, enum sealed_kind kind, int64_t id, const void *sealed,
                     size_t length)
{
    static const struct field fields[] = {
        FIELD_SIZED(sealed_row, BYTES, sealed, offsetof(struct sealed_row, sealed_length)),
    };
    CLEANUP(cleanup_statement) sqlite3_stmt *statement = NULL;
    struct sealed_row row = { .sealed_length = length };

    row.sealed = (void *)(uintptr_t)sealed; /* it is only read */
    int r = store_writing(store, STATEMENT_PUT_SEALED + kind, &statement);
    if (r == 0)
        r = store_bind_number(store, statement, 1, id);
    if (r == 0)
        r = store_bind_row(store, statement, 2, fields, 1, &row);
    if (r == 0)
        r = store_write(store, statement);
    if (r < 0)
        return r;
    return sqlite3_changes(store->db) > 0 ? 0 : STORE_NOT_FOUND;
}

/* Small facts by name, and what providers were paused for. */

#include <errno.h>
#include <string.h>

#include "io/store_sqlite_private.h"

int store_get_fact(struct store *store, const char *name, char **ret)
{
    CLEANUP(cleanup_statement) sqlite3_stmt *statement = NULL;
    static const struct field value[] = { { FIELD_TEXT, 0, 0 } };
    char *borrowed;

    int r = store_reading(store, STATEMENT_GET_FACT, &statement);
    if (r == 0)
        r = store_bind_text(store, statement, 1, name);
    if (r == 0)
        r = store_step(store, statement);
    if (r <= 0)
        return r < 0 ? r : STORE_NOT_FOUND;

    r = store_read_row(store, statement, value, 1, &borrowed);
    if (r < 0)
        return r;
    char *copy = strdup(borrowed);
    if (!copy)
        return -ENOMEM;
    *ret = copy;
    return 0;
}

int store_put_fact(struct store *store, const char *name, const char *value)
{
    CLEANUP(cleanup_statement) sqlite3_stmt *statement = NULL;

    int r = store_writing(store, STATEMENT_PUT_FACT, &statement);
    if (r == 0)
        r = store_bind_text(store, statement, 1, name);
    if (r == 0)
        r = store_bind_text(store, statement, 2, value);
    return r < 0 ? r : store_write(store, statement);
}

static const struct field pause_fields[] = {
    FIELD_ARRAY(pause_row, provider),   FIELD(pause_row, NUMBER, paused_since),
    FIELD(pause_row, NUMBER, probe_at), FIELD(pause_row, UNSIGNED, probes),
    FIELD_ARRAY(pause_row, reason),     FIELD_ARRAY(pause_row, credentials),
};

enum { PAUSE_FIELDS = sizeof pause_fields / sizeof pause_fields[0] };

int store_get_pause(struct store *store, const char *provider, struct pause_row *ret)
{
    CLEANUP(cleanup_statement) sqlite3_stmt *statement = NULL;
    struct pause_row row = { 0 };

    int r = store_reading(store, STATEMENT_GET_PAUSE, &statement);
    if (r == 0)
        r = store_bind_text(store, statement, 1, provider);
    if (r == 0)
        r = store_step(store, statement);
    if (r <= 0)
        return r < 0 ? r : STORE_NOT_FOUND;

    r = store_read_row(store, statement, pause_fields, PAUSE_FIELDS, &row);
    if (r < 0)
        return r;
    *ret = row;
    return 0;
}

int store_put_pause(struct store *store, const struct pause_row *row)
{
    CLEANUP(cleanup_statement) sqlite3_stmt *statement = NULL;

    int r = store_writing(store, STATEMENT_PUT_PAUSE, &statement);
    if (r == 0)
        r = store_bind_row(store, statement, 1, pause_fields, PAUSE_FIELDS, row);
    return r < 0 ? r : store_write(store, statement);
}

int store_pause_refreshable(struct store *store, const struct pause_row *row)
{
    CLEANUP(cleanup_statement) sqlite3_stmt *statement = NULL;

    int r = store_writing(store, STATEMENT_PAUSE_REFRESHABLE, &statement);
    if (r == 0) /* without the provider, the first field */
        r = store_bind_row(store, statement, 1, pause_fields + 1, PAUSE_FIELDS - 1, row);
    return r < 0 ? r : store_write(store, statement);
}

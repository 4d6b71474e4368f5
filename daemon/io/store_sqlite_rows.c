/* Between rows of the file and structs, by tables of fields. */

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "io/store_sqlite_private.h"

int store_bind_text(struct store *store, sqlite3_stmt *statement, int first, const char *text)
{
    int rc = sqlite3_bind_text(statement, first, text, -1, SQLITE_STATIC);
    return rc == SQLITE_OK ? 0 : store_failed(store, rc);
}

int store_bind_number(struct store *store, sqlite3_stmt *statement, int first, int64_t number)
{
    int rc = sqlite3_bind_int64(statement, first, number);
    return rc == SQLITE_OK ? 0 : store_failed(store, rc);
}

int store_bind_limit(struct store *store, sqlite3_stmt *statement, int first, size_t limit)
{
    return store_bind_number(store, statement, first,
                             limit > INT64_MAX ? INT64_MAX : (int64_t)limit);
}

int store_bind_account(struct store *store, sqlite3_stmt *statement, int first,
                       const struct account_name *name)
{
    int r = store_bind_text(store, statement, first, name->provider);
    return r < 0 ? r : store_bind_text(store, statement, first + 1, name->label);
}

static int bind_bytes(sqlite3_stmt *statement, int index, const void *row,
                      const struct field *field)
{
    void *bytes;
    size_t length;

    memcpy(&bytes, (const char *)row + field->offset, sizeof bytes);
    memcpy(&length, (const char *)row + field->size, sizeof length);
    if (!bytes)
        return sqlite3_bind_null(statement, index);
    return sqlite3_bind_blob64(statement, index, bytes, length, SQLITE_STATIC);
}

static int bind_text(sqlite3_stmt *statement, int index, const void *member)
{
    char *text;

    memcpy(&text, member, sizeof text);
    return sqlite3_bind_text(statement, index, text, -1, SQLITE_STATIC);
}

static int bind_number(sqlite3_stmt *statement, int index, enum field_kind kind, const void *member)
{
    int64_t number;
    unsigned small;
    bool boolean;

    switch (kind) {
    case FIELD_BOOLEAN:
        memcpy(&boolean, member, sizeof boolean);
        number = boolean;
        break;
    case FIELD_UNSIGNED:
    case FIELD_CHOICE:
        memcpy(&small, member, sizeof small);
        number = small;
        break;
    default:
        memcpy(&number, member, sizeof number);
    }
    return sqlite3_bind_int64(statement, index, number);
}

static int bind_field(sqlite3_stmt *statement, int index, const struct field *field,
                      const void *row)
{
    const char *member = (const char *)row + field->offset;

    switch (field->kind) {
    case FIELD_CHARS:
        return sqlite3_bind_text(statement, index, member, -1, SQLITE_STATIC);
    case FIELD_TEXT:
        return bind_text(statement, index, member);
    case FIELD_BYTES:
        return bind_bytes(statement, index, row, field);
    default:
        return bind_number(statement, index, field->kind, member);
    }
}

int store_bind_row(struct store *store, sqlite3_stmt *statement, int first,
                   const struct field *fields, size_t count, const void *row)
{
    for (size_t i = 0; i < count; i++) {
        int rc = bind_field(statement, first + (int)i, &fields[i], row);
        if (rc != SQLITE_OK)
            return store_failed(store, rc);
    }
    return 0;
}

/* NULL when the column is NULL; false when SQLite has no memory for it or a NUL lies inside. */
static bool column_text(sqlite3_stmt *statement, int column, const char **ret)
{
    *ret = NULL;
    if (sqlite3_column_type(statement, column) == SQLITE_NULL)
        return true;

    *ret = (const char *)sqlite3_column_text(statement, column);
    return *ret && strlen(*ret) == (size_t)sqlite3_column_bytes(statement, column);
}

static bool read_chars(sqlite3_stmt *statement, int column, size_t size, char *member)
{
    const char *text;

    if (!column_text(statement, column, &text) || !text || strlen(text) >= size)
        return false;
    memcpy(member, text, strlen(text) + 1);
    return true;
}

static bool read_bytes(sqlite3_stmt *statement, int column, const struct field *field, void *row)
{
    const void *bytes = sqlite3_column_blob(statement, column);
    size_t length = (size_t)sqlite3_column_bytes(statement, column);

    memcpy((char *)row + field->offset, &bytes, sizeof bytes);
    memcpy((char *)row + field->size, &length, sizeof length);
    return bytes || length == 0;
}

static bool read_number(sqlite3_stmt *statement, int column, const struct field *field,
                        void *member)
{
    int64_t number = sqlite3_column_int64(statement, column);
    int64_t values = field->kind == FIELD_CHOICE ? (int64_t)field->size : INT64_C(1) << 32;
    bool boolean = number != 0;
    unsigned small = (unsigned)number;

    switch (field->kind) {
    case FIELD_BOOLEAN:
        memcpy(member, &boolean, sizeof boolean);
        return true;
    case FIELD_UNSIGNED:
    case FIELD_CHOICE:
        memcpy(member, &small, sizeof small);
        return number >= 0 && number < values;
    default:
        memcpy(member, &number, sizeof number);
        return true;
    }
}

static bool read_field(sqlite3_stmt *statement, int column, const struct field *field, void *row)
{
    char *member = (char *)row + field->offset;
    const char *text;

    switch (field->kind) {
    case FIELD_CHARS:
        return read_chars(statement, column, field->size, member);
    case FIELD_TEXT:
        if (!column_text(statement, column, &text))
            return false;
        memcpy(member, &text, sizeof text);
        return true;
    case FIELD_BYTES:
        return read_bytes(statement, column, field, row);
    default:
        return read_number(statement, column, field, member);
    }
}

int store_read_row(struct store *store, sqlite3_stmt *statement, const struct field *fields,
                   size_t count, void *row)
{
    for (size_t i = 0; i < count; i++) {
        if (!read_field(statement, (int)i, &fields[i], row)) {
            if (sqlite3_errcode(store->db) == SQLITE_NOMEM)
                return store_failed(store, SQLITE_NOMEM);
            /* Nothing was written: a transaction may go on without this row. */
            (void)snprintf(store->message, sizeof store->message,
                           "a row holds what was never written");
            return -EIO;
        }
    }
    return 0;
}

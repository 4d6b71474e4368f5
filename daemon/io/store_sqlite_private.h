#pragma once

/* What the files of the SQLite store share. The one connection belongs to struct store. */

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <sqlite3.h>

#include "io/store.h"

enum {
    STORE_APPLICATION_ID = 0x746f6b62, /* "tokb", in the file's header */
    STORE_COPY_ID = 0x746f6b63,        /* "tokc": a copy that was not opened as a store yet */
    STORE_PAGE_BYTES = 8192,
    STORE_WAL_PAGES_MAX = 256, /* 2 MiB; beyond it the WAL is emptied, old sealed bytes with it */
    STORE_MESSAGE_MAX = 256,
    STORE_RESULT_CODE_MASK = 0xff, /* the main code; the extended ones only refine it */
};

/* Each statement is prepared once, when the store is opened. */
enum store_statement {
    STATEMENT_BEGIN,
    STATEMENT_COMMIT,
    STATEMENT_ROLLBACK,
    STATEMENT_GET_FACT,
    STATEMENT_PUT_FACT,
    STATEMENT_READ_ACCOUNT,
    STATEMENT_PUT_ACCOUNT,
    STATEMENT_PUT_ACCOUNT_FACTS,
    STATEMENT_DELETE_ACCOUNT,
    STATEMENT_READ_FACTS,
    STATEMENT_LIST_ACCOUNTS,
    STATEMENT_HAS_ACCOUNTS,
    STATEMENT_LIST_HELD,
    STATEMENT_DUE_ACCOUNTS,
    STATEMENT_NEXT_DUE,
    STATEMENT_CANARY,
    STATEMENT_REFUSED,
    STATEMENT_LOST,
    STATEMENT_IDENTITY_ACCOUNT,
    STATEMENT_COUNT_ACCOUNTS,
    STATEMENT_PUT_OWNER,
    STATEMENT_DROP_OWNER,
    STATEMENT_GET_OWNER,
    STATEMENT_PUT_IMPORT,
    STATEMENT_TRIM_IMPORTS,
    STATEMENT_MOVE_IMPORTS,
    STATEMENT_MARK_IMPORT,
    STATEMENT_FIND_IMPORT,
    STATEMENT_IMPORTED_ACCOUNT,
    STATEMENT_GET_PAUSE,
    STATEMENT_PUT_PAUSE,
    STATEMENT_PAUSE_REFRESHABLE,
    STATEMENT_PUT_HELD,
    STATEMENT_READ_HELD,
    STATEMENT_DROP_HELD,
    STATEMENT_PUT_LINK,
    STATEMENT_READ_LINK,
    STATEMENT_OPEN_LINK,
    STATEMENT_END_LINK,
    STATEMENT_COUNT_CLICK,
    STATEMENT_MOVE_LINK,
    STATEMENT_LIST_LINKS,
    STATEMENT_COUNT_LINKS,
    STATEMENT_FORGET_LINKS,
    STATEMENT_TRIM_LINKS,
    STATEMENT_KEEP,
    STATEMENT_TRIM_KEPT,
    STATEMENT_EACH_KEPT,
    STATEMENT_FIND_KEPT,
    STATEMENT_POSTPONE_KEPT,
    STATEMENT_DROP_KEPT,
    STATEMENT_DROP_REVOCATIONS,
    STATEMENT_EACH_SEALED, /* one for each enum sealed_kind */
    STATEMENT_EACH_SEALED_END = STATEMENT_EACH_SEALED + SEALED_KINDS - 1,
    STATEMENT_PUT_SEALED, /* likewise */
    STATEMENT_PUT_SEALED_END = STATEMENT_PUT_SEALED + SEALED_KINDS - 1,
    STATEMENT_COUNT_AUDIT,
    STATEMENT_INSERT_AUDIT,
    STATEMENT_TRIM_AUDIT,
    STATEMENT_EACH_AUDIT,
    STATEMENT_FIND_CALLER,
    STATEMENT_READ_CALLER,
    STATEMENT_INSERT_CALLER,
    STATEMENT_UPDATE_CALLER,
    STATEMENT_DROP_CALLER,
    STATEMENT_EACH_CALLER,
    STATEMENT_COUNT_CALLERS,
    STATEMENT_FORGET_CALLERS,
    STATEMENT_TOTAL,
};

struct store {
    sqlite3 *db;
    sqlite3_stmt *statements[STATEMENT_TOTAL];
    int lock_fd;
    bool in_transaction;
    int failure;              /* of a write in this transaction: it can only be rolled back */
    int wal_pages;            /* after the last commit */
    int wal_pages_checkpoint; /* when the WAL is to be emptied */
    char message[STORE_MESSAGE_MAX];
};

/* In the order of enum store_statement. */
extern const char *const store_statement_sql[STATEMENT_TOTAL];

/* Made from schema/: what leads from version n to n + 1, and the newest version. */
extern const char *const store_migrations[];
extern const int store_schema_version;

/* Records what SQLite said of its result code; returns -ENOSPC or -EIO. */
int store_failed(struct store *store, int rc);
/* Records a failure that SQLite did not see; returns -EIO. */
int store_broken(struct store *store, const char *what);

/* A statement with nothing bound. -EBUSY: it is in the middle of its rows, further up the stack. */
int store_reading(struct store *store, enum store_statement which, sqlite3_stmt **ret);
/* The same for a statement that writes: -EIO outside a transaction, or the failure of an earlier
 * write. */
int store_writing(struct store *store, enum store_statement which, sqlite3_stmt **ret);

/* Gives a statement back: forgets its rows and what was bound to it. */
void store_release_statement(sqlite3_stmt *statement);
static inline void cleanup_statement(sqlite3_stmt **statement)
{
    store_release_statement(*statement);
}

/* The next row: 1, 0 when there is none, or -ENOSPC or -EIO. */
int store_step(struct store *store, sqlite3_stmt *statement);
/* Runs a statement that writes to its end. Returns 0, -ENOSPC or -EIO; a failure is remembered. */
int store_write(struct store *store, sqlite3_stmt *statement);

/* Binding. first is 1 for the statement's first parameter; NULL text is NULL. Each returns 0,
 * -ENOSPC or -EIO. */
int store_bind_text(struct store *store, sqlite3_stmt *statement, int first, const char *text);
int store_bind_number(struct store *store, sqlite3_stmt *statement, int first, int64_t number);
int store_bind_limit(struct store *store, sqlite3_stmt *statement, int first, size_t limit);
int store_bind_account(struct store *store, sqlite3_stmt *statement, int first,
                       const struct account_name *name);

/* How a member of a row lies in its struct. */
enum field_kind {
    FIELD_NUMBER,   /* int64_t */
    FIELD_COUNTER,  /* uint64_t, kept as the signed number with the same bits */
    FIELD_UNSIGNED, /* unsigned or uint32_t */
    FIELD_BOOLEAN,
    FIELD_CHOICE, /* an enum with size values from 0 up */
    FIELD_CHARS,  /* char[size] */
    FIELD_TEXT,   /* char *, may be NULL */
    FIELD_BYTES,  /* void *, may be NULL; size is the offset of its length */
};

struct field {
    enum field_kind kind;
    size_t offset;
    size_t size;
};

#define FIELD(type, kind, member)                                                                  \
    {                                                                                              \
        FIELD_##kind, offsetof(struct type, member), 0                                             \
    }
#define FIELD_SIZED(type, kind, member, size)                                                      \
    {                                                                                              \
        FIELD_##kind, offsetof(struct type, member), size                                          \
    }
#define FIELD_ARRAY(type, member)                                                                  \
    {                                                                                              \
        FIELD_CHARS, offsetof(struct type, member), sizeof((struct type *)NULL)->member            \
    }

/* Binds a row's members in the table's order, to the parameters from first up. The row must outlive
 * the binding. Returns 0, -ENOSPC or -EIO. */
int store_bind_row(struct store *store, sqlite3_stmt *statement, int first,
                   const struct field *fields, size_t count, const void *row);

/* Reads the statement's columns into a row's members. Texts and bytes belong to the statement and
 * live until its next step. Returns 0, -EIO when the file holds what the store never wrote, or
 * -ENOMEM. */
int store_read_row(struct store *store, sqlite3_stmt *statement, const struct field *fields,
                   size_t count, void *row);

/* Stands on the row that a reading statement finds by an account's name. The caller releases *ret,
 * also on failure. Returns 0, STORE_NOT_FOUND or -errno. */
int store_find_by_name(struct store *store, enum store_statement which,
                       const struct account_name *name, sqlite3_stmt **ret);

/* Runs a statement that writes and takes an account's name alone. */
int store_write_by_name(struct store *store, enum store_statement which,
                        const struct account_name *name);

/* Opening, step by step: 0, enum store_problem, or -errno, with a complaint. */

/* Takes the folder's lock. *ret_fd holds it until it is closed. */
int store_lock_folder(const char *folder, int *ret_fd, struct complaint *complaint);
/* Puts the path of the store's file in out once the file is there, ours and closed to others. */
int store_prepare_file(const char *folder, char out[static PATH_MAX], struct complaint *complaint);
int store_migrate(struct store *store, const char *path, struct complaint *complaint);
/* What a result code of opening means. */
int store_open_problem(struct store *store, int rc, const char *path, struct complaint *complaint);

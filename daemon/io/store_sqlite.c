/* The one connection: opening, transactions, statements. */

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "io/store_sqlite_private.h"

static int code_to_errno(struct store *store, int rc)
{
    int system = store->db ? sqlite3_system_errno(store->db) : 0;

    if ((rc & STORE_RESULT_CODE_MASK) == SQLITE_FULL)
        return -ENOSPC;
    if ((rc & STORE_RESULT_CODE_MASK) == SQLITE_IOERR && (system == ENOSPC || system == EDQUOT))
        return -ENOSPC;
    if ((rc & STORE_RESULT_CODE_MASK) == SQLITE_NOMEM)
        return -ENOMEM;
    if ((rc & STORE_RESULT_CODE_MASK) == SQLITE_CORRUPT)
        return -EBADMSG;
    return -EIO;
}

int store_failed(struct store *store, int rc)
{
    int r = code_to_errno(store, rc);
    const char *text = store->db ? sqlite3_errmsg(store->db) : sqlite3_errstr(rc);

    (void)snprintf(store->message, sizeof store->message, "%s", text);
    if (store->in_transaction && store->failure == 0)
        store->failure = r;
    return r;
}

int store_broken(struct store *store, const char *what)
{
    (void)snprintf(store->message, sizeof store->message, "%s", what);
    if (store->in_transaction && store->failure == 0)
        store->failure = -EIO;
    return -EIO;
}

const char *store_message(const struct store *store)
{
    return store->message;
}

static int note_wal_size(void *userdata, sqlite3 *db, const char *name, int pages)
{
    struct store *store = userdata;

    store->wal_pages = pages;
    return SQLITE_OK;
}

/* All at once: a file without the tables that it should have is found at the start. */
static int prepare_statements(struct store *store)
{
    for (int i = 0; i < STATEMENT_TOTAL; i++) {
        int rc = sqlite3_prepare_v3(store->db, store_statement_sql[i], -1,
                                    SQLITE_PREPARE_PERSISTENT, &store->statements[i], NULL);
        if (rc != SQLITE_OK)
            return rc;
    }
    return SQLITE_OK;
}

static int open_file(struct store *store, const char *folder, struct complaint *complaint)
{
    char path[PATH_MAX];
    int r = store_prepare_file(folder, path, complaint);
    if (r != 0)
        return r;

    int rc =
        sqlite3_open_v2(path, &store->db,
                        SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE, NULL);
    if (rc != SQLITE_OK)
        return store_open_problem(store, rc, path, complaint);

    /* It takes the place of SQLite's own checkpoints, which leave the old pages in the WAL. */
    (void)sqlite3_wal_hook(store->db, note_wal_size, store);
    store->wal_pages_checkpoint = STORE_WAL_PAGES_MAX;

    r = store_migrate(store, path, complaint);
    if (r != 0)
        return r;
    rc = prepare_statements(store);
    return rc == SQLITE_OK ? 0 : store_open_problem(store, rc, path, complaint);
}

int store_open(const char *folder, struct store **ret, struct complaint *complaint)
{
    CLEANUP(cleanup_fd) int lock_fd = -1;
    int r = store_lock_folder(folder, &lock_fd, complaint);
    if (r != 0)
        return r;

    CLEANUP(cleanup_store) struct store *store = calloc(1, sizeof *store);
    if (!store) {
        complain(complaint, "no memory to open the store");
        return -ENOMEM;
    }
    store->lock_fd = steal_fd(&lock_fd);

    r = open_file(store, folder, complaint);
    if (r != 0)
        return r;
    *ret = steal(store);
    return 0;
}

struct store *store_close(struct store *store)
{
    if (!store)
        return NULL;

    store_rollback(store);
    if (store->statements[0])
        /* What cannot be moved now stays in the WAL, whole, for the next start. */
        (void)store_checkpoint(store);
    for (int i = 0; i < STATEMENT_TOTAL; i++)
        sqlite3_finalize(store->statements[i]);
    /* With every statement finalized it cannot be busy. */
    (void)sqlite3_close(store->db);
    cleanup_fd(&store->lock_fd);
    free(store);
    return NULL;
}

int store_checkpoint(struct store *store)
{
    int rc = sqlite3_wal_checkpoint_v2(store->db, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);

    if (rc != SQLITE_OK) {
        /* Not at each of the next commits: the disk may stay full for long. */
        store->wal_pages_checkpoint = store->wal_pages + STORE_WAL_PAGES_MAX;
        return store_failed(store, rc);
    }
    store->wal_pages = 0;
    store->wal_pages_checkpoint = STORE_WAL_PAGES_MAX;
    return 0;
}

static int run(struct store *store, enum store_statement which)
{
    sqlite3_stmt *statement = store->statements[which];
    int rc = sqlite3_step(statement);
    int r = rc == SQLITE_DONE ? 0 : store_failed(store, rc);

    store_release_statement(statement);
    return r;
}

int store_begin(struct store *store)
{
    if (store->in_transaction)
        return store_broken(store, "a transaction within a transaction");

    int r = run(store, STATEMENT_BEGIN);
    if (r < 0)
        return r;
    store->in_transaction = true;
    store->failure = 0;
    return 0;
}

int store_commit(struct store *store)
{
    if (!store->in_transaction)
        return store_broken(store, "a commit without a transaction");
    if (store->failure < 0)
        return store->failure;

    int r = run(store, STATEMENT_COMMIT);
    if (r < 0)
        return r;
    store->in_transaction = false;
    if (store->wal_pages >= store->wal_pages_checkpoint)
        /* The commit is durable whether or not this succeeds; it is tried again later. */
        (void)store_checkpoint(store);
    return 0;
}

int store_failure(const struct store *store)
{
    return store->in_transaction ? store->failure : 0;
}

void store_rollback(struct store *store)
{
    if (!store->in_transaction)
        return;

    /* SQLite has already rolled back by itself after some failures. */
    if (sqlite3_get_autocommit(store->db) == 0) {
        /* The pages of the transaction are dropped even when it reports an error of its own. */
        (void)sqlite3_step(store->statements[STATEMENT_ROLLBACK]);
        store_release_statement(store->statements[STATEMENT_ROLLBACK]);
    }
    store->in_transaction = false;
    store->failure = 0;
}

int store_reading(struct store *store, enum store_statement which, sqlite3_stmt **ret)
{
    sqlite3_stmt *statement = store->statements[which];

    if (sqlite3_stmt_busy(statement))
        return -EBUSY;
    *ret = statement;
    return 0;
}

int store_writing(struct store *store, enum store_statement which, sqlite3_stmt **ret)
{
    if (!store->in_transaction)
        return store_broken(store, "a write without a transaction");
    if (store->failure < 0)
        return store->failure;
    /* After some failures SQLite has no transaction any more, and would write this one alone. */
    if (sqlite3_get_autocommit(store->db) != 0)
        return store_broken(store, "the transaction was lost");
    return store_reading(store, which, ret);
}

void store_release_statement(sqlite3_stmt *statement)
{
    if (!statement)
        return;

    /* It repeats the result of the last step, which its caller has dealt with. */
    (void)sqlite3_reset(statement);
    /* Always succeeds. */
    (void)sqlite3_clear_bindings(statement);
}

int store_step(struct store *store, sqlite3_stmt *statement)
{
    int rc = sqlite3_step(statement);

    if (rc == SQLITE_ROW)
        return 1;
    return rc == SQLITE_DONE ? 0 : store_failed(store, rc);
}

int store_write(struct store *store, sqlite3_stmt *statement)
{
    int rc = sqlite3_step(statement);

    return rc == SQLITE_DONE ? 0 : store_failed(store, rc);
}

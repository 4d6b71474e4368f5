/* Whose file it is, how it is used, and its way to the newest schema. */

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "io/store_sqlite_private.h"

/* What is set before the file is first read. Nothing of the file's own schema is trusted to call
 * functions; in the exclusive mode there is no shared memory file beside it. */
static const char connection_settings[] = "PRAGMA locking_mode = EXCLUSIVE;"
                                          "PRAGMA trusted_schema = OFF;"
                                          "PRAGMA cell_size_check = ON;"
                                          "PRAGMA temp_store = MEMORY;"
                                          "PRAGMA mmap_size = 0;";

/* What is set once the file is known to be ours or new. */
static const char file_settings[] = "PRAGMA page_size = 8192;"
                                    "PRAGMA secure_delete = ON;"
                                    "PRAGMA foreign_keys = ON;"
                                    "PRAGMA journal_mode = WAL;"
                                    "PRAGMA synchronous = FULL;";
_Static_assert(STORE_PAGE_BYTES == 8192, "the PRAGMA above says the same");

struct identity {
    int64_t application;
    int64_t version;
    int64_t tables;
};

int store_open_problem(struct store *store, int rc, const char *path, struct complaint *complaint)
{
    int r = store_failed(store, rc);

    switch (rc & STORE_RESULT_CODE_MASK) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        complain(
            complaint,
            "%s is in use by another program: close what has it open (a sqlite3 shell, a backup) "
            "and start again",
            path);
        return STORE_LOCKED;
    case SQLITE_NOTADB:
    case SQLITE_CORRUPT:
    case SQLITE_ERROR:
    case SQLITE_SCHEMA:
        complain(
            complaint,
            "%s is damaged or not a store of tokenbroker (%s): move it away or restore a backup; "
            "nothing in it was changed",
            path, store->message);
        return STORE_FOREIGN;
    default:
        complain(complaint, "cannot open %s: %s%s", path, store->message,
                 r == -ENOSPC ? "; free some space" : "");
        return r;
    }
}

static int read_identity(struct store *store, struct identity *ret)
{
    sqlite3_stmt *statement = NULL;
    int rc = sqlite3_prepare_v2(store->db,
                                "SELECT (SELECT application_id FROM pragma_application_id),"
                                " (SELECT user_version FROM pragma_user_version),"
                                " (SELECT count(*) FROM sqlite_schema)",
                                -1, &statement, NULL);
    if (rc == SQLITE_OK)
        rc = sqlite3_step(statement);
    if (rc == SQLITE_ROW)
        *ret = (struct identity){
            .application = sqlite3_column_int64(statement, 0),
            .version = sqlite3_column_int64(statement, 1),
            .tables = sqlite3_column_int64(statement, 2),
        };
    sqlite3_finalize(statement);
    return rc == SQLITE_ROW ? SQLITE_OK : rc;
}

static int check_identity(const struct identity *identity, const char *path,
                          struct complaint *complaint)
{
    bool new = identity->application == 0 && identity->version == 0 && identity->tables == 0;

    if (!new && ((identity->application != STORE_APPLICATION_ID &&
                  identity->application != STORE_COPY_ID) ||
                 identity->version < 1)) {
        complain(
            complaint,
            "%s is an SQLite file, but not a store of tokenbroker: move it away; nothing in it "
            "was changed",
            path);
        return STORE_FOREIGN;
    }
    if (identity->version > store_schema_version) {
        complain(
            complaint,
            "%s was written by a newer tokenbroker (schema %lld, this one knows %d): install that "
            "version or restore a backup",
            path, (long long)identity->version, store_schema_version);
        return STORE_NEWER;
    }
    return 0;
}

/* It starts paused, since the store may have gone on; a fence was for the store that it was copied
 * from. */
static const char note_copy[] = "INSERT OR REPLACE INTO facts (name, value)"
                                " VALUES ('restored', 'it was restored from a backup');"
                                "DELETE FROM facts WHERE name = 'moved'";

static int run_migrations(struct store *store, const struct identity *identity)
{
    char mark[96];
    int rc = SQLITE_OK;

    for (int v = (int)identity->version; v < store_schema_version && rc == SQLITE_OK; v++)
        rc = sqlite3_exec(store->db, store_migrations[v], NULL, NULL, NULL);
    if (rc == SQLITE_OK && identity->application == STORE_COPY_ID)
        rc = sqlite3_exec(store->db, note_copy, NULL, NULL, NULL);
    if (rc != SQLITE_OK)
        return rc;

    (void)snprintf(mark, sizeof mark, "PRAGMA application_id = %d; PRAGMA user_version = %d",
                   STORE_APPLICATION_ID, store_schema_version);
    return sqlite3_exec(store->db, mark, NULL, NULL, NULL);
}

/* All steps or none. After a failure closing the connection rolls back; until then it can say what
 * went wrong. */
static int migrate_from(struct store *store, const struct identity *identity)
{
    if (identity->version == store_schema_version && identity->application == STORE_APPLICATION_ID)
        return SQLITE_OK;

    int rc = sqlite3_exec(store->db, "BEGIN IMMEDIATE", NULL, NULL, NULL);
    if (rc == SQLITE_OK)
        rc = run_migrations(store, identity);
    if (rc == SQLITE_OK)
        rc = sqlite3_exec(store->db, "COMMIT", NULL, NULL, NULL);
    return rc;
}

/* A migration reads all rows, the version before reads each by itself. */
static int migration_problem(struct store *store, const struct identity *identity, int rc,
                             const char *path, struct complaint *complaint)
{
    const bool older = identity->version > 0 && identity->version < store_schema_version;
    int r = store_open_problem(store, rc, path, complaint);

    if ((rc & STORE_RESULT_CODE_MASK) == SQLITE_CORRUPT && older)
        complain(complaint,
                 "%s is damaged (%s) and cannot be brought to this version's schema: nothing in it "
                 "was changed, the version that wrote it can go on with it; restore a backup",
                 path, store->message);
    return r;
}

int store_migrate(struct store *store, const char *path, struct complaint *complaint)
{
    struct identity identity = { 0 };

    /* Refuses SQL that could damage the file, whoever writes it. Never fails for a known flag. */
    (void)sqlite3_db_config(store->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);

    int rc = sqlite3_exec(store->db, connection_settings, NULL, NULL, NULL);
    if (rc == SQLITE_OK)
        rc = read_identity(store, &identity);
    if (rc != SQLITE_OK)
        return store_open_problem(store, rc, path, complaint);

    int r = check_identity(&identity, path, complaint);
    if (r != 0)
        return r;

    rc = sqlite3_exec(store->db, file_settings, NULL, NULL, NULL);
    if (rc != SQLITE_OK)
        return store_open_problem(store, rc, path, complaint);
    rc = migrate_from(store, &identity);
    return rc == SQLITE_OK ? 0 : migration_problem(store, &identity, rc, path, complaint);
}

/* Whose folder and file it is, who has it, and from which version it comes. */

#include "store_fixture.h"

static void assert_refused(struct fixture *f, int expected, const char *says)
{
    struct complaint complaint = { "" };
    struct store *store = NULL;
    int r = store_open(f->folder, &store, &complaint);

    if (r != expected || !strstr(complaint.text, says))
        fail_msg("%d (not %d): \"%s\" (should say \"%s\")", r, expected, complaint.text, says);
    assert_null(store);
}

static void test_folder_must_be_closed(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(chmod(f->folder, 0750), 0);
    assert_refused(f, -EPERM, "chmod 0700");
    assert_int_equal(chmod(f->folder, 0700), 0);
    open_again(f);
}

static void test_folder_must_be_ours(void **state)
{
    struct fixture *f = *state;

    if (chown(f->folder, 12345, 0) < 0)
        skip();
    assert_refused(f, -EPERM, "belongs to uid 12345");
    assert_int_equal(chown(f->folder, geteuid(), getegid()), 0);
}

static void test_folder_must_be_there(void **state)
{
    struct fixture f = { .folder = "/tmp/tb-no-such-folder" };

    assert_refused(&f, -ENOENT, "mkdir -m 0700 /tmp/tb-no-such-folder");
}

static mode_t mode_of(const char *path)
{
    struct stat st;

    assert_int_equal(stat(path, &st), 0);
    return st.st_mode & 0777;
}

static void test_files_are_closed_to_others(void **state)
{
    struct fixture *f = *state;
    struct account_row row = { .name = name_of("z", "a") };

    (void)umask(0);
    open_again(f);
    assert_int_equal(commit_account(f->store, &row), 0);
    assert_int_equal(mode_of(path_in(f, "store.sqlite")), 0600);
    assert_int_equal(mode_of(path_in(f, "store.sqlite-wal")), 0600);
    assert_int_equal(mode_of(path_in(f, "lock")), 0600);
    assert_int_equal(access(path_in(f, "store.sqlite-shm"), F_OK), -1);

    f->store = store_close(f->store);
    assert_int_equal(chmod(path_in(f, "store.sqlite"), 0644), 0);
    open_again(f);
    assert_int_equal(mode_of(path_in(f, "store.sqlite")), 0600);
}

static void test_settings_hold(void **state)
{
    static const struct {
        const char *sql;
        const char *value;
    } settings[] = {
        { "PRAGMA journal_mode", "wal" },       { "PRAGMA synchronous", "2" },
        { "PRAGMA locking_mode", "exclusive" }, { "PRAGMA secure_delete", "1" },
        { "PRAGMA page_size", "8192" },         { "PRAGMA trusted_schema", "0" },
        { "PRAGMA foreign_keys", "1" },         { "PRAGMA application_id", "1953459042" },
        { "PRAGMA integrity_check", "ok" },
    };
    struct fixture *f = *state;

    for (size_t i = 0; i < sizeof settings / sizeof settings[0]; i++) {
        sqlite3_stmt *statement;
        assert_int_equal(sqlite3_prepare_v2(f->store->db, settings[i].sql, -1, &statement, NULL),
                         SQLITE_OK);
        assert_int_equal(sqlite3_step(statement), SQLITE_ROW);
        assert_string_equal((const char *)sqlite3_column_text(statement, 0), settings[i].value);
        sqlite3_finalize(statement);
    }
}

static void test_one_daemon(void **state)
{
    struct fixture *f = *state;
    char pid[32];

    (void)snprintf(pid, sizeof pid, "pid %ld:", (long)getpid());
    assert_refused(f, STORE_LOCKED, pid);
    f->store = store_close(f->store);
    open_again(f);
}

static void test_another_program_has_it(void **state)
{
    struct fixture *f = *state;
    sqlite3 *shell;

    f->store = store_close(f->store);
    assert_int_equal(sqlite3_open(path_in(f, "store.sqlite"), &shell), SQLITE_OK);
    assert_int_equal(
        sqlite3_exec(shell, "PRAGMA locking_mode=EXCLUSIVE; BEGIN EXCLUSIVE", NULL, NULL, NULL),
        SQLITE_OK);
    assert_refused(f, STORE_LOCKED, "in use by another program");
    sqlite3_close(shell);
    open_again(f);
}

static void make_database(struct fixture *f, const char *sql)
{
    sqlite3 *db;

    assert_int_equal(sqlite3_open(path_in(f, "store.sqlite"), &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
}

static void test_newer(void **state)
{
    struct fixture *f = *state;
    char refusal[80], back[40];

    (void)snprintf(refusal, sizeof refusal, "newer tokenbroker (schema 77, this one knows %d)",
                   store_schema_version);
    (void)snprintf(back, sizeof back, "PRAGMA user_version = %d", store_schema_version);
    f->store = store_close(f->store);
    make_database(f, "PRAGMA user_version = 77");
    assert_refused(f, STORE_NEWER, refusal);
    make_database(f, back);
    open_again(f);
}

static void test_foreign_database(void **state)
{
    static const char *const foreign[] = {
        "CREATE TABLE t (a)",
        "PRAGMA application_id = 5; CREATE TABLE t (a)",
        "PRAGMA user_version = 1",
        /* It says that it is ours, but the tables are not there. */
        "PRAGMA application_id = 1953459042; PRAGMA user_version = 6; CREATE TABLE facts (a)",
    };
    struct fixture *f = *state;

    for (size_t i = 0; i < sizeof foreign / sizeof foreign[0]; i++) {
        empty_folder(f->folder);
        make_database(f, foreign[i]);
        assert_refused(f, STORE_FOREIGN, "move it away");
        assert_int_equal(access(path_in(f, "store.sqlite"), F_OK), 0);
    }
}

static void write_at(const char *path, off_t at, const char *text)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

    assert_true(fd >= 0);
    assert_int_equal(pwrite(fd, text, strlen(text), at), strlen(text));
    assert_int_equal(close(fd), 0);
}

static void test_damaged(void **state)
{
    static const struct {
        const char *name;
        off_t at;
    } damages[] = { { "header", 0 }, { "schema page", 100 } };
    struct fixture *f = *state;

    for (size_t i = 0; i < sizeof damages / sizeof damages[0]; i++) {
        f->store = store_close(f->store);
        empty_folder(f->folder);
        open_again(f);
        f->store = store_close(f->store);
        write_at(path_in(f, "store.sqlite"), damages[i].at, "no database at all, and no page");
        assert_refused(f, STORE_FOREIGN, "restore a backup");
        assert_int_equal(access(path_in(f, "store.sqlite"), F_OK), 0);
    }
}

static void test_emptied_file_beside_its_log(void **state)
{
    struct fixture *f = *state;

    write_at(path_in(f, "store.sqlite"), 0, "");
    write_at(path_in(f, "store.sqlite-wal"), 0, "everything is in here");
    assert_refused(f, STORE_FOREIGN, "-wal");
    assert_int_equal(access(path_in(f, "store.sqlite-wal"), F_OK), 0);
}

static void test_no_symbolic_link(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(symlink("/tmp/tb-elsewhere", path_in(f, "store.sqlite")), 0);
    assert_refused(f, -ELOOP, "store.sqlite");
    assert_int_equal(access("/tmp/tb-elsewhere", F_OK), -1);
}

static void test_from_an_older_version(void **state)
{
    struct fixture *f = *state;
    struct pause_row back;
    char sql[16 * 1024];

    (void)snprintf(sql, sizeof sql,
                   "%s INSERT INTO pauses VALUES ('zenegy', 1, 2, 3, 'why', 'print');"
                   "PRAGMA application_id = 1953459042; PRAGMA user_version = 1",
                   store_migrations[0]);
    make_database(f, sql);
    open_again(f);
    assert_int_equal(store_get_pause(f->store, "zenegy", &back), 0);
    assert_int_equal(back.probes, 3);
    run_sql(f->store, "SELECT count(*) FROM audit, kept");
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_folder_must_be_closed, make_folder, drop_store),
        cmocka_unit_test_setup_teardown(test_folder_must_be_ours, make_folder, drop_store),
        cmocka_unit_test(test_folder_must_be_there),
        cmocka_unit_test_setup_teardown(test_files_are_closed_to_others, make_folder, drop_store),
        cmocka_unit_test_setup_teardown(test_settings_hold, make_store, drop_store),
        cmocka_unit_test_setup_teardown(test_one_daemon, make_store, drop_store),
        cmocka_unit_test_setup_teardown(test_another_program_has_it, make_store, drop_store),
        cmocka_unit_test_setup_teardown(test_newer, make_store, drop_store),
        cmocka_unit_test_setup_teardown(test_foreign_database, make_folder, drop_store),
        cmocka_unit_test_setup_teardown(test_damaged, make_store, drop_store),
        cmocka_unit_test_setup_teardown(test_emptied_file_beside_its_log, make_folder, drop_store),
        cmocka_unit_test_setup_teardown(test_no_symbolic_link, make_folder, drop_store),
        cmocka_unit_test_setup_teardown(test_from_an_older_version, make_folder, drop_store),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Consents that are held: at most one for each account, read with it, gone with it. And who else
 * has an identity, or was imported with a token. */

#include "store_fixture.h"

static void put_account(struct store *store, const char *label, const char *identity)
{
    struct account_row row = { .name = name_of("zenegy", label), .generation = 1 };

    row.identity = (char *)identity;
    row.refresh_token_life_ms = 77;
    assert_int_equal(store_put(store, &row), 0);
}

static void hold(struct store *store, const char *label, const char *identity)
{
    struct held_row row = { .name = name_of("zenegy", label),
                            .created_at = 1,
                            .refreshed_at = 2,
                            .lifetime_ms = 3,
                            .expires_at = 4,
                            .refresh_at = 5,
                            .refresh_token_expires_at = 6,
                            .refresh_token_life_ms = 7,
                            .scope = (char[]){ "read" },
                            .identity = (char *)identity,
                            .warned_days = 8,
                            .lifetime_assumed = true,
                            .sealed = (char[]){ "h\0h" },
                            .sealed_length = 3 };

    assert_int_equal(store_put_held(store, &row), 0);
}

static void assert_held(struct store *store, const char *label, const char *identity)
{
    CLEANUP(cleanup_account_row) struct account_row row = { 0 };
    struct account_name name = name_of("zenegy", label);

    assert_int_equal(store_read(store, &name, &row), 0);
    assert_int_equal(row.refresh_token_life_ms, 77);
    assert_int_equal(row.held_at, identity ? 1 : 0);
    assert_int_equal(row.held_refreshed_at, identity ? 2 : 0);
    assert_int_equal(row.held_refresh_token_expires_at, identity ? 6 : 0);
    assert_int_equal(row.held_refresh_token_life_ms, identity ? 7 : 0);
    assert_int_equal(row.held_warned_days, identity ? 8 : 0);
    if (identity)
        assert_string_equal(row.held_identity, identity);
    else
        assert_null(row.held_identity);
}

static void test_the_newer_replaces(void **state)
{
    struct fixture *f = *state;
    struct account_name name = name_of("zenegy", "a");
    CLEANUP(cleanup_held_row) struct held_row back = { 0 };

    assert_int_equal(store_begin(f->store), 0);
    put_account(f->store, "a", "one");
    hold(f->store, "a", "two");
    hold(f->store, "a", "three");
    assert_int_equal(store_commit(f->store), 0);
    open_again(f);
    assert_held(f->store, "a", "three");
    assert_int_equal(store_read_held(f->store, &name, &back), 0);
    assert_int_equal(back.created_at, 1);
    assert_int_equal(back.refreshed_at, 2);
    assert_int_equal(back.lifetime_ms, 3);
    assert_int_equal(back.expires_at, 4);
    assert_int_equal(back.refresh_at, 5);
    assert_int_equal(back.refresh_token_expires_at, 6);
    assert_int_equal(back.refresh_token_life_ms, 7);
    assert_int_equal(back.warned_days, 8);
    assert_true(back.lifetime_assumed);
    assert_string_equal(back.scope, "read");
    assert_string_equal(back.identity, "three");
    assert_int_equal(back.sealed_length, 3);
    assert_memory_equal(back.sealed, "h\0h", 3);
}

static void test_dropped(void **state)
{
    struct fixture *f = *state;
    struct account_name name = name_of("zenegy", "a");
    struct held_row back = { 0 };

    assert_int_equal(store_begin(f->store), 0);
    put_account(f->store, "a", "one");
    assert_int_equal(store_drop_held(f->store, &name), STORE_NOT_FOUND);
    hold(f->store, "a", "two");
    assert_int_equal(store_drop_held(f->store, &name), 0);
    assert_int_equal(store_read_held(f->store, &name, &back), STORE_NOT_FOUND);
    assert_int_equal(store_commit(f->store), 0);
    assert_held(f->store, "a", NULL);
}

static void test_it_goes_with_the_account(void **state)
{
    struct fixture *f = *state;
    struct account_name name = name_of("zenegy", "a");

    assert_int_equal(store_begin(f->store), 0);
    put_account(f->store, "a", "one");
    hold(f->store, "a", "two");
    put_account(f->store, "a", "one"); /* a row that is written again is the same account */
    assert_held(f->store, "a", "two");
    assert_int_equal(store_delete(f->store, &name), 0);
    put_account(f->store, "a", "one");
    assert_int_equal(store_commit(f->store), 0);
    assert_held(f->store, "a", NULL);
}

static bool see_label(void *userdata, const struct account_row *row)
{
    char *labels = userdata;
    size_t length = strlen(labels);

    assert_true(row->held_at > 0);
    assert_string_equal(row->held_identity, "other");
    labels[length] = row->name.label[0];
    labels[length + 1] = '\0';
    return true;
}

static void test_list(void **state)
{
    struct fixture *f = *state;
    static const char *const labels[] = { "a", "b", "c", "d", "e" };
    struct account_name after = name_of("zenegy", "b");
    char all[16] = "", some[16] = "";

    assert_int_equal(store_begin(f->store), 0);
    for (size_t i = 0; i < 5; i++) {
        put_account(f->store, labels[i], "one");
        if (i != 2)
            hold(f->store, labels[i], "other");
    }
    assert_int_equal(store_commit(f->store), 0);
    assert_int_equal(store_list_held(f->store, NULL, 100, see_label, all), 0);
    assert_string_equal(all, "abde");
    assert_int_equal(store_list_held(f->store, &after, 1, see_label, some), 0);
    assert_string_equal(some, "d");
}

static void note_import(struct store *store, const struct account_name *name,
                        const char *fingerprint, int64_t now)
{
    assert_int_equal(store_begin(store), 0);
    assert_int_equal(store_put_import(store, name, fingerprint, now), 0);
    assert_int_equal(store_commit(store), 0);
}

static int find_import(struct store *store, const struct account_name *name,
                       const char *fingerprint)
{
    bool unspent = true;
    int r = store_find_import(store, name, fingerprint, &unspent);
    assert_int_equal(unspent, r != 0);
    return r;
}

static void test_unspent_imports(void **state)
{
    struct fixture *f = *state;
    const struct account_row row = { .name = name_of("zenegy", "a"), .has_refresh_token = true };
    struct account_name found;
    bool unspent = false;

    assert_int_equal(commit_account(f->store, &row), 0);
    note_import(f->store, &row.name, "1", 1);
    note_import(f->store, &row.name, "2", 2);
    assert_int_equal(store_begin(f->store), 0);
    assert_int_equal(store_put_token_owner(f->store, &row.name, "2"), 0);
    assert_int_equal(store_mark_import(f->store, &row.name, true), 0);
    assert_int_equal(store_find_import(f->store, &row.name, "2", &unspent), 0);
    assert_true(unspent);
    assert_int_equal(find_import(f->store, &row.name, "1"), 0);
    /* Nobody is refused for it under another name; noting it again says nothing else. */
    assert_int_equal(store_put_import(f->store, &row.name, "2", 3), 0);
    assert_int_equal(store_imported_account(f->store, "zenegy", "2", &found), STORE_NOT_FOUND);
    assert_int_equal(store_mark_import(f->store, &row.name, false), 0);
    assert_int_equal(find_import(f->store, &row.name, "2"), 0);
    assert_int_equal(store_imported_account(f->store, "zenegy", "2", &found), 0);
    assert_int_equal(store_commit(f->store), 0);
}

/* The latest are kept; they move with the account, and go with it. */
static void test_imports(void **state)
{
    struct fixture *f = *state;
    const struct account_row row = { .name = name_of("zenegy", "a") };
    const struct account_name there = name_of("other", "b");
    char text[16];

    assert_int_equal(commit_account(f->store, &row), 0);
    note_import(f->store, &there, "0", 0);
    for (int i = 0; i <= IMPORTS_MAX; i++) {
        (void)snprintf(text, sizeof text, "%d", i);
        note_import(f->store, &row.name, text, i);
        note_import(f->store, &row.name, "1", i + 1); /* again and again */
    }
    assert_int_equal(find_import(f->store, &there, "0"), 0);
    assert_int_equal(find_import(f->store, &row.name, "0"), STORE_NOT_FOUND);
    assert_int_equal(find_import(f->store, &row.name, "1"), 0);
    assert_int_equal(find_import(f->store, &row.name, "2"), 0);
    assert_int_equal(find_import(f->store, &row.name, text), 0);
    assert_int_equal(store_begin(f->store), 0);
    assert_int_equal(store_delete(f->store, &row.name), 0);
    assert_int_equal(find_import(f->store, &row.name, "1"), STORE_NOT_FOUND);
    assert_int_equal(store_move_imports(f->store, &there, &row.name), 0);
    assert_int_equal(find_import(f->store, &there, "0"), STORE_NOT_FOUND);
    assert_int_equal(find_import(f->store, &row.name, "0"), 0);
    assert_int_equal(store_commit(f->store), 0);
}

static void test_whose(void **state)
{
    struct fixture *f = *state;
    char identity[] = "bob";
    struct account_row a = { .name = name_of("zenegy", "a"),
                             .generation = 1,
                             .has_refresh_token = true,
                             .identity = identity };
    struct account_row b = { .name = name_of("zenegy", "b"), .identity = identity };
    const struct account_name there = name_of("other", "a");
    struct account_name found = name_of("un", "touched");

    assert_int_equal(commit_account(f->store, &a), 0);
    assert_int_equal(commit_account(f->store, &b), 0);
    note_import(f->store, &a.name, "first", 1);
    assert_int_equal(store_imported_account(f->store, "zenegy", "", &found), STORE_NOT_FOUND);
    assert_int_equal(store_imported_account(f->store, "other", "first", &found), STORE_NOT_FOUND);
    assert_int_equal(store_identity_account(f->store, &there, "bob", &found), STORE_NOT_FOUND);
    assert_int_equal(store_identity_account(f->store, &b.name, "eve", &found), STORE_NOT_FOUND);
    /* The other has never had a grant. */
    assert_int_equal(store_identity_account(f->store, &a.name, "bob", &found), STORE_NOT_FOUND);
    assert_string_equal(found.label, "touched");
    assert_int_equal(store_identity_account(f->store, &b.name, "bob", &found), 0);
    assert_string_equal(found.label, "a");
    /* Nor has one for which a consent is held, but that is a grant too. */
    assert_int_equal(store_begin(f->store), 0);
    hold(f->store, "b", "carol");
    assert_int_equal(store_commit(f->store), 0);
    assert_int_equal(store_identity_account(f->store, &b.name, "carol", &found), STORE_NOT_FOUND);
    assert_int_equal(store_identity_account(f->store, &a.name, "carol", &found), 0);
    assert_string_equal(found.label, "b");
    found = there;
    assert_int_equal(store_imported_account(f->store, "zenegy", "first", &found), 0);
    assert_true(account_name_equal(&found, &a.name));
    a.has_refresh_token = false;
    assert_int_equal(commit_account(f->store, &a), 0);
    assert_int_equal(store_imported_account(f->store, "zenegy", "first", &found), STORE_NOT_FOUND);
}

#define BEFORE_VERDICTS                                                                            \
    "DROP INDEX accounts_refused; ALTER TABLE accounts DROP COLUMN failed_alone;"                  \
    "ALTER TABLE accounts DROP COLUMN suspect_tries;"                                              \
    "ALTER TABLE accounts DROP COLUMN refused_under;"                                              \
    "ALTER TABLE accounts DROP COLUMN identity_changed_at;"                                        \
    "ALTER TABLE accounts DROP COLUMN identity_before;"
#define BEFORE_UNSPENT "ALTER TABLE imports DROP COLUMN unspent;"
#define BEFORE_LOST "DROP INDEX accounts_lost;"

/* A store of the version before: the newest of what was kept for an account is held. */
static void test_from_the_version_before(void **state)
{
    struct fixture *f = *state;
    struct account_name name = name_of("zenegy", "a");
    CLEANUP(cleanup_held_row) struct held_row back = { 0 };

    open_again(f);
    f->store = store_close(f->store);
    sqlite3 *db = NULL;
    assert_int_equal(sqlite3_open(path_in(f, "store.sqlite"), &db), SQLITE_OK);
    assert_int_equal(
        sqlite3_exec(db,
                     "DROP TABLE callers; DROP TABLE links; DROP TABLE held;"
                     "DROP TRIGGER accounts_deleted_held;"
                     "ALTER TABLE accounts DROP COLUMN refresh_token_life_ms;"
                     "ALTER TABLE accounts DROP COLUMN asked_at;" BEFORE_LOST
                     "ALTER TABLE accounts DROP COLUMN lost_at;"
                     "ALTER TABLE accounts DROP COLUMN warned_days;"
                     "DROP TABLE imports; DROP TRIGGER accounts_deleted_imports;"
                     "DROP INDEX accounts_identity;"
                     "ALTER TABLE accounts DROP COLUMN imported;"
                     "ALTER TABLE accounts DROP COLUMN granted_at;"
                     "ALTER TABLE accounts DROP COLUMN lifetime_assumed;" BEFORE_VERDICTS
                     "DROP INDEX kept_whose; ALTER TABLE kept DROP COLUMN identity;"
                     "INSERT INTO audit VALUES (1, 'zenegy/a', 0, '', 'token', 1, 1, 50, 99),"
                     " (2, 'zenegy/a', 0, '', 'refresh', 1, 1, 50, 100);"
                     "INSERT INTO accounts VALUES ('zenegy', 'a', 1, 0, 1, 0, 1, 1, 1, 1, 1, 0, 0,"
                     " 0, 0, 0, NULL, NULL, 0, NULL, 'one', x'00');"
                     "INSERT INTO kept (kind, provider, label, created_at, due_at, tries, sealed)"
                     " VALUES (0, 'zenegy', 'a', 5, 0, 0, x'01'), (0, 'zenegy', 'a', 6, 0, 0,"
                     " x'02'), (0, 'zenegy', 'gone', 7, 0, 0, x'03'), (2, 'zenegy', 'a', 8, 0, 0,"
                     " x'04'); PRAGMA user_version = 3",
                     NULL, NULL, NULL),
        SQLITE_OK);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
    open_again(f);
    assert_int_equal(store_read_held(f->store, &name, &back), 0);
    assert_int_equal(back.created_at, 6);
    assert_int_equal(back.refresh_at, 6);
    assert_null(back.identity);
    assert_memory_equal(back.sealed, "\2", 1);
    CLEANUP(cleanup_account_row) struct account_row row = { 0 };
    assert_int_equal(store_read(f->store, &name, &row), 0);
    assert_int_equal(row.held_at, 6);
    assert_int_equal(row.asked_at, 99);
    assert_null(row.held_identity);
    name = name_of("zenegy", "gone");
    assert_int_equal(store_read_held(f->store, &name, &back), STORE_NOT_FOUND);
}

static int64_t granted_at(struct store *store, const char *label)
{
    const struct account_name name = name_of("zenegy", label);
    CLEANUP(cleanup_account_row) struct account_row row = { 0 };
    assert_int_equal(store_read(store, &name, &row), 0);
    return row.granted_at;
}

/* When a grant came is told by the end that was noted with it, or else by the account. */
static void test_from_before_it_was_noted_when_a_grant_came(void **state)
{
    struct fixture *f = *state;
    struct account_row row = { .name = name_of("zenegy", "ends"), .created_at = 100 };
    row.refresh_token_expires_at = 1500;
    row.refresh_token_life_ms = 1000;
    assert_int_equal(commit_account(f->store, &row), 0);
    row = (struct account_row){ .name = name_of("zenegy", "lives"), .created_at = 100 };
    assert_int_equal(commit_account(f->store, &row), 0);
    f->store = store_close(f->store);
    sqlite3 *db = NULL;
    assert_int_equal(sqlite3_open(path_in(f, "store.sqlite"), &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db,
                                  BEFORE_VERDICTS BEFORE_UNSPENT BEFORE_LOST
                                  "ALTER TABLE accounts DROP COLUMN granted_at;"
                                  "ALTER TABLE accounts DROP COLUMN lifetime_assumed;"
                                  "ALTER TABLE held DROP COLUMN lifetime_assumed;"
                                  "PRAGMA user_version = 12",
                                  NULL, NULL, NULL),
                     SQLITE_OK);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
    open_again(f);
    assert_int_equal(granted_at(f->store, "ends"), 500);
    assert_int_equal(granted_at(f->store, "lives"), 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_the_newer_replaces, make_store, drop_store),
        cmocka_unit_test_setup_teardown(test_dropped, make_store, drop_store),
        cmocka_unit_test_setup_teardown(test_it_goes_with_the_account, make_store, drop_store),
        cmocka_unit_test_setup_teardown(test_list, make_store, drop_store),
        cmocka_unit_test_setup_teardown(test_unspent_imports, make_store, drop_store),
        cmocka_unit_test_setup_teardown(test_imports, make_store, drop_store),
        cmocka_unit_test_setup_teardown(test_whose, make_store, drop_store),
        cmocka_unit_test_setup_teardown(test_from_the_version_before, make_folder, drop_store),
        cmocka_unit_test_setup_teardown(test_from_before_it_was_noted_when_a_grant_came, make_store,
                                        drop_store),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

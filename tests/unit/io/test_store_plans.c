/* However many accounts there are, an index finds the few that are wanted. */

#include "store_fixture.h"

enum { MANY_ACCOUNTS = 20 * 1000, STEPS_FOR_A_FEW_ROWS = 1500 };

static char identity[] = "somebody";

static const struct account_row account = {
    .generation = 1,
    .state = ACCOUNT_SUSPECT,
    .has_refresh_token = true,
    .refreshed_at = 1,
    .identity = identity,
};

static void put_many(struct fixture *f)
{
    assert_int_equal(store_begin(f->store), 0);
    for (int i = 0; i < MANY_ACCOUNTS; i++) {
        char label[32], fingerprint[32];
        struct account_row row = account;
        (void)snprintf(label, sizeof label, "a%d", i);
        (void)snprintf(fingerprint, sizeof fingerprint, "f%d", i);
        row.name = name_of("zenegy", label);
        row.refresh_at = row.lost_at = 1 + i;
        assert_int_equal(store_put(f->store, &row), 0);
        assert_int_equal(store_put_token_owner(f->store, &row.name, fingerprint), 0);
        assert_int_equal(store_put_import(f->store, &row.name, "fingerprint", i), 0);
    }
    assert_int_equal(store_commit(f->store), 0);
}

static void assert_plan(struct store *store, enum store_statement which,
                        bool (*is_good)(const char *detail))
{
    char sql[2048];
    sqlite3_stmt *plan;

    (void)snprintf(sql, sizeof sql, "EXPLAIN QUERY PLAN %s", store_statement_sql[which]);
    assert_int_equal(sqlite3_prepare_v2(store->db, sql, -1, &plan, NULL), SQLITE_OK);
    while (sqlite3_step(plan) == SQLITE_ROW) {
        const char *detail = (const char *)sqlite3_column_text(plan, 3);
        if (!is_good(detail))
            fail_msg("%s: %s", store_statement_sql[which], detail);
    }
    sqlite3_finalize(plan);
}

static bool is_search(const char *detail)
{
    return strncmp(detail, "SCAN", 4) != 0 && !strstr(detail, "TEMP B-TREE");
}

static bool is_of_index_alone(const char *detail)
{
    return is_search(detail) && strstr(detail, "COVERING INDEX");
}

/* The plan of each statement that may run often: an index finds the rows, in order. */
static void test_plans(void **state)
{
    static const enum store_statement often[] = {
        STATEMENT_READ_ACCOUNT,     STATEMENT_READ_FACTS,    STATEMENT_PUT_ACCOUNT,
        STATEMENT_DELETE_ACCOUNT,   STATEMENT_LIST_ACCOUNTS, STATEMENT_DUE_ACCOUNTS,
        STATEMENT_NEXT_DUE,         STATEMENT_CANARY,        STATEMENT_GET_OWNER,
        STATEMENT_GET_PAUSE,        STATEMENT_EACH_KEPT,     STATEMENT_FIND_KEPT,
        STATEMENT_TRIM_KEPT,        STATEMENT_COUNT_AUDIT,   STATEMENT_EACH_AUDIT,
        STATEMENT_DROP_REVOCATIONS, STATEMENT_LIST_HELD,     STATEMENT_IMPORTED_ACCOUNT,
        STATEMENT_IDENTITY_ACCOUNT, STATEMENT_PUT_IMPORT,    STATEMENT_MOVE_IMPORTS,
        STATEMENT_MARK_IMPORT,      STATEMENT_FIND_IMPORT,   STATEMENT_REFUSED,
    };
    struct fixture *f = *state;

    for (size_t i = 0; i < sizeof often / sizeof often[0]; i++)
        assert_plan(f->store, often[i], is_search);
}

/* What picks accounts out of many meets no row, which may lie on a damaged page. */
static void test_the_schedule_reads_no_row(void **state)
{
    static const enum store_statement picking[] = {
        STATEMENT_LIST_ACCOUNTS, STATEMENT_LIST_HELD, STATEMENT_DUE_ACCOUNTS, STATEMENT_NEXT_DUE,
        STATEMENT_CANARY,        STATEMENT_REFUSED,   STATEMENT_HAS_ACCOUNTS, STATEMENT_LOST,
    };
    struct fixture *f = *state;

    for (size_t i = 0; i < sizeof picking / sizeof picking[0]; i++)
        assert_plan(f->store, picking[i], is_of_index_alone);
}

static int steps_of(struct store *store, enum store_statement which)
{
    return sqlite3_stmt_status(store->statements[which], SQLITE_STMTSTATUS_VM_STEP, 1);
}

static bool take_lost(void *userdata, const struct account_name *name, int64_t lost_at)
{
    (void)name;
    *(int64_t *)userdata = lost_at;
    return true;
}

/* The work does not grow with the number of accounts. */
static void test_many_accounts(void **state)
{
    struct fixture *f = *state;
    struct account_name middle = name_of("zenegy", "a15"), found;
    struct labels labels = { 0 };
    uint64_t counts[3];
    int64_t next, lost = 0;

    put_many(f);
    assert_int_equal(store_due(f->store, "zenegy", INT64_MAX, 10, collect_name, &labels), 0);
    assert_int_equal(store_next_due(f->store, "zenegy", &next), 0);
    assert_int_equal(store_list(f->store, &middle, 10, collect_label, &labels), 0);
    assert_int_equal(store_list_held(f->store, &middle, 10, collect_label, &labels), 0);
    assert_int_equal(store_canary(f->store, "zenegy", "", "", &found), 0);
    assert_int_equal(store_refused(f->store, "zenegy", "", "", &found), STORE_NOT_FOUND);
    assert_int_equal(store_lost(f->store, "zenegy", MANY_ACCOUNTS - 1, 1, take_lost, &lost), 0);
    assert_int_equal(lost, MANY_ACCOUNTS);
    assert_int_equal(store_token_owner(f->store, "zenegy", "f19999", &found), 0);
    assert_int_equal(store_imported_account(f->store, "zenegy", "fingerprint", &found), 0);
    assert_int_equal(store_identity_account(f->store, &middle, identity, &found), 0);
    assert_int_equal(store_has_accounts(f->store, "none", 1), STORE_NOT_FOUND);
    assert_int_equal(store_has_accounts(f->store, "zenegy", 100), 0);
    assert_int_equal(store_count(f->store, counts), 0);
    assert_int_equal(counts[ACCOUNT_SUSPECT], MANY_ACCOUNTS);
    for (int i = STATEMENT_LIST_ACCOUNTS; i <= STATEMENT_COUNT_ACCOUNTS; i++)
        assert_in_range(steps_of(f->store, (enum store_statement)i), 1, STEPS_FOR_A_FEW_ROWS);
    assert_in_range(steps_of(f->store, STATEMENT_GET_OWNER), 1, STEPS_FOR_A_FEW_ROWS);
    assert_in_range(steps_of(f->store, STATEMENT_IMPORTED_ACCOUNT), 1, STEPS_FOR_A_FEW_ROWS);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_plans, make_store, drop_store),
        cmocka_unit_test_setup_teardown(test_the_schedule_reads_no_row, make_store, drop_store),
        cmocka_unit_test_setup_teardown(test_many_accounts, make_store, drop_store),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

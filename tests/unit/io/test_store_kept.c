/* Owners of tokens, what is kept, the audit; and transactions. */

#include "store_fixture.h"

static void test_token_owner(void **state)
{
    struct fixture *f = *state;
    struct account_row row = { .name = name_of("zenegy", "a") };
    struct account_name found = name_of("un", "touched");

    assert_int_equal(commit_account(f->store, &row), 0);
    assert_int_equal(store_begin(f->store), 0);
    assert_int_equal(store_put_token_owner(f->store, &row.name, "first"), 0);
    assert_int_equal(store_put_token_owner(f->store, &row.name, "second"), 0);
    assert_int_equal(store_commit(f->store), 0);
    assert_int_equal(store_token_owner(f->store, "zenegy", "first", &found), STORE_NOT_FOUND);
    assert_int_equal(store_token_owner(f->store, "other", "second", &found), STORE_NOT_FOUND);
    assert_string_equal(found.label, "touched");
    assert_int_equal(store_token_owner(f->store, "zenegy", "second", &found), 0);
    assert_string_equal(found.label, "a");

    assert_int_equal(store_begin(f->store), 0);
    assert_int_equal(store_put_token_owner(f->store, &row.name, NULL), 0);
    assert_int_equal(store_token_owner(f->store, "zenegy", "second", &found), STORE_NOT_FOUND);
    assert_int_equal(store_put_token_owner(f->store, &row.name, "third"), 0);
    assert_int_equal(store_delete(f->store, &row.name), 0);
    assert_int_equal(store_commit(f->store), 0);
    assert_int_equal(store_token_owner(f->store, "zenegy", "third", &found), STORE_NOT_FOUND);
}

/* What does not fit is left out. */
static void append(size_t size, char *text, const char *more)
{
    size_t used = strlen(text);

    (void)snprintf(text + used, size - used, "%s", more);
}

struct kept_seen {
    char labels[64];
    int64_t last_id;
    int64_t due_at;
    unsigned tries;
    unsigned count;
};

static bool see_kept(void *userdata, const struct kept_row *row)
{
    struct kept_seen *seen = userdata;

    if (row->sealed_length > 0)
        assert_memory_equal(row->sealed, "k\0k", row->sealed_length);
    append(sizeof seen->labels, seen->labels, row->name.label);
    seen->last_id = row->id;
    seen->due_at = row->due_at;
    seen->tries = row->tries;
    seen->count++;
    return true;
}

static void keep(struct store *store, enum kept_kind kind, const char *label, int64_t due_at)
{
    struct kept_row row = { .kind = kind,
                            .name = name_of("zenegy", label),
                            .created_at = 5,
                            .due_at = due_at,
                            .tries = 1,
                            .sealed = (char[]){ "k\0k" },
                            .sealed_length = 3 };

    assert_int_equal(store_keep(store, &row), 0);
}

static void test_kept(void **state)
{
    struct fixture *f = *state;
    struct kept_seen due = { 0 }, other = { 0 }, after = { 0 };

    assert_int_equal(store_begin(f->store), 0);
    keep(f->store, KEPT_REVOCATION, "a", 30);
    keep(f->store, KEPT_REVOCATION, "b", 10);
    keep(f->store, KEPT_REVOCATION, "c", 31);
    keep(f->store, KEPT_UNREADABLE_REPLY, "d", 0);
    assert_int_equal(store_commit(f->store), 0);
    assert_int_equal(store_each_kept(f->store, KEPT_REVOCATION, 30, 9, see_kept, &due), 0);
    assert_string_equal(due.labels, "ba");
    assert_int_equal(
        store_each_kept(f->store, KEPT_UNREADABLE_REPLY, INT64_MAX, 9, see_kept, &other), 0);
    assert_string_equal(other.labels, "d");

    assert_int_equal(store_begin(f->store), 0);
    assert_int_equal(store_postpone_kept(f->store, due.last_id, 40, 2), 0);
    assert_int_equal(store_drop_kept(f->store, other.last_id), 0);
    assert_int_equal(store_drop_kept(f->store, other.last_id), STORE_NOT_FOUND);
    assert_int_equal(store_postpone_kept(f->store, other.last_id, 1, 1), STORE_NOT_FOUND);
    keep(f->store, KEPT_UNREADABLE_REPLY, "e", 0);
    assert_int_equal(store_commit(f->store), 0);
    assert_int_equal(store_each_kept(f->store, KEPT_REVOCATION, 99, 9, see_kept, &after), 0);
    assert_string_equal(after.labels, "bca");
    assert_int_equal(after.due_at, 40);
    assert_int_equal(after.tries, 2);
}

static void test_one_is_found_by_its_account_and_time(void **state)
{
    struct fixture *f = *state;
    const struct account_name d = name_of("zenegy", "d"), e = name_of("zenegy", "e");
    const struct account_name other = name_of("other", "d");

    assert_int_equal(store_begin(f->store), 0);
    keep(f->store, KEPT_UNREADABLE_REPLY, "d", 0); /* made at 5 */
    assert_int_equal(store_commit(f->store), 0);
    assert_int_equal(store_find_kept(f->store, KEPT_UNREADABLE_REPLY, &d, 4), 0);
    assert_int_equal(store_find_kept(f->store, KEPT_UNREADABLE_REPLY, &d, 5), STORE_NOT_FOUND);
    assert_int_equal(store_find_kept(f->store, KEPT_REVOCATION, &d, 4), STORE_NOT_FOUND);
    assert_int_equal(store_find_kept(f->store, KEPT_UNREADABLE_REPLY, &e, 4), STORE_NOT_FOUND);
    assert_int_equal(store_find_kept(f->store, KEPT_UNREADABLE_REPLY, &other, 4), STORE_NOT_FOUND);
}

static void see_dropped(void *userdata, int64_t id, const char *label)
{
    struct kept_seen *seen = userdata;

    append(sizeof seen->labels, seen->labels, label);
    seen->last_id = id;
}

/* Rows are told apart by when they are due. */
static bool see_due(void *userdata, const struct kept_row *row)
{
    const char digit[] = { (char)('0' + row->due_at), '\0' };

    append(64, userdata, digit);
    return true;
}

static void keep_revocations(struct store *store)
{
    static const struct kept_row rows[] = {
        { .name = { "zenegy", "a" }, .identity = NULL },
        { .name = { "zenegy", "a" }, .identity = "one" },
        { .name = { "zenegy", "a" }, .identity = "two" },
        { .name = { "zenegy", "b" }, .identity = "one" },
        { .name = { "zenegy", "b" }, .identity = NULL },
        { .name = { "other", "a" }, .identity = "one" },
    };

    run_sql(store, "DELETE FROM kept");
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct kept_row row = rows[i];
        row.kind = KEPT_REVOCATION;
        row.due_at = (int64_t)i;
        assert_int_equal(store_keep(store, &row), 0);
    }
    keep(store, KEPT_UNREADABLE_REPLY, "a", 0);
}

/* Those that may be of the same person's grant, and nothing of another kind or provider. */
static void test_dropped_revocations(void **state)
{
    struct fixture *f = *state;
    const struct account_name name = name_of("zenegy", "a");
    static const struct {
        const char *identity; /* of the grant that came for a */
        const char *dropped, *left;
    } rows[] = {
        { "one", "aab", "245" },
        { NULL, "aaa", "345" },
        { "three", "a", "12345" },
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct kept_seen dropped = { 0 }, other = { 0 };
        char left[64] = "";

        assert_int_equal(store_begin(f->store), 0);
        keep_revocations(f->store);
        assert_int_equal(
            store_drop_revocations(f->store, &name, rows[i].identity, see_dropped, &dropped), 0);
        assert_int_equal(store_commit(f->store), 0);
        assert_string_equal(dropped.labels, rows[i].dropped);
        assert_int_equal(store_each_kept(f->store, KEPT_REVOCATION, 9, 9, see_due, left), 0);
        assert_string_equal(left, rows[i].left);
        assert_int_equal(store_each_kept(f->store, KEPT_UNREADABLE_REPLY, 9, 9, see_kept, &other),
                         0);
        assert_int_equal(other.count, 1);
    }
}

static void test_an_id_is_never_given_twice(void **state)
{
    struct fixture *f = *state;
    struct kept_seen first = { 0 }, second = { 0 };

    assert_int_equal(store_begin(f->store), 0);
    keep(f->store, KEPT_REVOCATION, "a", 1);
    assert_int_equal(store_each_kept(f->store, KEPT_REVOCATION, 9, 9, see_kept, &first), 0);
    assert_int_equal(store_drop_kept(f->store, first.last_id), 0);
    keep(f->store, KEPT_REVOCATION, "b", 1);
    assert_int_equal(store_each_kept(f->store, KEPT_REVOCATION, 9, 9, see_kept, &second), 0);
    assert_int_equal(store_commit(f->store), 0);
    assert_true(second.last_id > first.last_id);
}

static void test_kept_is_bounded(void **state)
{
    struct fixture *f = *state;
    struct kept_seen all = { 0 }, other = { 0 };

    assert_int_equal(store_begin(f->store), 0);
    run_sql(f->store, "WITH RECURSIVE n(i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n"
                      " WHERE i < 10000) INSERT INTO kept (kind, provider, label, created_at,"
                      " due_at, tries) SELECT 1, 'p', 'old', 0, i, 0 FROM n");
    keep(f->store, KEPT_REVOCATION, "other", 0);
    keep(f->store, KEPT_UNREADABLE_REPLY, "new", 20000);
    assert_int_equal(store_commit(f->store), 0);
    assert_int_equal(
        store_each_kept(f->store, KEPT_UNREADABLE_REPLY, INT64_MAX, SIZE_MAX, see_kept, &all), 0);
    assert_int_equal(all.count, KEPT_ROWS_MAX);
    assert_int_equal(all.due_at, 20000);
    assert_int_equal(store_each_kept(f->store, KEPT_REVOCATION, 9, 9, see_kept, &other), 0);
    assert_int_equal(other.count, 1);
}

static void test_who_gave_way_is_told(void **state)
{
    struct fixture *f = *state;
    struct kept_seen gone = { 0 };

    assert_int_equal(store_begin(f->store), 0);
    keep_revocations(f->store);
    assert_int_equal(store_trim_kept(f->store, KEPT_REVOCATION, 1000, see_dropped, &gone), 0);
    assert_string_equal(gone.labels, "");
    assert_int_equal(store_trim_kept(f->store, KEPT_REVOCATION, 0, see_dropped, &gone), 0);
    assert_int_equal(store_commit(f->store), 0);
    assert_non_null(strstr(gone.labels, "/"));
    assert_int_equal(store_each_kept(f->store, KEPT_REVOCATION, INT64_MAX, 9, see_kept, &gone), 0);
    assert_int_equal(gone.count, 0);
}

struct audit_seen {
    char verdicts[256];
    struct audit_row last;
    unsigned count;
};

static bool see_audit(void *userdata, const struct audit_row *row)
{
    struct audit_seen *seen = userdata;

    append(sizeof seen->verdicts, seen->verdicts, row->verdict);
    append(sizeof seen->verdicts, seen->verdicts, " ");
    seen->last = *row;
    seen->count++;
    return true;
}

static struct audit_row audit(const char *account, const char *verdict, int64_t at)
{
    struct audit_row row = {
        .uid = 4000000000U, .generation = 3, .count = 2, .first_at = at, .last_at = at
    };

    (void)snprintf(row.account, sizeof row.account, "%s", account);
    (void)snprintf(row.unit, sizeof row.unit, "sync.service");
    (void)snprintf(row.verdict, sizeof row.verdict, "%s", verdict);
    return row;
}

static void test_audit_counts(void **state)
{
    struct fixture *f = *state;
    struct audit_row rows[] = { audit("z/a", "token", 10), audit("z/b", "forbidden", 11),
                                audit("z/a", "token", 15), audit("z/a", "login", 12) };
    struct audit_seen all = { 0 }, of_a = { 0 }, older = { 0 }, one = { 0 };

    assert_int_equal(store_begin(f->store), 0);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        assert_int_equal(store_add_audit(f->store, &rows[i]), 0);
    assert_int_equal(store_commit(f->store), 0);

    assert_int_equal(
        store_each_audit(f->store, &(struct audit_filter){ .before = 0 }, 9, see_audit, &all), 0);
    assert_string_equal(all.verdicts, "login forbidden token ");
    assert_int_equal(all.last.count, 4);
    assert_int_equal(all.last.first_at, 10);
    assert_int_equal(all.last.last_at, 15);
    assert_true(all.last.uid == 4000000000U);
    assert_string_equal(all.last.unit, "sync.service");
    assert_int_equal(
        store_each_audit(f->store, &(struct audit_filter){ .account = "z/a" }, 9, see_audit, &of_a),
        0);
    assert_string_equal(of_a.verdicts, "login token ");
    assert_int_equal(store_each_audit(f->store,
                                      &(struct audit_filter){ .account = "z/a", .before = 3 }, 9,
                                      see_audit, &older),
                     0);
    assert_string_equal(older.verdicts, "token ");
    assert_int_equal(
        store_each_audit(f->store, &(struct audit_filter){ .before = 0 }, 1, see_audit, &one), 0);
    assert_string_equal(one.verdicts, "login ");
}

static size_t count_audit(struct store *store, struct audit_filter filter)
{
    struct audit_seen seen = { 0 };
    assert_int_equal(store_each_audit(store, &filter, 9, see_audit, &seen), 0);
    return seen.count;
}

static void test_audit_filters(void **state)
{
    struct fixture *f = *state;
    struct audit_row rows[] = { audit("z/dk-1", "token", 10), audit("z/dk-2", "forbidden", 20),
                                audit("g/dk-1", "token", 30), audit("", "forbidden", 40) };

    rows[1].uid = 0;
    rows[2].uid = UINT32_MAX;
    (void)snprintf(rows[2].unit, sizeof rows[2].unit, "sync-dk.service");
    assert_int_equal(store_begin(f->store), 0);
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(store_add_audit(f->store, &rows[i]), 0);
    assert_int_equal(store_commit(f->store), 0);
    assert_int_equal(count_audit(f->store, (struct audit_filter){ .account = "z/dk-*" }), 2);
    assert_int_equal(count_audit(f->store, (struct audit_filter){ .account = "?/dk-1" }), 2);
    assert_int_equal(count_audit(f->store, (struct audit_filter){ .account = "z/dk" }), 0);
    assert_int_equal(count_audit(f->store, (struct audit_filter){ .unit = "sync-*" }), 1);
    assert_int_equal(count_audit(f->store, (struct audit_filter){ .verdict = "forbidden" }), 2);
    assert_int_equal(count_audit(f->store, (struct audit_filter){ .has_uid = true }), 1);
    assert_int_equal(
        count_audit(f->store, (struct audit_filter){ .has_uid = true, .uid = UINT32_MAX }), 1);
    assert_int_equal(count_audit(f->store, (struct audit_filter){ .since = 20 }), 3);
    assert_int_equal(
        count_audit(f->store,
                    (struct audit_filter){ .since = 20, .account = "*/*", .verdict = "token" }),
        1);
}

static void test_audit_tells_apart(void **state)
{
    struct fixture *f = *state;
    struct audit_seen all = { 0 };
    struct audit_row row = audit("z/a", "token", 10);

    assert_int_equal(store_begin(f->store), 0);
    assert_int_equal(store_add_audit(f->store, &row), 0);
    row.generation++;
    assert_int_equal(store_add_audit(f->store, &row), 0);
    row.uid++;
    assert_int_equal(store_add_audit(f->store, &row), 0);
    row.unit[0] = '\0';
    assert_int_equal(store_add_audit(f->store, &row), 0);
    assert_int_equal(store_add_audit(f->store, &row), 0);
    assert_int_equal(store_commit(f->store), 0);
    assert_int_equal(
        store_each_audit(f->store, &(struct audit_filter){ .before = 0 }, 9, see_audit, &all), 0);
    assert_int_equal(all.count, 4);
}

static void test_audit_is_bounded(void **state)
{
    struct fixture *f = *state;
    struct audit_seen all = { 0 };

    assert_int_equal(store_begin(f->store), 0);
    for (int i = 0; i < AUDIT_ROWS_MAX + 5; i++) {
        struct audit_row row = audit("z/a", "token", i);
        row.generation = (uint64_t)i;
        assert_int_equal(store_add_audit(f->store, &row), 0);
    }
    assert_int_equal(store_trim_audit(f->store), 0);
    assert_int_equal(store_commit(f->store), 0);
    run_sql(f->store, "CREATE TABLE rows (n INTEGER NOT NULL CHECK (n = 100000))");
    run_sql(f->store, "INSERT INTO rows SELECT count(*) FROM audit");
    assert_int_equal(store_each_audit(f->store, &(struct audit_filter){ .before = 0 }, SIZE_MAX,
                                      see_audit, &all),
                     0);
    assert_int_equal(all.count, AUDIT_ROWS_MAX);
    assert_int_equal(all.last.generation, 5);
}

static void test_rollback(void **state)
{
    struct fixture *f = *state;
    struct account_row row = { .name = name_of("z", "a"), .generation = 1 };
    CLEANUP(cleanup_account_row) struct account_row back = { 0 };

    assert_int_equal(commit_account(f->store, &row), 0);
    row.generation = 2;
    assert_int_equal(store_begin(f->store), 0);
    assert_int_equal(store_put(f->store, &row), 0);
    store_rollback(f->store);
    store_rollback(f->store);
    assert_int_equal(store_read(f->store, &row.name, &back), 0);
    assert_int_equal(back.generation, 1);
}

static void test_writes_need_a_transaction(void **state)
{
    struct fixture *f = *state;
    struct account_row row = { .name = name_of("z", "a") };
    struct account_row back = { 0 };

    assert_int_equal(store_put(f->store, &row), -EIO);
    assert_int_equal(store_put_fact(f->store, "a", "b"), -EIO);
    assert_int_equal(store_commit(f->store), -EIO);
    assert_string_not_equal(store_message(f->store), "");
    assert_int_equal(store_read(f->store, &row.name, &back), STORE_NOT_FOUND);

    assert_int_equal(store_begin(f->store), 0);
    assert_int_equal(store_begin(f->store), -EIO);
    store_rollback(f->store);
    assert_int_equal(commit_account(f->store, &row), 0);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_token_owner, make_store, drop_store),
        cmocka_unit_test_setup_teardown(test_kept, make_store, drop_store),
        cmocka_unit_test_setup_teardown(test_one_is_found_by_its_account_and_time, make_store,
                                        drop_store),
        cmocka_unit_test_setup_teardown(test_dropped_revocations, make_store, drop_store),
        cmocka_unit_test_setup_teardown(test_an_id_is_never_given_twice, make_store, drop_store),
        cmocka_unit_test_setup_teardown(test_kept_is_bounded, make_store, drop_store),
        cmocka_unit_test_setup_teardown(test_who_gave_way_is_told, make_store, drop_store),
        cmocka_unit_test_setup_teardown(test_audit_counts, make_store, drop_store),
        cmocka_unit_test_setup_teardown(test_audit_filters, make_store, drop_store),
        cmocka_unit_test_setup_teardown(test_audit_tells_apart, make_store, drop_store),
        cmocka_unit_test_setup_teardown(test_audit_is_bounded, make_store, drop_store),
        cmocka_unit_test_setup_teardown(test_rollback, make_store, drop_store),
        cmocka_unit_test_setup_teardown(test_writes_need_a_transaction, make_store, drop_store),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Callers: one row for each rule, uid and unit; ids are never given twice. */

#include "store_fixture.h"

static struct caller_row caller(const char *rule, uint32_t uid, const char *unit, int64_t asked_at)
{
    struct caller_row row = { .uid = uid, .asked_at = asked_at };
    (void)snprintf(row.rule, sizeof row.rule, "%s", rule);
    (void)snprintf(row.unit, sizeof row.unit, "%s", unit);
    (void)snprintf(row.account, sizeof row.account, "zenegy/a");
    return row;
}

static int64_t put(struct store *store, struct caller_row row)
{
    assert_int_equal(store_begin(store), 0);
    assert_int_equal(store_put_caller(store, &row), 0);
    assert_int_equal(store_commit(store), 0);
    assert_true(row.id > 0);
    return row.id;
}

static void test_what_was_put(void **state)
{
    struct fixture *f = *state;
    struct caller_row row = { 0 };

    int64_t id = put(f->store, caller("sync", UINT32_MAX - 1, "a.service", 50));
    (void)put(f->store, caller("sync", UINT32_MAX - 1, "", 60));
    open_again(f);
    assert_int_equal(store_find_caller(f->store, "sync", UINT32_MAX - 1, "a.service", &row), 0);
    assert_int_equal(row.id, id);
    assert_int_equal(row.asked_at, 50);
    assert_int_equal(row.approved_at, 0);
    assert_string_equal(row.account, "zenegy/a");
    assert_int_equal(store_find_caller(f->store, "syn", UINT32_MAX - 1, "a.service", &row),
                     STORE_NOT_FOUND);
    assert_int_equal(store_find_caller(f->store, "sync", 1, "a.service", &row), STORE_NOT_FOUND);

    row.asked_at = 70;
    row.approved_at = 80;
    row.approved_by = CALLER_BY_PROGRAM;
    assert_int_equal(put(f->store, row), id);
    struct caller_row again = { 0 };
    assert_int_equal(store_read_caller(f->store, id, &again), 0);
    assert_int_equal(again.asked_at, 70);
    assert_int_equal(again.approved_at, 80);
    assert_int_equal(again.approved_by, CALLER_BY_PROGRAM);
    assert_string_equal(again.unit, "a.service");
}

static void test_ids_are_never_given_twice(void **state)
{
    struct fixture *f = *state;
    struct caller_row row = { 0 };

    int64_t first = put(f->store, caller("sync", 1, "", 50));
    assert_int_equal(store_begin(f->store), 0);
    assert_int_equal(store_drop_caller(f->store, first), 0);
    assert_int_equal(store_commit(f->store), 0);
    assert_int_equal(store_read_caller(f->store, first, &row), STORE_NOT_FOUND);
    open_again(f);
    assert_true(put(f->store, caller("sync", 1, "", 50)) > first);
}

static bool count_row(void *userdata, const struct caller_row *row)
{
    size_t *count = userdata;
    assert_true(row->id > 0);
    return ++*count < 100;
}

static void test_counted_and_forgotten(void **state)
{
    struct fixture *f = *state;
    struct caller_counts counts = { 0 };
    struct caller_row approved = caller("b", 1, "", 10);
    size_t count = 0;

    approved.approved_at = 20;
    (void)put(f->store, approved);
    (void)put(f->store, caller("a", 1, "", 50));
    (void)put(f->store, caller("a", 2, "", 60));
    (void)put(f->store, caller("a", 1, "x.service", 70));
    assert_int_equal(store_count_callers(f->store, 1, &counts), 0);
    assert_int_equal(counts.waiting, 3);
    assert_int_equal(counts.waiting_of_uid, 2);
    assert_int_equal(counts.approved, 1);
    assert_int_equal(store_begin(f->store), 0);
    assert_int_equal(store_forget_callers(f->store, 60), 0);
    assert_int_equal(store_commit(f->store), 0);
    assert_int_equal(store_each_caller(f->store, 2, count_row, &count), 0);
    assert_int_equal(count, 2);
    count = 0;
    assert_int_equal(store_each_caller(f->store, 100, count_row, &count), 0);
    assert_int_equal(count, 3); /* who is approved stays, however long ago it asked */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_what_was_put, make_store, drop_store),
        cmocka_unit_test_setup_teardown(test_ids_are_never_given_twice, make_store, drop_store),
        cmocka_unit_test_setup_teardown(test_counted_and_forgotten, make_store, drop_store),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

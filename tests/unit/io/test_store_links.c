/* Links: one open for each account, found by the digest of their token, remembered when over. */

#include "store_fixture.h"

static void put(struct store *store, const char *label, const char *digest, int64_t now)
{
    struct link_row row = { .name = name_of("zenegy", label),
                            .created_at = now,
                            .expires_at = now + 100,
                            .forget_at = now + 1000,
                            .uid = 7,
                            .expect = (char[]){ "4711" },
                            .params = (char[]){ "{\"a\":\"b\"}" },
                            .sealed = (char[]){ "s\0s" },
                            .sealed_length = 3 };

    (void)snprintf(row.digest, sizeof row.digest, "%s", digest);
    assert_int_equal(store_put_link(store, &row), 0);
}

static void assert_ending(struct store *store, const char *digest, enum link_ending ending)
{
    CLEANUP(cleanup_link_row) struct link_row row = { 0 };

    assert_int_equal(store_read_link(store, digest, &row), 0);
    assert_int_equal(row.ending, ending);
    assert_true(ending == LINK_OPEN ? row.sealed != NULL : row.sealed == NULL);
}

static void test_what_was_put(void **state)
{
    struct fixture *f = *state;
    CLEANUP(cleanup_link_row) struct link_row row = { 0 };
    struct account_name name = name_of("zenegy", "a");

    assert_int_equal(store_begin(f->store), 0);
    put(f->store, "a", "d1", 50);
    assert_int_equal(store_commit(f->store), 0);
    open_again(f);
    assert_int_equal(store_read_link(f->store, "d1", &row), 0);
    assert_true(account_name_equal(&row.name, &name));
    assert_string_equal(row.digest, "d1");
    assert_int_equal(row.created_at, 50);
    assert_int_equal(row.expires_at, 150);
    assert_int_equal(row.uid, 7);
    assert_string_equal(row.expect, "4711");
    assert_null(row.scope);
    assert_string_equal(row.params, "{\"a\":\"b\"}");
    assert_memory_equal(row.sealed, "s\0s", 3);
    assert_int_equal(store_read_link(f->store, "d2", &row), STORE_NOT_FOUND);
}

static void test_the_newer_replaces(void **state)
{
    struct fixture *f = *state;
    struct account_name name = name_of("zenegy", "a");
    CLEANUP(cleanup_link_row) struct link_row row = { 0 };
    uint64_t count = 0, own = 9;

    assert_int_equal(store_begin(f->store), 0);
    put(f->store, "a", "d1", 50);
    put(f->store, "b", "d2", 50);
    put(f->store, "a", "d3", 60);
    assert_int_equal(store_commit(f->store), 0);
    assert_ending(f->store, "d1", LINK_REPLACED);
    assert_ending(f->store, "d2", LINK_OPEN);
    assert_int_equal(store_open_link(f->store, &name, &row), 0);
    assert_string_equal(row.digest, "d3");
    assert_int_equal(store_count_links(f->store, 7, &count, &own), 0);
    assert_int_equal(count, 2);
    assert_int_equal(own, 2);
    assert_int_equal(store_count_links(f->store, 8, &count, &own), 0);
    assert_int_equal(count, 2);
    assert_int_equal(own, 0);
}

static void test_ended(void **state)
{
    struct fixture *f = *state;
    struct account_name name = name_of("zenegy", "a");
    struct link_row row = { 0 };

    assert_int_equal(store_begin(f->store), 0);
    assert_int_equal(store_end_link(f->store, &name, LINK_USED, 1), STORE_NOT_FOUND);
    put(f->store, "a", "d1", 50);
    assert_int_equal(store_end_link(f->store, &name, LINK_USED, 70), 0);
    assert_int_equal(store_end_link(f->store, &name, LINK_WITHDRAWN, 80), STORE_NOT_FOUND);
    assert_int_equal(store_open_link(f->store, &name, &row), STORE_NOT_FOUND);
    assert_int_equal(store_commit(f->store), 0);
    assert_ending(f->store, "d1", LINK_USED);
}

static void test_clicks(void **state)
{
    struct fixture *f = *state;
    CLEANUP(cleanup_link_row) struct link_row row = { 0 };
    struct link_row clicked = { .digest = "d1", .clicks = 5, .hour_began_at = 6, .hour_clicks = 4 };

    assert_int_equal(store_begin(f->store), 0);
    put(f->store, "a", "d1", 50);
    assert_int_equal(store_count_click(f->store, &clicked), 0);
    assert_int_equal(store_commit(f->store), 0);
    assert_int_equal(store_read_link(f->store, "d1", &row), 0);
    assert_int_equal(row.clicks, 5);
    assert_int_equal(row.hour_began_at, 6);
    assert_int_equal(row.hour_clicks, 4);
    assert_int_equal(row.expires_at, 150);
}

static void test_moved(void **state)
{
    struct fixture *f = *state;
    struct account_name a = name_of("zenegy", "a"), b = name_of("zenegy", "b");
    CLEANUP(cleanup_link_row) struct link_row row = { 0 };

    assert_int_equal(store_begin(f->store), 0);
    assert_int_equal(store_move_link(f->store, &a, &b, 60), 0);
    put(f->store, "a", "d1", 50);
    put(f->store, "b", "d2", 50);
    assert_int_equal(store_move_link(f->store, &a, &b, 60), 0);
    assert_int_equal(store_commit(f->store), 0);
    assert_int_equal(store_open_link(f->store, &b, &row), 0);
    assert_string_equal(row.digest, "d1");
    assert_ending(f->store, "d2", LINK_REPLACED);
}

static bool see_digest(void *userdata, const struct link_row *row)
{
    char *digests = userdata;
    size_t length = strlen(digests);

    (void)snprintf(digests + length, 32 - length, "%s", row->digest);
    return true;
}

static void test_listed(void **state)
{
    struct fixture *f = *state;
    struct account_name after = name_of("zenegy", "a");
    char digests[32] = "";

    assert_int_equal(store_begin(f->store), 0);
    put(f->store, "c", "d3", 50);
    put(f->store, "a", "d1", 50);
    put(f->store, "b", "d2", 50);
    put(f->store, "b", "d4", 60);
    assert_int_equal(store_commit(f->store), 0);
    assert_int_equal(store_list_links(f->store, NULL, 2, see_digest, digests), 0);
    assert_string_equal(digests, "d1d4");
    assert_int_equal(store_list_links(f->store, &after, 9, see_digest, digests), 0);
    assert_string_equal(digests, "d1d4d4d3");
}

static void test_forgotten(void **state)
{
    struct fixture *f = *state;
    struct account_name a = name_of("zenegy", "a");
    struct link_row row = { 0 };

    assert_int_equal(store_begin(f->store), 0);
    put(f->store, "a", "d1", 50);
    put(f->store, "b", "d2", 50);
    assert_int_equal(store_end_link(f->store, &a, LINK_USED, 70), 0);
    assert_int_equal(store_forget_links(f->store, 1049), 0);
    assert_ending(f->store, "d2", LINK_OPEN);
    assert_int_equal(store_forget_links(f->store, 1050), 0);
    assert_int_equal(store_read_link(f->store, "d2", &row), STORE_NOT_FOUND);
    assert_ending(f->store, "d1", LINK_USED); /* remembered from its end on */
    assert_int_equal(store_forget_links(f->store, 70 + LINK_REMEMBERED_MS), 0);
    assert_int_equal(store_read_link(f->store, "d1", &row), STORE_NOT_FOUND);
    assert_int_equal(store_commit(f->store), 0);
}

static void test_those_that_are_over_are_bounded(void **state)
{
    struct fixture *f = *state;
    struct link_row row = { 0 };
    char sql[320];

    (void)snprintf(sql, sizeof sql,
                   "INSERT INTO links SELECT NULL, 'zenegy', 'x', 'old' || value, 1, 2, 1, 3, 9999,"
                   " 0, 0, 0, 0, NULL, NULL, NULL, NULL FROM"
                   " (WITH RECURSIVE c(value) AS (SELECT 1 UNION ALL SELECT value + 1 FROM c"
                   " WHERE value < %d) SELECT value FROM c)",
                   LINKS_OVER_MAX + 3);
    run_sql(f->store, sql);
    assert_int_equal(store_begin(f->store), 0);
    put(f->store, "a", "d1", 50);
    assert_int_equal(store_commit(f->store), 0);
    assert_int_equal(store_read_link(f->store, "old3", &row), STORE_NOT_FOUND);
    assert_ending(f->store, "old4", LINK_USED);
    assert_ending(f->store, "d1", LINK_OPEN);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, make_store, drop_store)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_what_was_put), TEST(test_the_newer_replaces),
        TEST(test_ended),        TEST(test_clicks),
        TEST(test_moved),        TEST(test_listed),
        TEST(test_forgotten),    TEST(test_those_that_are_over_are_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Each call of SQLite fails once, in turn, in everything that the store does: what failed says so,
 * hands out nothing, leaves nothing behind, and goes well the next time. Links with SQLite's calls
 * wrapped. */

#include "store_works.h"

enum { CALLS_MAX = 200 };

/* Calls until the one that fails; negative: none does. */
static int calls_left = -1;

static bool fails_now(void)
{
    return calls_left >= 0 && calls_left-- == 0;
}

#define WRAPPED(name, parameters, arguments)                                                       \
    int __real_##name parameters;                                                                  \
    int __wrap_##name parameters;                                                                  \
    int __wrap_##name parameters                                                                   \
    {                                                                                              \
        return fails_now() ? SQLITE_IOERR : __real_##name arguments;                               \
    }

WRAPPED(sqlite3_step, (sqlite3_stmt * s), (s))
WRAPPED(sqlite3_bind_int64, (sqlite3_stmt * s, int i, sqlite3_int64 v), (s, i, v))
WRAPPED(sqlite3_bind_null, (sqlite3_stmt * s, int i), (s, i))
WRAPPED(sqlite3_bind_text, (sqlite3_stmt * s, int i, const char *t, int n, void (*f)(void *)),
        (s, i, t, n, f))
WRAPPED(sqlite3_bind_blob64,
        (sqlite3_stmt * s, int i, const void *b, sqlite3_uint64 n, void (*f)(void *)),
        (s, i, b, n, f))
WRAPPED(sqlite3_prepare_v2,
        (sqlite3 * db, const char *sql, int n, sqlite3_stmt **s, const char **t),
        (db, sql, n, s, t))
WRAPPED(sqlite3_prepare_v3,
        (sqlite3 * db, const char *sql, int n, unsigned flags, sqlite3_stmt **s, const char **t),
        (db, sql, n, flags, s, t))
WRAPPED(sqlite3_open_v2, (const char *path, sqlite3 **db, int flags, const char *vfs),
        (path, db, flags, vfs))
WRAPPED(sqlite3_exec,
        (sqlite3 * db, const char *sql, int (*f)(void *, int, char **, char **), void *u, char **m),
        (db, sql, f, u, m))

static void assert_as_filled(struct store *store)
{
    for (size_t i = 0; i < store_work_count; i++)
        if (!store_works[i].writes)
            assert_int_equal(store_works[i].work(store), 0);

    CLEANUP(cleanup_account_row) struct account_row row = { 0 };
    struct account_row none = { 0 };
    CLEANUP(cleanup_link_row) struct link_row link = { 0 };
    CLEANUP(cleanup_string) char *fact = NULL;
    assert_int_equal(store_read(store, &alice, &row), 0);
    assert_int_equal(row.generation, 1);
    assert_memory_equal(row.sealed, "sealed", 7);
    assert_int_equal(store_read(store, &bob, &none), STORE_NOT_FOUND);
    assert_int_equal(store_read_link(store, "d1", &link), 0);
    assert_int_equal(link.ending, LINK_OPEN);
    assert_int_equal(link.clicks, 0);
    assert_int_equal(store_get_fact(store, "name", &fact), 0);
    assert_string_equal(fact, "value");
}

/* Does it with the call `n` failing; returns whether there was such a call. */
static bool fail_at(struct store *store, size_t which, int n)
{
    assert_int_equal(store_begin(store), 0);
    calls_left = n;
    int r = store_works[which].work(store);
    bool reached = calls_left < 0;
    calls_left = -1;
    if (reached && r >= 0)
        fail_msg("%s: call %d failed, and it returned %d", store_works[which].name, n, r);
    if (!reached && r != 0)
        fail_msg("%s returned %d", store_works[which].name, r);
    if (reached && store_works[which].writes)
        assert_true(store_commit(store) < 0); /* nothing half done can become durable */
    store_rollback(store);
    return reached;
}

static void test_each_call_fails_once(void **state)
{
    struct fixture *f = *state;

    fill_store(f->store);
    for (size_t i = 0; i < store_work_count; i++) {
        int n = 0;
        while (n < CALLS_MAX && fail_at(f->store, i, n))
            n++;
        if (n == 0 || n == CALLS_MAX)
            fail_msg("%s: %d calls", store_works[i].name, n);
        assert_as_filled(f->store);
    }
}

/* What is there already is never harmed by an opening that fails. */
static void test_opening_fails_at_each_call(void **state)
{
    struct fixture *f = *state;
    int n = 0;

    fill_store(f->store);
    f->store = store_close(f->store);
    for (;; n++) {
        struct complaint complaint = { "" };
        calls_left = n;
        int r = store_open(f->folder, &f->store, &complaint);
        bool reached = calls_left < 0;
        calls_left = -1;
        if (!reached)
            break;
        assert_true(r != 0);
        assert_null(f->store);
        assert_true(complaint.text[0] != '\0');
    }
    assert_in_range(n, STATEMENT_TOTAL, 10 * STATEMENT_TOTAL);
    assert_as_filled(f->store);
}

/* Nor is anything half made taken for a store. */
static void test_creation_fails_at_each_call(void **state)
{
    struct fixture *f = *state;

    for (int n = 0; !f->store; n++) {
        struct complaint complaint = { "" };
        calls_left = n;
        int r = store_open(f->folder, &f->store, &complaint);
        calls_left = -1;
        assert_true((r == 0) == (f->store != NULL));
        if (r != 0) {
            assert_true(complaint.text[0] != '\0');
            open_again(f);
            f->store = store_close(f->store);
            empty_folder(f->folder);
        }
    }
    fill_store(f->store);
    assert_as_filled(f->store);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_each_call_fails_once, make_store, drop_store),
        cmocka_unit_test_setup_teardown(test_opening_fails_at_each_call, make_store, drop_store),
        cmocka_unit_test_setup_teardown(test_creation_fails_at_each_call, make_folder, drop_store),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

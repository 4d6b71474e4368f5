/* Rows in and out of the store, in the right order. */

#include "store_fixture.h"

static char sealed_bytes[] = "sealed\0bytes";
static char error_text[] = "invalid_request", description_text[] = "æøå \x01";
static char scope_text[] = "a b", empty_text[] = "";

/* Every member differs from every other and from zero. */
static struct account_row full_row(void)
{
    return (struct account_row){
        .name = name_of("zenegy", "acme"),
        .generation = UINT64_MAX - 3,
        .state = ACCOUNT_SUSPECT,
        .has_refresh_token = true,
        .rejected = true,
        .created_at = 101,
        .refreshed_at = 102,
        .lifetime_ms = 103,
        .expires_at = 104,
        .refresh_at = 105,
        .refresh_token_expires_at = 106,
        .asked_at = 107,
        .lost_at = 108,
        .warned_days = 7,
        .granted_at = 109,
        .lifetime_assumed = true,
        .imported = "fingerprint",
        .failed_alone = 9,
        .suspect_tries = 10,
        .refused_under = "set-up",
        .refusals = REFUSAL_PREDECESSOR,
        .refused_at = 107,
        .suspect_since = 108,
        .failures = 4000000000U,
        .last_error = error_text,
        .last_error_description = description_text,
        .last_error_at = INT64_MAX,
        .scope = scope_text,
        .identity = empty_text,
        .identity_changed_at = 110,
        .identity_before = scope_text,
        .sealed = sealed_bytes,
        .sealed_length = sizeof sealed_bytes,
    };
}

static void assert_same_facts(const struct account_row *a, const struct account_row *b)
{
    assert_string_equal(a->name.provider, b->name.provider);
    assert_string_equal(a->name.label, b->name.label);
    assert_true(a->generation == b->generation);
    assert_int_equal(a->state, b->state);
    assert_int_equal(a->has_refresh_token, b->has_refresh_token);
    assert_int_equal(a->rejected, b->rejected);
    assert_int_equal(a->created_at, b->created_at);
    assert_int_equal(a->refreshed_at, b->refreshed_at);
    assert_int_equal(a->lifetime_ms, b->lifetime_ms);
    assert_int_equal(a->expires_at, b->expires_at);
    assert_int_equal(a->refresh_at, b->refresh_at);
    assert_int_equal(a->refresh_token_expires_at, b->refresh_token_expires_at);
    assert_int_equal(a->asked_at, b->asked_at);
    assert_int_equal(a->lost_at, b->lost_at);
    assert_int_equal(a->warned_days, b->warned_days);
    assert_int_equal(a->granted_at, b->granted_at);
    assert_int_equal(a->lifetime_assumed, b->lifetime_assumed);
    assert_string_equal(a->imported, b->imported);
    assert_int_equal(a->failed_alone, b->failed_alone);
    assert_int_equal(a->suspect_tries, b->suspect_tries);
    assert_string_equal(a->refused_under, b->refused_under);
    assert_int_equal(a->refusals, b->refusals);
    assert_int_equal(a->refused_at, b->refused_at);
    assert_int_equal(a->suspect_since, b->suspect_since);
    assert_int_equal(a->failures, b->failures);
    assert_string_equal(a->last_error, b->last_error);
    assert_string_equal(a->last_error_description, b->last_error_description);
    assert_int_equal(a->last_error_at, b->last_error_at);
    assert_string_equal(a->scope, b->scope);
    assert_string_equal(a->identity, b->identity);
    assert_int_equal(a->identity_changed_at, b->identity_changed_at);
    assert_string_equal(a->identity_before, b->identity_before);
}

static void test_every_member_comes_back(void **state)
{
    struct fixture *f = *state;
    struct account_row row = full_row();
    CLEANUP(cleanup_account_row) struct account_row back = { 0 };

    assert_int_equal(commit_account(f->store, &row), 0);
    open_again(f);
    assert_int_equal(store_read(f->store, &row.name, &back), 0);
    assert_same_facts(&row, &back);
    assert_int_equal(back.sealed_length, sizeof sealed_bytes);
    assert_memory_equal(back.sealed, sealed_bytes, sizeof sealed_bytes);
}

static void test_nothing_comes_back_as_nothing(void **state)
{
    struct fixture *f = *state;
    struct account_row row = { .name = name_of("p", "l") };
    CLEANUP(cleanup_account_row) struct account_row back = { .scope = NULL, .failures = 7 };

    assert_int_equal(commit_account(f->store, &row), 0);
    assert_int_equal(store_read(f->store, &row.name, &back), 0);
    assert_null(back.scope);
    assert_null(back.identity);
    assert_null(back.last_error);
    assert_null(back.sealed);
    assert_int_equal(back.sealed_length, 0);
    assert_int_equal(back.failures, 0);
}

static void test_absent_leaves_the_result_alone(void **state)
{
    struct fixture *f = *state;
    struct account_name absent = name_of("zenegy", "nobody");
    struct account_row back = { .failures = 7 };
    char *fact = sealed_bytes;
    struct pause_row pause = { .probes = 7 };

    assert_int_equal(store_read(f->store, &absent, &back), STORE_NOT_FOUND);
    assert_int_equal(back.failures, 7);
    assert_int_equal(store_get_fact(f->store, "none", &fact), STORE_NOT_FOUND);
    assert_ptr_equal(fact, sealed_bytes);
    assert_int_equal(store_get_pause(f->store, "zenegy", &pause), STORE_NOT_FOUND);
    assert_int_equal(pause.probes, 7);
}

static void test_facts_leave_the_sealed_bytes(void **state)
{
    struct fixture *f = *state;
    struct account_row row = full_row();
    CLEANUP(cleanup_account_row) struct account_row back = { 0 };

    assert_int_equal(commit_account(f->store, &row), 0);
    row.generation = 9;
    row.scope = NULL;
    row.sealed = NULL;
    assert_int_equal(store_begin(f->store), 0);
    assert_int_equal(store_put_facts(f->store, &row), 0);
    assert_int_equal(store_commit(f->store), 0);

    assert_int_equal(store_read(f->store, &row.name, &back), 0);
    assert_int_equal(back.generation, 9);
    assert_null(back.scope);
    assert_memory_equal(back.sealed, sealed_bytes, sizeof sealed_bytes);
}

static void test_copy_owns_what_it_holds(void **state)
{
    struct account_row row = full_row(), copy;

    assert_int_equal(account_row_copy(&row, &copy), 0);
    assert_same_facts(&row, &copy);
    assert_ptr_not_equal(copy.scope, row.scope);
    assert_ptr_not_equal(copy.sealed, row.sealed);
    account_row_release(&copy);
    assert_null(copy.sealed);
    account_row_release(&copy);
    account_row_release(NULL);
    kept_row_release(NULL);
}

/* Collects labels, at most stop_after of them. */
static void put_few(struct fixture *f)
{
    static const struct {
        const char *provider, *label;
        int64_t refresh_at, refreshed_at;
        enum account_state state;
        bool has_refresh_token;
    } rows[] = {
        { "other", "x", 1, 99, ACCOUNT_ACTIVE, true },
        { "zenegy", "a", 30, 50, ACCOUNT_ACTIVE, true },
        { "zenegy", "b", 10, 40, ACCOUNT_SUSPECT, true },
        { "zenegy", "c", 20, 60, ACCOUNT_CONSENT_REQUIRED, true },
        { "zenegy", "d", 0, 70, ACCOUNT_ACTIVE, false },
        { "zenegy-two", "e", 5, 80, ACCOUNT_ACTIVE, false },
    };

    assert_int_equal(store_begin(f->store), 0);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct account_row row = full_row();
        row.name = name_of(rows[i].provider, rows[i].label);
        row.refresh_at = rows[i].refresh_at;
        row.refreshed_at = rows[i].refreshed_at;
        row.state = rows[i].state;
        row.has_refresh_token = rows[i].has_refresh_token;
        assert_int_equal(store_put(f->store, &row), 0);
    }
    assert_int_equal(store_commit(f->store), 0);
}

static void test_list_pages(void **state)
{
    struct fixture *f = *state;
    struct account_name after = name_of("zenegy", "b");
    struct labels all = { 0 }, page = { 0 }, stopped = { .stop_after = 2 };

    put_few(f);
    assert_int_equal(store_list(f->store, NULL, SIZE_MAX, collect_label, &all), 0);
    assert_string_equal(all.text, "x a b c d e ");
    assert_false(all.sealed_seen);
    assert_int_equal(store_list(f->store, &after, 2, collect_label, &page), 0);
    assert_string_equal(page.text, "c d ");
    assert_int_equal(store_list(f->store, NULL, 9, collect_label, &stopped), 0);
    assert_string_equal(stopped.text, "x a ");
}

static void test_due_in_order(void **state)
{
    static const struct {
        const char *provider;
        int64_t now;
        size_t limit;
        const char *expected;
        int64_t next;
    } cases[] = {
        { "zenegy", 9, 9, "", 10 },         { "zenegy", 10, 9, "b ", 10 },
        { "zenegy", 100, 9, "b c a ", 10 }, { "zenegy", 100, 2, "b c ", 10 },
        { "zenegy", 100, 0, "", 10 },       { "nobody", 100, 9, "", 0 },
    };
    struct fixture *f = *state;

    put_few(f);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct labels labels = { 0 };
        int64_t next = -1;
        assert_int_equal(store_due(f->store, cases[i].provider, cases[i].now, cases[i].limit,
                                   collect_name, &labels),
                         0);
        assert_string_equal(labels.text, cases[i].expected);
        assert_int_equal(store_next_due(f->store, cases[i].provider, &next), 0);
        assert_int_equal(next, cases[i].next);
    }
}

static void test_canary_is_the_last_that_succeeded(void **state)
{
    struct fixture *f = *state;
    struct account_name canary = name_of("un", "touched");

    put_few(f);
    assert_int_equal(store_canary(f->store, "zenegy", "", "", &canary), 0);
    assert_string_equal(canary.label, "a");
    assert_int_equal(store_canary(f->store, "zenegy-two", "", "", &canary), STORE_NOT_FOUND);
    assert_string_equal(canary.label, "a");
    assert_int_equal(store_canary(f->store, "zenegy", "", "a", &canary), 0);
    assert_string_not_equal(canary.label, "a");
}

static bool collect_lost(void *userdata, const struct account_name *name, int64_t lost_at)
{
    assert_true(lost_at > 0);
    return collect_name(userdata, name);
}

/* The longest lost first; not those that were tried at their last moment, or cannot be. */
static void test_whose_reply_was_lost(void **state)
{
    static const struct account_row rows[] = {
        { .name = { "zenegy", "late" }, .has_refresh_token = true, .lost_at = 30 },
        { .name = { "zenegy", "early" }, .has_refresh_token = true, .lost_at = 20 },
        { .name = { "zenegy", "over" }, .has_refresh_token = true, .lost_at = 10 },
        { .name = { "zenegy", "not" }, .has_refresh_token = true },
        { .name = { "zenegy", "none" }, .lost_at = 20 },
        { .name = { "zenegy", "refused" },
          .has_refresh_token = true,
          .state = ACCOUNT_CONSENT_REQUIRED,
          .lost_at = 20 },
        { .name = { "zenegy", "before" },
          .has_refresh_token = true,
          .lost_at = 25,
          .last_error_at = 29 },
        { .name = { "zenegy", "tried" },
          .has_refresh_token = true,
          .lost_at = 20,
          .last_error_at = 25 },
        { .name = { "zenegy-two", "other" }, .has_refresh_token = true, .lost_at = 20 },
    };
    struct fixture *f = *state;
    struct labels labels = { 0 };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        assert_int_equal(commit_account(f->store, &rows[i]), 0);
    assert_int_equal(store_lost(f->store, "zenegy", 10, 5, collect_lost, &labels), 0);
    assert_string_equal(labels.text, "early before late ");
}

static void test_who_was_refused_under_another_set_up(void **state)
{
    struct fixture *f = *state;
    struct account_name found = name_of("un", "touched");
    static const struct {
        const char *label, *set_up;
        enum account_state state;
        bool has_refresh_token;
    } rows[] = {
        { "active", "old", ACCOUNT_ACTIVE, true },
        { "b", "old", ACCOUNT_CONSENT_REQUIRED, true },
        { "c", "new", ACCOUNT_CONSENT_REQUIRED, true },
        { "d", "", ACCOUNT_CONSENT_REQUIRED, true },
        { "e", "old", ACCOUNT_CONSENT_REQUIRED, true },
        { "gone", "old", ACCOUNT_CONSENT_REQUIRED, false },
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct account_row row = { .name = name_of("zenegy", rows[i].label),
                                   .generation = 1,
                                   .state = rows[i].state,
                                   .has_refresh_token = rows[i].has_refresh_token };
        (void)snprintf(row.refused_under, sizeof row.refused_under, "%s", rows[i].set_up);
        assert_int_equal(commit_account(f->store, &row), 0);
    }
    assert_int_equal(store_refused(f->store, "zenegy", "", "new", &found), 0);
    assert_string_equal(found.label, "b");
    assert_int_equal(store_refused(f->store, "zenegy", "b", "new", &found), 0);
    assert_string_equal(found.label, "e");
    assert_int_equal(store_refused(f->store, "zenegy", "e", "new", &found), STORE_NOT_FOUND);
    assert_int_equal(store_refused(f->store, "other", "", "new", &found), STORE_NOT_FOUND);
    assert_int_equal(store_refused(f->store, "zenegy", "c", "", &found), 0);
    assert_string_equal(found.label, "d");
}

static void test_counts_follow(void **state)
{
    struct fixture *f = *state;
    struct account_row row = full_row();
    struct account_name gone = name_of("zenegy", "c");
    uint64_t counts[3] = { 0 };

    put_few(f);
    assert_int_equal(store_count(f->store, counts), 0);
    assert_int_equal(counts[ACCOUNT_ACTIVE], 4);
    assert_int_equal(counts[ACCOUNT_SUSPECT], 1);
    assert_int_equal(counts[ACCOUNT_CONSENT_REQUIRED], 1);

    row.name = name_of("zenegy", "b");
    row.state = ACCOUNT_CONSENT_REQUIRED;
    assert_int_equal(store_begin(f->store), 0);
    assert_int_equal(store_put_facts(f->store, &row), 0);
    assert_int_equal(store_delete(f->store, &gone), 0);
    assert_int_equal(store_delete(f->store, &gone), STORE_NOT_FOUND);
    assert_int_equal(store_commit(f->store), 0);
    assert_int_equal(store_count(f->store, counts), 0);
    assert_int_equal(counts[ACCOUNT_SUSPECT], 0);
    assert_int_equal(counts[ACCOUNT_CONSENT_REQUIRED], 1);
}

static bool list_within(void *userdata, const struct account_row *row)
{
    struct store *store = userdata;
    struct labels labels = { 0 };
    CLEANUP(cleanup_account_row) struct account_row back = { 0 };

    assert_int_equal(store_list(store, NULL, 9, collect_label, &labels), -EBUSY);
    assert_int_equal(store_read(store, &row->name, &back), 0);
    return true;
}

static void test_calls_within_a_list(void **state)
{
    struct fixture *f = *state;
    struct labels labels = { 0 };

    put_few(f);
    assert_int_equal(store_list(f->store, NULL, 2, list_within, f->store), 0);
    assert_int_equal(store_list(f->store, NULL, 1, collect_label, &labels), 0);
    assert_string_equal(labels.text, "x ");
}

static void test_rows_that_were_never_written(void **state)
{
    static const char *const damages[] = {
        "UPDATE accounts SET state = 9",
        "UPDATE accounts SET state = -1",
        "UPDATE accounts SET refusals = 4",
        "UPDATE accounts SET failures = 4294967296",
        "UPDATE accounts SET scope = CAST(x'610062' AS TEXT)",
    };
    struct fixture *f = *state;
    struct account_row row = full_row();
    struct labels labels = { 0 };

    for (size_t i = 0; i < sizeof damages / sizeof damages[0]; i++) {
        struct account_row back = { .failures = 7 };
        assert_int_equal(commit_account(f->store, &row), 0);
        run_sql(f->store, damages[i]);
        assert_int_equal(store_read(f->store, &row.name, &back), STORE_FOREIGN);
        assert_int_equal(back.failures, 7);
        assert_string_not_equal(store_message(f->store), "");
        assert_int_equal(store_list(f->store, NULL, 9, collect_label, &labels), 0);
        assert_string_equal(labels.text, "");
    }
}

/* One damaged row is its own matter: the schedule, lists and a transaction go on. */
static void test_a_damaged_row_stops_nothing(void **state)
{
    struct fixture *f = *state;
    struct account_row row = full_row();
    struct account_row back = { 0 };
    struct account_name damaged = row.name;
    struct labels labels = { 0 }, due = { 0 };

    assert_int_equal(commit_account(f->store, &row), 0);
    run_sql(f->store, "UPDATE accounts SET state = 9");
    row.name = name_of(damaged.provider, "zz");
    assert_int_equal(commit_account(f->store, &row), 0);
    assert_int_equal(store_due(f->store, damaged.provider, INT64_MAX, 9, collect_name, &due), 0);
    assert_non_null(strstr(due.text, "zz "));
    assert_int_equal(store_list(f->store, NULL, 1, collect_label, &labels), 0);
    assert_string_equal(labels.text, "zz ");
    assert_int_equal(store_begin(f->store), 0);
    assert_int_equal(store_read(f->store, &damaged, &back), STORE_FOREIGN);
    assert_int_equal(store_put_fact(f->store, "a", "b"), 0);
    assert_int_equal(store_commit(f->store), 0);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_every_member_comes_back, make_store, drop_store),
        cmocka_unit_test_setup_teardown(test_nothing_comes_back_as_nothing, make_store, drop_store),
        cmocka_unit_test_setup_teardown(test_absent_leaves_the_result_alone, make_store,
                                        drop_store),
        cmocka_unit_test_setup_teardown(test_facts_leave_the_sealed_bytes, make_store, drop_store),
        cmocka_unit_test(test_copy_owns_what_it_holds),
        cmocka_unit_test_setup_teardown(test_list_pages, make_store, drop_store),
        cmocka_unit_test_setup_teardown(test_due_in_order, make_store, drop_store),
        cmocka_unit_test_setup_teardown(test_canary_is_the_last_that_succeeded, make_store,
                                        drop_store),
        cmocka_unit_test_setup_teardown(test_whose_reply_was_lost, make_store, drop_store),
        cmocka_unit_test_setup_teardown(test_who_was_refused_under_another_set_up, make_store,
                                        drop_store),
        cmocka_unit_test_setup_teardown(test_counts_follow, make_store, drop_store),
        cmocka_unit_test_setup_teardown(test_calls_within_a_list, make_store, drop_store),
        cmocka_unit_test_setup_teardown(test_rows_that_were_never_written, make_store, drop_store),
        cmocka_unit_test_setup_teardown(test_a_damaged_row_stops_nothing, make_store, drop_store),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

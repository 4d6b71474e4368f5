/* Facts by name, and what providers are paused for. */

#include "store_fixture.h"

static char *fact(struct store *store, const char *name)
{
    char *value = NULL;

    assert_int_equal(store_get_fact(store, name, &value), 0);
    return value;
}

static void test_facts(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(store_begin(f->store), 0);
    assert_int_equal(store_put_fact(f->store, "clock", "one"), 0);
    assert_int_equal(store_put_fact(f->store, "clock", "two"), 0);
    assert_int_equal(store_commit(f->store), 0);
    CLEANUP(cleanup_string) char *value = fact(f->store, "clock");
    assert_string_equal(value, "two");
}

static void test_uuid_is_made_once(void **state)
{
    struct fixture *f = *state;
    void *other_state;

    CLEANUP(cleanup_string) char *first = fact(f->store, "uuid");
    assert_int_equal(strlen(first), 36);
    assert_int_equal(first[14], '4');
    assert_non_null(strchr("89ab", first[19]));
    assert_int_equal(strspn(first, "0123456789abcdef-"), 36);
    open_again(f);
    CLEANUP(cleanup_string) char *second = fact(f->store, "uuid");
    assert_string_equal(first, second);

    (void)make_store(&other_state);
    struct fixture *other = other_state;
    CLEANUP(cleanup_string) char *third = fact(other->store, "uuid");
    assert_string_not_equal(first, third);
    (void)drop_store(&other_state);
}

static void test_pauses(void **state)
{
    struct fixture *f = *state;
    struct pause_row row = { "zenegy", 11, 12, 13, "invalid_client", "print" }, back;

    assert_int_equal(store_begin(f->store), 0);
    assert_int_equal(store_put_pause(f->store, &row), 0);
    row.paused_since = 0;
    assert_int_equal(store_put_pause(f->store, &row), 0);
    assert_int_equal(store_commit(f->store), 0);
    assert_int_equal(store_get_pause(f->store, "zenegy", &back), 0);
    assert_int_equal(back.paused_since, 0);
    assert_int_equal(back.probe_at, 12);
    assert_int_equal(back.probes, 13);
    assert_string_equal(back.provider, "zenegy");
    assert_string_equal(back.reason, "invalid_client");
    assert_string_equal(back.credentials, "print");
}

/* Each once, whoever it is that can be refreshed there; and nobody else. */
static void test_pauses_of_all_that_can_be_refreshed(void **state)
{
    static const struct {
        const char *provider, *label;
        bool has_refresh_token;
        enum account_state state;
    } accounts[] = {
        { "dk", "a", true, ACCOUNT_ACTIVE },
        { "dk", "b", true, ACCOUNT_SUSPECT },
        { "no", "a", false, ACCOUNT_ACTIVE },
        { "se", "a", true, ACCOUNT_CONSENT_REQUIRED },
    };
    struct fixture *f = *state;
    struct pause_row row = { "dk", 1, 2, 3, "before", "print" }, back;

    for (size_t i = 0; i < sizeof accounts / sizeof accounts[0]; i++) {
        const struct account_row account = {
            .name = name_of(accounts[i].provider, accounts[i].label),
            .has_refresh_token = accounts[i].has_refresh_token,
            .state = accounts[i].state,
        };
        assert_int_equal(commit_account(f->store, &account), 0);
    }
    assert_int_equal(store_begin(f->store), 0);
    assert_int_equal(store_put_pause(f->store, &row), 0);
    row = (struct pause_row){ "", 11, 12, 13, "after", "" };
    assert_int_equal(store_pause_refreshable(f->store, &row), 0);
    assert_int_equal(store_commit(f->store), 0);
    assert_int_equal(store_get_pause(f->store, "no", &back), STORE_NOT_FOUND);
    assert_int_equal(store_get_pause(f->store, "se", &back), STORE_NOT_FOUND);
    assert_int_equal(store_get_pause(f->store, "dk", &back), 0);
    assert_string_equal(back.provider, "dk");
    assert_int_equal(back.paused_since, 11);
    assert_int_equal(back.probe_at, 12);
    assert_int_equal(back.probes, 13);
    assert_string_equal(back.reason, "after");
    assert_string_equal(back.credentials, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_facts, make_store, drop_store),
        cmocka_unit_test_setup_teardown(test_uuid_is_made_once, make_store, drop_store),
        cmocka_unit_test_setup_teardown(test_pauses, make_store, drop_store),
        cmocka_unit_test_setup_teardown(test_pauses_of_all_that_can_be_refreshed, make_store,
                                        drop_store),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

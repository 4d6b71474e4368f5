/* An account takes another name: who may, and what goes to the back. */

#include "fixture.h"

#define TO(name) "{\"account\":\"" name "\"}"

static void test_renamed(void **state)
{
    struct fixture *fixture = *state;
    struct web_request *request =
        fixture_send(fixture, "POST", "/v1/rename/zenegy/x", TO("zenpayroll/a"));
    struct message *question = fixture_take(fixture, ASK_RENAME);

    assert_string_equal(question->account.provider, "zenegy");
    assert_string_equal(question->account.label, "x");
    assert_string_equal(question->new_name.provider, "zenpayroll");
    assert_string_equal(question->new_name.label, "a");
    fixture_deliver(fixture, fixture_rows(question, 'a', 1));
    expect_answer(request, 200, "{\"account\":\"zenegy/a\"");
    audit_flush(fixture->context.audit);
    struct message *told = fixture_take(fixture, TELL_AUDIT);
    assert_int_equal(told->audit_count, 2);
    assert_string_equal(told->audit[0].account, "zenegy/x");
    assert_string_equal(told->audit[1].account, "zenegy/a");
    message_free(told);
}

/* Both names must be the admin's. */
static void test_who_may(void **state)
{
    struct fixture *fixture = *state;

    fixture_rule(fixture, FIXTURE_UID, MAY_ADMIN, "zenegy/a*");
    expect_answer(fixture_send(fixture, "POST", "/v1/rename/zenegy/a1", TO("zenegy/b1")), 403,
                  "zenegy/b1");
    expect_answer(fixture_send(fixture, "POST", "/v1/rename/zenegy/b1", TO("zenegy/a1")), 403,
                  "zenegy/b1");
    fixture_quiet(fixture);
    struct web_request *request =
        fixture_send(fixture, "POST", "/v1/rename/zenegy/a1", TO("zenegy/a2"));
    fixture_fail(fixture, fixture_take(fixture, ASK_RENAME), WIRE_BAD_REQUEST);
    expect_answer(request, 400, "zenegy/a1");
}

static void test_bad_names(void **state)
{
    struct fixture *fixture = *state;
    static const char *const bodies[] = {
        "",
        "{}",
        TO("zenegy"),
        TO("zenegy/"),
        TO("zenegy/a/b"),
        TO("Zenegy/a"),
        "{\"account\":5}",
        "{\"account\":\"zenegy/b\",\"more\":1}",
    };

    for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++)
        expect_answer(fixture_send(fixture, "POST", "/v1/rename/zenegy/a", bodies[i]), 400,
                      "bad_request");
    expect_answer(fixture_send(fixture, "POST", "/v1/rename/zenegy/a", TO("nowhere/a")), 404,
                  "unknown_provider");
    fixture_quiet(fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_renamed, fixture_set_up, fixture_tear_down),
        cmocka_unit_test_setup_teardown(test_who_may, fixture_set_up, fixture_tear_down),
        cmocka_unit_test_setup_teardown(test_bad_names, fixture_set_up, fixture_tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

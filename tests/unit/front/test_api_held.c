/* What is held for accounts, and the decision over it. */

#include "fixture.h"

static void test_listed(void **state)
{
    struct fixture *fixture = *state;
    struct web_request *request = fixture_send(fixture, "GET", "/v1/held?limit=2", NULL);
    struct message *answer = fixture_rows(fixture_take(fixture, ASK_HELD), 'a', 2);

    for (size_t i = 0; i < 2; i++)
        answer->rows[i].held_at = clock_now();
    answer->rows[0].identity = strdup("one");
    answer->rows[0].held_identity = strdup("two");
    fixture_deliver(fixture, answer);
    assert_string_equal(
        request->answer,
        "{\"held\":[{\"account\":\"zenegy/a\",\"id\":1000000,\"identity\":\"one\","
        "\"held_identity\":\"two\",\"created_at\":2000},"
        "{\"account\":\"zenegy/b\",\"id\":1000000,\"held_identity\":\"\",\"created_at\":2000}],"
        "\"next\":\"zenegy/b\"}");
    free(request);
}

static void test_to_list_is_not_enough(void **state)
{
    struct fixture *fixture = *state;

    fixture_rule(fixture, FIXTURE_UID, MAY_LIST | MAY_LOGIN | MAY_LOGOUT, "*");
    expect_answer(fixture_send(fixture, "GET", "/v1/held", NULL), 403, "forbidden");
    expect_answer(fixture_send(fixture, "POST", "/v1/held/zenegy/a", "{\"decision\":\"accept\"}"),
                  403, "forbidden");
    fixture_quiet(fixture);
}

static void test_an_admins_accounts_alone(void **state)
{
    struct fixture *fixture = *state;

    fixture_rule(fixture, FIXTURE_UID, MAY_ADMIN, "zenegy/b");
    struct web_request *request = fixture_send(fixture, "GET", "/v1/held", NULL);
    fixture_deliver(fixture, fixture_rows(fixture_take(fixture, ASK_HELD), 'a', 3));
    assert_null(strstr(request->answer, "zenegy/a"));
    assert_null(strstr(request->answer, "zenegy/c"));
    expect_answer(request, 200, "{\"held\":[{\"account\":\"zenegy/b\"");
}

static void expect_decision(struct fixture *fixture, const char *body, bool accept)
{
    struct web_request *request = fixture_send(fixture, "POST", "/v1/held/zenegy/a", body);
    struct message *question = fixture_take(fixture, ASK_DECIDE);

    assert_int_equal(question->accept, accept);
    assert_int_equal(question->held_at, 1767223801123);
    assert_string_equal(question->account.label, "a");
    fixture_deliver(fixture, fixture_rows(question, 'a', 1));
    expect_answer(request, 200, "{\"account\":\"zenegy/a\"");
}

static void test_decided(void **state)
{
    struct fixture *fixture = *state;

    expect_decision(fixture, "{\"decision\":\"accept\",\"id\":1767223801123}", true);
    expect_decision(fixture, "{\"id\":1767223801123,\"decision\":\"discard\"}", false);
    audit_flush(fixture->context.audit);
    struct message *told = fixture_take(fixture, TELL_AUDIT);
    assert_int_equal(told->audit_count, 2);
    assert_string_equal(told->audit[0].verdict, "accept");
    assert_string_equal(told->audit[1].verdict, "discard");
    message_free(told);
}

static void test_bad_decisions(void **state)
{
    struct fixture *fixture = *state;
    static const char *const bodies[] = { "",
                                          "{}",
                                          "{\"decision\":\"Accept\",\"id\":1}",
                                          "{\"decision\":true,\"id\":1}",
                                          "{\"decision\":\"accept\",\"id\":1,\"more\":1}",
                                          "{\"decision\":\"accept\"}",
                                          "{\"decision\":\"discard\"}",
                                          "{\"decision\":\"accept\",\"id\":\"1\"}",
                                          "{\"decision\":\"accept\",\"id\":1.5}",
                                          "{\"decision\":\"accept\",\"id\":null}" };

    for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++)
        expect_answer(fixture_send(fixture, "POST", "/v1/held/zenegy/a", bodies[i]), 400,
                      "bad_request");
    expect_answer(fixture_send(fixture, "POST", "/v1/held", NULL), 405, "GET");
    expect_answer(fixture_send(fixture, "GET", "/v1/held/zenegy/a", NULL), 405, "POST");
    fixture_quiet(fixture);
}

static void test_nothing_held(void **state)
{
    struct fixture *fixture = *state;
    struct web_request *request =
        fixture_send(fixture, "POST", "/v1/held/zenegy/a", "{\"decision\":\"accept\",\"id\":1}");

    fixture_fail(fixture, fixture_take(fixture, ASK_DECIDE), WIRE_NOT_FOUND);
    expect_answer(request, 404, "not_found");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_listed, fixture_set_up, fixture_tear_down),
        cmocka_unit_test_setup_teardown(test_an_admins_accounts_alone, fixture_set_up,
                                        fixture_tear_down),
        cmocka_unit_test_setup_teardown(test_to_list_is_not_enough, fixture_set_up,
                                        fixture_tear_down),
        cmocka_unit_test_setup_teardown(test_decided, fixture_set_up, fixture_tear_down),
        cmocka_unit_test_setup_teardown(test_bad_decisions, fixture_set_up, fixture_tear_down),
        cmocka_unit_test_setup_teardown(test_nothing_held, fixture_set_up, fixture_tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

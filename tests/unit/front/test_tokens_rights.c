/* Who may not have the token any more when it comes. */

#include "fixture.h"

#define TOKEN "/v1/token/zenegy/acme"
#define OTHER "/v1/token/zenegy/other"

enum { HOUR_MS = 3600 * 1000 };

static struct web_request *get(struct fixture *fixture, const char *target)
{
    return fixture_send(fixture, "GET", target, NULL);
}

static void leave_only(struct fixture *fixture, const char *glob)
{
    struct access_rule *rule = &fixture->context.settings->rules[0];

    free(rule->accounts[0]);
    rule->accounts[0] = strdup(glob);
}

/* Those whose right stays go on waiting, for the same question. */
static void test_told_at_the_change(void **state)
{
    struct fixture *fixture = *state;

    fixture_rule(fixture, FIXTURE_UID, MAY_TOKEN, "zenegy/*");
    struct web_request *one = get(fixture, TOKEN), *two = get(fixture, TOKEN "?min_ttl=5");
    struct web_request *other = get(fixture, OTHER);
    struct message *first = fixture_take(fixture, ASK_TOKEN);
    struct message *second = fixture_take(fixture, ASK_TOKEN);
    tokens_rights_changed(fixture->context.tokens);
    assert_int_equal(one->answers + two->answers + other->answers, 0);

    leave_only(fixture, "zenegy/other");
    tokens_rights_changed(fixture->context.tokens);
    expect_answer(one, 403, "\"forbidden\"");
    expect_answer(two, 403, "accounts = {");
    assert_int_equal(other->answers, 0);
    fixture_quiet(fixture);
    fixture_issue(fixture, first, "tok", 1, HOUR_MS);
    fixture_issue(fixture, second, "two", 1, HOUR_MS);
    expect_answer(other, 200, "\"two\"");
    expect_answer(get(fixture, TOKEN), 403, "\"forbidden\"");
}

/* Also where the change itself was never heard of. */
static void test_judged_at_the_answer(void **state)
{
    struct fixture *fixture = *state;

    fixture_rule(fixture, FIXTURE_UID, MAY_TOKEN, "zenegy/*");
    struct web_request *served = get(fixture, TOKEN), *failed = get(fixture, OTHER);
    leave_only(fixture, "zenpayroll/*");
    fixture_issue(fixture, fixture_take(fixture, ASK_TOKEN), "tok", 1, HOUR_MS);
    expect_answer(served, 403, "\"forbidden\"");
    fixture_fail(fixture, fixture_take(fixture, ASK_TOKEN), WIRE_CONSENT_REQUIRED);
    expect_answer(failed, 403, "\"forbidden\"");
    fixture_quiet(fixture);
}

static void refuse_with_link(struct fixture *fixture)
{
    struct message *answer = fixture_answer(fixture_take(fixture, ASK_TOKEN));

    message_fail(answer, WIRE_CONSENT_REQUIRED, "gone");
    snprintf(answer->failure.link, sizeof(answer->failure.link), "%s", "the-link");
    fixture_deliver(fixture, answer);
}

/* A link too is for who may have it at that time. */
static void test_link_at_the_answer(void **state)
{
    struct fixture *fixture = *state;

    fixture->context.settings->public_url = strdup("https://hr.example");
    fixture_rule(fixture, FIXTURE_UID, MAY_TOKEN | MAY_LINK, "zenegy/*");
    struct web_request *request = get(fixture, TOKEN);
    refuse_with_link(fixture);
    expect_answer(request, 409, "the-link");

    request = get(fixture, TOKEN);
    fixture->context.settings->rules[0].may = MAY_TOKEN;
    tokens_rights_changed(fixture->context.tokens);
    refuse_with_link(fixture);
    assert_null(strstr(request->answer, "the-link"));
    expect_answer(request, 409, "consent_required");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_set_up, fixture_tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_told_at_the_change),
        TEST(test_judged_at_the_answer),
        TEST(test_link_at_the_answer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

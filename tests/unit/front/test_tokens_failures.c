/* Whose a failure is, when many wait for one question. */

#include "fixture.h"

#define TOKEN "/v1/token/zenegy/acme"

enum { HOUR_MS = 3600 * 1000 };

static struct web_request *get(struct fixture *fixture, const char *target)
{
    return fixture_send(fixture, "GET", target, NULL);
}

static void refuse_min_ttl(struct fixture *fixture, struct message *question)
{
    struct message *answer = fixture_answer(question);

    message_fail(answer, WIRE_BAD_REQUEST, "too much");
    answer->failure.max_min_ttl_s = 1800;
    fixture_deliver(fixture, answer);
}

/* A failure that only the larger wish deserves does not hit who asked for less. */
static void test_failure_of_larger_wish(void **state)
{
    struct fixture *fixture = *state;
    struct web_request *large = get(fixture, TOKEN "?min_ttl=3000");
    struct web_request *modest = get(fixture, TOKEN);
    struct message *question = fixture_take(fixture, ASK_TOKEN);

    assert_int_equal(question->min_ttl_ms, 3000 * 1000);
    refuse_min_ttl(fixture, question);
    expect_answer(large, 400, "\"max_min_ttl\":1800");
    question = fixture_take(fixture, ASK_TOKEN);
    assert_int_equal(question->min_ttl_ms, -1);
    fixture_issue(fixture, question, "tok", 1, HOUR_MS);
    expect_answer(modest, 200, "\"tok\"");
}

/* However many ask for what cannot be, and come again, who asked for less is asked for next. */
static void test_failures_of_larger_wishes_without_end(void **state)
{
    struct fixture *fixture = *state;
    struct web_request *large = get(fixture, TOKEN "?min_ttl=3000");
    struct web_request *modest = get(fixture, TOKEN), *middling = get(fixture, TOKEN "?min_ttl=60");
    struct web_request *none[3 * TOKENS_TRIES_MAX];

    for (int i = 0; i < 3 * TOKENS_TRIES_MAX; i++) {
        char target[64];
        snprintf(target, sizeof(target), "%s?min_ttl=%d", TOKEN, 4000 + i);
        none[i] = get(fixture, target);
    }
    refuse_min_ttl(fixture, fixture_take(fixture, ASK_TOKEN));
    expect_answer(large, 400, "\"max_min_ttl\":1800");
    for (int i = 0; i < 3 * TOKENS_TRIES_MAX; i++)
        expect_answer(none[i], 400, "\"max_min_ttl\":1800");

    large = get(fixture, TOKEN "?min_ttl=3001");
    struct message *question = fixture_take(fixture, ASK_TOKEN);
    assert_int_equal(question->min_ttl_ms, -1);
    struct message *answer = fixture_answer(question);
    answer->token = fixture_token("old", 1, HOUR_MS);
    answer->token->expires_at = clock_now() + 45 * 1000;
    fixture_deliver(fixture, answer);
    expect_answer(modest, 200, "\"old\"");
    expect_answer(large, 400, "\"max_min_ttl\":1800");

    question = fixture_take(fixture, ASK_TOKEN);
    assert_int_equal(question->min_ttl_ms, 60 * 1000);
    fixture_issue(fixture, question, "new", 2, HOUR_MS);
    expect_answer(middling, 200, "\"new\"");
    fixture_quiet(fixture);
}

/* Each wish that a failure left open gets a question that asks for no more than it, though larger
 * and smaller ones come in each round. */
static void test_nobody_gets_a_larger_wishs_failure(void **state)
{
    struct fixture *fixture = *state;
    struct web_request *large = get(fixture, TOKEN "?min_ttl=1000");
    struct web_request *middling = get(fixture, TOKEN "?min_ttl=20");
    struct web_request *small = get(fixture, TOKEN "?min_ttl=0");
    struct web_request *plain = get(fixture, TOKEN);

    fixture_fail(fixture, fixture_take(fixture, ASK_TOKEN), WIRE_PROVIDER_UNAVAILABLE);
    expect_answer(large, 503, "provider_unavailable");
    struct web_request *larger = get(fixture, TOKEN "?min_ttl=1001");
    struct message *question = fixture_take(fixture, ASK_TOKEN);
    assert_int_equal(question->min_ttl_ms, -1);
    fixture_fail(fixture, question, WIRE_PROVIDER_UNAVAILABLE);
    expect_answer(plain, 503, "provider_unavailable");
    expect_answer(larger, 503, "provider_unavailable");
    assert_int_equal(middling->answers + small->answers, 0); /* the default may be more than that */

    larger = get(fixture, TOKEN "?min_ttl=1001");
    question = fixture_take(fixture, ASK_TOKEN);
    assert_int_equal(question->min_ttl_ms, 0);
    struct message *answer = fixture_answer(question);
    answer->token = fixture_token("old", 1, HOUR_MS);
    answer->token->expires_at = clock_now() + 10 * 1000;
    fixture_deliver(fixture, answer);
    expect_answer(small, 200, "\"old\"");

    question = fixture_take(fixture, ASK_TOKEN);
    assert_int_equal(question->min_ttl_ms, 20 * 1000);
    fixture_fail(fixture, question, WIRE_PROVIDER_UNAVAILABLE);
    expect_answer(middling, 503, "provider_unavailable");
    expect_answer(larger, 503, "provider_unavailable");
    fixture_quiet(fixture);
}

static void test_failures_reach_all(void **state)
{
    struct fixture *fixture = *state;
    struct web_request *one = get(fixture, TOKEN);
    struct web_request *two = get(fixture, TOKEN);

    fixture_fail(fixture, fixture_take(fixture, ASK_TOKEN), WIRE_CONSENT_REQUIRED);
    expect_answer(one, 409, "\"error\":\"consent_required\"");
    expect_answer(two, 409, "\"account\":\"zenegy/acme\"");
    fixture_quiet(fixture);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_set_up, fixture_tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_failure_of_larger_wish),
        TEST(test_failures_of_larger_wishes_without_end),
        TEST(test_nobody_gets_a_larger_wishs_failure),
        TEST(test_failures_reach_all),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

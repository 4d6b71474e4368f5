#include "fixture.h"

#define TOKEN "/v1/token/zenegy/acme"

enum { HOUR_MS = 3600 * 1000, MINUTE_MS = 60 * 1000 };

static struct web_request *get(struct fixture *fixture, const char *target)
{
    return fixture_send(fixture, "GET", target, NULL);
}

/* Brings a token into the cache. */
static void warm(struct fixture *fixture, const char *text, uint64_t generation,
                 int64_t lifetime_ms)
{
    struct web_request *request = get(fixture, TOKEN);

    fixture_issue(fixture, fixture_take(fixture, ASK_TOKEN), text, generation, lifetime_ms);
    expect_answer(request, 200, text);
}

static void test_whole_answer(void **state)
{
    struct fixture *fixture = *state;
    struct web_request *request = get(fixture, TOKEN);
    struct message *answer = fixture_answer(fixture_take(fixture, ASK_TOKEN));

    answer->token = fixture_token("a\"b\\c", 1, HOUR_MS);
    answer->token->scope = strdup("read:branch");
    fixture_deliver(fixture, answer);
    assert_int_equal(request->answers, 1);
    assert_int_equal(request->status, 200);
    assert_string_equal(request->content_type, "application/json");
    /* now 1000 s, wall 1000 s ahead of it, one hour left */
    assert_string_equal(
        request->answer,
        "{\"account\":\"zenegy/acme\",\"access_token\":\"a\\\"b\\\\c\",\"token_type\":\"bearer\","
        "\"expires_in\":3600,\"expires_at\":5600,\"scope\":\"read:branch\","
        "\"present\":{\"in\":\"header\",\"name\":\"Authorization\","
        "\"value\":\"Bearer a\\\"b\\\\c\"},\"api_base\":\"https://api.zenegy.com\","
        "\"extra\":{\"company_id\":4711}}");
    free(request);
}

static void test_static_token_has_no_end(void **state)
{
    struct fixture *fixture = *state;
    struct web_request *request = get(fixture, "/v1/token/zenpayroll/app?min_ttl=1000000");
    struct message *question = fixture_take(fixture, ASK_TOKEN);

    assert_int_equal(question->min_ttl_ms, INT64_C(1000000000));
    fixture_issue(fixture, question, "5f0c9a", 1, 0);
    assert_null(strstr(request->answer, "expires"));
    assert_non_null(strstr(request->answer, "\"present\":{\"in\":\"query\",\"name\":"
                                            "\"access_token\",\"value\":\"5f0c9a\"}"));
    expect_answer(request, 200, "\"access_token\":\"5f0c9a\"");
    expect_answer(get(fixture, "/v1/token/zenpayroll/app?min_ttl=1000000"), 200, "5f0c9a");
    fixture_quiet(fixture);
}

static void test_plain(void **state)
{
    struct fixture *fixture = *state;
    struct web_request *request = fake_request("GET", TOKEN, NULL, FIXTURE_UID);

    warm(fixture, "tok", 1, HOUR_MS);
    request->accept = "text/plain;q=0.9";
    api_handle(&fixture->context, request);
    assert_string_equal(request->answer, "tok");
    assert_non_null(strstr(request->content_type, "text/plain"));
    expect_answer(request, 200, "tok");
    request = fake_request("GET", TOKEN, NULL, FIXTURE_UID);
    request->accept = "text/plainer";
    api_handle(&fixture->context, request);
    expect_answer(request, 200, "{");
}

static void test_cached_and_counted_down(void **state)
{
    struct fixture *fixture = *state;

    warm(fixture, "tok", 1, HOUR_MS);
    fixture_pass(fixture, 1000 * 1000 + 1);
    expect_answer(get(fixture, TOKEN), 200, "\"expires_in\":2599,\"expires_at\":5600,");
    fixture_quiet(fixture);
}

/* Lifetime, how much of it has passed, what is asked for, and what comes of it. */
struct ttl_row {
    int64_t lifetime_ms;
    int64_t passed_ms;
    const char *query;
    int status; /* 0: another token is asked for */
    const char *text;
};

static const struct ttl_row ttls[] = {
    { HOUR_MS, HOUR_MS - 30 * 1000, "", 200, "\"expires_in\":30," },
    { HOUR_MS, HOUR_MS - 30 * 1000 + 1, "", 0, NULL }, /* the default: 30 s */
    { 100 * 1000, 90 * 1000, "", 200, "\"expires_in\":10," },
    { 100 * 1000, 90 * 1000 + 1, "", 0, NULL }, /* the default: a tenth */
    { HOUR_MS, HOUR_MS - 1, "?min_ttl=0", 200, "\"expires_in\":0," },
    { HOUR_MS, HOUR_MS, "?min_ttl=0", 0, NULL },
    { HOUR_MS, HOUR_MS + 5, "?min_ttl=0", 0, NULL },
    { HOUR_MS, HOUR_MS / 2, "?min_ttl=1800", 200, "\"expires_in\":1800," },
    { HOUR_MS, HOUR_MS / 2 + 1, "?min_ttl=1800", 0, NULL },
    { HOUR_MS, 0, "?min_ttl=1801", 400, "\"max_min_ttl\":1800" },
    { HOUR_MS, 2 * HOUR_MS, "?min_ttl=1801", 400, "\"max_min_ttl\":1800" },
};

static void test_min_ttl(void **state)
{
    for (size_t i = 0; i < sizeof(ttls) / sizeof(ttls[0]); i++) {
        const struct ttl_row *row = &ttls[i];
        struct fixture *fixture = fixture_new(100);
        void *fixture_state = fixture;
        char target[100];

        warm(fixture, "tok", 1, row->lifetime_ms);
        fixture_pass(fixture, row->passed_ms);
        snprintf(target, sizeof(target), "%s%s", TOKEN, row->query);
        struct web_request *request = get(fixture, target);
        if (row->status) {
            expect_answer(request, row->status, row->text);
            fixture_quiet(fixture);
        } else {
            fixture_issue(fixture, fixture_take(fixture, ASK_TOKEN), "new", 2, row->lifetime_ms);
            expect_answer(request, 200, "\"new\"");
        }
        fixture_tear_down(&fixture_state);
    }
}

static void test_one_question_for_all(void **state)
{
    struct fixture *fixture = *state;
    struct web_request *requests[20];

    for (int i = 0; i < 20; i++)
        requests[i] = get(fixture, TOKEN);
    struct message *question = fixture_take(fixture, ASK_TOKEN);
    assert_int_equal(question->min_ttl_ms, -1);
    fixture_quiet(fixture);
    fixture_issue(fixture, question, "tok", 1, HOUR_MS);
    for (int i = 0; i < 20; i++)
        expect_answer(requests[i], 200, "\"tok\"");
    fixture_quiet(fixture);
}

static void test_accounts_do_not_wait_for_each_other(void **state)
{
    struct fixture *fixture = *state;
    struct web_request *acme = get(fixture, TOKEN);
    struct web_request *other = get(fixture, "/v1/token/zenegy/other");
    struct message *first = fixture_take(fixture, ASK_TOKEN);
    struct message *second = fixture_take(fixture, ASK_TOKEN);

    assert_string_equal(first->account.label, "acme");
    assert_string_equal(second->account.label, "other");
    fixture_issue(fixture, second, "two", 1, HOUR_MS);
    expect_answer(other, 200, "\"two\"");
    assert_int_equal(acme->answers, 0);
    fixture_issue(fixture, first, "one", 1, HOUR_MS);
    expect_answer(acme, 200, "\"one\"");
}

/* Who joins a question and needs more than was asked for brings about another one. */
static void test_larger_wish_asks_again(void **state)
{
    struct fixture *fixture = *state;
    struct web_request *modest = get(fixture, TOKEN);
    struct web_request *large = get(fixture, TOKEN "?min_ttl=1000");
    struct message *question = fixture_take(fixture, ASK_TOKEN);
    struct message *answer;

    assert_int_equal(question->min_ttl_ms, -1);
    answer = fixture_answer(question);
    answer->token = fixture_token("old", 1, HOUR_MS);
    answer->token->expires_at = clock_now() + 5 * MINUTE_MS;
    fixture_deliver(fixture, answer);
    expect_answer(modest, 200, "\"old\"");
    assert_int_equal(large->answers, 0);

    question = fixture_take(fixture, ASK_TOKEN);
    assert_int_equal(question->min_ttl_ms, 1000 * 1000);
    fixture_issue(fixture, question, "new", 2, HOUR_MS);
    expect_answer(large, 200, "\"new\"");
}

/* The wish is within what was known, and the new token is shorter-lived. */
static void test_issued_lifetime_decides(void **state)
{
    struct fixture *fixture = *state;
    struct web_request *request = get(fixture, TOKEN "?min_ttl=1000");

    fixture_issue(fixture, fixture_take(fixture, ASK_TOKEN), "tok", 1, 10 * MINUTE_MS);
    expect_answer(request, 400, "\"max_min_ttl\":300");
    fixture_quiet(fixture);
}

static void test_answer_that_never_serves(void **state)
{
    struct fixture *fixture = *state;
    struct web_request *request = get(fixture, TOKEN);

    for (int i = 0; i < TOKENS_TRIES_MAX; i++) {
        struct message *answer = fixture_answer(fixture_take(fixture, ASK_TOKEN));
        answer->token = fixture_token("old", 1, HOUR_MS);
        answer->token->expires_at = clock_now() - 1;
        fixture_deliver(fixture, answer);
    }
    assert_string_equal(request->retry_after, "5");
    expect_answer(request, 503, "provider_unavailable");
    fixture_quiet(fixture);
}

static void test_timeouts(void **state)
{
    struct fixture *fixture = *state;
    struct web_request *none = get(fixture, TOKEN "?wait=0");
    struct web_request *brief = get(fixture, TOKEN "?wait=5");
    struct web_request *normal = get(fixture, TOKEN);
    struct web_request *patient = get(fixture, TOKEN "?wait=60");

    fixture_pass(fixture, 100);
    expect_answer(none, 504, "\"timeout\"");
    fixture_pass(fixture, 4899);
    assert_int_equal(brief->answers, 0);
    fixture_pass(fixture, 1);
    expect_answer(brief, 504, "within 5 s");
    fixture_pass(fixture, 24999);
    assert_int_equal(normal->answers, 0);
    fixture_pass(fixture, 1);
    expect_answer(normal, 504, "within 30 s");
    fixture_issue(fixture, fixture_take(fixture, ASK_TOKEN), "tok", 1, HOUR_MS);
    expect_answer(patient, 200, "\"tok\"");
}

/* The question stays out when all are gone, and what comes is kept. */
static void test_gone(void **state)
{
    struct fixture *fixture = *state;
    struct web_request *gone = get(fixture, TOKEN);
    struct message *question = fixture_take(fixture, ASK_TOKEN);

    fake_hang_up(gone);
    free(gone);
    fixture_pass(fixture, 2 * MINUTE_MS);
    struct web_request *next = get(fixture, TOKEN);
    fixture_quiet(fixture);
    fake_hang_up(next);
    free(next);
    fixture_issue(fixture, question, "tok", 1, HOUR_MS);
    expect_answer(get(fixture, TOKEN), 200, "\"tok\"");
    fixture_quiet(fixture);
}

static void test_freed_while_out(void **state)
{
    struct fixture *fixture = *state;
    struct web_request *request = get(fixture, TOKEN);

    message_free(fixture_take(fixture, ASK_TOKEN));
    fake_hang_up(request);
    free(request);
}

/* The answer to a question of tokens that are no more. */
static void test_answer_after_the_end(void **state)
{
    struct fixture *fixture = *state;
    struct web_request *request = get(fixture, TOKEN);
    struct message *question = fixture_take(fixture, ASK_TOKEN);

    fake_hang_up(request);
    free(request);
    fixture->context.tokens = tokens_free(fixture->context.tokens);
    fixture_issue(fixture, question, "tok", 1, HOUR_MS);
}

static void test_settings_change_the_presentation(void **state)
{
    struct fixture *fixture = *state;
    struct provider *zenegy = fixture->context.settings->providers[0];

    warm(fixture, "tok", 1, HOUR_MS);
    free(zenegy->present_scheme);
    zenegy->present_scheme = strdup("Token");
    free(zenegy->api_base);
    zenegy->api_base = NULL;
    tokens_settings_changed(fixture->context.tokens);
    struct web_request *request = get(fixture, TOKEN);
    assert_null(strstr(request->answer, "api_base"));
    expect_answer(request, 200, "\"value\":\"Token tok\"");
    fixture_quiet(fixture);
}

/* FIXTURE_UID and the next ones may have every token. */
static void let_in(struct fixture *fixture, size_t count)
{
    fixture_rule(fixture, FIXTURE_UID, MAY_TOKEN, "*");
    struct access_rule *rule = &fixture->context.settings->rules[0];
    free(rule->who);
    rule->who = calloc(count, sizeof(*rule->who));
    rule->who_count = count;
    for (size_t i = 0; i < count; i++)
        rule->who[i] = (struct access_who){ .has_user = true, .user = FIXTURE_UID + (uid_t)i };
}

/* One uid's requests shut out none of another that may have the same token. */
static void test_waiters_bounded(void **state)
{
    enum { OWN_MAX = TOKENS_WAITERS_PER_ACCOUNT_AND_UID_MAX };
    struct fixture *fixture = *state;
    static struct web_request *requests[OWN_MAX], *others[OWN_MAX];

    let_in(fixture, 3);
    for (int i = 0; i < OWN_MAX; i++)
        requests[i] = get(fixture, TOKEN);
    struct web_request *refused = get(fixture, TOKEN);
    assert_string_equal(refused->retry_after, "1");
    expect_answer(refused, 429, "\"too_many_requests\"");

    /* Another account still has room, up to the uid's share. */
    struct web_request *other = get(fixture, "/v1/token/zenegy/other");
    assert_int_equal(other->answers, 0);

    for (int i = 0; i < OWN_MAX; i++) {
        others[i] = fixture_send_as(fixture, FIXTURE_UID + 1, "GET", TOKEN, NULL);
        assert_int_equal(others[i]->answers, 0);
    }
    expect_answer(fixture_send_as(fixture, FIXTURE_UID + 2, "GET", TOKEN, NULL), 503, "\"busy\"");
    fixture_issue(fixture, fixture_take(fixture, ASK_TOKEN), "tok", 1, HOUR_MS);
    for (int i = 0; i < OWN_MAX; i++) {
        expect_answer(requests[i], 200, "\"tok\"");
        expect_answer(others[i], 200, "\"tok\"");
    }
    fixture_issue(fixture, fixture_take(fixture, ASK_TOKEN), "two", 1, HOUR_MS);
    expect_answer(other, 200, "\"two\"");
}

static int set_up_full(void **state)
{
    *state = fixture_new(1);
    return 0;
}

static void test_back_full(void **state)
{
    struct fixture *fixture = *state;
    struct web_request *waiting = get(fixture, TOKEN);

    expect_answer(get(fixture, "/v1/token/zenegy/other"), 503, "\"busy\"");
    /* Who joins a question needs no room. */
    struct web_request *joined = get(fixture, TOKEN "?min_ttl=1000");
    struct message *question = fixture_take(fixture, ASK_TOKEN);
    struct message *answer = fixture_answer(question);
    answer->token = fixture_token("tok", 1, HOUR_MS);
    answer->token->expires_at = clock_now() + 5 * MINUTE_MS;
    struct web_request *blocking = get(fixture, "/v1/token/zenegy/third");
    fixture_deliver(fixture, answer);
    expect_answer(waiting, 200, "\"tok\"");
    expect_answer(joined, 503, "\"busy\"");
    fake_hang_up(blocking);
    free(blocking);
}

static void test_stop(void **state)
{
    struct fixture *fixture = *state;

    warm(fixture, "tok", 1, HOUR_MS);
    struct web_request *one = get(fixture, "/v1/token/zenegy/one");
    struct web_request *two = get(fixture, "/v1/token/zenegy/two");
    tokens_stop(fixture->context.tokens);
    expect_answer(one, 503, "\"busy\"");
    expect_answer(two, 503, "stopping");
    expect_answer(get(fixture, "/v1/token/zenegy/three"), 503, "\"busy\"");
    expect_answer(get(fixture, TOKEN), 200, "\"tok\"");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_set_up, fixture_tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_whole_answer),
        TEST(test_static_token_has_no_end),
        TEST(test_plain),
        TEST(test_cached_and_counted_down),
        cmocka_unit_test(test_min_ttl),
        TEST(test_one_question_for_all),
        TEST(test_accounts_do_not_wait_for_each_other),
        TEST(test_larger_wish_asks_again),
        TEST(test_issued_lifetime_decides),
        TEST(test_answer_that_never_serves),
        TEST(test_timeouts),
        TEST(test_gone),
        TEST(test_freed_while_out),
        TEST(test_answer_after_the_end),
        TEST(test_settings_change_the_presentation),
        TEST(test_waiters_bounded),
        cmocka_unit_test_setup_teardown(test_back_full, set_up_full, fixture_tear_down),
        TEST(test_stop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

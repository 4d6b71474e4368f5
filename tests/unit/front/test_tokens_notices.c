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

static void test_reject_drops_at_once(void **state)
{
    struct fixture *fixture = *state;
    char fingerprint[FINGERPRINT_SIZE];
    struct account_name acme;

    assert_true(account_name_make("zenegy", "acme", &acme));
    warm(fixture, "tok", 1, HOUR_MS);
    tokens_reject(fixture->context.tokens, &acme, digest_text("other", 5, fingerprint));
    expect_answer(get(fixture, TOKEN), 200, "\"tok\"");
    tokens_reject(fixture->context.tokens, &acme, digest_text("tok", 3, fingerprint));
    struct web_request *request = get(fixture, TOKEN);
    assert_int_equal(request->answers, 0);
    fixture_issue(fixture, fixture_take(fixture, ASK_TOKEN), "new", 2, HOUR_MS);
    expect_answer(request, 200, "\"new\"");
}

/* A rejection while the question is out: what comes may be the rejected token. */
static void test_reject_overtakes_answer(void **state)
{
    struct fixture *fixture = *state;
    char fingerprint[FINGERPRINT_SIZE];
    struct account_name acme;
    struct web_request *request = get(fixture, TOKEN);

    assert_true(account_name_make("zenegy", "acme", &acme));
    tokens_reject(fixture->context.tokens, &acme, digest_text("tok", 3, fingerprint));
    fixture_issue(fixture, fixture_take(fixture, ASK_TOKEN), "tok", 1, HOUR_MS);
    assert_int_equal(request->answers, 0);
    fixture_issue(fixture, fixture_take(fixture, ASK_TOKEN), "new", 2, HOUR_MS);
    expect_answer(request, 200, "\"new\"");
}

static void notice(struct fixture *fixture, struct message *letter)
{
    tokens_notice(fixture->context.tokens, letter);
    message_free(letter);
}

static void test_notices_on_the_cache(void **state)
{
    struct fixture *fixture = *state;

    /* Nothing is cached: it is not kept. */
    notice(fixture, fixture_notice("zenegy", "acme", fixture_token("early", 1, HOUR_MS), 1));
    warm(fixture, "two", 2, HOUR_MS);
    notice(fixture, fixture_notice("zenegy", "acme", fixture_token("old", 1, HOUR_MS), 1));
    expect_answer(get(fixture, TOKEN), 200, "\"two\"");
    notice(fixture, fixture_notice("zenegy", "acme", fixture_token("same", 2, HOUR_MS), 2));
    expect_answer(get(fixture, TOKEN), 200, "\"two\"");
    notice(fixture, fixture_notice("zenegy", "acme", fixture_token("three", 3, HOUR_MS), 3));
    expect_answer(get(fixture, TOKEN), 200, "\"three\"");
    notice(fixture, fixture_notice("zenegy", "acme", NULL, 2));
    expect_answer(get(fixture, TOKEN), 200, "\"three\"");
    fixture_quiet(fixture);
    notice(fixture, fixture_notice("zenegy", "acme", NULL, 3));
    warm(fixture, "four", 4, HOUR_MS);
    notice(fixture, fixture_notice("zenegy", "acme", NULL, 0));
    warm(fixture, "one", 1, HOUR_MS);
    notice(fixture, fixture_notice("", "", NULL, 0));
    warm(fixture, "last", 1, HOUR_MS);
}

/* Notices that come while the question is out, and the answer that was sent before them. */
struct overtaking_row {
    const char *provider;
    const char *token; /* of the notice */
    uint64_t generation;
    uint64_t answered; /* the answer's generation */
    bool served;
};

static const struct overtaking_row overtakings[] = {
    { "zenegy", "new", 5, 5, true },          { "zenegy", "new", 5, 6, true },
    { "zenegy", "new", 5, 4, false },         { "zenegy", NULL, 5, 5, false },
    { "zenegy", NULL, 5, 6, true },           { "zenegy", NULL, 0, 5, false },
    { "zenegy", NULL, UINT64_MAX, 5, false }, { "zenpayroll", NULL, 5, 5, true },
    { "zenpayroll", "new", 5, 4, true },      { "", NULL, 0, 5, false },
};

static void test_notices_on_the_answer(void **state)
{
    for (size_t i = 0; i < sizeof(overtakings) / sizeof(overtakings[0]); i++) {
        const struct overtaking_row *row = &overtakings[i];
        struct fixture *fixture = fixture_new(100);
        void *fixture_state = fixture;
        struct web_request *request = get(fixture, TOKEN);
        struct issued_token *token =
            row->token ? fixture_token(row->token, row->generation, HOUR_MS) : NULL;

        notice(fixture,
               fixture_notice(row->provider, *row->provider ? "acme" : "", token, row->generation));
        fixture_issue(fixture, fixture_take(fixture, ASK_TOKEN), "answered", row->answered,
                      HOUR_MS);
        if (request->answers != row->served)
            fail_msg("row %zu", i);
        /* The answer to a question that was asked after the notice is believed. */
        if (!row->served)
            fixture_issue(fixture, fixture_take(fixture, ASK_TOKEN), "answered", row->answered,
                          HOUR_MS);
        expect_answer(request, 200, "\"answered\"");
        fixture_quiet(fixture);
        fixture_tear_down(&fixture_state);
    }
}

/* An account that is forgotten and made anew while the question is out counts from 1 again. */
static void test_generations_begin_anew(void **state)
{
    struct fixture *fixture = *state;
    struct web_request *request = get(fixture, TOKEN);

    notice(fixture, fixture_notice("zenegy", "acme", fixture_token("tok", 5, HOUR_MS), 5));
    notice(fixture, fixture_notice("zenegy", "acme", NULL, 0));
    fixture_issue(fixture, fixture_take(fixture, ASK_TOKEN), "old", 5, HOUR_MS);
    fixture_issue(fixture, fixture_take(fixture, ASK_TOKEN), "anew", 1, HOUR_MS);
    expect_answer(request, 200, "\"anew\"");
}

/* A consent that came while the refusal was on its way is believed, not the refusal. */
static void test_overtaken_failure(void **state)
{
    struct fixture *fixture = *state;
    struct web_request *request = get(fixture, TOKEN);
    struct message *letter = fixture_notice("zenegy", "acme", NULL, 0);

    tokens_notice(fixture->context.tokens, letter);
    message_free(letter);
    fixture_fail(fixture, fixture_take(fixture, ASK_TOKEN), WIRE_CONSENT_REQUIRED);
    assert_int_equal(request->answers, 0);
    fixture_fail(fixture, fixture_take(fixture, ASK_TOKEN), WIRE_CONSENT_REQUIRED);
    expect_answer(request, 409, "consent_required");
    fixture_quiet(fixture);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_set_up, fixture_tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_reject_drops_at_once),   TEST(test_reject_overtakes_answer),
        TEST(test_notices_on_the_cache),   cmocka_unit_test(test_notices_on_the_answer),
        TEST(test_generations_begin_anew), TEST(test_overtaken_failure),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#include "fixture.h"

enum { HOUR_MS = 3600 * 1000 };

static void test_refresh(void **state)
{
    struct fixture *fixture = *state;
    struct web_request *request = fixture_send(fixture, "POST", "/v1/refresh/zenegy/a", NULL);

    fixture_issue(fixture, fixture_take(fixture, ASK_REFRESH), "secret-token", 7, HOUR_MS);
    assert_int_equal(request->answers, 0);
    fixture_deliver(fixture, fixture_rows(fixture_take(fixture, ASK_ACCOUNT), 'a', 1));
    assert_null(strstr(request->answer, "secret-token"));
    expect_answer(request, 200, "\"generation\":7");
}

/* The back may tell of the account with the token. */
static void test_refresh_with_its_row(void **state)
{
    struct fixture *fixture = *state;
    struct web_request *request = fixture_send(fixture, "POST", "/v1/refresh/zenegy/a", NULL);
    struct message *answer = fixture_rows(fixture_take(fixture, ASK_REFRESH), 'a', 1);

    answer->token = fixture_token("secret-token", 7, HOUR_MS);
    fixture_deliver(fixture, answer);
    assert_null(strstr(request->answer, "secret-token"));
    expect_answer(request, 200, "\"generation\":7");
    fixture_quiet(fixture);
}

static void test_refresh_refused(void **state)
{
    struct fixture *fixture = *state;
    struct web_request *request = fixture_send(fixture, "POST", "/v1/refresh/zenegy/a", NULL);
    struct message *answer = fixture_answer(fixture_take(fixture, ASK_REFRESH));

    message_fail(answer, WIRE_TOO_MANY_REQUESTS, "refreshed just now");
    answer->failure.retry_after_s = 9;
    fixture_deliver(fixture, answer);
    assert_string_equal(request->retry_after, "9");
    expect_answer(request, 429, "\"retry_after\":9");
    fixture_quiet(fixture);
}

/* The connection goes between the two questions. */
static void test_refresh_gone(void **state)
{
    struct fixture *fixture = *state;
    struct web_request *request = fixture_send(fixture, "POST", "/v1/refresh/zenegy/a", NULL);

    fixture_issue(fixture, fixture_take(fixture, ASK_REFRESH), "tok", 7, HOUR_MS);
    struct message *question = fixture_take(fixture, ASK_ACCOUNT);
    fake_hang_up(request);
    free(request);
    fixture_deliver(fixture, fixture_rows(question, 'a', 1));
}

/* What the API refused is gone before the back has heard of it. */
static void test_reject(void **state)
{
    struct fixture *fixture = *state;
    char fingerprint[FINGERPRINT_SIZE];
    struct web_request *request = fixture_send(fixture, "GET", "/v1/token/zenegy/a", NULL);

    fixture_issue(fixture, fixture_take(fixture, ASK_TOKEN), "tok", 1, HOUR_MS);
    expect_answer(request, 200, "\"tok\"");
    request = fixture_send(fixture, "POST", "/v1/reject/zenegy/a", "{\"access_token\":\"tok\"}");
    struct message *question = fixture_take(fixture, ASK_REJECT);
    assert_string_equal(question->fingerprint, digest_text("tok", 3, fingerprint));

    struct web_request *after = fixture_send(fixture, "GET", "/v1/token/zenegy/a", NULL);
    assert_int_equal(after->answers, 0);
    fixture_deliver(fixture, fixture_answer(question));
    expect_answer(request, 200, "{\"account\":\"zenegy/a\",\"rejected\":true}");
    fixture_issue(fixture, fixture_take(fixture, ASK_TOKEN), "new", 2, HOUR_MS);
    expect_answer(after, 200, "\"new\"");
}

static void test_reject_by_fingerprint(void **state)
{
    struct fixture *fixture = *state;
    char fingerprint[FINGERPRINT_SIZE], body[100];

    digest_text("tok", 3, fingerprint);
    snprintf(body, sizeof(body), "{\"fingerprint\":\"%s\"}", fingerprint);
    struct web_request *request = fixture_send(fixture, "POST", "/v1/reject/zenegy/a", body);
    struct message *question = fixture_take(fixture, ASK_REJECT);
    assert_string_equal(question->fingerprint, fingerprint);
    fixture_fail(fixture, question, WIRE_UNKNOWN_ACCOUNT);
    expect_answer(request, 404, "unknown_account");
}

struct retry_row {
    const char *target;
    const char *provider;
    const char *label;
};

static const struct retry_row retries[] = {
    { "/v1/retry", "", "" },
    { "/v1/retry/zenegy", "zenegy", "" },
    { "/v1/retry/zenegy/a", "zenegy", "a" },
};

static void test_retry(void **state)
{
    struct fixture *fixture = *state;

    for (size_t i = 0; i < sizeof(retries) / sizeof(retries[0]); i++) {
        struct web_request *request = fixture_send(fixture, "POST", retries[i].target, NULL);
        struct message *question = fixture_take(fixture, ASK_RETRY);
        assert_string_equal(question->account.provider, retries[i].provider);
        assert_string_equal(question->account.label, retries[i].label);
        fixture_deliver(fixture, fixture_answer(question));
        assert_string_equal(request->answer, "{\"retried\":true}");
        free(request);
    }
}

/* What is counted until now goes to the back before the question does. */
static void test_audit(void **state)
{
    struct fixture *fixture = *state;

    audit_count(fixture->context.audit,
                &(struct audit_event){ "zenegy/a", 5, "sync.service", "token", 3 });
    struct web_request *request =
        fixture_send(fixture, "GET", "/v1/audit?account=zenegy/a&before=9&limit=2", NULL);
    message_free(fixture_take(fixture, TELL_AUDIT));
    struct message *question = fixture_take(fixture, ASK_AUDIT);
    assert_string_equal(question->audit_query.filter.account, "zenegy/a");
    assert_int_equal(question->audit_query.filter.before, 9);
    assert_int_equal(question->audit_query.limit, 2);

    struct message *answer = fixture_answer(question);
    answer->audit = calloc(2, sizeof(answer->audit[0]));
    answer->audit_count = 2;
    answer->audit[0] = (struct audit_row){ .id = 8,
                                           .account = "zenegy/a",
                                           .uid = 4294967294U,
                                           .unit = "sync.service",
                                           .verdict = "token",
                                           .generation = 3,
                                           .count = 40,
                                           .first_at = 1000,
                                           .last_at = 2000 };
    answer->audit[1] = (struct audit_row){ .id = 6, .verdict = "retry", .count = 1 };
    fixture_deliver(fixture, answer);
    assert_string_equal(
        request->answer,
        "{\"audit\":[{\"id\":8,\"account\":\"zenegy/a\",\"uid\":4294967294,"
        "\"unit\":\"sync.service\",\"verdict\":\"token\",\"generation\":3,\"count\":40,"
        "\"first_at\":1001,\"last_at\":1002},"
        "{\"id\":6,\"account\":\"\",\"uid\":0,\"verdict\":\"retry\",\"generation\":0,"
        "\"count\":1,\"first_at\":1000,\"last_at\":1000}],\"next\":6}");
    free(request);
}

static void test_audit_last_page(void **state)
{
    struct fixture *fixture = *state;
    struct web_request *request = fixture_send(fixture, "GET", "/v1/audit", NULL);
    struct message *question = fixture_take(fixture, ASK_AUDIT);

    assert_int_equal(question->audit_query.limit, WIRE_LIST_LIMIT_DEFAULT);
    assert_int_equal(question->audit_query.filter.before, 0);
    fixture_deliver(fixture, fixture_answer(question));
    assert_string_equal(request->answer, "{\"audit\":[]}");
    free(request);
}

static struct message *healthy(struct message *question)
{
    struct message *answer = fixture_answer(question);

    answer->health = calloc(1, sizeof(*answer->health));
    answer->health->store_ok = true;
    answer->health->accounts[ACCOUNT_ACTIVE] = 3;
    answer->health->accounts[ACCOUNT_CONSENT_REQUIRED] = 1;
    answer->health->provider_count = 1;
    answer->health->providers = calloc(1, sizeof(answer->health->providers[0]));
    snprintf(answer->health->providers[0].provider, PROVIDER_NAME_MAX, "zenegy");
    return answer;
}

static void test_health(void **state)
{
    struct fixture *fixture = *state;
    struct web_request *request = fixture_send(fixture, "GET", "/v1/health", NULL);

    fixture_deliver(fixture, healthy(fixture_take(fixture, ASK_HEALTH)));
    assert_string_equal(request->answer,
                        "{\"status\":\"ok\",\"version\":\"" TOKENBROKER_VERSION "\","
                        "\"store\":{\"ok\":true},"
                        "\"accounts\":{\"active\":3,\"suspect\":0,\"consent_required\":1},"
                        "\"providers\":[{\"name\":\"zenegy\",\"paused\":false}],"
                        "\"callback\":[]}");
    free(request);
}

static void test_health_degraded(void **state)
{
    struct fixture *fixture = *state;
    struct web_request *paused = fixture_send(fixture, "GET", "/v1/health", NULL);
    struct message *answer = healthy(fixture_take(fixture, ASK_HEALTH));

    answer->health->providers[0].paused = true;
    snprintf(answer->health->providers[0].reason, 64, "invalid_client");
    answer->health->providers[0].probe_at = 5000;
    fixture_deliver(fixture, answer);
    assert_non_null(strstr(paused->answer, "\"paused\":true,\"reason\":\"invalid_client\","
                                           "\"probe_at\":1005"));
    expect_answer(paused, 200, "\"degraded\"");

    struct web_request *full = fixture_send(fixture, "GET", "/v1/health", NULL);
    answer = healthy(fixture_take(fixture, ASK_HEALTH));
    answer->health->store_ok = false;
    snprintf(answer->health->store_problem, 100, "the disk is full");
    fixture_deliver(fixture, answer);
    assert_non_null(strstr(full->answer, "{\"ok\":false,\"problem\":\"the disk is full\"}"));
    expect_answer(full, 200, "\"degraded\"");

    struct web_request *failed = fixture_send(fixture, "GET", "/v1/health", NULL);
    fixture_fail(fixture, fixture_take(fixture, ASK_HEALTH), WIRE_INTERNAL);
    expect_answer(failed, 200, "\"problem\":\"the test said no\"");
}

static void test_health_of_a_stuck_back(void **state)
{
    struct fixture *fixture = *state;
    struct web_request *request = fixture_send(fixture, "GET", "/v1/health", NULL);
    struct message *question = fixture_take(fixture, ASK_HEALTH);

    fixture_pass(fixture, 1999);
    assert_int_equal(request->answers, 0);
    fixture_pass(fixture, 1);
    assert_non_null(strstr(request->answer, "\"status\":\"degraded\""));
    expect_answer(request, 200, "\"problem\":\"the store has not answered for 2 s\"");
    /* Its late answer is for nobody. */
    fixture_deliver(fixture, healthy(question));
}

static struct message *healthy_but_paused(struct message *question)
{
    struct message *answer = healthy(question);
    answer->health->providers[0].paused = true;
    return answer;
}

/* Who may do anything may ask; the providers' names and pauses are for who may monitor. */
static void test_health_rights(void **state)
{
    struct fixture *fixture = *state;

    fixture_rule(fixture, FIXTURE_UID, MAY_REJECT, "zenegy/a");
    expect_answer(fixture_send_as(fixture, STRANGER_UID, "GET", "/v1/health", NULL), 403,
                  "forbidden");
    struct web_request *request = fixture_send(fixture, "GET", "/v1/health", NULL);
    fixture_deliver(fixture, healthy_but_paused(fixture_take(fixture, ASK_HEALTH)));
    assert_null(strstr(request->answer, "zenegy"));
    expect_answer(request, 200, "\"status\":\"ok\"");

    fixture->context.settings->rules[0].may = MAY_MONITOR;
    request = fixture_send(fixture, "GET", "/v1/health", NULL);
    fixture_deliver(fixture, healthy(fixture_take(fixture, ASK_HEALTH)));
    expect_answer(request, 200, "\"providers\":[{\"name\":\"zenegy\"");
}

static int set_up_full(void **state)
{
    *state = fixture_new(1);
    return 0;
}

static void test_back_full(void **state)
{
    struct fixture *fixture = *state;
    struct web_request *waiting = fixture_send(fixture, "GET", "/v1/health", NULL);
    struct web_request *refused = fixture_send(fixture, "GET", "/v1/accounts/zenegy/a", NULL);

    assert_string_equal(refused->retry_after, "1");
    expect_answer(refused, 503, "\"busy\"");
    expect_answer(fixture_send(fixture, "GET", "/v1/health", NULL), 200, "\"degraded\"");
    expect_answer(fixture_send(fixture, "GET", "/v1/accounts", NULL), 503, "\"busy\"");
    fake_hang_up(waiting);
    free(waiting);
}

/* One uid cannot take all the room there is to wait in. */
static void test_share_of_a_uid(void **state)
{
    struct fixture *fixture = *state;
    static struct web_request *requests[DEADLINES_PER_UID_MAX];

    for (int i = 0; i < DEADLINES_PER_UID_MAX; i++)
        requests[i] = fixture_send(fixture, "GET", "/v1/accounts/zenegy/a", NULL);
    expect_answer(fixture_send(fixture, "GET", "/v1/token/zenegy/a", NULL), 429,
                  "\"too_many_requests\"");
    struct web_request *health = fixture_send_as(fixture, FIXTURE_UID, "GET", "/v1/health", NULL);
    expect_answer(health, 200, "\"degraded\"");
    fake_hang_up(requests[0]);
    free(requests[0]);
    requests[0] = fixture_send(fixture, "GET", "/v1/token/zenegy/a", NULL);
    assert_int_equal(requests[0]->answers, 0);
    for (int i = 0; i < DEADLINES_PER_UID_MAX; i++) {
        fake_hang_up(requests[i]);
        free(requests[i]);
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_set_up, fixture_tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_refresh),
        TEST(test_refresh_with_its_row),
        TEST(test_refresh_refused),
        TEST(test_refresh_gone),
        TEST(test_reject),
        TEST(test_reject_by_fingerprint),
        TEST(test_retry),
        TEST(test_audit),
        TEST(test_audit_last_page),
        TEST(test_health),
        TEST(test_health_degraded),
        TEST(test_health_of_a_stuck_back),
        TEST(test_health_rights),
        cmocka_unit_test_setup_teardown(test_back_full, set_up_full, fixture_tear_down),
        TEST(test_share_of_a_uid),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

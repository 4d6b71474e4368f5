#include "fixture.h"

#include "front/metrics_text.h"

enum { DAY_MS = 24 * 3600 * 1000 };

static struct message *health_for(struct message *question)
{
    struct message *answer = fixture_answer(question);

    answer->health = calloc(1, sizeof(*answer->health));
    answer->health->store_ok = true;
    answer->health->commit_groups = 7;
    answer->health->commit_failures = 2;
    answer->health->audit_waiting = 5;
    answer->health->audit_lost = 6;
    answer->health->provider_count = 1;
    answer->health->providers = calloc(1, sizeof(*answer->health->providers));
    struct provider_health *provider = answer->health->providers;
    snprintf(provider->provider, sizeof(provider->provider), "zenegy");
    provider->in_air = 3;
    provider->paused = true;
    provider->attempts[VERDICT_GRANTED] = 40;
    provider->attempts[VERDICT_NO_ANSWER] = 4;
    return answer;
}

/* Answers the first question; the request then asks for the accounts. */
static struct web_request *begin(struct fixture *fixture)
{
    struct web_request *request = fixture_send(fixture, "GET", "/metrics", NULL);

    fixture_deliver(fixture, health_for(fixture_take(fixture, ASK_HEALTH)));
    return request;
}

static void expect_lines(const struct web_request *request, const char *const *lines)
{
    assert_int_equal(request->status, 200);
    for (; *lines; lines++) {
        char line[256];
        snprintf(line, sizeof(line), "\n%s\n", *lines);
        if (!strstr(request->answer, line))
            print_error("no line %s in\n%s\n", *lines, request->answer);
        assert_non_null(strstr(request->answer, line));
    }
}

static void test_all_that_is_counted(void **state)
{
    struct fixture *fixture = *state;
    struct web_request *request = begin(fixture);
    struct message *page = fixture_rows(fixture_take(fixture, ASK_ACCOUNTS), 'a', 3);

    page->rows[0].has_refresh_token = page->rows[1].has_refresh_token = true;
    page->rows[0].refresh_token_expires_at = fixture_now + 5 * DAY_MS;
    page->rows[1].refresh_token_expires_at = fixture_now + 20LL * DAY_MS;
    page->rows[2].state = ACCOUNT_CONSENT_REQUIRED;
    page->rows[2].expires_at = fixture_now + 1;
    fixture_deliver(fixture, page);
    expect_lines(
        request,
        (const char *const[]){
            "tokenbroker_build_info{version=\"" TOKENBROKER_VERSION "\"} 1",
            "tokenbroker_accounts{provider=\"zenegy\",state=\"active\"} 2",
            "tokenbroker_accounts{provider=\"zenegy\",state=\"consent_required\"} 1",
            "tokenbroker_grants_dying{provider=\"zenegy\",days=\"3\"} 0",
            "tokenbroker_grants_dying{provider=\"zenegy\",days=\"7\"} 1",
            "tokenbroker_grants_dying{provider=\"zenegy\",days=\"14\"} 1",
            "tokenbroker_grants_dying{provider=\"zenegy\",days=\"30\"} 2",
            "tokenbroker_provider_paused{provider=\"zenegy\"} 1",
            "tokenbroker_refreshes_in_air{provider=\"zenegy\"} 3",
            "tokenbroker_refresh_attempts_total{provider=\"zenegy\",verdict=\"granted\"} 40",
            "tokenbroker_refresh_attempts_total{provider=\"zenegy\",verdict=\"no_answer\"} 4",
            "tokenbroker_commit_groups_total 7",
            "tokenbroker_commit_failures_total 2",
            "tokenbroker_audit_waiting 5",
            "tokenbroker_audit_lost_total 6",
            "tokenbroker_store_ok 1",
            "tokenbroker_refreshing 1",
            "tokenbroker_event_followers 0",
            "tokenbroker_token_answers_total{result=\"hit\"} 0",
            "# EOF",
            NULL });
    assert_string_equal(request->content_type, METRICS_CONTENT_TYPE);
    assert_null(strstr(request->answer, "zenegy/"));
    free(request);
}

static void test_whether_anything_is_refreshed(void **state)
{
    static const struct {
        struct health health;
        const char *line;
    } cases[] = {
        { { .store_ok = true }, "tokenbroker_refreshing 1" },
        { { .store_ok = false }, "tokenbroker_refreshing 0" },
        { { .store_ok = true, .copied = "it is older" }, "tokenbroker_refreshing 0" },
        { { .store_ok = true, .moved_at = 7 }, "tokenbroker_refreshing 0" },
    };
    struct fixture *fixture = *state;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct web_request *request = fixture_send(fixture, "GET", "/metrics", NULL);
        struct message *answer = health_for(fixture_take(fixture, ASK_HEALTH));
        answer->health->store_ok = cases[i].health.store_ok;
        answer->health->moved_at = cases[i].health.moved_at;
        snprintf(answer->health->copied, sizeof(answer->health->copied), "%s",
                 cases[i].health.copied);
        fixture_deliver(fixture, answer);
        fixture_deliver(fixture, fixture_rows(fixture_take(fixture, ASK_ACCOUNTS), 'a', 0));
        expect_lines(request, (const char *const[]){ cases[i].line, NULL });
        free(request);
    }
}

/* A grant that the broker's own refreshes keep alive is not counted as dying. */
static void test_idle_ends_that_move_away(void **state)
{
    struct fixture *fixture = *state;

    fixture_now = 100LL * DAY_MS;
    fixture->context.settings->providers[0]->refresh_token_idle_lifetime_ms = 3 * DAY_MS;
    for (int calm = 0; calm < 2; calm++) {
        struct web_request *request = begin(fixture);
        struct message *page = fixture_rows(fixture_take(fixture, ASK_ACCOUNTS), 'a', 1);
        page->rows[0].has_refresh_token = true;
        page->rows[0].refreshed_at = fixture_now - (calm ? 0 : (5 * DAY_MS) / 2);
        fixture_deliver(fixture, page);
        expect_lines(request,
                     (const char *const[]){
                         calm ? "tokenbroker_grants_dying{provider=\"zenegy\",days=\"30\"} 0"
                              : "tokenbroker_grants_dying{provider=\"zenegy\",days=\"1\"} 1",
                         NULL });
        assert_int_equal(strstr(request->answer, "seconds{provider") == NULL, calm);
        free(request);
    }
}

static struct message *full_page(struct message *question)
{
    struct message *answer = fixture_answer(question);
    char label[16];

    answer->row_count = WIRE_LIST_LIMIT_MAX;
    answer->rows = calloc(WIRE_LIST_LIMIT_MAX, sizeof(*answer->rows));
    for (int i = 0; i < WIRE_LIST_LIMIT_MAX; i++) {
        snprintf(label, sizeof(label), "l%03d", i);
        assert_true(account_name_make("zenegy", label, &answer->rows[i].name));
    }
    return answer;
}

static void test_many_accounts_come_in_pages(void **state)
{
    struct fixture *fixture = *state;
    struct web_request *request = begin(fixture);
    struct message *question = fixture_take(fixture, ASK_ACCOUNTS);

    assert_int_equal(question->limit, WIRE_LIST_LIMIT_MAX);
    assert_string_equal(question->account.provider, "");
    struct message *page = full_page(question);
    fixture_deliver(fixture, page);
    assert_int_equal(request->answers, 0);
    question = fixture_take(fixture, ASK_ACCOUNTS);
    assert_string_equal(question->account.label, "l499");
    fixture_deliver(fixture, fixture_rows(question, 'a', 2));
    expect_lines(request,
                 (const char *const[]){
                     "tokenbroker_accounts{provider=\"zenegy\",state=\"active\"} 502", NULL });
    free(request);
}

static void test_token_answers_are_counted(void **state)
{
    struct fixture *fixture = *state;

    struct web_request *waits = fixture_send(fixture, "GET", "/v1/token/zenegy/a", NULL);
    fixture_issue(fixture, fixture_take(fixture, ASK_TOKEN), "at-1", 1, 3600 * 1000);
    expect_answer(waits, 200, "at-1");
    expect_answer(fixture_send(fixture, "GET", "/v1/token/zenegy/a", NULL), 200, "at-1");
    expect_answer(fixture_send(fixture, "GET", "/v1/token/zenegy/a", NULL), 200, "at-1");
    expect_answer(fixture_send(fixture, "GET", "/v1/token/zenegy/a?min_ttl=x", NULL), 400, "min");
    expect_answer(fixture_send(fixture, "GET", "/v1/token/other/a", NULL), 404, "other");
    waits = fixture_send(fixture, "GET", "/v1/token/zenegy/b", NULL);
    fixture_fail(fixture, fixture_take(fixture, ASK_TOKEN), WIRE_CONSENT_REQUIRED);
    free(waits);
    expect_answer(fixture_send_as(fixture, STRANGER_UID, "GET", "/v1/token/zenegy/a", NULL), 403,
                  "forbidden");

    const struct counters *counters = &fixture->context.counters;
    assert_int_equal(counters->tokens_hit, 2);
    assert_int_equal(counters->tokens_waited, 1);
    assert_int_equal(counters->tokens_refused[WIRE_BAD_REQUEST], 1);
    assert_int_equal(counters->tokens_refused[WIRE_UNKNOWN_PROVIDER], 1);
    assert_int_equal(counters->tokens_refused[WIRE_CONSENT_REQUIRED], 1);
    assert_int_equal(counters->tokens_refused[WIRE_FORBIDDEN], 1);
    assert_int_equal(counters->tokens_refused[WIRE_INTERNAL], 0);
}

static void test_rights(void **state)
{
    struct fixture *fixture = *state;

    fixture_rule(fixture, STRANGER_UID, MAY_LIST | MAY_TOKEN, "*/*");
    expect_answer(fixture_send_as(fixture, STRANGER_UID, "GET", "/metrics", NULL), 403, "monitor");
    fixture_quiet(fixture);
}

static void test_accounts_of_others_are_not_counted(void **state)
{
    struct fixture *fixture = *state;

    fixture_rule(fixture, STRANGER_UID, MAY_MONITOR, "zenegy/b");
    struct web_request *request = fixture_send_as(fixture, STRANGER_UID, "GET", "/metrics", NULL);
    fixture_deliver(fixture, health_for(fixture_take(fixture, ASK_HEALTH)));
    fixture_deliver(fixture, fixture_rows(fixture_take(fixture, ASK_ACCOUNTS), 'a', 3));
    expect_lines(request,
                 (const char *const[]){
                     "tokenbroker_accounts{provider=\"zenegy\",state=\"active\"} 1", NULL });
    free(request);
}

static void test_a_back_that_does_not_answer(void **state)
{
    struct fixture *fixture = *state;
    struct web_request *request = fixture_send(fixture, "GET", "/metrics", NULL);

    fixture_fail(fixture, fixture_take(fixture, ASK_HEALTH), WIRE_INTERNAL);
    expect_answer(request, 500, "internal");
    request = begin(fixture);
    fixture_fail(fixture, fixture_take(fixture, ASK_ACCOUNTS), WIRE_INTERNAL);
    expect_answer(request, 500, "internal");
    request = begin(fixture);
    message_free(fixture_take(fixture, ASK_ACCOUNTS));
    fake_hang_up(request);
    free(request);
}

static void test_label_values_are_escaped(void **state)
{
    CLEANUP(cleanup_buffer) struct buffer out = BUFFER_WITH_MAXIMUM(1024);
    const struct metric metric = metric_begin(&out, "m", METRIC_COUNTER, "Help.");

    metric_put(&metric, (struct metric_label[]){ { "a", "x\"y\\z\nw" }, { "b", "" } }, 5);
    metrics_end(&out);
    assert_string_equal(buffer_text(&out),
                        "# TYPE tokenbroker_m counter\n# HELP tokenbroker_m Help.\n"
                        "tokenbroker_m_total{a=\"x\\\"y\\\\z\\nw\",b=\"\"} 5\n# EOF\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_all_that_is_counted, fixture_set_up,
                                        fixture_tear_down),
        cmocka_unit_test_setup_teardown(test_whether_anything_is_refreshed, fixture_set_up,
                                        fixture_tear_down),
        cmocka_unit_test_setup_teardown(test_idle_ends_that_move_away, fixture_set_up,
                                        fixture_tear_down),
        cmocka_unit_test_setup_teardown(test_many_accounts_come_in_pages, fixture_set_up,
                                        fixture_tear_down),
        cmocka_unit_test_setup_teardown(test_token_answers_are_counted, fixture_set_up,
                                        fixture_tear_down),
        cmocka_unit_test_setup_teardown(test_rights, fixture_set_up, fixture_tear_down),
        cmocka_unit_test_setup_teardown(test_accounts_of_others_are_not_counted, fixture_set_up,
                                        fixture_tear_down),
        cmocka_unit_test_setup_teardown(test_a_back_that_does_not_answer, fixture_set_up,
                                        fixture_tear_down),
        cmocka_unit_test(test_label_values_are_escaped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

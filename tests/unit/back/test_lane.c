/* One lane for each provider: one flight for an account, how many at once, and what a lane that is
 * configured anew, or away, makes of what is under way. */

#include "fixture.h"

#include "back/lane.h"

#include <stdio.h>

static void seed_many(struct stage *stage, unsigned count, int64_t refresh_at)
{
    for (unsigned i = 0; i < count; i++) {
        char label[16], token[32];
        (void)snprintf(label, sizeof label, "a%02u", i);
        (void)snprintf(token, sizeof token, "rt-secret-%02u", i);
        seed(stage,
             (struct seed){ .label = label, .refresh_token = token, .refresh_at = refresh_at });
    }
}

static const struct canned held = { .status = 200, .body = GRANT_ROTATED, .held = true };
static const struct canned grants = { .status = 200, .body = GRANT_ROTATED };

static void many_demands_are_one_flight(void **state)
{
    enum { DEMANDS = 40 };
    struct stage *stage = *state;
    uint64_t ids[DEMANDS];
    seed_many(stage, 1, 0);
    server_script(stage->server, held);
    start(stage);
    for (size_t i = 0; i < DEMANDS; i++)
        ids[i] = ask(stage, i % 2 ? ASK_REFRESH : ASK_TOKEN, "a00");
    assert_true(server_wait(stage->server, NULL, 1));
    rest(50);
    server_release(stage->server);
    for (size_t i = 0; i < DEMANDS; i++) {
        CLEANUP(cleanup_message) struct message *came = answer(stage, ids[i]);
        assert_false(came->failed);
        assert_true(holds(came->token->access_token, "at-secret-1"));
        assert_int_equal(came->row_count, i % 2);
        if (i % 2)
            assert_int_equal(came->rows[0].generation, 2);
    }
    assert_int_equal(server_count(stage->server, NULL), 1);
    assert_int_equal(stage->notice_count, 1);
    assert_int_equal(stage->notices[0]->token->generation, 2);
}

static void the_window_opens_with_success(void **state)
{
    struct stage *stage = *state;
    seed_many(stage, 12, 1);
    server_script(stage->server, held);
    start(stage);
    assert_true(server_wait(stage->server, NULL, 1));
    rest(100);
    assert_int_equal(server_count(stage->server, NULL), 1);
    server_release(stage->server);
    assert_true(server_wait(stage->server, NULL, 3));
    rest(100);
    assert_int_equal(server_count(stage->server, NULL), 3);
    server_release(stage->server);
    assert_true(server_wait(stage->server, NULL, 6));
    rest(100);
    assert_int_equal(server_count(stage->server, NULL), 6);
    for (int i = 0; i < 12; i++)
        server_release(stage->server);
    await_generation(stage, "a11", 2);
}

static void a_refusal_closes_the_window(void **state)
{
    struct stage *stage = *state;
    seed_many(stage, 8, 1);
    server_script(stage->server, (struct canned){ .times = 2, .status = 200, .body = GRANT_PLAIN });
    server_script(stage->server, (struct canned){ .times = 1, .status = 400, .body = REFUSED });
    server_script(stage->server, held);
    start(stage);
    /* How many were in the air by then depends on the order of the replies. */
    assert_true(server_wait(stage->server, NULL, 4));
    rest(100);
    assert_in_range(server_count(stage->server, NULL), 4, 7);
}

static void retry_after_is_honoured_for_all_and_said_to_whoever_asks(void **state)
{
    struct stage *stage = *state;
    seed_many(stage, 2, 0);
    server_script(stage->server,
                  (struct canned){ .times = 1, .status = 429, .headers = "Retry-After: 3600\r\n" });
    server_script(stage->server, grants);
    start(stage);
    CLEANUP(cleanup_message)
    struct message *first = refusal(stage, ask(stage, ASK_TOKEN, "a00"), WIRE_PROVIDER_UNAVAILABLE);
    assert_in_range(first->failure.retry_after_s, 3500, 3700);
    CLEANUP(cleanup_message)
    struct message *second =
        refusal(stage, ask(stage, ASK_TOKEN, "a01"), WIRE_PROVIDER_UNAVAILABLE);
    assert_in_range(second->failure.retry_after_s, 3500, 3700);
    assert_int_equal(server_count(stage->server, NULL), 1);
    expect_ok(stage, ask(stage, ASK_RETRY, "acme/"));
    expect_token(stage, ask(stage, ASK_TOKEN, "a01"), "at-secret-2");
}

/* It is about the server, whose section did not change. */
static void a_reload_ends_no_rest_of_the_same_server(void **state)
{
    struct stage *stage = *state;
    seed_many(stage, 2, 0);
    server_script(stage->server,
                  (struct canned){ .times = 1, .status = 429, .headers = "Retry-After: 3600\r\n" });
    server_script(stage->server, grants);
    start(stage);
    expect_failure(stage, ask(stage, ASK_TOKEN, "a00"), WIRE_PROVIDER_UNAVAILABLE);
    acme(stage)->keep = KEEP_ASKED;
    reload(stage);
    expect_failure(stage, ask(stage, ASK_TOKEN, "a01"), WIRE_PROVIDER_UNAVAILABLE);
    assert_int_equal(server_count(stage->server, NULL), 1);
    char other[128];
    (void)snprintf(other, sizeof other, "%s/other", stage->url);
    set_text(&acme(stage)->token_endpoint, other);
    reload(stage);
    expect_token(stage, ask(stage, ASK_TOKEN, "a01"), "at-secret-2");
}

/* Nobody may make the broker rest for years. */
static void retry_after_is_bounded(void **state)
{
    struct stage *stage = *state;
    seed_many(stage, 1, 0);
    server_script(stage->server,
                  (struct canned){ .status = 429, .headers = "Retry-After: 30000000\r\n" });
    start(stage);
    CLEANUP(cleanup_message) struct message *came = answer(stage, ask(stage, ASK_TOKEN, "a00"));
    assert_true(came->failed);
    assert_in_range(came->failure.retry_after_s, 3600, 25 * 3600);
}

static void a_rate_limit_is_kept_by_pace(void **state)
{
    struct stage *stage = *state;
    seed_many(stage, 4, 1);
    server_script(stage->server, (struct canned){ .status = 200, .body = GRANT_PLAIN });
    acme(stage)->rate_limit_requests = 5;
    acme(stage)->rate_limit_period_ms = 10 * SECOND;
    set_speed(10);
    start(stage);
    const int64_t begun = broker_now();
    assert_true(server_wait(stage->server, NULL, 4));
    assert_true(broker_now() - begun >= 3 * 2 * SECOND - SECOND / 2);
}

static void a_mistyped_rate_limit_ends_with_its_mending(void **state)
{
    struct stage *stage = *state;
    seed_many(stage, 2, 0);
    server_script(stage->server, grants);
    acme(stage)->rate_limit_requests = 1;
    acme(stage)->rate_limit_period_ms = HOUR;
    start(stage);
    expect_token(stage, ask(stage, ASK_TOKEN, "a00"), "at-secret-1");
    const uint64_t id = ask(stage, ASK_TOKEN, "a01");
    rest(100);
    assert_false(answered(stage, id));
    acme(stage)->rate_limit_period_ms = SECOND;
    reload(stage);
    expect_token(stage, id, "at-secret-2");
}

/* With exactly 200 ms between them a first one that is late by 1 ms would make six in a second. */
static void a_rate_limit_is_kept_where_one_comes_late(void **state)
{
    struct stage *stage = *state;
    seed_many(stage, 4, 1);
    server_script(stage->server, (struct canned){ .status = 200, .body = GRANT_PLAIN });
    acme(stage)->rate_limit_requests = 5;
    acme(stage)->rate_limit_period_ms = SECOND;
    const int64_t begun = broker_now();
    start(stage);
    assert_true(server_wait(stage->server, NULL, 4));
    assert_true(broker_now() - begun >= 3 * (SECOND + LANE_LATE_MS) / 5);
}

/* Somebody asked for it at once, but the limit is the provider's. */
static void a_canary_keeps_the_rate_limit_too(void **state)
{
    struct stage *stage = *state;
    seed_many(stage, 2, 1);
    server_script(stage->server, (struct canned){ .times = 1, .status = 401, .body = BAD_CLIENT });
    server_script(stage->server, grants);
    acme(stage)->rate_limit_requests = 1;
    acme(stage)->rate_limit_period_ms = 10 * SECOND;
    set_speed(10);
    const int64_t begun = broker_now();
    start(stage);
    await_paused(stage, true);
    expect_ok(stage, ask(stage, ASK_RETRY, "acme/"));
    await_paused(stage, false);
    assert_true(broker_now() - begun >= 10 * SECOND);
}

static void concurrency_is_the_most_at_once(void **state)
{
    enum { ACCOUNTS = 9 };
    struct stage *stage = *state;
    seed_many(stage, ACCOUNTS, 1);
    acme(stage)->concurrency = 2;
    server_script(stage->server,
                  (struct canned){ .times = 3, .status = 200, .body = GRANT_ROTATED });
    server_script(stage->server, held);
    start(stage);
    assert_true(server_wait(stage->server, NULL, 5));
    rest(200);
    assert_int_equal(server_count(stage->server, NULL), 5);
    /* A code takes a place like a refresh, and goes first. */
    const uint64_t code = ask_exchange(stage, "z", "code-secret-1", NULL);
    rest(100);
    assert_int_equal(server_count(stage->server, NULL), 5);
    server_release(stage->server);
    assert_true(server_wait(stage->server, "code-secret-1", 1));
    for (int i = 0; i < ACCOUNTS; i++) {
        rest(20);
        server_release(stage->server);
    }
    expect_ok(stage, code);
    await_generation(stage, "a08", 2);
}

static void a_window_may_be_wider_than_the_default(void **state)
{
    enum { ACCOUNTS = 100, MOST = 40 };
    struct stage *stage = *state;
    seed_many(stage, ACCOUNTS, 1);
    acme(stage)->concurrency = MOST;
    server_script(stage->server,
                  (struct canned){ .times = 60, .status = 200, .body = GRANT_ROTATED });
    server_script(stage->server, held);
    start(stage);
    assert_true(server_wait(stage->server, NULL, ACCOUNTS));
    for (int i = 0; i < ACCOUNTS; i++)
        server_release(stage->server);
    await_generation(stage, "a99", 2);
}

static void what_is_in_the_air_ends_with_the_settings_it_began_with(void **state)
{
    struct stage *stage = *state;
    char url[128];
    seed_many(stage, 2, 0);
    server_script(
        stage->server,
        (struct canned){ .times = 1, .status = 200, .body = GRANT_ROTATED, .held = true });
    server_script(stage->server, grants);
    start(stage);
    const uint64_t id = ask(stage, ASK_TOKEN, "a00");
    assert_true(server_wait(stage->server, "POST /token ", 1));
    (void)snprintf(url, sizeof url, "%s/other", stage->url);
    set_text(&acme(stage)->token_endpoint, url);
    reload(stage);
    const uint64_t next = ask(stage, ASK_TOKEN, "a01");
    server_release(stage->server);
    expect_token(stage, id, "at-secret-1");
    expect_token(stage, next, "at-secret-2");
    assert_int_equal(server_count(stage->server, "POST /other "), 1);
}

static void configure_away(struct stage *stage)
{
    (void)snprintf(acme(stage)->name, sizeof acme(stage)->name, "elsewhere");
    reload(stage);
}

static void a_provider_that_is_gone_ends_what_is_in_the_air(void **state)
{
    struct stage *stage = *state;
    seed_many(stage, 2, 0);
    server_script(stage->server, held);
    start(stage);
    const uint64_t in_air = ask(stage, ASK_TOKEN, "a00");
    assert_true(server_wait(stage->server, NULL, 1));
    const uint64_t queued = ask(stage, ASK_TOKEN, "a01");
    configure_away(stage);
    expect_failure(stage, queued, WIRE_UNKNOWN_PROVIDER);
    expect_failure(stage, ask(stage, ASK_TOKEN, "a00"), WIRE_UNKNOWN_PROVIDER);
    server_release(stage->server);
    expect_token(stage, in_air, "at-secret-1");
    (void)snprintf(acme(stage)->name, sizeof acme(stage)->name, "acme");
    reload(stage);
    expect_token(stage, ask(stage, ASK_TOKEN, "a00"), "at-secret-1");
}

static void a_flight_that_rests_is_answered_when_the_provider_goes(void **state)
{
    struct stage *stage = *state;
    seed_many(stage, 1, 0);
    server_script(stage->server, (struct canned){ .status = 400, .body = REFUSED });
    set_speed(20);
    start(stage);
    const uint64_t id = ask(stage, ASK_TOKEN, "a00");
    assert_true(server_wait(stage->server, NULL, 1));
    await_state(stage, "a00", ACCOUNT_SUSPECT);
    configure_away(stage);
    expect_failure(stage, id, WIRE_UNKNOWN_PROVIDER);
    assert_int_equal(server_count(stage->server, NULL), 1);
}

static void nothing_is_asked_for_while_the_store_refuses(void **state)
{
    struct stage *stage = *state;
    seed_many(stage, 2, 0);
    server_script(
        stage->server,
        (struct canned){ .times = 1, .status = 200, .body = GRANT_ROTATED, .held = true });
    server_script(stage->server, grants);
    start(stage);
    const uint64_t first = ask(stage, ASK_TOKEN, "a00");
    assert_true(server_wait(stage->server, NULL, 1));
    refuse_commits(4);
    server_release(stage->server);
    rest(100);
    expect_failure(stage, ask(stage, ASK_TOKEN, "a01"), WIRE_BUSY);
    CLEANUP(cleanup_message) struct message *health = answer(stage, ask(stage, ASK_HEALTH, NULL));
    assert_false(health->health->store_ok);
    assert_string_equal(health->health->store_problem, "the disk is full");
    expect_token(stage, first, "at-secret-1");
    expect_token(stage, ask(stage, ASK_TOKEN, "a01"), "at-secret-2");
}

/* In the air, resting, waiting in the queue: each is answered once (tear_down() counts). */
static void the_end_answers_everybody(void **state)
{
    struct stage *stage = *state;
    uint64_t ids[6];
    char label[16];
    seed_many(stage, 6, 0);
    server_script(stage->server, (struct canned){ .times = 1, .status = 400, .body = REFUSED });
    server_script(stage->server, held);
    set_speed(20);
    start(stage);
    for (unsigned i = 0; i < 6; i++) {
        (void)snprintf(label, sizeof label, "a%02u", i);
        ids[i] = ask(stage, ASK_TOKEN, label);
    }
    assert_true(server_wait(stage->server, NULL, 2));
    stop(stage);
    for (unsigned i = 0; i < 6; i++)
        message_free(answer(stage, ids[i]));
}

static void a_failed_account_does_not_hold_up_the_others(void **state)
{
    struct stage *stage = *state;
    seed_many(stage, 4, 1);
    server_script(stage->server, (struct canned){ .match = "rt-secret-00", .status = 503 });
    server_script(stage->server, (struct canned){ .status = 200, .body = GRANT_PLAIN });
    set_speed(10);
    start(stage);
    await_generation(stage, "a01", 2);
    await_generation(stage, "a02", 2);
    await_generation(stage, "a03", 2);
    rest(500);
    assert_int_equal(ask_state(stage, "a00"), ACCOUNT_ACTIVE);
    assert_in_range(server_count(stage->server, "rt-secret-00"), 2, 6);
}

static void few_rest_at_once_where_none_is_answered(void **state)
{
    struct stage *stage = *state;
    seed_many(stage, LANE_RESTING_MAX + 36, 1);
    server_script(stage->server, (struct canned){ .status = 503 });
    start(stage);
    assert_true(server_wait(stage->server, NULL, LANE_RESTING_MAX));
    rest(200);
    assert_int_equal(server_count(stage->server, NULL), LANE_RESTING_MAX);
    assert_true(server_wait(stage->server, NULL, LANE_RESTING_MAX + 1)); /* they go again */
}

/* Not even with a window that others opened meanwhile. */
static void what_is_in_the_air_counts_among_them(void **state)
{
    enum { GRANTED = 12, ACCOUNTS = LANE_RESTING_MAX - 1 + GRANTED + LANE_WINDOW_MAX };
    struct stage *stage = *state;
    unsigned met = 0;
    char token[32];
    seed_many(stage, ACCOUNTS, 1);
    server_script(stage->server, (struct canned){ .times = LANE_RESTING_MAX - 1, .status = 503 });
    server_script(stage->server,
                  (struct canned){ .times = GRANTED, .status = 200, .body = GRANT_ROTATED });
    server_script(stage->server, (struct canned){ .status = 503, .held = true });
    start(stage);
    assert_true(server_wait(stage->server, NULL, LANE_RESTING_MAX + GRANTED));
    rest(200);
    for (unsigned i = 0; i < ACCOUNTS; i++) {
        (void)snprintf(token, sizeof token, "rt-secret-%02u", i);
        met += server_count(stage->server, token) > 0;
    }
    assert_in_range(met, GRANTED, GRANTED + LANE_RESTING_MAX);
    for (int i = 0; i < 2 * ACCOUNTS; i++)
        server_release(stage->server);
}

static void what_is_short_is_said_once(void **state)
{
    enum { TOO_FEW = SECRET_FREE_BESIDE_FIRST / SECRET_MAX / 2 };
    static const char *const words = "the memory for secrets is full";
    struct stage *stage = *state;
    const unsigned before = logged(words);
    seed_many(stage, 3, 1);
    server_script(stage->server, grants);
    fill_secrets(TOO_FEW);
    start(stage);
    expect_failure(stage, ask(stage, ASK_TOKEN, "a00"), WIRE_BUSY);
    rest(4 * LANE_ROOM_MS);
    expect_failure(stage, ask(stage, ASK_TOKEN, "a01"), WIRE_BUSY);
    assert_int_equal(logged(words), before + 1);
    empty_secrets();
    await_generation(stage, "a02", 2);
}

/* Memory was short, say, or the disk hung: it has no other timer, and nobody asks. */
static void a_look_at_the_schedule_that_fails_is_taken_again(void **state)
{
    struct stage *stage = *state;
    set_speed(10);
    seed_many(stage, 1, broker_now() + 2 * SECOND);
    server_script(stage->server, grants);
    fail_schedule(1);
    start(stage);
    assert_true(server_wait(stage->server, NULL, 1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(many_demands_are_one_flight),
        TEST(the_window_opens_with_success),
        TEST(a_refusal_closes_the_window),
        TEST(retry_after_is_honoured_for_all_and_said_to_whoever_asks),
        TEST(retry_after_is_bounded),
        TEST(a_reload_ends_no_rest_of_the_same_server),
        TEST(a_rate_limit_is_kept_by_pace),
        TEST(a_mistyped_rate_limit_ends_with_its_mending),
        TEST(a_rate_limit_is_kept_where_one_comes_late),
        TEST(a_canary_keeps_the_rate_limit_too),
        TEST(concurrency_is_the_most_at_once),
        TEST(a_window_may_be_wider_than_the_default),
        TEST(what_is_in_the_air_ends_with_the_settings_it_began_with),
        TEST(a_provider_that_is_gone_ends_what_is_in_the_air),
        TEST(a_flight_that_rests_is_answered_when_the_provider_goes),
        TEST(nothing_is_asked_for_while_the_store_refuses),
        TEST(the_end_answers_everybody),
        TEST(a_failed_account_does_not_hold_up_the_others),
        TEST(few_rest_at_once_where_none_is_answered),
        TEST(what_is_in_the_air_counts_among_them),
        TEST(what_is_short_is_said_once),
        TEST(a_look_at_the_schedule_that_fails_is_taken_again),
    };
    return RUN(tests);
}

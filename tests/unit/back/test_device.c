/* A device login: the codes are asked for once, the token again and again at the provider's pace,
 * and what comes is stored before it is told. */

#include "fixture.h"

#include "back/device.h"
#include "back/device_poll.h"

#include <stdio.h>

#define BEGUN                                                                                      \
    "{\"device_code\":\"dc-secret-1\",\"user_code\":\"WDJB-MJHT\",\"expires_in\":600,"             \
    "\"verification_uri\":\"https://h/device\",\"interval\":2}"
#define PENDING "{\"error\":\"authorization_pending\"}"

static int set_up_device(void **state)
{
    int r = set_up(state);
    struct stage *stage = *state;
    char url[128];
    (void)snprintf(url, sizeof url, "%s/device", stage->url);
    set_text(&acme(stage)->device_authorization_endpoint, url);
    return r;
}

static int set_up_started(void **state)
{
    int r = set_up_device(state);
    set_speed(20);
    start(*state);
    return r;
}

static uint64_t ask_device(struct stage *stage, const char *label)
{
    struct message *message = question(ASK_DEVICE, label);
    message->device_request = calloc(1, sizeof *message->device_request);
    assert_non_null(message->device_request);
    message->device_request->scope = strdup("read");
    return post(stage, message);
}

static void cancel(struct stage *stage, uint64_t id)
{
    struct message *letter = message_new(TELL_CANCEL);
    assert_non_null(letter);
    letter->id = id;
    assert_int_equal(mailbox_send(stage->inbox, letter), 0);
}

static void expect_outcome(struct stage *stage, uint64_t id, enum consent_outcome outcome)
{
    CLEANUP(cleanup_message) struct message *came = answer(stage, id);
    if (came->failed)
        print_error("%s\n", came->failure.description);
    assert_false(came->failed);
    assert_int_equal(came->consent->outcome, outcome);
}

/* --- the beginning --- */

/* A reload took its endpoint away while the codes were shown. */
static void a_poll_at_a_provider_that_became_static_is_refused(void **state)
{
    struct stage *stage = *state;
    stop(stage);
    acme(stage)->grant = GRANT_STATIC;
    set_text(&acme(stage)->token_endpoint, NULL);
    set_text(&acme(stage)->device_authorization_endpoint, NULL);
    start(stage);
    expect_failure(stage, ask_poll(stage, "a", 10, MINUTE), WIRE_BUSY);
    expect_failure(stage, ask_device(stage, "a"), WIRE_BAD_REQUEST);
    assert_int_equal(server_count(stage->server, NULL), 0);
}

static void the_codes_are_told(void **state)
{
    struct stage *stage = *state;
    server_script(stage->server, (struct canned){ .status = 200, .body = BEGUN });
    CLEANUP(cleanup_message) struct message *came = answer(stage, ask_device(stage, "a"));
    assert_false(came->failed);
    assert_string_equal(came->device->user_code, "WDJB-MJHT");
    assert_true(holds(came->device->device_code, "dc-secret-1"));
    assert_int_equal(came->device->interval_ms, 2000);
    assert_int_equal(server_count(stage->server, "POST /device"), 1);
    assert_int_equal(server_count(stage->server, "scope=read"), 1);
}

static void why_it_cannot_begin_is_said(void **state)
{
    struct stage *stage = *state;
    server_script(stage->server, (struct canned){ .times = 1, .status = 401, .body = BAD_CLIENT });
    server_script(stage->server, (struct canned){ .times = 1, .status = 500, .body = "<html>" });
    server_script(stage->server, (struct canned){ .times = 1, .status = 0 });
    expect_failure(stage, ask_device(stage, "a"), WIRE_PROVIDER_REJECTED);
    expect_failure(stage, ask_device(stage, "a"), WIRE_PROVIDER_UNAVAILABLE);
    expect_failure(stage, ask_device(stage, "a"), WIRE_PROVIDER_UNAVAILABLE);
    expect_failure(stage, ask_device(stage, "nobody/a"), WIRE_UNKNOWN_PROVIDER);
    assert_int_equal(server_count(stage->server, NULL), 3);
    assert_false(ask_paused(stage));
}

static void a_rest_that_is_asked_for_is_kept(void **state)
{
    struct stage *stage = *state;
    server_script(stage->server,
                  (struct canned){ .times = 1, .status = 429, .headers = "Retry-After: 600\r\n" });
    server_script(stage->server, (struct canned){ .status = 200, .body = BEGUN });
    for (int i = 0; i < 2; i++) {
        CLEANUP(cleanup_message)
        struct message *came = refusal(stage, ask_device(stage, "a"), WIRE_PROVIDER_UNAVAILABLE);
        assert_in_range(came->failure.retry_after_s, 570, 600);
        assert_null(strstr(came->failure.description, "refused"));
    }
    assert_int_equal(server_count(stage->server, NULL), 1);
}

static void a_provider_without_the_endpoint_says_so(void **state)
{
    struct stage *stage = *state;
    expect_failure(stage, ask_device(stage, "a"), WIRE_BAD_REQUEST);
    assert_int_equal(server_count(stage->server, NULL), 0);
}

static void the_end_answers_a_beginning_that_hangs(void **state)
{
    struct stage *stage = *state;
    server_script(stage->server, (struct canned){ .status = 200, .body = BEGUN, .held = true });
    const uint64_t id = ask_device(stage, "a");
    assert_true(server_wait(stage->server, NULL, 1));
    stop(stage);
    expect_failure(stage, id, WIRE_BUSY);
}

/* --- the polls --- */

static void a_grant_is_stored_then_told(void **state)
{
    struct stage *stage = *state;
    CLEANUP(cleanup_account_row) struct account_row row = { 0 };
    CLEANUP(cleanup_grant) struct grant grant = { 0 };
    server_script(stage->server, (struct canned){ .times = 2, .status = 400, .body = PENDING });
    server_script(stage->server,
                  (struct canned){ .status = 200, .body = GRANT_ROTATED, .held = true });
    const int64_t begun = broker_now();
    const uint64_t id = ask_poll(stage, "a", 2 * SECOND, 10 * MINUTE);
    assert_true(server_wait(stage->server, NULL, 3));
    assert_true(broker_now() - begun >= 6 * SECOND);
    refuse_commits(1);
    server_release(stage->server);
    expect_outcome(stage, id, CONSENT_GRANTED);
    assert_int_equal(stage->notice_count, 1);
    assert_int_equal(server_count(stage->server, "device_code=dc-secret-1"), 3);
    stop(stage);
    stored(stage, "a", &row, &grant);
    assert_true(holds(grant.refresh_token, "rt-secret-3"));
    assert_string_equal(row.scope, "read");
}

static void slow_down_adds_five_seconds(void **state)
{
    struct stage *stage = *state;
    server_script(
        stage->server,
        (struct canned){ .times = 1, .status = 400, .body = "{\"error\":\"slow_down\"}" });
    server_script(stage->server, (struct canned){ .times = 1, .status = 400, .body = PENDING });
    server_script(stage->server, (struct canned){ .status = 200, .body = GRANT_ROTATED });
    const int64_t begun = broker_now();
    expect_outcome(stage, ask_poll(stage, "a", SECOND, 10 * MINUTE), CONSENT_GRANTED);
    assert_true(broker_now() - begun >= (1 + 6 + 6) * SECOND);
}

static void a_provider_that_fails_is_asked_less_often(void **state)
{
    struct stage *stage = *state;
    server_script(stage->server, (struct canned){ .times = 1, .status = 500, .body = "<html>" });
    server_script(stage->server, (struct canned){ .times = 1, .status = 0 });
    server_script(stage->server,
                  (struct canned){ .times = 1, .status = 503, .headers = "Retry-After: 30\r\n" });
    server_script(stage->server, (struct canned){ .status = 200, .body = GRANT_ROTATED });
    const int64_t begun = broker_now();
    expect_outcome(stage, ask_poll(stage, "a", SECOND, 10 * MINUTE), CONSENT_GRANTED);
    assert_true(broker_now() - begun >= (1 + 2 + 4 + 30) * SECOND);
    assert_int_equal(server_count(stage->server, NULL), 4);
}

static void a_refusal_ends_it(void **state)
{
    struct stage *stage = *state;
    server_script(
        stage->server,
        (struct canned){ .times = 1, .status = 400, .body = "{\"error\":\"access_denied\"}" });
    server_script(
        stage->server,
        (struct canned){ .times = 1, .status = 400, .body = "{\"error\":\"expired_token\"}" });
    server_script(stage->server, (struct canned){ .times = 1, .status = 400, .body = REFUSED });
    expect_outcome(stage, ask_poll(stage, "a", SECOND, 10 * MINUTE), CONSENT_DENIED);
    expect_outcome(stage, ask_poll(stage, "a", SECOND, 10 * MINUTE), CONSENT_EXPIRED);
    expect_failure(stage, ask_poll(stage, "a", SECOND, 10 * MINUTE), WIRE_PROVIDER_REJECTED);
    expect_failure(stage, ask(stage, ASK_ACCOUNT, "a"), WIRE_UNKNOWN_ACCOUNT);
    assert_int_equal(server_count(stage->server, NULL), 3);
}

static void it_ends_by_itself(void **state)
{
    struct stage *stage = *state;
    server_script(stage->server, (struct canned){ .status = 400, .body = PENDING });
    const int64_t begun = broker_now();
    expect_outcome(stage, ask_poll(stage, "a", 4 * SECOND, 10 * SECOND), CONSENT_EXPIRED);
    assert_in_range(broker_now() - begun, 10 * SECOND, 20 * SECOND);
    assert_int_equal(server_count(stage->server, NULL), 2);
}

/* The codes end while a poll is on its way: what it brings still counts. */
static void a_grant_that_comes_late_is_kept(void **state)
{
    struct stage *stage = *state;
    server_script(stage->server,
                  (struct canned){ .status = 200, .body = GRANT_ROTATED, .held = true });
    const uint64_t id = ask_poll(stage, "a", SECOND, 3 * SECOND);
    assert_true(server_wait(stage->server, NULL, 1));
    rest(300); /* 6 s of the broker's */
    assert_false(answered(stage, id));
    server_release(stage->server);
    expect_outcome(stage, id, CONSENT_GRANTED);
}

/* It is answered at once; a grant that the last question brings is revoked. */
static void a_cancelled_one_asks_no_more(void **state)
{
    struct stage *stage = *state;
    stop(stage);
    set_revocation_endpoint(stage);
    start(stage);
    server_script(stage->server, (struct canned){ .match = "POST /revoke", .status = 200 });
    server_script(stage->server, (struct canned){ .times = 1, .status = 400, .body = PENDING });
    server_script(stage->server,
                  (struct canned){ .status = 200, .body = GRANT_ROTATED, .held = true });
    const uint64_t id = ask_poll(stage, "a", SECOND, 10 * MINUTE);
    cancel(stage, id + 1000);
    assert_true(server_wait(stage->server, NULL, 2));
    cancel(stage, id);
    expect_outcome(stage, id, CONSENT_CANCELLED);
    cancel(stage, id);
    rest(50);
    assert_false(answered(stage, id));
    server_release(stage->server);
    expect_failure(stage, ask(stage, ASK_ACCOUNT, "a"), WIRE_UNKNOWN_ACCOUNT);
    assert_true(server_wait(stage->server, "token=rt-secret-2", 1));
    assert_int_equal(server_count(stage->server, "device_code"), 2);
}

/* It keeps no place until the provider's metadata are there. */
static void one_that_waits_for_discovery_is_cancelled(void **state)
{
    struct stage *stage = *state;
    set_text(&acme(stage)->issuer, stage->url);
    set_text(&acme(stage)->token_endpoint, NULL);
    server_script(stage->server, (struct canned){ .status = 200, .body = "{}", .held = true });
    start(stage);
    const uint64_t id = ask_poll(stage, "a", SECOND, 10 * MINUTE);
    assert_true(server_wait(stage->server, "GET ", 1));
    cancel(stage, id);
    expect_outcome(stage, id, CONSENT_CANCELLED);
    stop(stage);
}

static void the_end_answers_those_that_wait(void **state)
{
    struct stage *stage = *state;
    const uint64_t id = ask_poll(stage, "a", MINUTE, 10 * MINUTE);
    const int64_t begun = broker_now();
    rest(20);
    stop(stage);
    assert_true(broker_now() - begun < MINUTE);
    expect_failure(stage, id, WIRE_BUSY);
}

/* No token is asked for that could not be stored. */
static void nothing_is_asked_while_the_disk_is_full(void **state)
{
    struct stage *stage = *state;
    seed(stage, (struct seed){ .label = "b", .refresh_token = "rt-secret-b", .refresh_at = 1 });
    server_script(
        stage->server,
        (struct canned){ .times = 1, .status = 200, .body = GRANT_ROTATED, .held = true });
    server_script(stage->server, (struct canned){ .status = 200, .body = GRANT_ROTATED });
    set_speed(20);
    start(stage);
    assert_true(server_wait(stage->server, NULL, 1));
    refuse_commits(UINT32_MAX);
    server_release(stage->server);
    rest(100);
    const uint64_t id = ask_poll(stage, "a", SECOND, 10 * MINUTE);
    rest(300); /* 6 s of the broker's */
    assert_int_equal(server_count(stage->server, "device_code="), 0);
    refuse_commits(0);
    await_generation(stage, "b", 2);
    expect_outcome(stage, id, CONSENT_GRANTED);
}

/* Nor one whose account cannot be written. */
static void nor_for_a_row_that_cannot_be_read(void **state)
{
    struct stage *stage = *state;
    damage_reads("a");
    expect_failure(stage, ask_poll(stage, "a", SECOND, 10 * MINUTE), WIRE_INTERNAL);
    assert_int_equal(server_count(stage->server, "device_code="), 0);
    damage_reads(NULL);
}

static void they_are_bounded(void **state)
{
    struct stage *stage = *state;
    uint64_t ids[LOGINS_IN_BACK_MAX];
    for (size_t i = 0; i < LOGINS_IN_BACK_MAX; i++)
        ids[i] = ask_poll(stage, "a", MINUTE, 10 * MINUTE);
    expect_failure(stage, ask_poll(stage, "a", MINUTE, 10 * MINUTE), WIRE_BUSY);
    cancel(stage, ids[0]);
    expect_outcome(stage, ids[0], CONSENT_CANCELLED);
    ids[0] = ask_poll(stage, "a", MINUTE, 10 * MINUTE);
    rest(50);
    stop(stage);
    for (size_t i = 0; i < LOGINS_IN_BACK_MAX; i++)
        expect_failure(stage, ids[i], WIRE_BUSY);
}

/* Whoever began it is gone: also where the provider hangs, it leaves its place to others. */
static void a_start_is_cancelled(void **state)
{
    struct stage *stage = *state;
    uint64_t ids[LOGINS_IN_BACK_MAX];
    server_script(stage->server, (struct canned){ .status = 200, .body = BEGUN, .held = true });
    for (size_t i = 0; i < LOGINS_IN_BACK_MAX; i++)
        ids[i] = ask_device(stage, "a");
    expect_failure(stage, ask_device(stage, "a"), WIRE_BUSY);
    assert_true(server_wait(stage->server, NULL, 1));
    for (size_t i = 0; i < LOGINS_IN_BACK_MAX; i++) {
        cancel(stage, ids[i]);
        expect_failure(stage, ids[i], WIRE_BUSY);
    }
    server_forget_script(stage->server);
    server_script(stage->server, (struct canned){ .status = 200, .body = BEGUN });
    expect_ok(stage, ask_device(stage, "a"));
}

/* One request in two seconds for eight that poll each second and three refreshes. */
static void polls_and_refreshes_take_turns(void **state)
{
    struct stage *stage = *state;
    static const char *const labels[] = { "r1", "r2", "r3" };
    uint64_t refreshes[3];
    acme(stage)->rate_limit_requests = 1;
    acme(stage)->rate_limit_period_ms = 2 * SECOND;
    for (size_t i = 0; i < 3; i++)
        seed(stage, (struct seed){ .label = labels[i], .refresh_token = labels[i] });
    server_script(stage->server,
                  (struct canned){ .match = "device_code=", .status = 400, .body = PENDING });
    server_script(stage->server, (struct canned){ .status = 200, .body = GRANT_PLAIN });
    set_speed(20);
    start(stage);
    const int64_t begun = broker_now();
    uint64_t polls[8];
    for (size_t i = 0; i < 8; i++)
        polls[i] = ask_poll(stage, "a", SECOND, 10 * MINUTE);
    assert_true(server_wait(stage->server, "device_code=", 2));
    for (size_t i = 0; i < 3; i++)
        refreshes[i] = ask(stage, ASK_TOKEN, labels[i]);
    for (size_t i = 0; i < 3; i++)
        expect_ok(stage, refreshes[i]);
    /* At most a poll before each refresh, and one that was on its way. */
    assert_in_range(server_count(stage->server, "device_code="), 3, 7);
    const unsigned all = server_count(stage->server, NULL);
    assert_true(broker_now() - begun >= (int64_t)(all - 1) * 2 * SECOND);
    assert_true(server_wait(stage->server, "device_code=", 9));
    stop(stage);
    for (size_t i = 0; i < 8; i++)
        expect_failure(stage, polls[i], WIRE_BUSY);
}

/* A poll takes the one place there is, and a refresh that waits has the next, not another poll. */
static void polls_count_in_concurrency(void **state)
{
    struct stage *stage = *state;
    acme(stage)->concurrency = 1;
    seed(stage, (struct seed){ .label = "r", .refresh_token = "rt-secret-r" });
    server_script(
        stage->server,
        (struct canned){
            .match = "device_code=", .status = 400, .body = PENDING, .times = 1, .held = true });
    server_script(stage->server,
                  (struct canned){ .match = "device_code=", .status = 400, .body = PENDING });
    server_script(stage->server, (struct canned){ .status = 200, .body = GRANT_PLAIN });
    start(stage);
    const uint64_t polls[] = { ask_poll(stage, "a", SECOND, MINUTE),
                               ask_poll(stage, "b", SECOND, MINUTE) };
    assert_true(server_wait(stage->server, "device_code=", 1));
    const uint64_t refresh = ask(stage, ASK_TOKEN, "r");
    rest(1500);
    assert_int_equal(server_count(stage->server, NULL), 1);
    server_release(stage->server);
    expect_token(stage, refresh, "at-secret-2");
    assert_true(server_wait(stage->server, "device_code=", 2));
    stop(stage);
    for (size_t i = 0; i < 2; i++)
        expect_failure(stage, polls[i], WIRE_BUSY);
}

static void a_provider_that_is_gone_ends_nothing_badly(void **state)
{
    struct stage *stage = *state;
    server_script(stage->server, (struct canned){ .times = 1, .status = 400, .body = PENDING });
    server_script(stage->server, (struct canned){ .status = 200, .body = GRANT_ROTATED });
    const uint64_t id = ask_poll(stage, "a", SECOND, 10 * MINUTE);
    assert_true(server_wait(stage->server, NULL, 1));
    stage->settings->provider_count = 0;
    reload(stage);
    stage->settings->provider_count = 1;
    expect_outcome(stage, id, CONSENT_GRANTED);
    expect_failure(stage, ask_poll(stage, "a", SECOND, MINUTE), WIRE_UNKNOWN_PROVIDER);
}

#define TEST_DEVICE(name) cmocka_unit_test_setup_teardown(name, set_up_started, tear_down)
#define TEST_UNSTARTED(name) cmocka_unit_test_setup_teardown(name, set_up_device, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_DEVICE(the_codes_are_told),
        TEST_DEVICE(a_poll_at_a_provider_that_became_static_is_refused),
        TEST_DEVICE(why_it_cannot_begin_is_said),
        TEST_DEVICE(a_rest_that_is_asked_for_is_kept),
        TEST_STARTED(a_provider_without_the_endpoint_says_so),
        TEST_DEVICE(the_end_answers_a_beginning_that_hangs),
        TEST_DEVICE(a_grant_is_stored_then_told),
        TEST_DEVICE(slow_down_adds_five_seconds),
        TEST_DEVICE(a_provider_that_fails_is_asked_less_often),
        TEST_DEVICE(a_refusal_ends_it),
        TEST_DEVICE(it_ends_by_itself),
        TEST_DEVICE(a_grant_that_comes_late_is_kept),
        TEST_DEVICE(a_cancelled_one_asks_no_more),
        TEST_UNSTARTED(one_that_waits_for_discovery_is_cancelled),
        TEST_DEVICE(the_end_answers_those_that_wait),
        TEST_UNSTARTED(nothing_is_asked_while_the_disk_is_full),
        TEST_DEVICE(nor_for_a_row_that_cannot_be_read),
        TEST_DEVICE(they_are_bounded),
        TEST_DEVICE(a_start_is_cancelled),
        TEST_UNSTARTED(polls_and_refreshes_take_turns),
        TEST_UNSTARTED(polls_count_in_concurrency),
        TEST_DEVICE(a_provider_that_is_gone_ends_nothing_badly),
    };
    return RUN(tests);
}

/* An authorization request goes to the provider before the browser does (RFC 9126). */

#include "fixture.h"

#include <stdio.h>

#define TAKEN "{\"request_uri\":\"urn:secret-%u\",\"expires_in\":60}"

static int set_up_pushing(void **state)
{
    char url[128];
    (void)set_up(state);
    struct stage *stage = *state;
    (void)snprintf(url, sizeof url, "%s/par", stage->url);
    set_text(&acme(stage)->pushed_authorization_request_endpoint, url);
    return 0;
}

static uint64_t ask_push(struct stage *stage, const char *label)
{
    static const char parameters[] = "response_type=code&client_id=id&state=state-secret";
    struct message *message = question(ASK_PUSH, label);
    assert_int_equal(secret_new(parameters, sizeof parameters - 1, &message->parameters), 0);
    return post(stage, message);
}

static void a_request_is_pushed(void **state)
{
    struct stage *stage = *state;
    server_script(stage->server, (struct canned){ .status = 201, .body = TAKEN });
    start(stage);
    CLEANUP(cleanup_message) struct message *came = answer(stage, ask_push(stage, "a"));
    assert_false(came->failed);
    assert_true(holds(came->request_uri, "urn:secret-1"));
    assert_int_equal(came->request_uri_lifetime_ms, 60 * SECOND);
    assert_int_equal(server_count(stage->server, "POST /par "), 1);
    assert_int_equal(server_count(stage->server, "Authorization: Basic "), 1);
    assert_int_equal(server_count(stage->server, "client_id=id&state=state-secret"), 1);
    /* Nothing of it is kept. */
    expect_failure(stage, ask(stage, ASK_ACCOUNT, "a"), WIRE_UNKNOWN_ACCOUNT);
}

static void failures_are_told(void **state)
{
    static const struct {
        struct canned canned;
        enum wire_error error;
        const char *says;
    } rows[] = {
        { { .status = 400, .body = "{\"error\":\"invalid_request\"}" },
          WIRE_PROVIDER_REJECTED,
          "invalid_request" },
        { { .status = 201, .body = "{}" }, WIRE_PROVIDER_REJECTED, "bad_request_uri" },
        { { .status = 500 }, WIRE_PROVIDER_UNAVAILABLE, "http_500" },
        { { .status = 0 }, WIRE_PROVIDER_UNAVAILABLE, "did not answer" },
    };
    struct stage *stage = *state;
    start(stage);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        server_forget_script(stage->server);
        server_script(stage->server, rows[i].canned);
        CLEANUP(cleanup_message) struct message *came = answer(stage, ask_push(stage, "a"));
        assert_true(came->failed);
        assert_int_equal(came->failure.error, rows[i].error);
        if (!strstr(came->failure.description, rows[i].says))
            fail_msg("%zu: %s", i, came->failure.description);
        assert_false(ask_paused(stage));
    }
}

static void a_client_that_is_refused_pauses_the_provider(void **state)
{
    struct stage *stage = *state;
    server_script(stage->server, (struct canned){ .status = 401, .body = BAD_CLIENT });
    start(stage);
    CLEANUP(cleanup_message) struct message *came = answer(stage, ask_push(stage, "a"));
    assert_true(came->failed);
    assert_non_null(strstr(came->failure.description, "refused the broker itself, not you"));
    assert_true(ask_paused(stage));
}

static void a_rest_that_is_asked_for_is_kept(void **state)
{
    struct stage *stage = *state;
    server_script(stage->server,
                  (struct canned){ .times = 1, .status = 429, .headers = "Retry-After: 600\r\n" });
    start(stage);
    for (int i = 0; i < 2; i++) {
        CLEANUP(cleanup_message) struct message *came = answer(stage, ask_push(stage, "a"));
        assert_int_equal(came->failure.error, WIRE_PROVIDER_UNAVAILABLE);
        assert_in_range(came->failure.retry_after_s, 590, 600);
    }
    assert_int_equal(server_count(stage->server, NULL), 1);
}

static void discovery_says_where(void **state)
{
    char document[512];
    struct stage *stage = *state;
    set_text(&acme(stage)->pushed_authorization_request_endpoint, NULL);
    set_text(&acme(stage)->token_endpoint, NULL);
    set_text(&acme(stage)->issuer, stage->url);
    (void)snprintf(document, sizeof document,
                   "{\"issuer\":\"%s\",\"authorization_endpoint\":\"%s/a\",\"token_endpoint\":"
                   "\"%s/t\",\"pushed_authorization_request_endpoint\":\"%s/p\","
                   "\"require_pushed_authorization_requests\":true}",
                   stage->url, stage->url, stage->url, stage->url);
    server_script(stage->server,
                  (struct canned){ .match = "/.well-known/", .status = 200, .body = document });
    server_script(stage->server, (struct canned){ .status = 201, .body = TAKEN });
    start(stage);
    expect_ok(stage, ask_push(stage, "a"));
    assert_int_equal(server_count(stage->server, "POST /p "), 1);
}

static void without_an_endpoint_it_is_refused(void **state)
{
    struct stage *stage = *state;
    set_text(&acme(stage)->pushed_authorization_request_endpoint, NULL);
    start(stage);
    expect_failure(stage, ask_push(stage, "a"), WIRE_BUSY);
    expect_failure(stage, ask_push(stage, "nobody/a"), WIRE_UNKNOWN_PROVIDER);
    assert_int_equal(server_count(stage->server, NULL), 0);
}

static void the_end_answers_one_that_hangs(void **state)
{
    struct stage *stage = *state;
    set_speed(50);
    server_script(stage->server, (struct canned){ .status = 201, .body = TAKEN, .held = true });
    start(stage);
    const uint64_t id = ask_push(stage, "a");
    assert_true(server_wait(stage->server, NULL, 1));
    stop(stage);
    expect_failure(stage, id, WIRE_BUSY);
}

static void cancel(struct stage *stage, uint64_t id)
{
    struct message *letter = message_new(TELL_CANCEL);
    assert_non_null(letter);
    letter->id = id;
    assert_int_equal(mailbox_send(stage->inbox, letter), 0);
}

/* Whoever asked for one is gone: it leaves its place to others. */
static void they_are_bounded_and_cancelled(void **state)
{
    struct stage *stage = *state;
    uint64_t ids[LOGINS_IN_BACK_MAX];
    server_script(stage->server, (struct canned){ .status = 201, .body = TAKEN, .held = true });
    start(stage);
    for (size_t i = 0; i < LOGINS_IN_BACK_MAX; i++)
        ids[i] = ask_push(stage, "a");
    expect_failure(stage, ask_push(stage, "a"), WIRE_BUSY);
    assert_true(server_wait(stage->server, NULL, 1));
    for (size_t i = 0; i < LOGINS_IN_BACK_MAX; i++) {
        cancel(stage, ids[i]);
        expect_failure(stage, ids[i], WIRE_BUSY);
    }
    cancel(stage, ids[0]); /* it is over */
    server_forget_script(stage->server);
    server_script(stage->server, (struct canned){ .status = 201, .body = TAKEN });
    expect_ok(stage, ask_push(stage, "a"));
}

static void it_is_cancelled_during_discovery(void **state)
{
    char document[512];
    struct stage *stage = *state;
    set_text(&acme(stage)->token_endpoint, NULL);
    set_text(&acme(stage)->issuer, stage->url);
    (void)snprintf(document, sizeof document,
                   "{\"issuer\":\"%s\",\"authorization_endpoint\":\"%s/a\",\"token_endpoint\":"
                   "\"%s/t\"}",
                   stage->url, stage->url, stage->url);
    server_script(
        stage->server,
        (struct canned){
            .match = "/.well-known/", .status = 200, .body = document, .held = true, .times = 1 });
    server_script(stage->server, (struct canned){ .status = 201, .body = TAKEN });
    start(stage);
    const uint64_t first = ask_push(stage, "a"), second = ask_push(stage, "a");
    assert_true(server_wait(stage->server, "/.well-known/", 1));
    cancel(stage, first);
    expect_failure(stage, first, WIRE_BUSY);
    server_release(stage->server);
    expect_ok(stage, second);
    assert_int_equal(server_count(stage->server, "POST /par "), 1);
}

#define TEST_PUSHING(name) cmocka_unit_test_setup_teardown(name, set_up_pushing, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_PUSHING(a_request_is_pushed),
        TEST_PUSHING(failures_are_told),
        TEST_PUSHING(a_client_that_is_refused_pauses_the_provider),
        TEST_PUSHING(a_rest_that_is_asked_for_is_kept),
        TEST_PUSHING(discovery_says_where),
        TEST_PUSHING(without_an_endpoint_it_is_refused),
        TEST_PUSHING(the_end_answers_one_that_hangs),
        TEST_PUSHING(they_are_bounded_and_cancelled),
        TEST_PUSHING(it_is_cancelled_during_discovery),
    };
    return RUN(tests);
}

/* Endpoints by discovery: asked for when they are needed, once, and nobody waits for ever. */

#include "fixture.h"

#include <stdio.h>

#define OPENID "GET /.well-known/openid-configuration "
#define RFC8414 "GET /.well-known/oauth-authorization-server "

static char document[1024];

/* The provider says its issuer alone; *its* metadata is in document. */
static int set_up_issuer(void **state)
{
    (void)set_up(state);
    struct stage *stage = *state;
    set_text(&acme(stage)->token_endpoint, NULL);
    set_text(&acme(stage)->authorization_endpoint, NULL);
    set_text(&acme(stage)->issuer, stage->url);
    (void)snprintf(document, sizeof document,
                   "{\"issuer\":\"%s\",\"token_endpoint\":\"%s/found\","
                   "\"authorization_endpoint\":\"%s/authorize\"}",
                   stage->url, stage->url, stage->url);
    return 0;
}

static void endpoints_are_found_when_needed(void **state)
{
    struct stage *stage = *state;
    seed(stage, (struct seed){ .label = "a", .refresh_token = "rt-secret-a" });
    server_script(stage->server,
                  (struct canned){ .match = OPENID, .status = 200, .body = document });
    server_script(stage->server, (struct canned){ .status = 200, .body = GRANT_PLAIN });
    start(stage);
    rest(100);
    assert_int_equal(server_count(stage->server, NULL), 0);
    const uint64_t provider = ask(stage, ASK_PROVIDER, "acme/");
    const uint64_t token = ask(stage, ASK_TOKEN, "a");
    const uint64_t again = ask(stage, ASK_PROVIDER, "acme/");
    CLEANUP(cleanup_message) struct message *came = answer(stage, provider);
    assert_false(came->failed);
    assert_non_null(strstr(came->provider->token_endpoint, "/found"));
    expect_token(stage, token, "at-secret-2");
    expect_ok(stage, again);
    expect_ok(stage, ask(stage, ASK_PROVIDER, "acme/"));
    assert_int_equal(server_count(stage->server, OPENID), 1);
    assert_int_equal(server_count(stage->server, "POST /found "), 1);
}

/* A reload asks anew; where nobody answers, what the same server told before serves on. */
static void a_reload_keeps_what_was_found(void **state)
{
    struct stage *stage = *state;
    server_script(stage->server,
                  (struct canned){ .match = OPENID, .times = 1, .status = 200, .body = document });
    server_script(stage->server, (struct canned){ .status = 500 });
    start(stage);
    expect_ok(stage, ask(stage, ASK_PROVIDER, "acme/"));
    for (int i = 0; i < 2; i++) {
        acme(stage)->keep = i == 0 ? KEEP_ASKED : KEEP_ALWAYS;
        reload(stage);
        CLEANUP(cleanup_message)
        struct message *came = answer(stage, ask(stage, ASK_PROVIDER, "acme/"));
        assert_non_null(strstr(came->provider->token_endpoint, "/found"));
        assert_int_equal(server_count(stage->server, NULL), 1 + 2 * (i + 1));
    }
    set_text(&acme(stage)->client_id, "another");
    reload(stage);
    expect_failure(stage, ask(stage, ASK_PROVIDER, "acme/"), WIRE_PROVIDER_UNAVAILABLE);
}

/* As after a reload. */
static void a_retry_asks_anew(void **state)
{
    static char moved[1024];
    struct stage *stage = *state;
    (void)snprintf(moved, sizeof moved,
                   "{\"issuer\":\"%s\",\"token_endpoint\":\"%s/moved\","
                   "\"authorization_endpoint\":\"%s/authorize\"}",
                   stage->url, stage->url, stage->url);
    server_script(stage->server,
                  (struct canned){ .match = OPENID, .times = 1, .status = 200, .body = document });
    server_script(stage->server,
                  (struct canned){ .match = OPENID, .times = 1, .status = 200, .body = moved });
    server_script(stage->server, (struct canned){ .status = 500 });
    start(stage);
    expect_ok(stage, ask(stage, ASK_PROVIDER, "acme/"));
    for (int i = 0; i < 2; i++) {
        expect_ok(stage, ask(stage, ASK_RETRY, "acme/"));
        CLEANUP(cleanup_message)
        struct message *came = answer(stage, ask(stage, ASK_PROVIDER, "acme/"));
        assert_non_null(strstr(came->provider->token_endpoint, "/moved"));
    }
}

/* Nothing is due, and whoever asks is refused while the provider is paused. */
static void a_probe_has_its_endpoints_found(void **state)
{
    struct stage *stage = *state;
    seed(stage, (struct seed){ .label = "a", .refresh_token = "rt-secret-a" });
    run_sql(stage, "INSERT OR REPLACE INTO facts (name, value) VALUES ('restored', 'a clone')");
    server_script(stage->server,
                  (struct canned){ .match = OPENID, .status = 200, .body = document });
    server_script(stage->server, (struct canned){ .status = 200, .body = GRANT_PLAIN });
    start(stage);
    expect_ok(stage, post(stage, message_new(ASK_RESUME)));
    assert_true(server_wait(stage->server, "POST /found ", 1));
    await_paused(stage, false);
}

static void the_second_address_is_tried(void **state)
{
    struct stage *stage = *state;
    server_script(stage->server, (struct canned){ .match = OPENID, .status = 404 });
    server_script(stage->server,
                  (struct canned){ .match = RFC8414, .status = 200, .body = document });
    start(stage);
    expect_ok(stage, ask(stage, ASK_PROVIDER, "acme/"));
    assert_int_equal(server_count(stage->server, NULL), 2);
}

static void a_failure_is_said_to_all_who_wait_and_tried_again(void **state)
{
    struct stage *stage = *state;
    seed(stage, (struct seed){ .label = "a", .refresh_token = "rt-secret-a" });
    server_script(stage->server, (struct canned){ .times = 2, .status = 500 });
    server_script(stage->server,
                  (struct canned){ .match = OPENID, .status = 200, .body = document });
    server_script(stage->server, (struct canned){ .status = 200, .body = GRANT_PLAIN });
    set_speed(20);
    start(stage);
    const uint64_t ids[] = { ask(stage, ASK_TOKEN, "a"), ask(stage, ASK_PROVIDER, "acme/"),
                             ask_exchange(stage, "b", "code-secret-1", NULL) };
    for (size_t i = 0; i < 3; i++)
        expect_failure(stage, ids[i], WIRE_PROVIDER_UNAVAILABLE);
    rest(700); /* 14 s of its time */
    expect_token(stage, ask(stage, ASK_TOKEN, "a"), "at-secret-4");
}

static void a_document_of_another_issuer_is_refused(void **state)
{
    struct stage *stage = *state;
    server_script(stage->server,
                  (struct canned){ .status = 200,
                                   .body = "{\"issuer\":\"https://evil.example\","
                                           "\"token_endpoint\":\"https://evil.example/t\"}" });
    start(stage);
    expect_failure(stage, ask(stage, ASK_PROVIDER, "acme/"), WIRE_PROVIDER_UNAVAILABLE);
    assert_int_equal(server_count(stage->server, NULL), 2);
}

/* An issuer that was written with a '/' too much: what the one document lacks is said, not that
 * there is no other. */
static void what_is_wrong_with_a_document_is_said(void **state)
{
    struct stage *stage = *state;
    char issuer[128];
    (void)snprintf(issuer, sizeof issuer, "%s/", stage->url);
    set_text(&acme(stage)->issuer, issuer);
    server_script(stage->server,
                  (struct canned){ .match = OPENID, .status = 200, .body = document });
    server_script(stage->server, (struct canned){ .match = RFC8414, .status = 404 });
    start(stage);
    CLEANUP(cleanup_message)
    struct message *came = answer(stage, ask(stage, ASK_PROVIDER, "acme/"));
    assert_true(came->failed);
    assert_non_null(strstr(came->failure.description, "not of the configured"));
}

static void whoever_waits_is_told_at_the_end(void **state)
{
    struct stage *stage = *state;
    seed(stage, (struct seed){ .label = "a", .refresh_token = "rt-secret-a" });
    server_script(stage->server, (struct canned){ .status = 200, .body = document, .held = true });
    set_speed(50);
    start(stage);
    const uint64_t ids[] = { ask(stage, ASK_TOKEN, "a"), ask(stage, ASK_PROVIDER, "acme/"),
                             ask_exchange(stage, "b", "code-secret-1", NULL),
                             ask(stage, ASK_PROVIDER, "acme/") };
    assert_true(server_wait(stage->server, NULL, 1));
    stop(stage);
    for (size_t i = 0; i < 4; i++)
        expect_failure(stage, ids[i], WIRE_BUSY);
}

/* A login that waits for discovery goes on with the endpoints that are configured by then. */
static void a_reload_meanwhile_loses_nobody(void **state)
{
    struct stage *stage = *state;
    char url[128];
    server_script(stage->server,
                  (struct canned){
                      .match = OPENID, .times = 1, .status = 200, .body = document, .held = true });
    server_script(stage->server,
                  (struct canned){ .match = OPENID, .status = 200, .body = document });
    server_script(stage->server, (struct canned){ .status = 200, .body = GRANT_ROTATED });
    start(stage);
    const uint64_t provider = ask(stage, ASK_PROVIDER, "acme/");
    const uint64_t login = ask_exchange(stage, "b", "code-secret-1", NULL);
    assert_true(server_wait(stage->server, NULL, 1));
    reload(stage);
    assert_true(server_wait(stage->server, OPENID, 2));
    expect_ok(stage, provider);
    expect_ok(stage, login);
    (void)snprintf(url, sizeof url, "%s/fixed", stage->url);
    set_text(&acme(stage)->token_endpoint, url);
    set_text(&acme(stage)->authorization_endpoint, url);
    reload(stage);
    CLEANUP(cleanup_message)
    struct message *came = answer(stage, ask(stage, ASK_PROVIDER, "acme/"));
    assert_string_equal(came->provider->token_endpoint, url);
    assert_int_equal(server_count(stage->server, OPENID), 2);
}

static void a_provider_that_is_gone_meanwhile_is_said(void **state)
{
    struct stage *stage = *state;
    server_script(stage->server, (struct canned){ .status = 200, .body = document, .held = true });
    start(stage);
    const uint64_t provider = ask(stage, ASK_PROVIDER, "acme/");
    const uint64_t login = ask_exchange(stage, "b", "code-secret-1", NULL);
    assert_true(server_wait(stage->server, NULL, 1));
    (void)snprintf(acme(stage)->name, sizeof acme(stage)->name, "elsewhere");
    reload(stage);
    server_release(stage->server);
    expect_failure(stage, provider, WIRE_UNKNOWN_PROVIDER);
    expect_failure(stage, login, WIRE_UNKNOWN_PROVIDER);
}

int main(void)
{
#define TEST_ISSUER(name) cmocka_unit_test_setup_teardown(name, set_up_issuer, tear_down)
    const struct CMUnitTest tests[] = {
        TEST_ISSUER(endpoints_are_found_when_needed),
        TEST_ISSUER(a_reload_keeps_what_was_found),
        TEST_ISSUER(a_retry_asks_anew),
        TEST_ISSUER(a_probe_has_its_endpoints_found),
        TEST_ISSUER(the_second_address_is_tried),
        TEST_ISSUER(a_failure_is_said_to_all_who_wait_and_tried_again),
        TEST_ISSUER(a_document_of_another_issuer_is_refused),
        TEST_ISSUER(what_is_wrong_with_a_document_is_said),
        TEST_ISSUER(whoever_waits_is_told_at_the_end),
        TEST_ISSUER(a_reload_meanwhile_loses_nobody),
        TEST_ISSUER(a_provider_that_is_gone_meanwhile_is_said),
    };
    return RUN(tests);
}

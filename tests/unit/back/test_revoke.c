/* Forgotten accounts' tokens are revoked at their provider, through outages and restarts. */

#include "fixture.h"

#include <stdio.h>

static int set_up_revoking(void **state)
{
    (void)set_up(state);
    struct stage *stage = *state;
    set_revocation_endpoint(stage);
    seed(stage, (struct seed){ .label = "a",
                               .refresh_token = "rt-secret-a",
                               .access_token = "at-secret-a",
                               .lifetime_ms = HOUR });
    return 0;
}

static void await_kept(struct stage *stage, size_t count)
{
    rest(200);
    stop(stage);
    assert_int_equal(count_kept(stage, KEPT_REVOCATION), count);
}

static void the_refresh_token_goes_first(void **state)
{
    struct stage *stage = *state;
    server_script(stage->server,
                  (struct canned){ .match = "rt-secret-a", .status = 200, .held = true });
    server_script(stage->server, (struct canned){ .status = 200 });
    start(stage);
    expect_ok(stage, ask(stage, ASK_FORGET, "a"));
    expect_failure(stage, ask(stage, ASK_TOKEN, "a"), WIRE_UNKNOWN_ACCOUNT);
    assert_true(server_wait(stage->server, "token=rt-secret-a", 1));
    rest(50);
    assert_int_equal(server_count(stage->server, NULL), 1);
    server_release(stage->server);
    assert_true(server_wait(stage->server, "token=at-secret-a", 1));
    await_kept(stage, 0);
    assert_int_equal(server_count(stage->server, NULL), 2);
}

static void an_outage_is_waited_for(void **state)
{
    struct stage *stage = *state;
    server_script(stage->server, (struct canned){ .times = 2, .status = 503 });
    server_script(stage->server, (struct canned){ .times = 1, .status = 0 });
    server_script(stage->server, (struct canned){ .status = 200 });
    set_speed(50);
    start(stage);
    expect_ok(stage, ask(stage, ASK_FORGET, "a"));
    assert_true(server_wait(stage->server, "token=at-secret-a", 1));
    assert_int_equal(server_count(stage->server, "token=rt-secret-a"), 4);
    await_kept(stage, 0);
}

/* Its own rest: refreshes go on, as revocations may be limited by themselves. */
static void retry_after_is_honoured(void **state)
{
    struct stage *stage = *state;
    server_script(stage->server, (struct canned){ .match = "/revoke",
                                                  .times = 1,
                                                  .status = 429,
                                                  .headers = "Retry-After: 300\r\n" });
    server_script(stage->server, (struct canned){ .match = "/revoke", .status = 200 });
    server_script(stage->server, (struct canned){ .status = 200, .body = GRANT_ROTATED });
    seed(stage, (struct seed){ .label = "b", .refresh_token = "rt-secret-b" });
    set_speed(100);
    start(stage);
    const int64_t begun = broker_now();
    expect_ok(stage, ask(stage, ASK_FORGET, "a"));
    assert_true(server_wait(stage->server, "/revoke", 1));
    expect_ok(stage, ask(stage, ASK_TOKEN, "b"));
    assert_true(server_wait(stage->server, "/revoke", 2));
    assert_true(broker_now() - begun >= 300 * SECOND);
    assert_true(server_wait(stage->server, "token=at-secret-a", 1));
    await_kept(stage, 0);
}

/* Both of its requests count. */
static void the_rate_limit_is_kept(void **state)
{
    struct stage *stage = *state;
    acme(stage)->rate_limit_requests = 1;
    acme(stage)->rate_limit_period_ms = 5 * SECOND;
    server_script(stage->server, (struct canned){ .status = 200 });
    set_speed(10);
    start(stage);
    expect_ok(stage, ask(stage, ASK_FORGET, "a"));
    assert_true(server_wait(stage->server, "token=rt-secret-a", 1));
    const int64_t begun = broker_now();
    assert_true(server_wait(stage->server, "token=at-secret-a", 1));
    assert_true(broker_now() - begun >= 3 * SECOND);
    await_kept(stage, 0);
}

static void a_restart_does_not_forget_it(void **state)
{
    struct stage *stage = *state;
    server_script(stage->server, (struct canned){ .times = 1, .status = 503 });
    server_script(stage->server, (struct canned){ .status = 200 });
    start(stage);
    expect_ok(stage, ask(stage, ASK_FORGET, "a"));
    assert_true(server_wait(stage->server, NULL, 1));
    await_kept(stage, 1);
    set_speed(50);
    start(stage);
    assert_true(server_wait(stage->server, "token=at-secret-a", 1));
    await_kept(stage, 0);
}

static void a_refusal_is_final(void **state)
{
    struct stage *stage = *state;
    server_script(stage->server, (struct canned){ .status = 400, .body = BAD_CLIENT });
    start(stage);
    expect_ok(stage, ask(stage, ASK_FORGET, "a"));
    assert_true(server_wait(stage->server, NULL, 2));
    await_kept(stage, 0);
}

static void without_an_endpoint_there_is_nothing_to_do(void **state)
{
    struct stage *stage = *state;
    set_text(&acme(stage)->revocation_endpoint, NULL);
    start(stage);
    expect_ok(stage, ask(stage, ASK_FORGET, "a"));
    await_kept(stage, 0);
    assert_int_equal(server_count(stage->server, NULL), 0);
}

/* The endpoint is known to the issuer alone, and nobody has asked it since the start. */
static void the_endpoint_is_discovered_for_it(void **state)
{
    struct stage *stage = *state;
    static char document[1024];
    set_text(&acme(stage)->revocation_endpoint, NULL);
    set_text(&acme(stage)->token_endpoint, NULL);
    set_text(&acme(stage)->issuer, stage->url);
    (void)snprintf(document, sizeof document,
                   "{\"issuer\":\"%s\",\"token_endpoint\":\"%s/t\",\"authorization_endpoint\":"
                   "\"%s/a\",\"revocation_endpoint\":\"%s/r\"}",
                   stage->url, stage->url, stage->url, stage->url);
    server_script(stage->server, (struct canned){ .match = "GET ", .times = 2, .status = 503 });
    server_script(stage->server,
                  (struct canned){ .match = "GET ", .status = 200, .body = document });
    server_script(stage->server, (struct canned){ .status = 200 });
    set_speed(50);
    start(stage);
    expect_ok(stage, ask(stage, ASK_FORGET, "a"));
    assert_true(server_wait(stage->server, "POST /r ", 2));
    await_kept(stage, 0);
}

/* At the end, while discovery for it hangs. */
static void the_end_leaves_it_for_the_next_start(void **state)
{
    struct stage *stage = *state;
    set_text(&acme(stage)->revocation_endpoint, NULL);
    set_text(&acme(stage)->token_endpoint, NULL);
    set_text(&acme(stage)->issuer, stage->url);
    server_script(stage->server, (struct canned){ .status = 200, .held = true });
    start(stage);
    expect_ok(stage, ask(stage, ASK_FORGET, "a"));
    assert_true(server_wait(stage->server, NULL, 1));
    await_kept(stage, 1);
}

static void what_cannot_be_unsealed_does_not_block_the_rest(void **state)
{
    struct stage *stage = *state;
    char sql[512];
    for (int i = 0; i < 20; i++) {
        (void)snprintf(sql, sizeof sql,
                       "INSERT INTO kept (kind, provider, label, created_at, due_at, tries, sealed)"
                       " VALUES (2, 'acme', 'x%d', 1, 1, 0, x'0102')",
                       i);
        run_sql(stage, sql);
    }
    server_script(stage->server, (struct canned){ .status = 200 });
    set_speed(50);
    start(stage);
    expect_ok(stage, ask(stage, ASK_FORGET, "a"));
    assert_true(server_wait(stage->server, "token=at-secret-a", 1));
}

static void call_section(struct stage *stage, const char *name)
{
    (void)snprintf(acme(stage)->name, sizeof acme(stage)->name, "%s", name);
}

/* Its section may be missing for a moment only. */
static void a_provider_that_is_gone_is_waited_for(void **state)
{
    struct stage *stage = *state;
    server_script(stage->server, (struct canned){ .times = 1, .status = 503 });
    server_script(stage->server, (struct canned){ .status = 200 });
    start(stage);
    expect_ok(stage, ask(stage, ASK_FORGET, "a"));
    assert_true(server_wait(stage->server, NULL, 1));
    call_section(stage, "elsewhere");
    reload(stage);
    await_kept(stage, 1);
    set_speed(50);
    start(stage);
    rest(400); /* 20 s of its time */
    await_kept(stage, 1);
    assert_int_equal(server_count(stage->server, NULL), 1);
    call_section(stage, "acme");
    set_speed(2000);
    start(stage);
    assert_true(server_wait(stage->server, "token=at-secret-a", 1));
    await_kept(stage, 0);
}

static void but_not_for_ever(void **state)
{
    struct stage *stage = *state;
    start(stage);
    call_section(stage, "elsewhere");
    reload(stage);
    expect_ok(stage, ask(stage, ASK_FORGET, "a"));
    await_kept(stage, 1);
    run_sql(stage, "UPDATE kept SET due_at = 1, created_at = created_at - 86400000 * 31");
    start(stage);
    await_kept(stage, 0);
    assert_int_equal(server_count(stage->server, NULL), 0);
}

static void a_logout_while_the_provider_is_gone_is_made_up_for(void **state)
{
    struct stage *stage = *state;
    server_script(stage->server, (struct canned){ .status = 200 });
    start(stage);
    call_section(stage, "elsewhere");
    reload(stage);
    expect_ok(stage, ask(stage, ASK_FORGET, "a"));
    await_kept(stage, 1);
    call_section(stage, "acme");
    set_speed(2000);
    start(stage);
    assert_true(server_wait(stage->server, "token=rt-secret-a", 1));
    assert_true(server_wait(stage->server, "token=at-secret-a", 1));
    await_kept(stage, 0);
}

/* In the air at the end: nothing is lost, it is sent again after the next start. */
static void what_is_in_the_air_at_the_end_is_sent_again(void **state)
{
    struct stage *stage = *state;
    server_script(stage->server, (struct canned){ .times = 1, .status = 200, .held = true });
    server_script(stage->server, (struct canned){ .status = 200 });
    start(stage);
    expect_ok(stage, ask(stage, ASK_FORGET, "a"));
    assert_true(server_wait(stage->server, NULL, 1));
    await_kept(stage, 1);
    start(stage);
    assert_true(server_wait(stage->server, "token=at-secret-a", 1));
}

#define GRANT_OF(identity)                                                                         \
    "{\"access_token\":\"at-secret-new\",\"expires_in\":3600,\"refresh_token\":\"rt-secret-new\"," \
    "\"company_id\":\"" identity "\"}"

/* Account a of company "one" was logged out; its revocation met an outage once and waits. */
static int set_up_waiting(void **state)
{
    (void)set_up_revoking(state);
    struct stage *stage = *state;
    set_text(&acme(stage)->identity, "company_id");
    seed(stage, (struct seed){ .label = "a", .refresh_token = "rt-secret-a", .identity = "one" });
    server_script(
        stage->server,
        (struct canned){ .match = "code-secret-1", .status = 200, .body = GRANT_OF("one") });
    server_script(
        stage->server,
        (struct canned){ .match = "code-secret-2", .status = 200, .body = GRANT_OF("two") });
    server_script(
        stage->server,
        (struct canned){ .match = "code-secret-0", .status = 200, .body = GRANT_ROTATED });
    server_script(stage->server, (struct canned){ .match = "/revoke", .times = 1, .status = 503 });
    server_script(stage->server, (struct canned){ .match = "/revoke", .status = 200 });
    set_speed(10);
    start(stage);
    expect_ok(stage, ask(stage, ASK_FORGET, "a"));
    assert_true(server_wait(stage->server, "/revoke", 1));
    return 0;
}

static void expect_forgone(struct stage *stage)
{
    rest(1000); /* 10 s of its time */
    stop(stage);
    assert_int_equal(count_kept(stage, KEPT_REVOCATION), 0);
    assert_int_equal(server_count(stage->server, "/revoke"), 1);
}

/* At many providers it would end the new grant as well. */
static void a_new_consent_is_not_ended_by_it(void **state)
{
    struct stage *stage = *state;
    expect_ok(stage, ask_exchange(stage, "a", "code-secret-1", NULL));
    expect_forgone(stage);
}

static void nor_one_of_which_nobody_says_whose_it_is(void **state)
{
    struct stage *stage = *state;
    expect_ok(stage, ask_exchange(stage, "a", "code-secret-0", NULL));
    expect_forgone(stage);
}

static void nor_that_persons_under_another_name(void **state)
{
    struct stage *stage = *state;
    expect_ok(stage, ask_exchange(stage, "b", "code-secret-1", NULL));
    expect_forgone(stage);
}

/* It is held there, as that account is another's. */
static void nor_where_it_is_held(void **state)
{
    struct stage *stage = *state;
    stop(stage);
    run_sql(stage, "UPDATE kept SET due_at = due_at + 60000");
    seed(stage, (struct seed){ .label = "b", .refresh_token = "rt-secret-b", .identity = "two" });
    start(stage);
    expect_ok(stage, ask_exchange(stage, "b", "code-secret-1", NULL));
    expect_forgone(stage);
}

static void nor_an_import(void **state)
{
    struct stage *stage = *state;
    expect_ok(stage, ask_import(stage, "a", "rt-secret-imported"));
    expect_forgone(stage);
}

/* A grant that moves to the name came for it as well. */
static void nor_what_is_renamed(void **state)
{
    struct stage *stage = *state;
    stop(stage);
    run_sql(stage, "UPDATE kept SET identity = NULL, due_at = due_at + 60000");
    start(stage);
    expect_ok(stage, ask_import(stage, "b", "rt-secret-imported"));
    struct message *message = question(ASK_RENAME, "b");
    message->new_name = (struct account_name){ "acme", "a" };
    expect_ok(stage, post(stage, message));
    expect_forgone(stage);
}

static void another_persons_consent_does_not_save_it(void **state)
{
    struct stage *stage = *state;
    expect_ok(stage, ask_exchange(stage, "a", "code-secret-2", NULL));
    assert_true(server_wait(stage->server, "token=rt-secret-a", 2));
}

static void nor_does_anybodys_under_another_name(void **state)
{
    struct stage *stage = *state;
    expect_ok(stage, ask_exchange(stage, "b", "code-secret-0", NULL));
    assert_true(server_wait(stage->server, "token=rt-secret-a", 2));
}

static void hold_first_answer(struct stage *stage, int status)
{
    server_script(stage->server,
                  (struct canned){ .match = "code-secret", .status = 200, .body = GRANT_ROTATED });
    server_script(stage->server, (struct canned){ .times = 1, .status = status, .held = true });
    server_script(stage->server, (struct canned){ .status = 200 });
    set_speed(10);
    start(stage);
    expect_ok(stage, ask(stage, ASK_FORGET, "a"));
    assert_true(server_wait(stage->server, "/revoke", 1));
    expect_ok(stage, ask_exchange(stage, "a", "code-secret-0", NULL));
    server_release(stage->server);
}

static void what_is_in_the_air_then_is_not_tried_again(void **state)
{
    struct stage *stage = *state;
    hold_first_answer(stage, 503);
    expect_forgone(stage);
}

static void nor_does_the_access_token_follow(void **state)
{
    struct stage *stage = *state;
    hold_first_answer(stage, 200);
    expect_forgone(stage);
}

/* The consent could not be written yet: neither is the revocation given up, nor does it go. */
static void it_is_given_up_with_the_commit(void **state)
{
    struct stage *stage = *state;
    refuse_commits(2);
    expect_ok(stage, ask_exchange(stage, "a", "code-secret-1", NULL));
    expect_forgone(stage);
}

int main(void)
{
#define TEST_WAITING(name) cmocka_unit_test_setup_teardown(name, set_up_waiting, tear_down)
#define TEST_REVOKING(name) cmocka_unit_test_setup_teardown(name, set_up_revoking, tear_down)
    const struct CMUnitTest tests[] = {
        TEST_REVOKING(the_refresh_token_goes_first),
        TEST_REVOKING(an_outage_is_waited_for),
        TEST_REVOKING(retry_after_is_honoured),
        TEST_REVOKING(the_rate_limit_is_kept),
        TEST_REVOKING(a_restart_does_not_forget_it),
        TEST_REVOKING(a_refusal_is_final),
        TEST_REVOKING(without_an_endpoint_there_is_nothing_to_do),
        TEST_REVOKING(the_endpoint_is_discovered_for_it),
        TEST_REVOKING(the_end_leaves_it_for_the_next_start),
        TEST_REVOKING(what_cannot_be_unsealed_does_not_block_the_rest),
        TEST_REVOKING(a_provider_that_is_gone_is_waited_for),
        TEST_REVOKING(but_not_for_ever),
        TEST_REVOKING(a_logout_while_the_provider_is_gone_is_made_up_for),
        TEST_REVOKING(what_is_in_the_air_at_the_end_is_sent_again),
        TEST_WAITING(a_new_consent_is_not_ended_by_it),
        TEST_WAITING(nor_one_of_which_nobody_says_whose_it_is),
        TEST_WAITING(nor_that_persons_under_another_name),
        TEST_WAITING(nor_where_it_is_held),
        TEST_WAITING(nor_an_import),
        TEST_WAITING(nor_what_is_renamed),
        TEST_WAITING(another_persons_consent_does_not_save_it),
        TEST_WAITING(nor_does_anybodys_under_another_name),
        TEST_REVOKING(what_is_in_the_air_then_is_not_tried_again),
        TEST_REVOKING(nor_does_the_access_token_follow),
        TEST_WAITING(it_is_given_up_with_the_commit),
    };
    return RUN(tests);
}

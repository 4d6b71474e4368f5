/* A code becomes a grant: sent once, on disk before it is told, held when it is another's. */

#include "fixture.h"

#include "back/exchange.h"

#include <stdio.h>

static void the_grant_is_stored_then_told(void **state)
{
    struct stage *stage = *state;
    CLEANUP(cleanup_account_row) struct account_row row = { 0 };
    CLEANUP(cleanup_grant) struct grant grant = { 0 };
    server_script(stage->server, (struct canned){ .status = 200, .body = GRANT_ROTATED });
    const uint64_t id = ask_exchange(stage, "a", "code-secret-1", NULL);
    CLEANUP(cleanup_message) struct message *came = answer(stage, id);
    assert_false(came->failed);
    assert_int_equal(came->consent->outcome, CONSENT_GRANTED);
    assert_string_equal(came->consent->scope, "read write");
    assert_false(came->consent->fewer_scopes);
    assert_true(came->consent->expires_at > broker_now() + 50 * MINUTE);
    assert_int_equal(stage->notice_count, 1);
    assert_true(holds(stage->notices[0]->token->access_token, "at-secret-1"));
    assert_int_equal(server_count(stage->server, "code=code-secret-1"), 1);
    expect_token(stage, ask(stage, ASK_TOKEN, "a"), "at-secret-1");
    stop(stage);
    stored(stage, "a", &row, &grant);
    assert_true(holds(grant.refresh_token, "rt-secret-1"));
    assert_true(row.refresh_at > 0);
    assert_true(row.created_at > 0);
}

static void nothing_is_told_while_the_disk_is_full(void **state)
{
    struct stage *stage = *state;
    server_script(stage->server,
                  (struct canned){ .status = 200, .body = GRANT_ROTATED, .held = true });
    const uint64_t id = ask_exchange(stage, "a", "code-secret-1", NULL);
    assert_true(server_wait(stage->server, NULL, 1));
    refuse_commits(2);
    server_release(stage->server);
    rest(200);
    assert_false(answered(stage, id));
    expect_ok(stage, id);
    assert_int_equal(server_count(stage->server, NULL), 1);
    expect_token(stage, ask(stage, ASK_TOKEN, "a"), "at-secret-1");
}

static void fewer_scopes_are_said(void **state)
{
    struct stage *stage = *state;
    server_script(
        stage->server,
        (struct canned){ .status = 200,
                         .body = "{\"access_token\":\"at-secret-1\",\"scope\":\"read\"}" });
    CLEANUP(cleanup_message)
    struct message *came = answer(stage, ask_exchange(stage, "a", "code-secret-1", NULL));
    assert_false(came->failed);
    assert_true(came->consent->fewer_scopes);
    assert_int_equal(came->consent->outcome, CONSENT_WITHOUT_REFRESH_TOKEN);
    CLEANUP(cleanup_account_row) struct account_row row = ask_row(stage, "a");
    assert_false(row.has_refresh_token);
    assert_int_equal(row.refresh_at, 0);
    assert_string_equal(row.scope, "read");
}

/* Microsoft never lists it; the refresh token itself says that it was granted (OIDC Core 11). */
static void offline_access_is_granted_with_a_refresh_token(void **state)
{
    struct stage *stage = *state;
    static const struct {
        const char *body;
        bool fewer;
    } rows[] = {
        { "{\"access_token\":\"at-1\",\"refresh_token\":\"rt-1\",\"scope\":\"read\"}", false },
        { "{\"access_token\":\"at-1\",\"refresh_token\":\"rt-1\",\"scope\":\"other\"}", true },
        { "{\"access_token\":\"at-1\",\"scope\":\"read\"}", true },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct message *message = question(ASK_EXCHANGE, "c");
        message->exchange = calloc(1, sizeof *message->exchange);
        assert_non_null(message->exchange);
        message->exchange->redirect_uri = strdup("http://127.0.0.1:1/callback");
        message->exchange->scope = strdup("read offline_access");
        assert_int_equal(secret_new("code-secret-1", 13, &message->exchange->code), 0);
        server_script(stage->server,
                      (struct canned){ .times = 1, .status = 200, .body = rows[i].body });
        CLEANUP(cleanup_message) struct message *came = answer(stage, post(stage, message));
        assert_false(came->failed);
        assert_int_equal(came->consent->fewer_scopes, rows[i].fewer);
    }
}

static void a_code_waits_for_a_short_rest(void **state)
{
    struct stage *stage = *state;
    server_script(stage->server,
                  (struct canned){ .times = 1, .status = 429, .headers = "Retry-After: 4\r\n" });
    server_script(stage->server, (struct canned){ .times = 1, .status = 429 });
    server_script(stage->server, (struct canned){ .status = 200, .body = GRANT_ROTATED });
    set_speed(10);
    start(stage);
    const int64_t begun = broker_now();
    expect_ok(stage, ask_exchange(stage, "a", "code-secret-1", NULL));
    assert_true(broker_now() - begun >= 5 * SECOND);
    assert_int_equal(server_count(stage->server, "code-secret-1"), 3);
}

static void a_code_does_not_wait_for_a_long_rest(void **state)
{
    struct stage *stage = *state;
    server_script(stage->server,
                  (struct canned){ .times = 1, .status = 503, .headers = "Retry-After: 600\r\n" });
    server_script(stage->server, (struct canned){ .status = 200, .body = GRANT_ROTATED });
    CLEANUP(cleanup_message)
    struct message *first =
        refusal(stage, ask_exchange(stage, "a", "code-secret-1", NULL), WIRE_PROVIDER_UNAVAILABLE);
    assert_in_range(first->failure.retry_after_s, 590, 600);
    /* Nor is another one sent meanwhile. */
    CLEANUP(cleanup_message)
    struct message *second = answer(stage, ask_exchange(stage, "b", "code-secret-2", NULL));
    assert_true(second->failed);
    assert_in_range(second->failure.retry_after_s, 590, 600);
    assert_int_equal(server_count(stage->server, NULL), 1);
    expect_ok(stage, ask(stage, ASK_RETRY, "acme/"));
    expect_ok(stage, ask_exchange(stage, "b", "code-secret-3", NULL));
}

static void a_code_that_is_put_off_for_ever_is_given_up(void **state)
{
    struct stage *stage = *state;
    server_script(stage->server, (struct canned){ .status = 429 });
    set_speed(10);
    start(stage);
    expect_failure(stage, ask_exchange(stage, "a", "code-secret-1", NULL),
                   WIRE_PROVIDER_UNAVAILABLE);
    assert_int_equal(server_count(stage->server, NULL), EXCHANGE_TRIES);
}

static void codes_keep_the_rate_limit(void **state)
{
    struct stage *stage = *state;
    uint64_t ids[3];
    acme(stage)->rate_limit_requests = 5;
    acme(stage)->rate_limit_period_ms = 10 * SECOND;
    server_script(stage->server, (struct canned){ .status = 200, .body = GRANT_ROTATED });
    set_speed(10);
    start(stage);
    const int64_t begun = broker_now();
    ids[0] = ask_exchange(stage, "a", "code-secret-1", NULL);
    ids[1] = ask_exchange(stage, "b", "code-secret-2", NULL);
    ids[2] = ask_exchange(stage, "c", "code-secret-3", NULL);
    for (size_t i = 0; i < 3; i++)
        expect_ok(stage, ids[i]);
    assert_true(broker_now() - begun >= 2 * 2 * SECOND - SECOND / 2);
}

static void a_consent_for_another_identity_is_held(void **state)
{
    struct stage *stage = *state;
    CLEANUP(cleanup_account_row) struct account_row row = { 0 };
    CLEANUP(cleanup_grant) struct grant grant = { 0 };
    set_text(&acme(stage)->identity, "company_id");
    seed(stage, (struct seed){ .label = "a",
                               .refresh_token = "rt-secret-one",
                               .access_token = "at-secret-one",
                               .lifetime_ms = HOUR,
                               .identity = "one" });
    server_script(stage->server,
                  (struct canned){ .status = 200,
                                   .body = "{\"access_token\":\"at-secret-two\",\"expires_in\":60,"
                                           "\"company_id\":\"two\"}" });
    start(stage);
    CLEANUP(cleanup_message)
    struct message *came = answer(stage, ask_exchange(stage, "a", "code-secret-1", NULL));
    assert_false(came->failed);
    assert_int_equal(came->consent->outcome, CONSENT_IDENTITY_MISMATCH);
    assert_string_equal(came->consent->identity, "two");
    expect_token(stage, ask(stage, ASK_TOKEN, "a"), "at-secret-one");
    stop(stage);
    stored(stage, "a", &row, &grant);
    assert_string_equal(row.identity, "one");
    assert_int_equal(row.generation, 1);
    assert_string_equal(row.held_identity, "two");
    /* What is held has nothing of the other identity in it. */
    CLEANUP(cleanup_held_row) struct held_row held_row = { 0 };
    CLEANUP(cleanup_grant) struct grant held = { 0 };
    assert_true(held_consent(stage, "a", &held_row, &held));
    assert_true(holds(held.access_token, "at-secret-two"));
    assert_null(held.refresh_token);
}

static void seed_of_one(struct stage *stage)
{
    set_text(&acme(stage)->identity, "company_id");
    seed(stage, (struct seed){ .label = "a",
                               .refresh_token = "rt-secret-one",
                               .access_token = "at-secret-one",
                               .lifetime_ms = HOUR,
                               .identity = "one" });
}

/* It may be anybody's; accepted, it is still known whose it should be. */
static void a_consent_without_an_identity_is_held(void **state)
{
    struct stage *stage = *state;
    seed_of_one(stage);
    server_script(stage->server, (struct canned){ .status = 200, .body = GRANT_ROTATED });
    start(stage);
    CLEANUP(cleanup_message)
    struct message *came = answer(stage, ask_exchange(stage, "a", "code-secret-1", NULL));
    assert_false(came->failed);
    assert_int_equal(came->consent->outcome, CONSENT_UNTOLD);
    assert_null(came->consent->identity);
    expect_token(stage, ask(stage, ASK_TOKEN, "a"), "at-secret-one");
    CLEANUP(cleanup_account_row) struct account_row row = ask_row(stage, "a");
    assert_true(row.held_at > 0);
    assert_null(row.held_identity);
    struct message *decision = question(ASK_DECIDE, "a");
    decision->accept = true;
    decision->held_at = row.held_at;
    CLEANUP(cleanup_message) struct message *accepted = answer(stage, post(stage, decision));
    assert_false(accepted->failed);
    assert_string_equal(accepted->rows[0].identity, "one");
    expect_token(stage, ask(stage, ASK_TOKEN, "a"), "at-secret-1");
}

/* Nobody asked whose it is. */
static void without_the_setting_identity_it_is_no_matter(void **state)
{
    struct stage *stage = *state;
    seed_of_one(stage);
    free(acme(stage)->identity);
    acme(stage)->identity = NULL;
    server_script(stage->server, (struct canned){ .status = 200, .body = GRANT_ROTATED });
    start(stage);
    CLEANUP(cleanup_message)
    struct message *came = answer(stage, ask_exchange(stage, "a", "code-secret-1", NULL));
    assert_int_equal(came->consent->outcome, CONSENT_GRANTED);
    assert_null(came->consent->identity);
}

static void a_rescued_refresh_token_has_an_owner(void **state)
{
    struct stage *stage = *state;
    seed_of_one(stage);
    server_script(
        stage->server,
        (struct canned){ .status = 200,
                         .body = "{\"refresh_token\":\"rt-secret-x\",\"company_id\":\"two\"}" });
    start(stage);
    CLEANUP(cleanup_message)
    struct message *came = answer(stage, ask_exchange(stage, "a", "code-secret-1", NULL));
    assert_false(came->failed);
    assert_int_equal(came->consent->outcome, CONSENT_IDENTITY_MISMATCH);
    assert_string_equal(came->consent->identity, "two");
    expect_token(stage, ask(stage, ASK_TOKEN, "a"), "at-secret-one");
}

/* Its id_token's nonce is "other". */
static void a_rescued_refresh_token_of_another_login_is_kept(void **state)
{
    struct stage *stage = *state;
    server_script(stage->server,
                  (struct canned){ .status = 200,
                                   .body = "{\"refresh_token\":\"rt-secret-x\",\"id_token\":"
                                           "\"e30.eyJub25jZSI6Im90aGVyIn0.x\"}" });
    start(stage);
    expect_failure(stage, ask_exchange(stage, "a", "code-secret-1", "n-mine"),
                   WIRE_PROVIDER_REJECTED);
    expect_failure(stage, ask(stage, ASK_ACCOUNT, "a"), WIRE_UNKNOWN_ACCOUNT);
    stop(stage);
    assert_int_equal(count_kept(stage, KEPT_UNREADABLE_REPLY), 1);
}

/* b's is dead; c's may only have met a provider that had gone wrong. */
static void a_refresh_token_that_may_still_work_is_kept(void **state)
{
    struct stage *stage = *state;
    CLEANUP(cleanup_account_row) struct account_row row = { 0 };
    CLEANUP(cleanup_grant) struct grant grant = { 0 };
    seed(stage, (struct seed){ .label = "a", .refresh_token = "rt-secret-one" });
    seed(stage, (struct seed){ .label = "b",
                               .refresh_token = "rt-secret-dead",
                               .state = ACCOUNT_CONSENT_REQUIRED });
    seed(stage, (struct seed){ .label = "c",
                               .refresh_token = "rt-secret-three",
                               .state = ACCOUNT_SUSPECT,
                               .predecessor = "rt-secret-two" });
    server_script(stage->server, (struct canned){ .status = 200, .body = GRANT_PLAIN });
    start(stage);
    expect_ok(stage, ask_exchange(stage, "a", "code-secret-1", NULL));
    expect_ok(stage, ask_exchange(stage, "b", "code-secret-2", NULL));
    expect_ok(stage, ask_exchange(stage, "c", "code-secret-3", NULL));
    /* b's dead token is nobody's now: it may be imported elsewhere. */
    expect_ok(stage, ask_import(stage, "d", "rt-secret-dead"));
    stop(stage);
    stored(stage, "a", &row, &grant);
    assert_true(holds(grant.refresh_token, "rt-secret-one"));
    grant_release(&grant);
    account_row_release(&row);
    stored(stage, "b", &row, &grant);
    assert_null(grant.refresh_token);
    assert_false(row.has_refresh_token);
    grant_release(&grant);
    account_row_release(&row);
    stored(stage, "c", &row, &grant);
    assert_true(holds(grant.refresh_token, "rt-secret-three"));
    assert_true(holds(grant.predecessor, "rt-secret-two"));
    assert_int_equal(row.state, ACCOUNT_ACTIVE);
}

static void short_memory_keeps_the_refresh_token(void **state)
{
    struct stage *stage = *state;
    CLEANUP(cleanup_account_row) struct account_row row = { 0 };
    CLEANUP(cleanup_grant) struct grant grant = { 0 };
    seed(stage, (struct seed){ .label = "a", .refresh_token = "rt-secret-one" });
    server_script(stage->server, (struct canned){ .status = 200, .body = GRANT_PLAIN });
    start(stage);
    refuse_vault_memory(1);
    expect_ok(stage, ask_exchange(stage, "a", "code-secret-1", NULL));
    stop(stage);
    stored(stage, "a", &row, &grant);
    assert_true(holds(grant.refresh_token, "rt-secret-one"));
}

/* It dies when it would have, so that the warnings come in time; a new one has its own end. */
static void the_end_of_a_kept_refresh_token_is_kept(void **state)
{
    struct stage *stage = *state;
    static const struct canned replies[] = {
        { .times = 1,
          .status = 200,
          .body = "{\"access_token\":\"at-1\",\"expires_in\":60,\"refresh_token\":\"rt-1\","
                  "\"refresh_token_expires_in\":864000}" },
        { .times = 1, .status = 200, .body = "{\"access_token\":\"at-2\",\"expires_in\":60}" },
        { .times = 1,
          .status = 200,
          .body = "{\"access_token\":\"at-3\",\"expires_in\":60,\"refresh_token\":\"rt-3\"}" },
    };
    struct account_row rows[3];
    for (size_t i = 0; i < 3; i++) {
        server_script(stage->server, replies[i]);
        expect_ok(stage, ask_exchange(stage, "c", "code-secret-1", NULL));
        rows[i] = ask_row(stage, "c");
    }
    assert_true(rows[0].granted_at > 0 && rows[0].refresh_token_expires_at > 0);
    assert_int_equal(rows[1].granted_at, rows[0].granted_at);
    assert_true(rows[2].granted_at > rows[0].granted_at);
    assert_int_equal(rows[1].refresh_token_expires_at, rows[0].refresh_token_expires_at);
    assert_int_equal(rows[1].refresh_token_life_ms, rows[0].refresh_token_life_ms);
    assert_int_equal(rows[2].refresh_token_expires_at, 0);
    for (size_t i = 0; i < 3; i++)
        account_row_release(&rows[i]);
}

static void a_refresh_token_of_another_account_is_refused(void **state)
{
    struct stage *stage = *state;
    seed(stage, (struct seed){ .label = "a", .refresh_token = "rt-secret-1" });
    server_script(stage->server, (struct canned){ .status = 200, .body = GRANT_ROTATED });
    start(stage);
    CLEANUP(cleanup_message)
    struct message *came =
        refusal(stage, ask_exchange(stage, "b", "code-secret-1", NULL), WIRE_PROVIDER_REJECTED);
    assert_null(strstr(came->failure.description, "acme/a"));
    assert_non_null(strstr(came->failure.description, "another account"));
    expect_failure(stage, ask(stage, ASK_ACCOUNT, "b"), WIRE_UNKNOWN_ACCOUNT);
}

static void a_code_that_was_not_sent_is_tried_again(void **state)
{
    struct stage *stage = *state;
    set_text(&acme(stage)->token_endpoint, "http://127.0.0.1:1/token");
    set_speed(10);
    start(stage);
    const int64_t begun = broker_now();
    expect_failure(stage, ask_exchange(stage, "a", "code-secret-1", NULL),
                   WIRE_PROVIDER_UNAVAILABLE);
    assert_true(broker_now() - begun >= 2 * EXCHANGE_RETRY_MS);
}

static void a_code_that_was_sent_is_not_sent_again(void **state)
{
    struct stage *stage = *state;
    server_script(stage->server, (struct canned){ .status = 0 });
    expect_failure(stage, ask_exchange(stage, "a", "code-secret-1", NULL),
                   WIRE_PROVIDER_UNAVAILABLE);
    rest(100);
    assert_int_equal(server_count(stage->server, NULL), 1);
}

/* A code can be spent once: what a broken connection had brought until then may be all. */
static void a_whole_reply_on_a_broken_connection_counts(void **state)
{
    struct stage *stage = *state;
    server_script(stage->server,
                  (struct canned){ .status = 200, .body = GRANT_ROTATED, .cut = true });
    expect_ok(stage, ask_exchange(stage, "a", "code-secret-1", NULL));
    expect_token(stage, ask(stage, ASK_TOKEN, "a"), "at-secret-1");
}

/* Only the refresh token could be read: it is stored, and spent at once for a whole reply. */
static void a_rescued_refresh_token_is_a_grant(void **state)
{
    struct stage *stage = *state;
    server_script(stage->server, (struct canned){ .times = 1,
                                                  .status = 200,
                                                  .body = "{\"refresh_token\":\"rt-secret-x\"}" });
    server_script(stage->server,
                  (struct canned){ .match = "rt-secret-x", .status = 200, .body = GRANT_PLAIN });
    expect_ok(stage, ask_exchange(stage, "a", "code-secret-1", NULL));
    await_generation(stage, "a", 2);
    expect_token(stage, ask(stage, ASK_TOKEN, "a"), "at-secret-2");
}

static void an_unreadable_reply_is_kept_sealed(void **state)
{
    struct stage *stage = *state;
    server_script(stage->server, (struct canned){ .status = 200, .body = "{\"access_token\":" });
    expect_failure(stage, ask_exchange(stage, "a", "code-secret-1", NULL),
                   WIRE_PROVIDER_UNAVAILABLE);
    expect_failure(stage, ask(stage, ASK_ACCOUNT, "a"), WIRE_UNKNOWN_ACCOUNT);
    stop(stage);
    assert_int_equal(count_kept(stage, KEPT_UNREADABLE_REPLY), 1);
}

static void an_unknown_provider_is_said(void **state)
{
    struct stage *stage = *state;
    expect_failure(stage, ask_exchange(stage, "nobody/a", "code-secret-1", NULL),
                   WIRE_UNKNOWN_PROVIDER);
}

/* A reload took its endpoint away while the person was at the provider. */
static void a_code_for_a_provider_that_became_static_is_refused(void **state)
{
    struct stage *stage = *state;
    stop(stage);
    acme(stage)->grant = GRANT_STATIC;
    set_text(&acme(stage)->token_endpoint, NULL);
    start(stage);
    expect_failure(stage, ask_exchange(stage, "a", "code-secret-1", NULL), WIRE_BUSY);
    assert_int_equal(server_count(stage->server, NULL), 0);
}

static void a_new_consent_ends_a_refresh_that_is_in_the_air(void **state)
{
    struct stage *stage = *state;
    CLEANUP(cleanup_account_row) struct account_row row = { 0 };
    CLEANUP(cleanup_grant) struct grant grant = { 0 };
    seed(stage, (struct seed){ .label = "a", .refresh_token = "rt-secret-a" });
    server_script(stage->server,
                  (struct canned){
                      .match = "rt-secret-a", .status = 200, .body = GRANT_ROTATED, .held = true });
    server_script(stage->server, (struct canned){ .status = 200, .body = GRANT_ROTATED });
    start(stage);
    const uint64_t refresh = ask(stage, ASK_TOKEN, "a");
    assert_true(server_wait(stage->server, NULL, 1));
    expect_ok(stage, ask_exchange(stage, "a", "code-secret-1", NULL));
    server_release(stage->server);
    expect_failure(stage, refresh, WIRE_BUSY);
    expect_token(stage, ask(stage, ASK_TOKEN, "a"), "at-secret-2");
    stop(stage);
    stored(stage, "a", &row, &grant);
    assert_true(holds(grant.refresh_token, "rt-secret-2"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_STARTED(the_grant_is_stored_then_told),
        TEST_STARTED(nothing_is_told_while_the_disk_is_full),
        TEST_STARTED(fewer_scopes_are_said),
        TEST_STARTED(offline_access_is_granted_with_a_refresh_token),
        TEST(a_code_waits_for_a_short_rest),
        TEST_STARTED(a_code_does_not_wait_for_a_long_rest),
        TEST(a_code_that_is_put_off_for_ever_is_given_up),
        TEST(codes_keep_the_rate_limit),
        TEST(a_consent_for_another_identity_is_held),
        TEST(a_consent_without_an_identity_is_held),
        TEST(without_the_setting_identity_it_is_no_matter),
        TEST(a_rescued_refresh_token_has_an_owner),
        TEST(a_rescued_refresh_token_of_another_login_is_kept),
        TEST(a_refresh_token_that_may_still_work_is_kept),
        TEST(short_memory_keeps_the_refresh_token),
        TEST_STARTED(the_end_of_a_kept_refresh_token_is_kept),
        TEST(a_refresh_token_of_another_account_is_refused),
        TEST(a_code_that_was_not_sent_is_tried_again),
        TEST_STARTED(a_code_that_was_sent_is_not_sent_again),
        TEST_STARTED(a_whole_reply_on_a_broken_connection_counts),
        TEST_STARTED(a_rescued_refresh_token_is_a_grant),
        TEST_STARTED(an_unreadable_reply_is_kept_sealed),
        TEST_STARTED(an_unknown_provider_is_said),
        TEST_STARTED(a_code_for_a_provider_that_became_static_is_refused),
        TEST(a_new_consent_ends_a_refresh_that_is_in_the_air),
    };
    return RUN(tests);
}

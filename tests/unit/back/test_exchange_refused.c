/* A code that becomes no grant: refused, another login's, or nobody can tell; and one for whose
 * grant there is no room. */

#include "fixture.h"

#include <errno.h>

static void a_refused_code_changes_nothing(void **state)
{
    struct stage *stage = *state;
    server_script(stage->server, (struct canned){ .status = 400, .body = REFUSED });
    expect_failure(stage, ask_exchange(stage, "a", "code-secret-1", NULL), WIRE_PROVIDER_REJECTED);
    expect_failure(stage, ask(stage, ASK_ACCOUNT, "a"), WIRE_UNKNOWN_ACCOUNT);
    assert_int_equal(server_count(stage->server, NULL), 1);
    assert_false(ask_paused(stage));
}

/* Whether the code was spent is not known then, and nobody has refused anything. */
static void a_provider_that_fails_refuses_nothing(void **state)
{
    struct stage *stage = *state;
    static const struct canned answers[] = {
        { .times = 1, .status = 500, .body = "<html>" },
        { .times = 1, .status = 503, .body = REFUSED },
        { .times = 1, .status = 307, .headers = "Location: /elsewhere\r\n" },
        { .times = 1, .status = 400, .body = "{\"error\":\"server_error\"}" },
        { .times = 1, .status = 200, .body = "access_token=at-secret-1&token_type=bearer" },
    };
    for (size_t i = 0; i < sizeof answers / sizeof *answers; i++) {
        server_script(stage->server, answers[i]);
        CLEANUP(cleanup_message)
        struct message *came = refusal(stage, ask_exchange(stage, "a", "code-secret-1", NULL),
                                       WIRE_PROVIDER_UNAVAILABLE);
        assert_null(strstr(came->failure.description, "refused"));
        assert_non_null(strstr(came->failure.description, "log in again"));
    }
    assert_int_equal(server_count(stage->server, NULL), sizeof answers / sizeof *answers);
}

/* The id_token's nonce is "other": somebody else's code was put into this login. */
static void a_code_of_another_login_is_refused(void **state)
{
    struct stage *stage = *state;
    server_script(stage->server,
                  (struct canned){ .status = 200,
                                   .body = "{\"access_token\":\"at-secret-1\",\"id_token\":"
                                           "\"eyJhbGciOiJub25lIn0.eyJub25jZSI6Im90aGVyIn0.\"}" });
    expect_failure(stage, ask_exchange(stage, "a", "code-secret-1", "mine"),
                   WIRE_PROVIDER_REJECTED);
    expect_failure(stage, ask(stage, ASK_ACCOUNT, "a"), WIRE_UNKNOWN_ACCOUNT);
    expect_ok(stage, ask_exchange(stage, "a", "code-secret-2", "other"));
}

/* OIDC Core 3.1.3.7 (11). What came is not used, but is not lost either. */
static void an_id_token_without_the_nonce_is_kept_and_not_used(void **state)
{
    struct stage *stage = *state;
    server_script(stage->server,
                  (struct canned){ .status = 200,
                                   .body = "{\"access_token\":\"at-secret-1\","
                                           "\"refresh_token\":\"rt-secret-1\",\"id_token\":"
                                           "\"eyJhbGciOiJub25lIn0.eyJzdWIiOiJhIn0.\"}" });
    CLEANUP(cleanup_message)
    struct message *came =
        refusal(stage, ask_exchange(stage, "a", "code-secret-1", "mine"), WIRE_PROVIDER_REJECTED);
    assert_non_null(strstr(came->failure.description, "nonce is missing"));
    expect_failure(stage, ask(stage, ASK_ACCOUNT, "a"), WIRE_UNKNOWN_ACCOUNT);
    /* Where none was sent, none is wanted. */
    expect_ok(stage, ask_exchange(stage, "a", "code-secret-2", NULL));
    stop(stage);
    assert_int_equal(count_kept(stage, KEPT_UNREADABLE_REPLY), 1);
}

/* Nobody who asked for openid is an OpenID provider for certain. */
static void without_an_id_token_no_nonce_is_wanted(void **state)
{
    struct stage *stage = *state;
    server_script(stage->server, (struct canned){ .status = 200, .body = GRANT_ROTATED });
    expect_ok(stage, ask_exchange(stage, "a", "code-secret-1", "mine"));
}

/* It may be about the tenant of whoever consents: other accounts have nothing to do with it. */
static void a_client_that_may_not_do_this_pauses_nothing(void **state)
{
    struct stage *stage = *state;
    seed(stage, (struct seed){ .label = "b", .refresh_token = "rt-secret-b" });
    server_script(stage->server, (struct canned){ .times = 1,
                                                  .status = 400,
                                                  .body = "{\"error\":\"unauthorized_client\"}" });
    server_script(stage->server, (struct canned){ .status = 200, .body = GRANT_ROTATED });
    start(stage);
    CLEANUP(cleanup_message)
    struct message *came = answer(stage, ask_exchange(stage, "a", "code-secret-1", NULL));
    assert_true(came->failed);
    assert_non_null(strstr(came->failure.description, "refused the broker itself, not you"));
    assert_false(ask_paused(stage));
    expect_token(stage, ask(stage, ASK_TOKEN, "b"), "at-secret-2");
}

static void a_client_that_is_refused_pauses_the_provider(void **state)
{
    struct stage *stage = *state;
    seed(stage, (struct seed){ .label = "b", .refresh_token = "rt-secret-b" });
    server_script(stage->server, (struct canned){ .times = 1, .status = 401, .body = BAD_CLIENT });
    server_script(stage->server, (struct canned){ .status = 200, .body = GRANT_ROTATED });
    start(stage);
    CLEANUP(cleanup_message)
    struct message *came =
        refusal(stage, ask_exchange(stage, "a", "code-secret-1", NULL), WIRE_PROVIDER_REJECTED);
    assert_non_null(strstr(came->failure.description, "refused the broker itself, not you"));
    assert_non_null(strstr(came->failure.description, "provider acme"));
    assert_true(ask_paused(stage));
    expect_failure(stage, ask(stage, ASK_TOKEN, "b"), WIRE_PROVIDER_REJECTED);
    assert_int_equal(server_count(stage->server, "rt-secret-b"), 0);
    /* A consent that goes through shows that it is mended. */
    expect_ok(stage, ask_exchange(stage, "a", "code-secret-2", NULL));
    await_paused(stage, false);
    expect_token(stage, ask(stage, ASK_TOKEN, "b"), "at-secret-3");
}

static void a_scope_that_is_refused_pauses_nobody(void **state)
{
    struct stage *stage = *state;
    server_script(stage->server,
                  (struct canned){ .status = 400, .body = "{\"error\":\"invalid_scope\"}" });
    expect_failure(stage, ask_exchange(stage, "a", "code-secret-1", NULL), WIRE_PROVIDER_REJECTED);
    assert_false(ask_paused(stage));
}

static void a_code_is_not_spent_without_room_for_its_grant(void **state)
{
    struct stage *stage = *state;
    server_script(stage->server, (struct canned){ .status = 200, .body = GRANT_ROTATED });
    fill_secrets(SECRET_FREE_BESIDE_FIRST / SECRET_MAX / 2);
    const uint64_t id = ask_exchange(stage, "a", "code-secret-1", NULL);
    rest(200);
    assert_int_equal(server_count(stage->server, NULL), 0);
    assert_false(answered(stage, id));
    empty_secrets();
    expect_ok(stage, id);
    assert_int_equal(server_count(stage->server, "code=code-secret-1"), 1);
}

static void a_code_has_its_place_in_full_memory(void **state)
{
    struct stage *stage = *state;
    server_script(stage->server,
                  (struct canned){ .status = 200, .body = GRANT_ROTATED, .held = true });
    const uint64_t id = ask_exchange(stage, "a", "code-secret-1", NULL);
    assert_true(server_wait(stage->server, NULL, 1));
    fill_secrets(0);
    server_release(stage->server);
    rest(300);
    empty_secrets();
    expect_ok(stage, id);
    expect_token(stage, ask(stage, ASK_TOKEN, "a"), "at-secret-1");
}

/* Nor without the memory in which it is stored. */
static void a_code_is_not_spent_without_memory_for_its_commit(void **state)
{
    struct stage *stage = *state;
    server_script(stage->server, (struct canned){ .status = 200, .body = GRANT_ROTATED });
    refuse_commit_memory(UINT32_MAX);
    const uint64_t id = ask_exchange(stage, "a", "code-secret-1", NULL);
    rest(200);
    assert_int_equal(server_count(stage->server, NULL), 0);
    assert_false(answered(stage, id));
    refuse_commit_memory(0);
    expect_ok(stage, id);
    expect_token(stage, ask(stage, ASK_TOKEN, "a"), "at-secret-1");
}

/* Nor while it could not be: it waits between two tries as the disk fills up. */
static void a_code_is_not_sent_again_while_the_store_refuses_writes(void **state)
{
    struct stage *stage = *state;
    server_script(stage->server, (struct canned){ .times = 1, .status = 429 });
    server_script(stage->server, (struct canned){ .status = 200, .body = GRANT_ROTATED });
    const uint64_t id = ask_exchange(stage, "a", "code-secret-1", NULL);
    assert_true(server_wait(stage->server, "code-secret-1", 1));
    refuse_commits(3);
    expect_failure(stage, ask_import(stage, "b", "rt-secret-b"), WIRE_BUSY);
    rest(1500);
    assert_int_equal(server_count(stage->server, "code-secret-1"), 1);
    assert_false(answered(stage, id));
    expect_ok(stage, id);
    assert_int_equal(server_count(stage->server, "code-secret-1"), 2);
}

/* What it would bring could only be revoked again. */
static void a_code_whose_account_was_logged_out_is_not_sent_again(void **state)
{
    struct stage *stage = *state;
    seed(stage, (struct seed){ .label = "a", .refresh_token = "rt-secret-a" });
    server_script(stage->server, (struct canned){ .times = 1, .status = 429 });
    server_script(stage->server, (struct canned){ .status = 200, .body = GRANT_ROTATED });
    start(stage);
    const uint64_t id = post(stage, begin_login(stage, "a", "code-secret-1"));
    assert_true(server_wait(stage->server, "code-secret-1", 1));
    expect_ok(stage, ask(stage, ASK_FORGET, "a"));
    expect_failure(stage, id, WIRE_UNKNOWN_ACCOUNT);
    assert_int_equal(server_count(stage->server, "code-secret-1"), 1);
}

/* It might end the newer one's grant. */
static void nor_one_that_a_newer_replaced(void **state)
{
    struct stage *stage = *state;
    server_script(stage->server,
                  (struct canned){ .match = "code-secret-1", .times = 1, .status = 429 });
    server_script(stage->server, (struct canned){ .status = 200, .body = GRANT_ROTATED });
    const uint64_t older = ask_exchange(stage, "a", "code-secret-1", NULL);
    assert_true(server_wait(stage->server, "code-secret-1", 1));
    expect_ok(stage, ask_exchange(stage, "a", "code-secret-2", NULL));
    expect_failure(stage, older, WIRE_BAD_REQUEST);
    assert_int_equal(server_count(stage->server, "code-secret-1"), 1);
    expect_token(stage, ask(stage, ASK_TOKEN, "a"), "at-secret-2");
}

/* A server that the person was not sent to would be shown it. */
static void a_code_is_not_sent_to_whom_it_is_not_for(void **state)
{
    struct stage *stage = *state;
    server_script(stage->server, (struct canned){ .status = 200, .body = GRANT_ROTATED });
    struct message *message = question(ASK_EXCHANGE, "a");
    message->exchange = calloc(1, sizeof *message->exchange);
    assert_int_equal(secret_new("code-secret-2", 13, &message->exchange->code), 0);
    message->exchange->redirect_uri = strdup("http://127.0.0.1:1/callback");
    provider_audience(acme(stage), message->exchange->audience);
    set_text(&acme(stage)->client_id, "another");
    reload(stage);
    expect_failure(stage, post(stage, message), WIRE_BUSY);
    expect_ok(stage, ask_exchange(stage, "a", "code-secret-3", NULL));
    assert_int_equal(server_count(stage->server, "code-secret-2"), 0);
}

/* Its grant could not be written, and would hold up everybody else's. */
static void a_code_for_a_row_that_cannot_be_read_is_not_sent(void **state)
{
    struct stage *stage = *state;
    static const int results[] = { STORE_FOREIGN, -EBADMSG };
    server_script(stage->server, (struct canned){ .status = 200, .body = GRANT_ROTATED });
    for (size_t i = 0; i < 2; i++) {
        fail_reads("a", results[i]);
        CLEANUP(cleanup_message)
        struct message *came =
            refusal(stage, ask_exchange(stage, "a", "code-secret-1", NULL), WIRE_INTERNAL);
        assert_non_null(strstr(came->failure.description, "acme/a"));
    }
    expect_ok(stage, ask_exchange(stage, "b", "code-secret-2", NULL));
    assert_int_equal(server_count(stage->server, "code-secret-1"), 0);
    damage_reads(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_STARTED(a_refused_code_changes_nothing),
        TEST_STARTED(a_provider_that_fails_refuses_nothing),
        TEST_STARTED(a_code_of_another_login_is_refused),
        TEST_STARTED(an_id_token_without_the_nonce_is_kept_and_not_used),
        TEST_STARTED(without_an_id_token_no_nonce_is_wanted),
        TEST(a_client_that_may_not_do_this_pauses_nothing),
        TEST(a_client_that_is_refused_pauses_the_provider),
        TEST_STARTED(a_scope_that_is_refused_pauses_nobody),
        TEST_STARTED(a_code_is_not_spent_without_room_for_its_grant),
        TEST_STARTED(a_code_has_its_place_in_full_memory),
        TEST_STARTED(a_code_is_not_spent_without_memory_for_its_commit),
        TEST_STARTED(a_code_is_not_sent_again_while_the_store_refuses_writes),
        TEST(a_code_whose_account_was_logged_out_is_not_sent_again),
        TEST_STARTED(nor_one_that_a_newer_replaced),
        TEST_STARTED(a_code_is_not_sent_to_whom_it_is_not_for),
        TEST_STARTED(a_code_for_a_row_that_cannot_be_read_is_not_sent),
    };
    return RUN(tests);
}

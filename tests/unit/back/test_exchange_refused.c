/* A code that becomes no grant: refused, another login's, or nobody can tell; and one for whose
 * grant there is no room. */

#include "fixture.h"

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
    };
    return RUN(tests);
}

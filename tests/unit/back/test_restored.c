/* A store that is a copy: its live tokens are served, nothing is sent, until somebody resumes. */

#include "fixture.h"

#define COPIED "INSERT OR REPLACE INTO facts (name, value) VALUES ('restored', 'it was cloned')"

static void copied(struct stage *stage)
{
    run_sql(stage, COPIED);
    start(stage);
}

static uint64_t ask_resume(struct stage *stage)
{
    return post(stage, message_new(ASK_RESUME));
}

static void expect_resumed(struct stage *stage, bool resumed)
{
    CLEANUP(cleanup_message) struct message *got = answer(stage, ask_resume(stage));
    assert_false(got->failed);
    assert_int_equal(got->accept, resumed);
}

static void live_tokens_are_served(void **state)
{
    struct stage *stage = *state;
    seed_live_and_ended(stage);
    copied(stage);
    expect_token(stage, ask(stage, ASK_TOKEN, "dk"), "at-secret");
    expect_failure(stage, ask(stage, ASK_TOKEN, "se"), WIRE_PROVIDER_UNAVAILABLE);
    rest(100);
    assert_int_equal(server_count(stage->server, NULL), 0);
}

static void health_says_why(void **state)
{
    struct stage *stage = *state;
    copied(stage);
    CLEANUP(cleanup_message)
    struct message *got = answer(stage, ask(stage, ASK_HEALTH, ""));
    assert_string_equal(got->health->copied, "it was cloned");
}

static void a_retry_does_not_go_around_it(void **state)
{
    struct stage *stage = *state;
    seed(stage, (struct seed){ .label = "dk", .refresh_token = "rt-secret", .refresh_at = 1 });
    copied(stage);
    expect_ok(stage, ask(stage, ASK_RETRY, "dk"));
    reload(stage);
    rest(100);
    assert_int_equal(server_count(stage->server, NULL), 0);
}

static void one_account_goes_first(void **state)
{
    struct stage *stage = *state;
    seed(stage, (struct seed){ .label = "dk", .refresh_token = "rt-secret-dk", .refresh_at = 1 });
    seed(stage, (struct seed){ .label = "se", .refresh_token = "rt-secret-se", .refresh_at = 1 });
    server_script(stage->server, (struct canned){ .status = 200, .body = GRANT_ROTATED });
    copied(stage);
    expect_resumed(stage, true);
    await_generation(stage, "dk", 2);
    await_generation(stage, "se", 2);
    await_paused(stage, false);
    expect_resumed(stage, false);
}

static void a_refused_canary_keeps_the_rest_safe(void **state)
{
    struct stage *stage = *state;
    for (unsigned i = 0; i < 3; i++) {
        char label[] = "u0";
        label[1] = (char)('0' + i);
        seed(stage, (struct seed){ .label = label, .refresh_token = "rt-secret", .refresh_at = 1 });
    }
    server_script(stage->server, (struct canned){ .status = 400, .body = REFUSED });
    copied(stage);
    expect_resumed(stage, true);
    await_paused(stage, true);
    rest(200);
    assert_int_equal(server_count(stage->server, NULL), 1);
    for (unsigned i = 0; i < 3; i++) {
        char label[] = "u0";
        label[1] = (char)('0' + i);
        assert_int_not_equal(ask_state(stage, label), ACCOUNT_CONSENT_REQUIRED);
    }
}

static void seed_three(struct stage *stage)
{
    seed(stage, (struct seed){ .label = "u0", .refresh_token = "rt-secret-0", .refresh_at = 1 });
    seed(stage, (struct seed){ .label = "u1", .refresh_token = "rt-secret-1", .refresh_at = 1 });
    seed(stage, (struct seed){ .label = "u2", .refresh_token = "rt-secret-2", .refresh_at = 1 });
}

/* That the client's credentials are taken says nothing about a copy's refresh tokens. */
static void a_login_does_not_end_it_whatever_it_was_paused_for(void **state)
{
    struct stage *stage = *state;
    seed_three(stage);
    server_script(stage->server, (struct canned){ .times = 1, .status = 401, .body = BAD_CLIENT });
    server_script(stage->server,
                  (struct canned){ .match = "code-secret", .status = 200, .body = GRANT_ROTATED });
    server_script(stage->server, (struct canned){ .status = 400, .body = REFUSED });
    start(stage);
    await_paused(stage, true);
    stop(stage);
    copied(stage);
    expect_resumed(stage, true);
    assert_true(server_wait(stage->server, NULL, 2));
    expect_ok(stage, ask_exchange(stage, "u3", "code-secret", NULL));
    rest(200);
    assert_true(ask_paused(stage));
    assert_int_equal(server_count(stage->server, NULL), 3);
}

/* Nothing is refreshed there, and nothing waits for it, until the section is as it was. */
static void a_static_section_that_is_put_back_has_its_canary_too(void **state)
{
    struct stage *stage = *state;
    seed_three(stage);
    server_script(stage->server, (struct canned){ .status = 400, .body = REFUSED });
    acme(stage)->grant = GRANT_STATIC;
    copied(stage);
    expect_resumed(stage, true);
    assert_false(ask_paused(stage));
    acme(stage)->grant = GRANT_AUTHORIZATION_CODE;
    reload(stage);
    assert_true(server_wait(stage->server, NULL, 1));
    assert_true(ask_paused(stage));
    rest(200);
    assert_int_equal(server_count(stage->server, NULL), 1);
}

static void it_is_over_for_the_next_start_too(void **state)
{
    struct stage *stage = *state;
    copied(stage);
    refuse_commits(1);
    expect_failure(stage, ask_resume(stage), WIRE_BUSY);
    expect_resumed(stage, true);
    stop(stage);
    start(stage);
    expect_resumed(stage, false);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(live_tokens_are_served),
        TEST(health_says_why),
        TEST(a_retry_does_not_go_around_it),
        TEST(one_account_goes_first),
        TEST(a_refused_canary_keeps_the_rest_safe),
        TEST(a_login_does_not_end_it_whatever_it_was_paused_for),
        TEST(a_static_section_that_is_put_back_has_its_canary_too),
        TEST(it_is_over_for_the_next_start_too),
    };
    return RUN(tests);
}

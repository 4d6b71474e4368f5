/* Accounts of the client itself (RFC 6749 4.4): made by the first question, renewed without a
 * refresh token, and never a person's matter. */

#include "fixture.h"

#include "back/first_token.h"

static void set_up_client(struct stage *stage)
{
    acme(stage)->grant = GRANT_CLIENT_CREDENTIALS;
}

static void grants(struct stage *stage)
{
    server_script(stage->server, (struct canned){ .status = 200, .body = GRANT_PLAIN });
}

static void the_first_question_makes_it(void **state)
{
    struct stage *stage = *state;
    set_up_client(stage);
    grants(stage);
    start(stage);
    expect_token(stage, ask(stage, ASK_TOKEN, "a"), "at-secret-1");
    expect_token(stage, ask(stage, ASK_TOKEN, "a"), "at-secret-1");
    assert_int_equal(server_count(stage->server, NULL), 1);
    assert_int_equal(server_count(stage->server, "grant_type=client_credentials"), 1);
    assert_int_equal(server_count(stage->server, "refresh_token"), 0);
    CLEANUP(cleanup_account_row) struct account_row row = ask_row(stage, "a");
    assert_int_equal(row.state, ACCOUNT_ACTIVE);
    assert_int_equal(row.generation, 1);
    assert_false(row.has_refresh_token);
    assert_true(row.refresh_at > broker_now());
    assert_int_equal(row.lifetime_ms, HOUR);
}

static void many_at_once_are_one_request(void **state)
{
    enum { ASKED = 20 };
    struct stage *stage = *state;
    uint64_t ids[ASKED];
    set_up_client(stage);
    grants(stage);
    start(stage);
    for (size_t i = 0; i < ASKED; i++)
        ids[i] = ask(stage, ASK_TOKEN, "a");
    for (size_t i = 0; i < ASKED; i++)
        expect_token(stage, ids[i], "at-secret-1");
    assert_int_equal(server_count(stage->server, NULL), 1);
}

/* Gusto's own kind of it. */
static void token_params_name_the_grant_type(void **state)
{
    struct stage *stage = *state;
    set_up_client(stage);
    assert_int_equal(parameters_add(&acme(stage)->token_params, "grant_type", "system_access"), 0);
    grants(stage);
    start(stage);
    expect_token(stage, ask(stage, ASK_TOKEN, "a"), "at-secret-1");
    assert_int_equal(server_count(stage->server, "grant_type=system_access"), 1);
    assert_int_equal(server_count(stage->server, "client_credentials"), 0);
}

static void it_is_renewed_before_its_end(void **state)
{
    struct stage *stage = *state;
    set_up_client(stage);
    server_script(stage->server, (struct canned){ .status = 200,
                                                  .body = "{\"access_token\":\"at-secret-%u\","
                                                          "\"expires_in\":300}" });
    set_speed(1000);
    start(stage);
    expect_token(stage, ask(stage, ASK_TOKEN, "a"), "at-secret-1");
    await_generation(stage, "a", 3);
    assert_true(server_count(stage->server, "grant_type=client_credentials") >= 3);
}

/* RFC 6749 4.4.3: there should be none. */
static void a_refresh_token_is_not_kept(void **state)
{
    struct stage *stage = *state;
    CLEANUP(cleanup_account_row) struct account_row row = { 0 };
    CLEANUP(cleanup_grant) struct grant grant = { 0 };
    set_up_client(stage);
    server_script(stage->server, (struct canned){ .status = 200, .body = GRANT_ROTATED });
    start(stage);
    expect_token(stage, ask(stage, ASK_TOKEN, "a"), "at-secret-1");
    stop(stage);
    stored(stage, "a", &row, &grant);
    assert_false(row.has_refresh_token);
    assert_null(grant.refresh_token);
    assert_null(grant.predecessor);
    assert_true(holds(grant.access_token, "at-secret-1"));
}

static void refusals_pause_the_provider(void **state)
{
    static const char *const bodies[] = { BAD_CLIENT, REFUSED };
    struct stage *stage = *state;
    set_up_client(stage);
    for (size_t i = 0; i < 2; i++) {
        server_script(stage->server,
                      (struct canned){ .times = 1, .status = i ? 400 : 401, .body = bodies[i] });
        grants(stage);
        if (i == 0)
            start(stage);
        const char *label = i ? "b" : "a";
        expect_failure(stage, ask(stage, ASK_TOKEN, label), WIRE_PROVIDER_REJECTED);
        assert_true(ask_paused(stage));
        assert_int_not_equal(ask_state(stage, label), ACCOUNT_CONSENT_REQUIRED);
        /* Somebody mends it: a canary finds out. */
        expect_ok(stage, ask(stage, ASK_RETRY, "acme/"));
        await_paused(stage, false);
        server_forget_script(stage->server);
    }
    grants(stage);
    assert_true(server_count(stage->server, NULL) >= 4);
}

static void a_rejected_token_is_replaced(void **state)
{
    struct stage *stage = *state;
    set_up_client(stage);
    grants(stage);
    start(stage);
    expect_token(stage, ask(stage, ASK_TOKEN, "a"), "at-secret-1");
    expect_ok(stage, ask_reject(stage, "a", "at-secret-1"));
    expect_token(stage, ask(stage, ASK_TOKEN, "a"), "at-secret-2");
}

static void forgotten_it_can_be_made_again(void **state)
{
    struct stage *stage = *state;
    set_up_client(stage);
    grants(stage);
    start(stage);
    expect_token(stage, ask(stage, ASK_TOKEN, "a"), "at-secret-1");
    expect_ok(stage, ask(stage, ASK_FORGET, "a"));
    expect_failure(stage, ask(stage, ASK_REFRESH, "a"), WIRE_UNKNOWN_ACCOUNT);
    expect_failure(stage, ask(stage, ASK_ACCOUNT, "a"), WIRE_UNKNOWN_ACCOUNT);
    message_free(answer(stage, ask(stage, ASK_TOKEN, "a")));
    assert_int_equal(ask_state(stage, "a"), ACCOUNT_ACTIVE);
}

static void it_survives_a_restart(void **state)
{
    struct stage *stage = *state;
    set_up_client(stage);
    grants(stage);
    start(stage);
    expect_token(stage, ask(stage, ASK_TOKEN, "a"), "at-secret-1");
    stop(stage);
    start(stage);
    expect_token(stage, ask(stage, ASK_TOKEN, "a"), "at-secret-1");
    rest(1100); /* no two refreshes within a second */
    expect_token(stage, ask(stage, ASK_REFRESH, "a"), "at-secret-2");
}

static void a_full_disk_is_said(void **state)
{
    struct stage *stage = *state;
    set_up_client(stage);
    grants(stage);
    start(stage);
    refuse_commits(1);
    expect_failure(stage, ask(stage, ASK_TOKEN, "a"), WIRE_BUSY);
    assert_int_equal(server_count(stage->server, NULL), 0);
}

#define FACTS                                                                                      \
    ", generation, state, has_refresh_token, rejected, created_at, refreshed_at, lifetime_ms,"     \
    " expires_at, refresh_at, refresh_token_expires_at, refusals, refused_at, suspect_since,"      \
    " failures, last_error_at"

static void there_is_an_end_to_them(void **state)
{
    struct stage *stage = *state;
    set_up_client(stage);
    grants(stage);
    seed(stage, (struct seed){ .label = "a" });
    run_sql(stage, "WITH RECURSIVE n(i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n WHERE i < 255)"
                   " INSERT INTO accounts (provider, label" FACTS
                   ") SELECT provider, 'b' || i" FACTS " FROM accounts, n");
    start(stage);
    expect_failure(stage, ask(stage, ASK_TOKEN, "one-more"), WIRE_BUSY);
    assert_int_equal(server_count(stage->server, NULL), 0);
    expect_ok(stage, ask(stage, ASK_FORGET, "b7"));
    expect_token(stage, ask(stage, ASK_TOKEN, "one-more"), "at-secret-1");
}

/* Of a provider with a person's grants nothing is made. */
static void others_need_a_login(void **state)
{
    struct stage *stage = *state;
    start(stage);
    expect_failure(stage, ask(stage, ASK_TOKEN, "a"), WIRE_UNKNOWN_ACCOUNT);
    expect_failure(stage, ask(stage, ASK_ACCOUNT, "a"), WIRE_UNKNOWN_ACCOUNT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_first_question_makes_it),
        TEST(many_at_once_are_one_request),
        TEST(token_params_name_the_grant_type),
        TEST(it_is_renewed_before_its_end),
        TEST(a_refresh_token_is_not_kept),
        TEST(refusals_pause_the_provider),
        TEST(a_rejected_token_is_replaced),
        TEST(forgotten_it_can_be_made_again),
        TEST(it_survives_a_restart),
        TEST(a_full_disk_is_said),
        TEST(there_is_an_end_to_them),
        TEST(others_need_a_login),
    };
    return RUN(tests);
}

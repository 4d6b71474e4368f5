/* A provider that has gone wrong is met with few accounts, and nobody is asked to consent again for
 * it. */

#include "fixture.h"

#include <stdio.h>

enum { MANY = 50 };

static void seed_many(struct stage *stage, unsigned count, int64_t refresh_at)
{
    for (unsigned i = 0; i < count; i++) {
        char label[16], token[32];
        (void)snprintf(label, sizeof label, "a%02u", i);
        (void)snprintf(token, sizeof token, "rt-secret-%02u", i);
        seed(stage, (struct seed){ .label = label,
                                   .refresh_token = token,
                                   .predecessor = "rt-secret-before",
                                   .refresh_at = refresh_at });
    }
}

static unsigned accounts_sent(struct stage *stage)
{
    unsigned sent = 0;
    for (unsigned i = 0; i < MANY; i++) {
        char token[32];
        (void)snprintf(token, sizeof token, "rt-secret-%02u", i);
        sent += server_count(stage->server, token) > 0;
    }
    return sent;
}

static void count_states(struct stage *stage, uint64_t states[static 3])
{
    CLEANUP(cleanup_message) struct message *came = answer(stage, ask(stage, ASK_HEALTH, NULL));
    assert_false(came->failed);
    memcpy(states, came->health->accounts, 3 * sizeof states[0]);
}

static void refusals_for_everyone_reach_few_and_no_verdict_falls(void **state)
{
    struct stage *stage = *state;
    uint64_t states[3];
    seed_many(stage, MANY, 1);
    server_script(stage->server, (struct canned){ .status = 400, .body = REFUSED });
    set_speed(100);
    start(stage);
    await_paused(stage, true);
    assert_int_equal(accounts_sent(stage), 3);
    /* The first canary flies after a minute. */
    assert_true(server_wait(stage->server, NULL, 4));
    rest(300);
    assert_true(accounts_sent(stage) <= 4);
    assert_int_equal(server_count(stage->server, "rt-secret-before"), 0);
    count_states(stage, states);
    assert_int_equal(states[ACCOUNT_CONSENT_REQUIRED], 0);

    server_forget_script(stage->server);
    server_script(stage->server, (struct canned){ .status = 200, .body = GRANT_PLAIN });
    expect_ok(stage, ask(stage, ASK_RETRY, "acme/"));
    await_paused(stage, false);
    for (unsigned i = 0; i < MANY; i++) {
        char label[16];
        (void)snprintf(label, sizeof label, "a%02u", i);
        await_generation(stage, label, 2);
    }
    count_states(stage, states);
    assert_int_equal(states[ACCOUNT_ACTIVE], MANY);
    assert_int_equal(server_count(stage->server, "rt-secret-before"), 0);
}

static void wrong_credentials_are_tried_on_one_account(void **state)
{
    struct stage *stage = *state;
    seed_many(stage, 20, 1);
    server_script(stage->server,
                  (struct canned){ .match = "Basic ", .status = 200, .body = GRANT_PLAIN });
    server_script(stage->server, (struct canned){ .status = 401, .body = BAD_CLIENT });
    acme(stage)->client_auth = CLIENT_AUTH_POST;
    start(stage);
    await_paused(stage, true);
    rest(200);
    assert_int_equal(server_count(stage->server, NULL), 1);
    CLEANUP(cleanup_message)
    struct message *came = refusal(stage, ask(stage, ASK_TOKEN, "a07"), WIRE_PROVIDER_REJECTED);
    assert_true(came->failure.retry_after_s > 1800);
    assert_int_equal(server_count(stage->server, NULL), 1);
    assert_int_equal(ask_state(stage, "a00"), ACCOUNT_ACTIVE);

    /* The same set-up again is no reason to try again; another one is. */
    reload(stage);
    rest(200);
    assert_int_equal(server_count(stage->server, NULL), 1);
    acme(stage)->client_auth = CLIENT_AUTH_BASIC;
    reload(stage);
    await_paused(stage, false);
    await_generation(stage, "a19", 2);
}

/* The words for it are invalid_scope, invalid_target, invalid_request: what was asked for was
 * wrong.
 */
static void parameters_that_are_mended_are_tried_at_once(void **state)
{
    struct stage *stage = *state;
    seed_many(stage, 3, 1);
    server_script(
        stage->server,
        (struct canned){ .match = "audience=payroll", .status = 200, .body = GRANT_PLAIN });
    server_script(stage->server,
                  (struct canned){ .status = 400, .body = "{\"error\":\"invalid_scope\"}" });
    start(stage);
    await_paused(stage, true);
    assert_int_equal(parameters_add(&acme(stage)->refresh_params, "audience", "payroll"), 0);
    reload(stage);
    await_paused(stage, false);
    await_generation(stage, "a02", 2);
}

/* Some servers spend the refresh token of a request whose client secret is wrong. */
static void a_wrong_secret_is_probed_with_two_accounts_at_most(void **state)
{
    struct stage *stage = *state;
    seed_many(stage, 20, 1);
    server_script(stage->server, (struct canned){ .status = 401, .body = BAD_CLIENT });
    set_speed(1000 * 1000); /* an hour is 4 ms */
    start(stage);
    assert_true(server_wait(stage->server, NULL, 10));
    const unsigned sent = accounts_sent(stage);
    assert_int_equal(sent, 2);

    /* Then the secret is taken again, but the two have lost their tokens: somebody else shows it.
     */
    char lost[2][32];
    for (unsigned i = 0, found = 0; i < MANY && found < 2; i++) {
        (void)snprintf(lost[found], sizeof lost[found], "rt-secret-%02u", i);
        found += server_count(stage->server, lost[found]) > 0;
    }
    server_forget_script(stage->server);
    for (unsigned i = 0; i < 2; i++)
        server_script(stage->server,
                      (struct canned){ .match = lost[i], .status = 400, .body = REFUSED });
    server_script(stage->server, (struct canned){ .status = 200, .body = GRANT_PLAIN });
    await_paused(stage, false);
}

/* The words of an incident that is long over do not make the next one an account's own. */
static void a_second_incident_is_met_like_the_first(void **state)
{
    struct stage *stage = *state;
    seed_many(stage, 3, 0);
    server_script(stage->server, (struct canned){ .times = 1, .status = 401, .body = BAD_CLIENT });
    server_script(stage->server, (struct canned){ .times = 4, .status = 200, .body = GRANT_PLAIN });
    server_script(stage->server, (struct canned){ .status = 401, .body = BAD_CLIENT });
    set_speed(10);
    start(stage);
    expect_failure(stage, ask(stage, ASK_TOKEN, "a00"), WIRE_PROVIDER_REJECTED);
    await_paused(stage, true);
    expect_ok(stage, ask(stage, ASK_RETRY, "acme/"));
    await_paused(stage, false);
    rest(600); /* 6 s of its time: the refused account comes in by itself */
    message_free(answer(stage, ask(stage, ASK_TOKEN, "a00")));
    message_free(answer(stage, ask(stage, ASK_TOKEN, "a01")));
    message_free(answer(stage, ask(stage, ASK_TOKEN, "a02")));
    rest(200);
    while (!ask_paused(stage) && server_count(stage->server, NULL) < 8) {
        rest(150);
        message_free(answer(stage, ask(stage, ASK_REFRESH, "a00")));
    }
    assert_true(ask_paused(stage));
    assert_int_equal(ask_state(stage, "a00"), ACCOUNT_ACTIVE);
    assert_int_equal(server_count(stage->server, NULL), 6);
}

static void a_pause_survives_a_restart(void **state)
{
    struct stage *stage = *state;
    seed_many(stage, 5, 1);
    server_script(stage->server, (struct canned){ .status = 401, .body = BAD_CLIENT });
    start(stage);
    await_paused(stage, true);
    rest(100);
    stop(stage);
    start(stage);
    assert_true(ask_paused(stage));
    rest(200);
    assert_int_equal(server_count(stage->server, NULL), 1);
}

/* The current token was refused twice in an outage and its predecessor's turn had come. After the
 * outage the current one goes first: to use the older one may cost the whole grant. */
static void after_a_pause_the_current_token_goes_first(void **state)
{
    struct stage *stage = *state;
    seed_many(stage, 3, 0);
    server_script(stage->server, (struct canned){ .status = 400, .body = REFUSED });
    set_speed(20);
    start(stage);
    const uint64_t first = ask(stage, ASK_TOKEN, "a00");
    assert_true(server_wait(stage->server, "rt-secret-00", 2));
    assert_true(server_wait(stage->server, "rt-secret-before", 1));
    expect_failure(stage, first, WIRE_CONSENT_REQUIRED);
    const uint64_t second = ask(stage, ASK_TOKEN, "a01");
    assert_true(server_wait(stage->server, "rt-secret-01", 2));
    const uint64_t third = ask(stage, ASK_TOKEN, "a02");
    message_free(answer(stage, second));
    message_free(answer(stage, third));
    await_paused(stage, true);
    server_forget_script(stage->server);
    const unsigned before = server_count(stage->server, "rt-secret-before");
    server_script(stage->server, (struct canned){ .status = 200, .body = GRANT_PLAIN });
    /* The verdict that had fallen is taken back. */
    await_state(stage, "a00", ACCOUNT_SUSPECT);
    expect_ok(stage, ask(stage, ASK_RETRY, "acme/"));
    await_generation(stage, "a00", 2);
    await_generation(stage, "a01", 2);
    await_generation(stage, "a02", 2);
    assert_int_equal(server_count(stage->server, "rt-secret-before"), before);
}

/* Though the only candidate still rests between two tries. */
static void a_retry_right_after_the_pause_is_not_lost(void **state)
{
    struct stage *stage = *state;
    seed_many(stage, 3, 1);
    server_script(stage->server, (struct canned){ .times = 3, .status = 400, .body = REFUSED });
    server_script(stage->server, (struct canned){ .status = 200, .body = GRANT_PLAIN });
    set_speed(10);
    start(stage);
    await_paused(stage, true);
    expect_ok(stage, ask(stage, ASK_RETRY, "acme/"));
    await_paused(stage, false);
}

/* What the probe under way finds out is not of the set-up that was mended meanwhile. */
static void nor_is_a_mend_amid_a_probe(void **state)
{
    struct stage *stage = *state;
    const struct canned refused = { .times = 1, .status = 401, .body = BAD_CLIENT };
    struct canned held = refused;
    held.held = true;
    seed_due(stage, "a", NULL);
    server_script(stage->server, refused);
    server_script(stage->server, held);
    server_script(stage->server, (struct canned){ .status = 200, .body = GRANT_PLAIN });
    start(stage);
    await_paused(stage, true);
    expect_ok(stage, ask(stage, ASK_RETRY, "acme/"));
    assert_true(server_wait(stage->server, RT("a"), 2));
    set_text(&acme(stage)->client_id, "another");
    reload(stage);
    rest(200);
    server_release(stage->server);
    await_paused(stage, false);
    assert_int_equal(server_count(stage->server, RT("a")), 3);
}

/* The account that is to probe cannot be read: another one does. */
static void a_damaged_canary_does_not_hold_the_pause(void **state)
{
    struct stage *stage = *state;
    seed_many(stage, 3, 1);
    server_script(stage->server, (struct canned){ .times = 1, .status = 401, .body = BAD_CLIENT });
    server_script(stage->server, (struct canned){ .status = 200, .body = GRANT_PLAIN });
    set_speed(5000);
    start(stage);
    await_paused(stage, true);
    damage_reads("a02");
    await_paused(stage, false);
    damage_reads(NULL);
}

/* An incident is a mixture of refusals and no answers: an hour's wait is for what was refused. */
static void a_probe_without_an_answer_is_made_again_soon(void **state)
{
    struct stage *stage = *state;
    seed_many(stage, 3, 1);
    server_script(stage->server, (struct canned){ .times = 3, .status = 400, .body = REFUSED });
    server_script(stage->server, (struct canned){ .times = 3, .status = 503 });
    server_script(stage->server, (struct canned){ .status = 200, .body = GRANT_PLAIN });
    set_speed(50); /* 20 s are 17 min */
    start(stage);
    await_paused(stage, true);
    await_paused(stage, false);
    assert_true(server_count(stage->server, NULL) >= 7);
}

/* Nor does it hold the others that one of them never gets an answer. */
static void probes_without_an_answer_alternate(void **state)
{
    struct stage *stage = *state;
    seed_many(stage, 3, 1);
    server_script(stage->server, (struct canned){ .times = 3, .status = 400, .body = REFUSED });
    server_script(stage->server, (struct canned){ .match = "rt-secret-02", .status = 503 });
    server_script(stage->server, (struct canned){ .match = "rt-secret-00", .status = 503 });
    server_script(stage->server, (struct canned){ .status = 200, .body = GRANT_PLAIN });
    set_speed(50);
    start(stage);
    await_paused(stage, true);
    await_paused(stage, false);
}

/* It is nothing that the provider did, and is over in a moment. */
static void short_memory_is_no_probe_that_failed(void **state)
{
    enum { TOO_FEW = SECRET_FREE_BESIDE_FIRST / SECRET_MAX / 2 };
    struct stage *stage = *state;
    seed_many(stage, 3, 1);
    server_script(stage->server, (struct canned){ .times = 1, .status = 401, .body = BAD_CLIENT });
    server_script(stage->server, (struct canned){ .status = 200, .body = GRANT_PLAIN });
    start(stage);
    await_paused(stage, true);
    fill_secrets(TOO_FEW);
    expect_ok(stage, ask(stage, ASK_RETRY, "acme/"));
    rest(600);
    assert_int_equal(server_count(stage->server, NULL), 1);
    empty_secrets();
    await_paused(stage, false);
}

static void a_paused_provider_still_serves_what_is_valid(void **state)
{
    struct stage *stage = *state;
    seed_many(stage, 1, 1);
    seed(stage, (struct seed){ .label = "v",
                               .refresh_token = "rt-secret-v",
                               .access_token = "at-secret-v",
                               .lifetime_ms = HOUR });
    server_script(stage->server, (struct canned){ .status = 401, .body = BAD_CLIENT });
    start(stage);
    await_paused(stage, true);
    expect_token(stage, ask(stage, ASK_TOKEN, "v"), "at-secret-v");
    rest(1100); /* it was obtained a moment ago */
    expect_failure(stage, ask(stage, ASK_REFRESH, "v"), WIRE_PROVIDER_REJECTED);
}

#define GRANT_NEW                                                                                  \
    "{\"access_token\":\"at-secret-new\",\"expires_in\":3600,\"refresh_token\":\"rt-secret-new\"}"

static void refuse_all_but_codes(struct stage *stage)
{
    server_script(stage->server,
                  (struct canned){ .match = "code-secret", .status = 200, .body = GRANT_NEW });
    server_script(stage->server, (struct canned){ .status = 400, .body = REFUSED });
}

/* That a code is taken says nothing about refresh tokens. */
static void a_login_does_not_end_a_pause_for_refusals(void **state)
{
    struct stage *stage = *state;
    uint64_t states[3];
    seed_many(stage, 3, 1);
    refuse_all_but_codes(stage);
    set_speed(20);
    start(stage);
    await_paused(stage, true);
    expect_ok(stage, ask_exchange(stage, "d", "code-secret-d", NULL));
    assert_true(ask_paused(stage));
    rest(800); /* 16 s of its time: each token once more, its predecessor */
    assert_true(ask_paused(stage));
    assert_int_equal(server_count(stage->server, NULL), 4);
    count_states(stage, states);
    assert_int_equal(states[ACCOUNT_CONSENT_REQUIRED], 0);
}

/* Nor does it begin the row of refusals anew, or make those before it the accounts' own. */
static void a_login_between_refusals_changes_nothing(void **state)
{
    struct stage *stage = *state;
    uint64_t states[3];
    seed_many(stage, 3, 0);
    refuse_all_but_codes(stage);
    set_speed(20);
    start(stage);
    const uint64_t first = ask(stage, ASK_TOKEN, "a00");
    const uint64_t second = ask(stage, ASK_TOKEN, "a01");
    assert_true(server_wait(stage->server, "rt-secret-00", 1));
    assert_true(server_wait(stage->server, "rt-secret-01", 1));
    expect_ok(stage, ask_exchange(stage, "d", "code-secret-d", NULL));
    const uint64_t third = ask(stage, ASK_TOKEN, "a02");
    await_paused(stage, true);
    message_free(answer(stage, first));
    message_free(answer(stage, second));
    message_free(answer(stage, third));
    rest(100); /* what was judged before is taken back */
    count_states(stage, states);
    assert_int_equal(states[ACCOUNT_CONSENT_REQUIRED], 0);
}

/* Its refresh does end it, and it is the next to probe, whose turn it ever was. */
static void who_logged_in_is_the_next_to_probe(void **state)
{
    struct stage *stage = *state;
    seed_many(stage, 3, 1);
    refuse_all_but_codes(stage);
    set_speed(10);
    start(stage);
    await_paused(stage, true);
    rest(600); /* 6 s of its time: nothing rests any more */
    expect_ok(stage, ask(stage, ASK_RETRY, "acme/"));
    assert_true(server_wait(stage->server, NULL, 4));
    rest(100);
    expect_ok(stage, ask_exchange(stage, "d", "code-secret-d", NULL));
    server_forget_script(stage->server);
    server_script(stage->server,
                  (struct canned){ .match = "rt-secret-new", .status = 200, .body = GRANT_PLAIN });
    server_script(stage->server, (struct canned){ .status = 400, .body = REFUSED });
    expect_ok(stage, ask(stage, ASK_RETRY, "acme/"));
    await_paused(stage, false);
}

/* The client is known, which is all that it was for. */
static void a_login_ends_a_pause_for_refused_credentials(void **state)
{
    struct stage *stage = *state;
    seed_many(stage, 3, 1);
    server_script(stage->server, (struct canned){ .times = 1, .status = 401, .body = BAD_CLIENT });
    server_script(stage->server,
                  (struct canned){ .match = "code-secret", .status = 200, .body = GRANT_NEW });
    server_script(stage->server, (struct canned){ .status = 200, .body = GRANT_PLAIN });
    start(stage);
    await_paused(stage, true);
    expect_ok(stage, ask_exchange(stage, "d", "code-secret-d", NULL));
    await_paused(stage, false);
    await_generation(stage, "a02", 2);
}

/* A code has no scope that the provider could refuse. */
static void a_login_says_nothing_of_a_refused_scope(void **state)
{
    struct stage *stage = *state;
    seed_many(stage, 3, 1);
    server_script(stage->server,
                  (struct canned){ .match = "code-secret", .status = 200, .body = GRANT_NEW });
    server_script(stage->server,
                  (struct canned){ .status = 400, .body = "{\"error\":\"invalid_scope\"}" });
    start(stage);
    await_paused(stage, true);
    expect_ok(stage, ask_exchange(stage, "d", "code-secret-d", NULL));
    rest(100);
    assert_true(ask_paused(stage));
    assert_int_equal(server_count(stage->server, NULL), 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(refusals_for_everyone_reach_few_and_no_verdict_falls),
        TEST(wrong_credentials_are_tried_on_one_account),
        TEST(parameters_that_are_mended_are_tried_at_once),
        TEST(a_wrong_secret_is_probed_with_two_accounts_at_most),
        TEST(a_second_incident_is_met_like_the_first),
        TEST(a_pause_survives_a_restart),
        TEST(after_a_pause_the_current_token_goes_first),
        TEST(a_retry_right_after_the_pause_is_not_lost),
        TEST(nor_is_a_mend_amid_a_probe),
        TEST(a_damaged_canary_does_not_hold_the_pause),
        TEST(a_probe_without_an_answer_is_made_again_soon),
        TEST(probes_without_an_answer_alternate),
        TEST(short_memory_is_no_probe_that_failed),
        TEST(a_paused_provider_still_serves_what_is_valid),
        TEST(a_login_does_not_end_a_pause_for_refusals),
        TEST(a_login_between_refusals_changes_nothing),
        TEST(who_logged_in_is_the_next_to_probe),
        TEST(a_login_ends_a_pause_for_refused_credentials),
        TEST(a_login_says_nothing_of_a_refused_scope),
    };
    return RUN(tests);
}

/* What each outcome of a refresh makes of an account's row, step by step, on a clock of our own. */

#include <string.h>

#include "judgement_fixture.h"

static int start_secrets(void **state)
{
    bool locked;
    (void)state;
    return secret_start(&locked);
}

/* So that a forecast knows how much of the life is left. */
static void a_life_begins_when_its_end_moves_out(void **state)
{
    CLEANUP(cleanup_account_row) struct account_row row = fresh_row();
    struct token_grant grant = { .lifetime_ms = HOUR };
    const struct {
        int64_t now, told, end, life;
    } rows[] = {
        { start, 10 * HOUR, start + 10 * HOUR, 10 * HOUR },
        { start + HOUR, 9 * HOUR, start + 10 * HOUR, 10 * HOUR }, /* it counts down */
        { start + 2 * HOUR, 8 * HOUR + SECOND, start + 10 * HOUR + SECOND, 10 * HOUR },
        { start + 3 * HOUR, 5 * HOUR, start + 8 * HOUR, 10 * HOUR },
        { start + 4 * HOUR, 10 * HOUR, start + 14 * HOUR, 10 * HOUR }, /* it slides */
        { start + 5 * HOUR, 20 * HOUR, start + 25 * HOUR, 20 * HOUR },
        { start + 6 * HOUR, 0, start + 25 * HOUR, 20 * HOUR }, /* nothing was said */
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const struct circumstances c = at(rows[i].now);
        grant.refresh_token_lifetime_ms = rows[i].told;
        assert_int_equal(judge_granted(&row, &grant, rows[i].now, &c), 0);
        assert_int_equal(row.refresh_token_expires_at, rows[i].end);
        assert_int_equal(row.refresh_token_life_ms, rows[i].life);
    }
}

static void a_grant_moves_the_row_on(void **state)
{
    CLEANUP(cleanup_account_row) struct account_row row = fresh_row();
    char scope[] = "read";
    char identity[] = "company-1";
    const struct token_grant grant = { .lifetime_ms = 2 * HOUR,
                                       .scope = scope,
                                       .identity = identity };
    const struct circumstances c = at(start + HOUR);
    (void)state;
    row.state = ACCOUNT_SUSPECT;
    row.rejected = true;
    row.refusals = REFUSAL_PREDECESSOR;
    row.failures = 9;
    assert_int_equal(judge_granted(&row, &grant, start + HOUR - SECOND, &c), 0);
    assert_int_equal(row.generation, 8);
    assert_int_equal(row.state, ACCOUNT_ACTIVE);
    assert_false(row.rejected);
    assert_int_equal(row.refusals, REFUSAL_NONE);
    assert_int_equal(row.failures, 0);
    assert_int_equal(row.expires_at, start + 3 * HOUR - SECOND);
    assert_true(row.refresh_at >= start + 2 * HOUR - SECOND);
    assert_true(row.refresh_at < row.expires_at - MINUTE);
    assert_string_equal(row.scope, "read");
    assert_string_equal(row.identity, "company-1");
}

/* A reply that tells none leaves what is known; one that tells another is right. */
static void the_identity_is_that_of_the_grant(void **state)
{
    CLEANUP(cleanup_account_row) struct account_row row = fresh_row();
    char other[] = "company-2";
    const struct token_grant silent = { .lifetime_ms = HOUR };
    const struct token_grant imported = { .lifetime_ms = HOUR, .identity = other };
    const struct circumstances c = at(start);
    (void)state;
    row.identity = strdup("company-1");
    assert_non_null(row.identity);
    assert_int_equal(judge_granted(&row, &silent, start, &c), 0);
    assert_string_equal(row.identity, "company-1");
    assert_int_equal(judge_granted(&row, &imported, start, &c), 0);
    assert_string_equal(row.identity, "company-2");
}

static void without_a_refresh_token_nothing_is_planned(void **state)
{
    CLEANUP(cleanup_account_row) struct account_row row = fresh_row();
    const struct token_grant grant = { .lifetime_ms = HOUR };
    const struct circumstances c = at(start);
    (void)state;
    row.has_refresh_token = false;
    assert_int_equal(judge_granted(&row, &grant, start, &c), 0);
    assert_int_equal(row.refresh_at, 0);
}

/* Where the grant is the client's own, no refresh token is needed, and no person. */
static void who_needs_a_person(void **state)
{
    static const struct {
        enum grant_type grant;
        enum account_state state;
        bool has_refresh_token;
        bool renewable, needs_consent;
    } rows[] = {
        { GRANT_AUTHORIZATION_CODE, ACCOUNT_ACTIVE, true, true, false },
        { GRANT_AUTHORIZATION_CODE, ACCOUNT_SUSPECT, true, true, false },
        { GRANT_AUTHORIZATION_CODE, ACCOUNT_CONSENT_REQUIRED, true, true, true },
        { GRANT_AUTHORIZATION_CODE, ACCOUNT_ACTIVE, false, false, true },
        { GRANT_STATIC, ACCOUNT_ACTIVE, false, false, true },
        { GRANT_CLIENT_CREDENTIALS, ACCOUNT_ACTIVE, false, true, false },
        { GRANT_CLIENT_CREDENTIALS, ACCOUNT_CONSENT_REQUIRED, false, true, false },
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        CLEANUP(cleanup_account_row) struct account_row row = fresh_row();
        const struct provider asked = { .name = "acme", .grant = rows[i].grant };
        row.state = rows[i].state;
        row.has_refresh_token = rows[i].has_refresh_token;
        assert_int_equal(account_is_renewable(&row, &asked), rows[i].renewable);
        assert_int_equal(account_needs_consent(&row, &asked), rows[i].needs_consent);
        assert_int_equal(account_is_renewable(&row, NULL), rows[i].has_refresh_token);
    }
}

static void the_clients_own_account_is_never_given_up(void **state)
{
    CLEANUP(cleanup_account_row) struct account_row row = fresh_row();
    const struct provider own = { .name = "acme", .grant = GRANT_CLIENT_CREDENTIALS };
    const struct token_grant grant = { .lifetime_ms = HOUR };
    struct circumstances c = at(start);
    (void)state;
    c.provider = &own;
    row.has_refresh_token = false;
    assert_int_equal(judge_granted(&row, &grant, start, &c), 0);
    assert_true(row.refresh_at > start && row.refresh_at < row.expires_at);
    for (int i = 0; i < 30; i++) {
        c.now = row.refresh_at;
        judge_suspect(&row, &c);
        assert_int_equal(row.state, ACCOUNT_SUSPECT);
        assert_true(row.refresh_at > c.now);
    }
    assert_true(c.now > start + INT64_C(48) * HOUR);
}

static void an_idle_limit_brings_the_refresh_forward(void **state)
{
    CLEANUP(cleanup_account_row) struct account_row row = fresh_row();
    struct provider idle = provider;
    struct circumstances c = at(start);
    const struct token_grant grant = { .lifetime_ms = INT64_C(30) * 24 * HOUR };
    (void)state;
    idle.refresh_token_idle_lifetime_ms = INT64_C(14) * 24 * HOUR;
    c.provider = &idle;
    assert_int_equal(judge_granted(&row, &grant, start, &c), 0);
    assert_true(row.refresh_at <= start + INT64_C(7) * 24 * HOUR);
}

static void a_refused_token_is_sent_once_more_then_its_predecessor(void **state)
{
    CLEANUP(cleanup_account_row) struct account_row row = fresh_row();
    struct circumstances c = at(start + HOUR);
    (void)state;
    c.has_predecessor = true;
    assert_int_equal(judge_refused(&row, &c), STEP_SAME_TOKEN);
    assert_int_equal(row.state, ACCOUNT_SUSPECT);
    assert_int_equal(row.refresh_at, c.now + REFUSAL_PAUSE_MS);
    c.now += REFUSAL_PAUSE_MS;
    assert_int_equal(judge_refused(&row, &c), STEP_PREDECESSOR);
    assert_int_equal(row.state, ACCOUNT_SUSPECT);
    assert_int_equal(judge_refused(&row, &c), STEP_REST);
    assert_int_equal(row.state, ACCOUNT_CONSENT_REQUIRED);
    assert_int_equal(row.refresh_at, 0);
}

static void without_a_predecessor_two_refusals_are_enough(void **state)
{
    CLEANUP(cleanup_account_row) struct account_row row = fresh_row();
    const struct circumstances c = at(start + HOUR);
    (void)state;
    assert_int_equal(judge_refused(&row, &c), STEP_SAME_TOKEN);
    assert_int_equal(judge_refused(&row, &c), STEP_REST);
    assert_int_equal(row.state, ACCOUNT_CONSENT_REQUIRED);
}

static void no_verdict_falls_while_the_provider_is_paused(void **state)
{
    CLEANUP(cleanup_account_row) struct account_row row = fresh_row();
    struct circumstances c = at(start + HOUR);
    (void)state;
    c.provider_paused = true;
    for (int i = 0; i < 10; i++)
        assert_int_equal(judge_refused(&row, &c), STEP_REST);
    assert_int_equal(row.state, ACCOUNT_SUSPECT);
    assert_true(row.refresh_at > c.now);
}

static void a_pardon_takes_the_verdict_back(void **state)
{
    CLEANUP(cleanup_account_row) struct account_row row = fresh_row();
    const struct circumstances c = at(start + HOUR);
    (void)state;
    (void)judge_refused(&row, &c);
    (void)judge_refused(&row, &c);
    assert_int_equal(row.state, ACCOUNT_CONSENT_REQUIRED);
    judge_pardoned(&row, &c);
    assert_int_equal(row.state, ACCOUNT_SUSPECT);
    assert_true(row.refresh_at > c.now);
}

/* What was told of the end that nears stands; that a consent is needed is over with the need. */
static void what_a_person_was_told_of_is_over_with_it(void **state)
{
    const struct token_grant grant = { .lifetime_ms = HOUR };
    const struct circumstances c = at(start);
    (void)state;
    for (int dead = 0; dead < 2; dead++) {
        CLEANUP(cleanup_account_row) struct account_row granted = fresh_row();
        CLEANUP(cleanup_account_row) struct account_row pardoned = fresh_row();
        granted.warned_days = pardoned.warned_days = dead ? WARNED_NEEDS_CONSENT : 7;
        granted.state = pardoned.state = dead ? ACCOUNT_CONSENT_REQUIRED : ACCOUNT_SUSPECT;
        pardoned.refused_at = start - SECOND;
        assert_int_equal(judge_granted(&granted, &grant, start, &c), 0);
        judge_pardoned(&pardoned, &c);
        assert_int_equal(granted.warned_days, dead ? 0 : 7);
        assert_int_equal(pardoned.warned_days, dead ? 0 : 7);
    }
}

/* Its turn had come when the provider paused: the current token, which may be good, goes first. */
static void a_pardon_takes_the_steps_back(void **state)
{
    CLEANUP(cleanup_account_row) struct account_row row = fresh_row();
    struct circumstances c = at(start + HOUR);
    (void)state;
    c.has_predecessor = true;
    (void)judge_refused(&row, &c);
    assert_int_equal(judge_refused(&row, &c), STEP_PREDECESSOR);
    judge_pardoned(&row, &c);
    assert_int_equal(row.refusals, REFUSAL_NONE);
    assert_int_equal(row.state, ACCOUNT_SUSPECT);
    c.provider_paused = true;
    row.refusals = REFUSAL_PREDECESSOR;
    (void)judge_refused(&row, &c);
    assert_int_equal(row.refusals, REFUSAL_NONE);
}

static void refusals_are_its_own_once_others_succeed(void **state)
{
    CLEANUP(cleanup_account_row) struct account_row row = fresh_row();
    struct circumstances c = at(start + HOUR);
    (void)state;
    assert_false(refusal_is_its_own(&row, &c));
    (void)judge_refused(&row, &c);
    c.others_succeeded_at = c.now - SECOND;
    assert_false(refusal_is_its_own(&row, &c));
    c.others_succeeded_at = c.now + SECOND;
    assert_true(refusal_is_its_own(&row, &c));
}

static void no_answer_backs_off_and_never_asks_for_consent(void **state)
{
    CLEANUP(cleanup_account_row) struct account_row row = fresh_row();
    int64_t last_wait = 0;
    int64_t now = start + HOUR;
    (void)state;
    for (int i = 0; i < 200; i++) {
        const struct circumstances c = at(now);
        judge_unanswered(&row, &c);
        assert_int_equal(row.state, ACCOUNT_ACTIVE);
        assert_true(row.refresh_at - now >= last_wait);
        last_wait = row.refresh_at - now;
        now = row.refresh_at;
    }
    assert_true(last_wait <= 20 * MINUTE);
}

static void retry_after_is_honoured(void **state)
{
    CLEANUP(cleanup_account_row) struct account_row row = fresh_row();
    struct circumstances c = at(start);
    (void)state;
    c.retry_after_ms = 2 * HOUR;
    judge_unanswered(&row, &c);
    assert_true(row.refresh_at >= start + 2 * HOUR);
}

static void failing_alone_becomes_suspect(void **state)
{
    CLEANUP(cleanup_account_row) struct account_row row = fresh_row();
    struct circumstances c = at(start);
    (void)state;
    for (int i = 0; i < FAILURES_BEFORE_SUSPECT; i++) {
        c.now += MINUTE;
        c.others_succeeded_at = c.now - SECOND;
        judge_unanswered(&row, &c);
        assert_int_equal(judge_note_error(&row, "no_answer", "timed out", c.now), 0);
    }
    assert_int_equal(row.state, ACCOUNT_SUSPECT);
}

/* A computer that sleeps tries nothing: that is no hour of failing. */
static void a_night_is_not_six_hours_of_suspicion(void **state)
{
    CLEANUP(cleanup_account_row) struct account_row row = fresh_row();
    struct circumstances c = at(row.expires_at);
    int64_t tried_ms = 0;
    (void)state;
    while (tried_ms < SUSPECT_GIVEN_UP_MS) {
        judge_suspect(&row, &c);
        assert_int_equal(row.state, ACCOUNT_SUSPECT);
        tried_ms += row.refresh_at - c.now;
        c.now = row.refresh_at + 24 * HOUR;
    }
    judge_suspect(&row, &c);
    assert_int_equal(row.state, ACCOUNT_CONSENT_REQUIRED);
}

/* What counts is when a try began: its short retries are part of it. */
static void a_try_that_takes_long_is_not_late(void **state)
{
    CLEANUP(cleanup_account_row) struct account_row row = fresh_row();
    struct circumstances c = at(row.expires_at);
    (void)state;
    judge_suspect(&row, &c);
    const int64_t since = row.suspect_since;
    c.lost_at = row.refresh_at;
    c.now = row.refresh_at + HOUR;
    judge_suspect(&row, &c);
    assert_int_equal(row.suspect_since, since);
    c.lost_at = row.refresh_at + SECOND;
    c.now = row.refresh_at + HOUR;
    judge_suspect(&row, &c);
    assert_int_equal(row.suspect_since, since + SECOND);
}

static void a_suspect_is_given_up_six_hours_past_the_end(void **state)
{
    CLEANUP(cleanup_account_row) struct account_row row = fresh_row();
    struct circumstances c = at(start + HOUR / 2);
    (void)state;
    while (c.now < row.expires_at + SUSPECT_GIVEN_UP_MS) {
        judge_suspect(&row, &c);
        assert_int_equal(row.state, ACCOUNT_SUSPECT);
        assert_true(row.refresh_at > c.now);
        c.now = row.refresh_at;
    }
    assert_int_equal(c.now, row.expires_at + SUSPECT_GIVEN_UP_MS); /* not at the next slow try */
    judge_suspect(&row, &c);
    assert_int_equal(row.state, ACCOUNT_CONSENT_REQUIRED);
    assert_int_equal(row.refresh_at, c.now + SUSPECT_PROBE_MS);
    /* A probe that gets no answer is no reason for more of them. */
    c.now = row.refresh_at;
    judge_unanswered(&row, &c);
    assert_int_equal(row.state, ACCOUNT_CONSENT_REQUIRED);
    assert_int_equal(row.refresh_at, c.now + SUSPECT_PROBE_MS);
}

static void suspicions_are_its_own_once_others_succeed(void **state)
{
    CLEANUP(cleanup_account_row) struct account_row row = fresh_row();
    struct circumstances c = at(start);
    (void)state;
    c.others_succeeded_at = start - MINUTE;
    assert_false(suspicion_is_its_own(&row, &c));
    judge_suspect(&row, &c);
    assert_false(suspicion_is_its_own(&row, &c));
    c.others_succeeded_at = start + MINUTE;
    assert_true(suspicion_is_its_own(&row, &c));
    assert_false(refusal_is_its_own(&row, &c)); /* it was not refused yet */
}

/* One that is rejected at once did not help: the one after it comes a minute later. */
static void what_was_minted_for_a_rejected_token_is_rejected_too(void **state)
{
    CLEANUP(cleanup_account_row) struct account_row row = fresh_row();
    const struct token_grant grant = { .lifetime_ms = HOUR };
    struct circumstances c = at(start + 2 * SECOND);
    (void)state;
    assert_int_equal(judge_rejected(&row, &provider, c.now), 0);
    assert_true(row.rejected);
    assert_int_equal(row.state, ACCOUNT_ACTIVE);
    assert_int_equal(row.refresh_at, c.now);
    assert_string_equal(row.last_error, "token_rejected");
    c.now += SECOND;
    assert_int_equal(judge_granted(&row, &grant, c.now, &c), 0);
    c.now += SECOND;
    assert_int_equal(judge_rejected(&row, &provider, c.now), 0);
    assert_int_equal(row.state, ACCOUNT_SUSPECT);
    assert_int_equal(row.failures, 1);
    assert_int_equal(row.refresh_at, c.now + REJECTED_AGAIN_MS);
    /* The next one has served for a while before somebody complains: that is another story. */
    c.now = row.refresh_at;
    assert_int_equal(judge_granted(&row, &grant, c.now, &c), 0);
    assert_int_equal(row.state, ACCOUNT_ACTIVE);
    c.now += REJECTED_YOUNG_MS;
    assert_int_equal(judge_rejected(&row, &provider, c.now), 0);
    assert_int_equal(row.state, ACCOUNT_ACTIVE);
    assert_int_equal(row.refresh_at, c.now);
    /* So is one that came by itself, long after another had taken the rejected one's place. */
    for (int i = 0; i < 2; i++) {
        c.now += HOUR;
        assert_int_equal(judge_granted(&row, &grant, c.now, &c), 0);
    }
    c.now += SECOND;
    assert_int_equal(judge_rejected(&row, &provider, c.now), 0);
    assert_int_equal(row.state, ACCOUNT_ACTIVE);
    assert_int_equal(row.refresh_at, c.now);
}

/* The provider has the same one for everybody who asks, until its end: asking spends nothing but
 * refreshes, which clients in a loop would make. */
static void the_rejected_token_itself_comes_back(void **state)
{
    CLEANUP(cleanup_account_row) struct account_row row = fresh_row();
    const struct token_grant grant = { .lifetime_ms = HOUR };
    struct circumstances c = at(start + 2 * SECOND);
    (void)state;
    assert_int_equal(judge_rejected(&row, &provider, c.now), 0);
    assert_int_equal(judge_granted(&row, &grant, c.now, &c), 0);
    assert_int_equal(judge_rejected_again(&row, c.now), 0);
    assert_true(row.rejected);
    assert_int_equal(row.failures, 1);
    assert_int_equal(row.state, ACCOUNT_SUSPECT); /* so that demands wait for a minute */
    assert_int_equal(row.suspect_since, 0);
    assert_true(row.refresh_at > c.now + HOUR / 4);
    /* Another one at last, which is rejected as well. */
    c.now += REJECTED_AGAIN_MS;
    assert_int_equal(judge_granted(&row, &grant, c.now, &c), 0);
    assert_int_equal(row.state, ACCOUNT_ACTIVE);
    c.now += SECOND;
    assert_int_equal(judge_rejected(&row, &provider, c.now), 0);
    assert_int_equal(row.state, ACCOUNT_SUSPECT);
    assert_int_equal(row.refresh_at, c.now + REJECTED_AGAIN_MS);
}

static void a_rejection_wakes_no_account_that_waits_for_a_person(void **state)
{
    CLEANUP(cleanup_account_row) struct account_row row = fresh_row();
    (void)state;
    row.state = ACCOUNT_CONSENT_REQUIRED;
    row.refresh_at = 0;
    assert_int_equal(judge_rejected(&row, &provider, start), 0);
    assert_int_equal(judge_rejected(&row, NULL, start), 0);
    assert_int_equal(row.state, ACCOUNT_CONSENT_REQUIRED);
    assert_int_equal(row.refresh_at, 0);
    assert_true(row.rejected);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_grant_moves_the_row_on),
        cmocka_unit_test(the_identity_is_that_of_the_grant),
        cmocka_unit_test(a_life_begins_when_its_end_moves_out),
        cmocka_unit_test(without_a_refresh_token_nothing_is_planned),
        cmocka_unit_test(an_idle_limit_brings_the_refresh_forward),
        cmocka_unit_test(who_needs_a_person),
        cmocka_unit_test(the_clients_own_account_is_never_given_up),
        cmocka_unit_test(a_refused_token_is_sent_once_more_then_its_predecessor),
        cmocka_unit_test(without_a_predecessor_two_refusals_are_enough),
        cmocka_unit_test(no_verdict_falls_while_the_provider_is_paused),
        cmocka_unit_test(a_pardon_takes_the_verdict_back),
        cmocka_unit_test(a_pardon_takes_the_steps_back),
        cmocka_unit_test(what_a_person_was_told_of_is_over_with_it),
        cmocka_unit_test(refusals_are_its_own_once_others_succeed),
        cmocka_unit_test(no_answer_backs_off_and_never_asks_for_consent),
        cmocka_unit_test(retry_after_is_honoured),
        cmocka_unit_test(failing_alone_becomes_suspect),
        cmocka_unit_test(a_night_is_not_six_hours_of_suspicion),
        cmocka_unit_test(a_try_that_takes_long_is_not_late),
        cmocka_unit_test(a_suspect_is_given_up_six_hours_past_the_end),
        cmocka_unit_test(suspicions_are_its_own_once_others_succeed),
        cmocka_unit_test(what_was_minted_for_a_rejected_token_is_rejected_too),
        cmocka_unit_test(the_rejected_token_itself_comes_back),
        cmocka_unit_test(a_rejection_wakes_no_account_that_waits_for_a_person),
    };
    return cmocka_run_group_tests(tests, start_secrets, NULL);
}

/* When an account that fails is held to be the one that is broken, and when it is given up. */

#include "judgement_fixture.h"

static int start_secrets(void **state)
{
    bool locked;
    (void)state;
    return secret_start(&locked);
}

/* One try that had no usable answer, a quarter of an hour after the last. */
static void fail_once(struct account_row *row, struct circumstances *c, bool others_succeed)
{
    c->now += HOUR / 4;
    if (others_succeed)
        c->others_succeeded_at = c->now - SECOND;
    judge_unanswered(row, c);
    assert_int_equal(judge_note_error(row, "http_500", "down", c->now), 0);
}

/* All failed for ten hours; the provider comes back, and is shaky. */
static void the_failures_that_all_shared_say_nothing_of_one(void **state)
{
    CLEANUP(cleanup_account_row) struct account_row row = fresh_row();
    struct circumstances c = at(start + HOUR);
    (void)state;
    for (int i = 0; i < 40; i++)
        fail_once(&row, &c, false);
    for (int i = 1; i < FAILURES_ALONE; i++) {
        fail_once(&row, &c, true);
        assert_int_equal(row.state, ACCOUNT_ACTIVE);
        assert_true(row.refresh_at <= c.now + HOUR / 2);
    }
    fail_once(&row, &c, true);
    assert_int_equal(row.state, ACCOUNT_SUSPECT);
}

/* It fails alone from the first, and others succeed ever more rarely. */
static void one_that_fails_alone_is_found_out(void **state)
{
    CLEANUP(cleanup_account_row) struct account_row row = fresh_row();
    struct circumstances c = at(start + HOUR);
    (void)state;
    for (int i = 0; i < FAILURES_BEFORE_SUSPECT * FAILURES_ALONE && row.state == ACCOUNT_ACTIVE;
         i++)
        fail_once(&row, &c, i % FAILURES_BEFORE_SUSPECT == FAILURES_BEFORE_SUSPECT - 1);
    assert_int_equal(row.state, ACCOUNT_SUSPECT);
}

static void suspicion_begins_at_its_first_step(void **state)
{
    CLEANUP(cleanup_account_row) struct account_row row = fresh_row();
    struct circumstances c = at(start + HOUR);
    int64_t wait = 0;
    (void)state;
    for (int i = 0; i < 40; i++)
        fail_once(&row, &c, i >= 40 - FAILURES_ALONE);
    assert_int_equal(row.state, ACCOUNT_SUSPECT);
    assert_int_equal(row.suspect_tries, 1);
    assert_in_range(row.refresh_at - c.now, 8 * MINUTE, 12 * MINUTE);
    for (int i = 0; i < 3; i++) {
        wait = row.refresh_at - c.now;
        c.now = row.refresh_at;
        judge_suspect(&row, &c);
        assert_in_range(row.refresh_at - c.now, wait * 3 / 2, wait * 3);
    }
}

/* Suspect once, then hours of an outage that all share: what comes after is not the verdict. */
static void one_bad_try_after_hours_is_no_verdict(void **state)
{
    CLEANUP(cleanup_account_row) struct account_row row = fresh_row();
    struct circumstances c = at(start + 2 * HOUR);
    (void)state;
    judge_suspect(&row, &c);
    assert_int_equal(judge_note_error(&row, "http_400", "", c.now), 0);
    while (c.now < start + 20 * HOUR)
        fail_once(&row, &c, false);
    assert_int_equal(row.suspect_tries, 1);
    for (int i = 2; i < SUSPECT_TRIES; i++) {
        c.now = row.refresh_at;
        judge_suspect(&row, &c);
        assert_int_equal(row.state, ACCOUNT_SUSPECT);
        assert_true(row.refresh_at < c.now + HOUR);
    }
    c.now = row.refresh_at;
    judge_suspect(&row, &c);
    assert_int_equal(row.state, ACCOUNT_CONSENT_REQUIRED);
}

/* A page with 500 for one account alone, whatever is sent: a person has to look at last. */
static void one_that_is_never_answered_is_given_up(void **state)
{
    CLEANUP(cleanup_account_row) struct account_row row = fresh_row();
    struct circumstances c = at(start + HOUR);
    int64_t suspect_at = 0;
    (void)state;
    while (row.state != ACCOUNT_CONSENT_REQUIRED && c.now < start + 24 * HOUR) {
        c.others_succeeded_at = c.now - SECOND;
        judge_unanswered(&row, &c);
        assert_int_equal(judge_note_error(&row, "http_500", "down", c.now), 0);
        if (row.state == ACCOUNT_SUSPECT && suspect_at == 0)
            suspect_at = c.now;
        c.now = row.refresh_at;
    }
    assert_int_equal(row.state, ACCOUNT_CONSENT_REQUIRED);
    assert_true(suspect_at > 0 && suspect_at < start + HOUR + HOUR / 2);
    assert_int_equal(row.last_error_at, suspect_at + SUSPECT_GIVEN_UP_MS);
}

static void success_ends_all_of_it(void **state)
{
    CLEANUP(cleanup_account_row) struct account_row row = fresh_row();
    struct circumstances c = at(start + HOUR);
    const struct token_grant grant = { .lifetime_ms = HOUR };
    (void)state;
    for (int i = 0; i < 10; i++)
        fail_once(&row, &c, true);
    assert_int_equal(row.state, ACCOUNT_SUSPECT);
    assert_int_equal(judge_granted(&row, &grant, c.now, &c), 0);
    assert_int_equal(row.failures, 0);
    assert_int_equal(row.failed_alone, 0);
    assert_int_equal(row.suspect_tries, 0);
    assert_int_equal(row.suspect_since, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_failures_that_all_shared_say_nothing_of_one),
        cmocka_unit_test(one_that_fails_alone_is_found_out),
        cmocka_unit_test(suspicion_begins_at_its_first_step),
        cmocka_unit_test(one_bad_try_after_hours_is_no_verdict),
        cmocka_unit_test(one_that_is_never_answered_is_given_up),
        cmocka_unit_test(success_ends_all_of_it),
    };
    return cmocka_run_group_tests(tests, start_secrets, NULL);
}

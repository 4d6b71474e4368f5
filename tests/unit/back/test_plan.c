/* When a row is refreshed where that is not the token's lifetime alone: after a lost reply, where
 * nobody asks, and where the configuration has changed. */

#include <string.h>

#include "judgement_fixture.h"

#include "back/plan.h"

static int start_secrets(void **state)
{
    bool locked;
    (void)state;
    return secret_start(&locked);
}

/* The waits between tries have grown to 15 min, and the grace is 30: whatever they are, one is made
 * in its last minute, and tries go on after it. */
static void a_lost_reply_is_retried_before_its_grace_ends(void **state)
{
    enum { GRACE = 30 * MINUTE };
    CLEANUP(cleanup_account_row) struct account_row row = fresh_row();
    struct provider lenient = provider;
    struct circumstances c = at(start);
    int64_t last = 0;
    (void)state;
    lenient.retry_grace_ms = GRACE;
    c.provider = &lenient;
    c.lost_at = start;
    for (int i = 0; i < 40; i++) {
        judge_unanswered(&row, &c);
        assert_int_equal(row.lost_at, start); /* the first is what counts */
        assert_true(row.refresh_at > c.now);
        if (row.refresh_at < start + GRACE)
            last = row.refresh_at;
        c.now = c.lost_at = row.refresh_at;
    }
    assert_int_equal(last, start + GRACE - MINUTE);
    assert_true(c.now > start + 2 * GRACE);
    assert_int_equal(judge_granted(&row, &(struct token_grant){ .lifetime_ms = HOUR }, c.now, &c),
                     0);
    assert_int_equal(row.lost_at, 0);
}

/* A login came between, or it is known already. */
static void a_loss_is_of_the_grant_that_is_there(void **state)
{
    CLEANUP(cleanup_account_row) struct account_row row = fresh_row();
    (void)state;
    row.refreshed_at = start;
    row.granted_at = start + HOUR;
    assert_false(judge_lost(&row, 0));
    assert_false(judge_lost(&row, start + HOUR - 1));
    assert_int_equal(row.lost_at, 0);
    assert_true(judge_lost(&row, start + HOUR));
    assert_false(judge_lost(&row, start + 2 * HOUR));
    assert_int_equal(row.lost_at, start + HOUR);
}

static void a_grace_does_not_overrule_a_retry_after(void **state)
{
    CLEANUP(cleanup_account_row) struct account_row row = fresh_row();
    struct provider lenient = provider;
    struct circumstances c = at(start);
    (void)state;
    lenient.retry_grace_ms = MINUTE;
    c.provider = &lenient;
    c.lost_at = start;
    c.retry_after_ms = HOUR;
    judge_unanswered(&row, &c);
    assert_int_equal(row.refresh_at, start + HOUR);
}

/* Not sent is not lost: there is no grace to hurry for. */
static void what_was_not_sent_was_not_lost(void **state)
{
    CLEANUP(cleanup_account_row) struct account_row row = fresh_row();
    const struct circumstances c = at(start);
    (void)state;
    judge_unanswered(&row, &c);
    assert_int_equal(row.lost_at, 0);
}

static struct provider asked_provider(int64_t idle_ms)
{
    struct provider asked = provider;
    asked.keep = KEEP_ASKED;
    asked.refresh_token_idle_lifetime_ms = idle_ms;
    return asked;
}

/* What a grant plans: asked `before` ago, idle limit, the refresh it plans (0: none). */
static void who_is_not_asked_for_is_kept_alive_only(void **state)
{
    enum { DAY = 24 * HOUR };
    static const struct {
        int64_t asked_before, idle, from, to;
    } rows[] = {
        { 0, 0, HOUR / 2, HOUR },
        { DAY - 2 * HOUR, 0, HOUR / 2, HOUR },
        { DAY, 0, 0, 0 },
        { DAY, INT64_C(14) * DAY, INT64_C(7) * DAY, INT64_C(7) * DAY },
        { -1, INT64_C(14) * DAY, INT64_C(7) * DAY, INT64_C(7) * DAY }, /* never asked for */
        { -1, HOUR, HOUR / 2, HOUR / 2 },
    };
    const struct token_grant grant = { .lifetime_ms = HOUR };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        CLEANUP(cleanup_account_row) struct account_row row = fresh_row();
        const struct provider asked = asked_provider(rows[i].idle);
        struct circumstances c = at(start);
        c.provider = &asked;
        row.asked_at = rows[i].asked_before < 0 ? 0 : start - rows[i].asked_before;
        assert_int_equal(judge_granted(&row, &grant, start, &c), 0);
        const int64_t planned = row.refresh_at == 0 ? 0 : row.refresh_at - start;
        assert_in_range(planned, rows[i].from, rows[i].to);
    }
}

/* At its half a token would be refreshed; a request for one that is past that plans it for now. */
static void a_request_plans_the_refresh_again(void **state)
{
    CLEANUP(cleanup_account_row) struct account_row row = fresh_row();
    const struct provider asked = asked_provider(0);
    struct circumstances c = at(start + HOUR / 4);
    (void)state;
    c.provider = &asked;
    assert_true(plan_asked(&row, &c));
    assert_in_range(row.refresh_at - start, HOUR / 2, HOUR);
    row.refresh_at = 0;
    c.now += ASKED_GRAIN_MS - 1;
    assert_false(plan_asked(&row, &c));
    assert_int_equal(row.refresh_at, 0);
    c.now = start + HOUR - MINUTE;
    assert_true(plan_asked(&row, &c));
    assert_true(row.refresh_at > 0 && row.refresh_at <= c.now);
    assert_int_equal(row.asked_at, c.now);
}

/* Tries after a failure have a schedule of their own. */
static void a_request_plans_nothing_else(void **state)
{
    CLEANUP(cleanup_account_row) struct account_row row = fresh_row();
    const struct provider asked = asked_provider(0);
    struct circumstances c = at(start + HOUR);
    (void)state;
    assert_true(plan_asked(&row, &c));
    assert_int_equal(row.refresh_at, 0);
    c.provider = &asked;
    c.now += HOUR;
    row.failures = 1;
    row.refresh_at = c.now + HOUR;
    assert_true(plan_asked(&row, &c));
    assert_int_equal(row.refresh_at, c.now + HOUR);
    row.failures = 0;
    row.has_refresh_token = false;
    row.refresh_at = 0;
    c.now += HOUR;
    assert_true(plan_asked(&row, &c));
    assert_int_equal(row.refresh_at, 0);
}

/* Nobody wants it: a refresh that failed is not tried for ever, unless its token may be spent. */
static void tries_end_when_nobody_asks(void **state)
{
    CLEANUP(cleanup_account_row) struct account_row row = fresh_row();
    const struct provider asked = asked_provider(0);
    struct circumstances c = at(start);
    (void)state;
    c.provider = &asked;
    row.asked_at = start - INT64_C(24) * HOUR + MINUTE;
    judge_unanswered(&row, &c);
    assert_true(row.refresh_at > start);
    c.now += HOUR;
    judge_unanswered(&row, &c);
    assert_int_equal(row.refresh_at, 0);
    c.lost_at = c.now;
    judge_unanswered(&row, &c);
    assert_true(row.refresh_at > c.now);
}

/* Overdue since the machine slept. */
static void what_is_overdue_is_looked_at_again(void **state)
{
    enum { DAY = 24 * HOUR };
    CLEANUP(cleanup_account_row) struct account_row row = fresh_row();
    const struct provider asked = asked_provider(INT64_C(14) * DAY);
    struct circumstances c = at(start + 2 * DAY);
    (void)state;
    row.refresh_at = start + HOUR;
    row.asked_at = start;
    assert_false(plan_rests(&row, &c));
    c.provider = &asked;
    assert_true(plan_rests(&row, &c));
    assert_int_equal(row.refresh_at, start + INT64_C(7) * DAY);
    c.now = row.refresh_at;
    assert_false(plan_rests(&row, &c));
    c.now = row.asked_at + DAY;
    assert_false(plan_rests(&row, &c));
}

enum { NEVER, IMPORTED, IS_DEAD, HAS_FAILED };

static struct account_row row_of(int kind, int64_t refresh_at)
{
    struct account_row row = fresh_row();
    row.granted_at = start;
    row.refresh_at = refresh_at;
    if (kind == IMPORTED)
        row.refreshed_at = row.lifetime_ms = row.expires_at = 0;
    row.failures = kind == HAS_FAILED;
    if (kind == IS_DEAD)
        row.state = ACCOUNT_CONSENT_REQUIRED;
    return row;
}

/* Each `after` counts from the time when the grant came; 0 is 0. */
static void what_is_planned_too_late_is_planned_anew(void **state)
{
    const int64_t day = INT64_C(24) * HOUR, latest = 48 * MINUTE;
    const struct {
        int kind;
        int64_t planned, now;
        enum keep_policy keep;
        int64_t idle, from, to;
    } rows[] = {
        { .now = MINUTE, .from = HOUR / 2, .to = latest },
        { .planned = 7 * day, .now = MINUTE, .from = HOUR / 2, .to = latest },
        { .planned = latest, .now = MINUTE, .from = latest, .to = latest }, /* not for its jitter */
        { .planned = MINUTE, .now = 2 * MINUTE, .from = MINUTE, .to = MINUTE },
        { .now = 2 * day, .from = 2 * day, .to = 2 * day },
        { .now = 2 * day, .keep = KEEP_ASKED },
        { .now = 2 * day, .keep = KEEP_ASKED, .idle = 14 * day, .from = 7 * day, .to = 7 * day },
        { .planned = 45 * day,
          .now = 9 * day,
          .keep = KEEP_ASKED,
          .idle = 14 * day,
          .from = 9 * day,
          .to = 9 * day },
        { IMPORTED, .now = 2 * day },
        { IMPORTED, .now = 2 * day, .idle = 14 * day, .from = 7 * day, .to = 7 * day },
        { IMPORTED, .now = 9 * day, .idle = 14 * day, .from = 9 * day, .to = 9 * day },
        { IS_DEAD, .now = 9 * day, .idle = 14 * day },
        { HAS_FAILED, .now = 2 * day, .from = 2 * day, .to = 2 * day },
        { HAS_FAILED, .now = 2 * day, .keep = KEEP_ASKED },
        { HAS_FAILED, .planned = 3 * day, .now = 2 * day, .from = 3 * day, .to = 3 * day },
        { HAS_FAILED, .planned = 5 * day, .now = 2 * day, .from = 2 * day, .to = 2 * day },
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const int64_t planned = rows[i].planned > 0 ? start + rows[i].planned : 0;
        struct account_row row = row_of(rows[i].kind, planned);
        struct provider changed = asked_provider(rows[i].idle);
        struct circumstances c = at(start + rows[i].now);
        c.provider = &changed;
        changed.keep = rows[i].keep;
        const bool is_changed = plan_anew(&row, &c);
        assert_int_equal(is_changed, row.refresh_at != planned);
        const int64_t after = row.refresh_at > 0 ? row.refresh_at - start : 0;
        if (after < rows[i].from || after > rows[i].to)
            fail_msg("row %zu: after %lld", i, (long long)after);
        assert_false(plan_anew(&row, &c));
    }
}

static void what_cannot_be_refreshed_is_not_planned(void **state)
{
    struct account_row row = row_of(NEVER, 0);
    struct provider fixed = { .name = "acme", .grant = GRANT_STATIC };
    struct circumstances c = at(start);
    (void)state;
    c.provider = &fixed;
    assert_false(plan_anew(&row, &c));
    c.provider = &provider;
    row.has_refresh_token = false;
    assert_false(plan_anew(&row, &c));
    assert_int_equal(row.refresh_at, 0);
}

/* Only where no reply said another lifetime. */
static void a_lifetime_that_is_assumed_follows_the_section(void **state)
{
    struct account_row row = row_of(NEVER, start + HOUR / 2);
    struct provider corrected = { .name = "acme", .default_lifetime_ms = 2 * HOUR };
    struct circumstances c = at(start + SECOND);
    (void)state;
    c.provider = &corrected;
    assert_false(plan_anew(&row, &c));
    row.lifetime_assumed = true;
    assert_false(plan_anew(&row, &c)); /* it may be as long as it was assumed to be */
    corrected.default_lifetime_ms = 10 * MINUTE;
    assert_true(plan_anew(&row, &c));
    assert_int_equal(row.lifetime_ms, 10 * MINUTE);
    assert_int_equal(row.expires_at, start + 10 * MINUTE);
    assert_in_range(row.refresh_at, start + 5 * MINUTE, start + 8 * MINUTE);
    row.lifetime_assumed = false;
    corrected.default_lifetime_ms = MINUTE;
    assert_false(plan_anew(&row, &c));
}

static void an_end_that_the_section_says_is_no_fact(void **state)
{
    struct account_row row = row_of(NEVER, start + HOUR / 2);
    struct provider year = { .name = "acme", .refresh_token_lifetime_ms = 500 * HOUR };
    struct circumstances c = at(start + SECOND);
    (void)state;
    c.provider = &year;
    row.refresh_token_expires_at = start + 400 * HOUR;
    row.refresh_token_life_ms = 400 * HOUR;
    assert_false(plan_anew(&row, &c));
    row.refresh_token_expires_at = start + 500 * HOUR;
    row.refresh_token_life_ms = 500 * HOUR;
    assert_true(plan_anew(&row, &c));
    assert_int_equal(row.refresh_token_expires_at, 0);
    assert_int_equal(row.refresh_token_life_ms, 0);
}

/* Nothing else would ever send what was not sent: no request plans it anew. */
static void a_probe_for_a_consent_rests_for_nobody(void **state)
{
    CLEANUP(cleanup_account_row) struct account_row row = fresh_row();
    struct provider asked = asked_provider(0);
    struct circumstances c = at(start + 48 * HOUR);
    (void)state;
    c.provider = &asked;
    row.state = ACCOUNT_CONSENT_REQUIRED;
    judge_unanswered(&row, &c);
    assert_int_equal(row.refresh_at, c.now + SUSPECT_PROBE_MS);
    c.now = row.refresh_at;
    assert_false(plan_rests(&row, &c));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_lost_reply_is_retried_before_its_grace_ends),
        cmocka_unit_test(a_loss_is_of_the_grant_that_is_there),
        cmocka_unit_test(a_grace_does_not_overrule_a_retry_after),
        cmocka_unit_test(what_was_not_sent_was_not_lost),
        cmocka_unit_test(who_is_not_asked_for_is_kept_alive_only),
        cmocka_unit_test(a_request_plans_the_refresh_again),
        cmocka_unit_test(a_request_plans_nothing_else),
        cmocka_unit_test(tries_end_when_nobody_asks),
        cmocka_unit_test(a_probe_for_a_consent_rests_for_nobody),
        cmocka_unit_test(what_is_overdue_is_looked_at_again),
        cmocka_unit_test(what_is_planned_too_late_is_planned_anew),
        cmocka_unit_test(what_cannot_be_refreshed_is_not_planned),
        cmocka_unit_test(a_lifetime_that_is_assumed_follows_the_section),
        cmocka_unit_test(an_end_that_the_section_says_is_no_fact),
    };
    return cmocka_run_group_tests(tests, start_secrets, NULL);
}

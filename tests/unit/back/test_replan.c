/* A configuration that has changed reaches the accounts that are there already, whole and once. */

#include "fixture.h"

#include <errno.h>

#include <stdio.h>

#include "back/replan.h"

enum { MANY = REPLAN_ROWS_PER_TURN + 10, QUIET_MS = 250 };

/* Imported two days ago, and never used. */
static void seed_imported(struct stage *stage, unsigned count)
{
    char sql[80];
    for (unsigned i = 0; i < count; i++) {
        char label[16], token[32];
        (void)snprintf(label, sizeof label, "a%02u", i);
        (void)snprintf(token, sizeof token, "rt-secret-%02u.", i);
        seed(stage, (struct seed){ .label = label, .refresh_token = token });
    }
    (void)snprintf(sql, sizeof sql, "UPDATE accounts SET granted_at = %lld",
                   (long long)(broker_now() - 48 * HOUR));
    run_sql(stage, sql);
    server_script(stage->server, (struct canned){ .status = 200, .body = GRANT_PLAIN });
}

/* Two days are more than half of its idle limit now. */
static void shorten_idle_limit(struct stage *stage)
{
    acme(stage)->refresh_token_idle_lifetime_ms = 90 * HOUR;
}

static void expect_each_refreshed_once(struct stage *stage, unsigned count)
{
    assert_true(server_wait(stage->server, "grant_type=refresh_token", count));
    rest(QUIET_MS);
    for (unsigned i = 0; i < count; i++) {
        char token[32];
        (void)snprintf(token, sizeof token, "rt-secret-%02u.", i);
        assert_int_equal(server_count(stage->server, token), 1);
    }
}

static void all_are_planned_at_a_start(void **state)
{
    struct stage *stage = *state;
    seed_imported(stage, MANY);
    start(stage);
    rest(QUIET_MS);
    assert_int_equal(server_count(stage->server, NULL), 0);
    stop(stage);
    shorten_idle_limit(stage);
    start(stage);
    expect_each_refreshed_once(stage, MANY);
}

static void and_at_a_reload_also_on_a_disk_that_is_full_for_a_while(void **state)
{
    struct stage *stage = *state;
    seed_imported(stage, 3);
    set_speed(20);
    start(stage);
    rest(QUIET_MS);
    refuse_commits(2);
    shorten_idle_limit(stage);
    reload(stage);
    expect_each_refreshed_once(stage, 3);
}

static void expect_others_planned(struct stage *stage, int result)
{
    seed_imported(stage, 3);
    fail_reads("a01", result);
    shorten_idle_limit(stage);
    start(stage);
    assert_true(server_wait(stage->server, "rt-secret-00.", 1));
    assert_true(server_wait(stage->server, "rt-secret-02.", 1));
    damage_reads(NULL);
}

static void one_damaged_row_keeps_no_plan_from_others(void **state)
{
    expect_others_planned(*state, STORE_FOREIGN);
}

static void nor_does_one_on_a_damaged_page(void **state)
{
    expect_others_planned(*state, -EBADMSG);
}

#define FROZEN                                                                                     \
    "CREATE TRIGGER frozen BEFORE UPDATE ON accounts BEGIN SELECT RAISE(ABORT, 'it is written'); " \
    "END"

static void expect_nothing_written(struct stage *stage)
{
    rest(QUIET_MS);
    CLEANUP(cleanup_message) struct message *came = answer(stage, ask(stage, ASK_HEALTH, "a"));
    assert_true(came->health->store_ok);
    assert_int_equal(came->health->commit_failures, 0);
    stop(stage);
    run_sql(stage, "DROP TRIGGER frozen");
}

/* A store that was moved away is another broker's, until it is resumed here. */
static void nothing_is_written_behind_a_fence(void **state)
{
    struct stage *stage = *state;
    seed_imported(stage, 3);
    run_sql(stage, "INSERT OR REPLACE INTO facts (name, value) VALUES ('moved', '1790000000')");
    run_sql(stage, FROZEN);
    shorten_idle_limit(stage);
    start(stage);
    expect_nothing_written(stage);
    start(stage);
    struct message *resume = message_new(ASK_RESUME);
    resume->accept = true;
    expect_ok(stage, post(stage, resume));
    expect_each_refreshed_once(stage, 3);
}

static void nothing_is_written_where_nothing_changes(void **state)
{
    struct stage *stage = *state;
    seed_imported(stage, 3);
    seed(stage, (struct seed){ .label = "b",
                               .refresh_token = "rt-secret-b",
                               .access_token = "at-secret-b",
                               .lifetime_ms = HOUR,
                               .refresh_at = broker_now() + 40 * MINUTE });
    run_sql(stage, FROZEN);
    start(stage);
    expect_nothing_written(stage);
}

/* Its default lifetime was a day; the front still has it as living that long. */
static void the_front_forgets_a_token_that_ends_sooner(void **state)
{
    struct stage *stage = *state;
    seed(stage, (struct seed){ .label = "a",
                               .refresh_token = "rt-secret-a",
                               .access_token = "at-secret-a",
                               .lifetime_ms = 24 * HOUR,
                               .refresh_at = broker_now() + HOUR });
    run_sql(stage, "UPDATE accounts SET lifetime_assumed = 1");
    acme(stage)->default_lifetime_ms = 24 * HOUR;
    start(stage);
    expect_token(stage, ask(stage, ASK_TOKEN, "a"), "at-secret-a");
    assert_int_equal(stage->notice_count, 0);
    acme(stage)->default_lifetime_ms = HOUR;
    reload(stage);
    rest(QUIET_MS);
    CLEANUP(cleanup_message) struct message *came = answer(stage, ask(stage, ASK_TOKEN, "a"));
    assert_int_equal(came->token->lifetime_ms, HOUR);
    assert_true(came->token->expires_at <= broker_now() + HOUR);
    assert_int_equal(stage->notice_count, 1);
    assert_null(stage->notices[0]->token);
    assert_int_equal(stage->notices[0]->generation, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(all_are_planned_at_a_start),
        TEST(and_at_a_reload_also_on_a_disk_that_is_full_for_a_while),
        TEST(one_damaged_row_keeps_no_plan_from_others),
        TEST(nor_does_one_on_a_damaged_page),
        TEST(nothing_is_written_behind_a_fence),
        TEST(nothing_is_written_where_nothing_changes),
        TEST(the_front_forgets_a_token_that_ends_sooner),
    };
    return RUN(tests);
}

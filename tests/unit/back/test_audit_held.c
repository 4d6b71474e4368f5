/* Rows of the audit while the store refuses writes: none is forgotten, memory stays bounded, and
 * what is lost is counted. */

#include "fixture.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>

#include "back/audit_held.h"

enum { LETTER_ROWS = 1024, PATIENCE = 400, STEP_MS = 50 };

/* How often each of so many generations was asked for. */
struct told {
    const char *verdict;
    uint64_t first; /* generation */
    size_t rows;
    uint64_t count;
    const char *account; /* NULL: acme/a */
};

static void tell(struct stage *stage, struct told told)
{
    struct message *letter = message_new(TELL_AUDIT);
    letter->audit = calloc(told.rows, sizeof letter->audit[0]);
    letter->audit_count = told.rows;
    for (size_t i = 0; i < told.rows; i++) {
        struct audit_row *row = &letter->audit[i];
        *row = (struct audit_row){ .uid = 1000,
                                   .generation = told.first + i,
                                   .count = told.count,
                                   .first_at = 1,
                                   .last_at = 2 };
        (void)snprintf(row->verdict, sizeof row->verdict, "%s", told.verdict);
        (void)snprintf(row->account, sizeof row->account, "%s",
                       told.account ? told.account : "acme/a");
    }
    (void)post(stage, letter);
}

static void tell_many(struct stage *stage, const char *verdict, size_t rows)
{
    for (size_t i = 0; i < rows; i += LETTER_ROWS)
        tell(stage,
             (struct told){ verdict, i + 1, rows - i < LETTER_ROWS ? rows - i : LETTER_ROWS, 1 });
}

static struct health health_of(struct stage *stage)
{
    CLEANUP(cleanup_message) struct message *came = answer(stage, ask(stage, ASK_HEALTH, NULL));
    assert_non_null(came->health);
    return (struct health){ .audit_waiting = came->health->audit_waiting,
                            .audit_lost = came->health->audit_lost,
                            .store_ok = came->health->store_ok };
}

static void await_written(struct stage *stage)
{
    for (int i = 0; i < PATIENCE; i++) {
        if (health_of(stage).audit_waiting == 0)
            return;
        rest(STEP_MS);
    }
    fail_msg("%s", "rows wait for ever");
}

/* Of the newest rows with the verdict: how many there are, a page at most, and what they count. */
static uint64_t written(struct stage *stage, const char *verdict, size_t *ret_rows)
{
    struct message *message = question(ASK_AUDIT, NULL);
    uint64_t events = 0;
    (void)snprintf(message->audit_query.filter.verdict, sizeof message->audit_query.filter.verdict,
                   "%s", verdict);
    message->audit_query.limit = 1000;
    CLEANUP(cleanup_message) struct message *came = answer(stage, post(stage, message));
    for (size_t i = 0; i < came->audit_count; i++)
        events += came->audit[i].count;
    *ret_rows = came->audit_count;
    return events;
}

static void expect_written(struct stage *stage, const char *verdict, size_t rows, uint64_t events)
{
    size_t there = 0;
    assert_int_equal(written(stage, verdict, &there), events);
    assert_int_equal(there, rows);
}

/* The clock is fast: what takes a second takes a twentieth. */
static int set_up_refusing(void **state)
{
    (void)set_up(state);
    set_speed(20);
    start(*state);
    refuse_commits(UINT_MAX);
    return 0;
}

static void what_was_refused_is_written_later(void **state)
{
    struct stage *stage = *state;
    tell(stage, (struct told){ "token", 7, 1, 3 });
    rest(100);
    for (int i = 0; i < 10; i++)
        tell(stage, (struct told){ "token", 7, 2, 1 });
    tell(stage, (struct told){ "forbidden", 9, 1, 5 });
    rest(400);
    const struct health ill = health_of(stage);
    assert_false(ill.store_ok);
    assert_int_equal(ill.audit_waiting, 3);
    assert_int_equal(ill.audit_lost, 0);
    refuse_commits(0);
    await_written(stage);
    expect_written(stage, "token", 2, 23);
    expect_written(stage, "forbidden", 1, 5);
}

/* Of who got a token least of all: there is room for them, whatever was refused. */
static void refusals_leave_room_for_tokens(void **state)
{
    struct stage *stage = *state;
    tell_many(stage, "forbidden", AUDIT_HELD_OTHERS_MAX + 100);
    tell_many(stage, "token", 500);
    tell(stage, (struct told){ "forbidden", 1, 1, 10 }); /* it has its row */
    const struct health ill = health_of(stage);
    assert_int_equal(ill.audit_waiting, AUDIT_HELD_OTHERS_MAX + 500);
    assert_int_equal(ill.audit_lost, 100);
    refuse_commits(0);
    await_written(stage);
    expect_written(stage, "token", 500, 500);
    tell_many(stage, "forbidden", AUDIT_HELD_OTHERS_MAX + 100); /* there is room again */
    await_written(stage);
    assert_int_equal(health_of(stage).audit_lost, 100);
}

static void what_does_not_fit_is_counted(void **state)
{
    struct stage *stage = *state;
    tell_many(stage, "token", AUDIT_HELD_MAX + 3000);
    tell(stage, (struct told){ "token", AUDIT_HELD_MAX, 2, 7 }); /* one has its row */
    const struct health ill = health_of(stage);
    assert_int_equal(ill.audit_waiting, AUDIT_HELD_MAX);
    assert_int_equal(ill.audit_lost, 3007);
    refuse_commits(0);
    await_written(stage);
    expect_written(stage, "token", 1000, 1007);
}

/* As after a disk that hung: more in one turn than there is room for. */
static void a_store_that_takes_them_loses_none(void **state)
{
    struct stage *stage = *state;
    refuse_commits(0);
    tell_many(stage, "token", 3 * AUDIT_HELD_MAX);
    await_written(stage);
    assert_int_equal(health_of(stage).audit_lost, 0);
    stop(stage);
    run_sql(stage, "CREATE TABLE counted (n INTEGER NOT NULL CHECK (n = 49152))");
    run_sql(stage, "INSERT INTO counted SELECT sum(count) FROM audit");
}

/* Also those that wait for their next try. */
static void the_end_writes_what_waits(void **state)
{
    struct stage *stage = *state;
    tell_many(stage, "token", 2 * AUDIT_GROUP_MAX);
    rest(100);
    assert_int_equal(health_of(stage).audit_waiting, 2 * AUDIT_GROUP_MAX);
    refuse_commits(0);
    stop(stage);
    run_sql(stage, "CREATE TABLE counted (n INTEGER NOT NULL CHECK (n = 8192))");
    run_sql(stage, "INSERT INTO counted SELECT sum(count) FROM audit");
}

/* Where the disk has room for a few of them. */
static void the_end_tries_fewer_at_once(void **state)
{
    struct stage *stage = *state;
    tell_many(stage, "token", AUDIT_GROUP_MAX);
    rest(100);
    assert_int_equal(health_of(stage).audit_waiting, AUDIT_GROUP_MAX);
    refuse_commits(2);
    stop(stage);
    run_sql(stage, "CREATE TABLE counted (n INTEGER NOT NULL CHECK (n = 4096))");
    run_sql(stage, "INSERT INTO counted SELECT sum(count) FROM audit");
}

static void the_end_does_not_wait_for_the_audit(void **state)
{
    struct stage *stage = *state;
    tell_many(stage, "token", 10);
    rest(100);
    const int64_t begun = broker_now();
    stop(stage);
    assert_true(broker_now() - begun < 5 * SECOND);
    refuse_commits(0);
}

/* The front serves it from its cache; what the audit says of it and of others is written. */
static void an_account_that_cannot_be_read_keeps_no_audit(void **state)
{
    struct stage *stage = *state;
    refuse_commits(0);
    fail_reads("a", -EBADMSG);
    tell(stage, (struct told){ "token", 7, 2, 3 });
    tell(stage, (struct told){ .verdict = "token", 7, 1, 5, .account = "acme/b" });
    await_written(stage);
    expect_written(stage, "token", 3, 11);
    assert_int_equal(health_of(stage).audit_lost, 0);
}

/* What would be counted on a damaged page is lost, and said to be, and nothing else. */
static void a_damaged_audit_of_one_keeps_not_that_of_others(void **state)
{
    struct stage *stage = *state;
    refuse_commits(0);
    damage_audit("acme/a");
    tell(stage, (struct told){ .verdict = "token", 7, 2, 1, .account = "acme/b" });
    tell(stage, (struct told){ "token", 7, 2, 3 });
    tell(stage, (struct told){ .verdict = "forbidden", 7, 2, 1, .account = "acme/b" });
    await_written(stage);
    expect_written(stage, "token", 2, 2);
    expect_written(stage, "forbidden", 2, 2);
    const struct health health = health_of(stage);
    assert_int_equal(health.audit_lost, 6);
    assert_true(health.store_ok);
}

/* One line for the first, not one for each row. */
static void many_damaged_rows_are_said_in_sum(void **state)
{
    static const char words[] = "rows of the audit lie on a damaged page";
    struct stage *stage = *state;
    const unsigned before = logged(words);
    refuse_commits(0);
    damage_audit("acme/a");
    for (uint64_t i = 0; i < 3; i++) {
        tell(stage, (struct told){ "token", 1 + i * 20, 20, 1 });
        await_written(stage);
    }
    assert_int_equal(health_of(stage).audit_lost, 60);
    assert_int_equal(logged(words), before + 1);
    stop(stage);
    assert_int_equal(logged(words), before + 2);
}

int main(void)
{
#define TEST_REFUSING(name) cmocka_unit_test_setup_teardown(name, set_up_refusing, tear_down)
    const struct CMUnitTest tests[] = {
        TEST_REFUSING(what_was_refused_is_written_later),
        TEST_REFUSING(refusals_leave_room_for_tokens),
        TEST_REFUSING(what_does_not_fit_is_counted),
        TEST_REFUSING(a_store_that_takes_them_loses_none),
        TEST_REFUSING(the_end_writes_what_waits),
        TEST_REFUSING(the_end_tries_fewer_at_once),
        TEST_REFUSING(the_end_does_not_wait_for_the_audit),
        TEST_REFUSING(an_account_that_cannot_be_read_keeps_no_audit),
        TEST_REFUSING(a_damaged_audit_of_one_keeps_not_that_of_others),
        TEST_REFUSING(many_damaged_rows_are_said_in_sum),
    };
    return RUN(tests);
}

/* An orderly end: what it waits for, since its reply may be the only copy of a grant; and what it
 * does not wait for. */

#include "fixture.h"

#include <limits.h>

static void the_end_waits_for_what_is_in_the_air(void **state)
{
    struct stage *stage = *state;
    CLEANUP(cleanup_account_row) struct account_row row = { 0 };
    CLEANUP(cleanup_grant) struct grant grant = { 0 };
    const uint64_t id = ask_in_the_air(stage, "a");
    begin_stop(stage);
    rest(100);
    server_release(stage->server);
    stop(stage);
    expect_token(stage, id, "at-secret-1");
    stored(stage, "a", &row, &grant);
    assert_true(holds(grant.refresh_token, "rt-secret-1"));
}

/* The provider may have spent the old refresh token: the reply holds the only one there is. */
static void the_end_waits_for_a_slow_reply(void **state)
{
    struct stage *stage = *state;
    CLEANUP(cleanup_account_row) struct account_row row = { 0 };
    CLEANUP(cleanup_grant) struct grant grant = { 0 };
    const uint64_t id = ask_in_the_air(stage, "a");
    set_speed(20);
    begin_stop(stage);
    rest(1000);
    server_release(stage->server);
    stop(stage);
    expect_token(stage, id, "at-secret-1");
    stored(stage, "a", &row, &grant);
    assert_true(holds(grant.refresh_token, "rt-secret-1"));
}

/* Nothing more comes that would be worth a long wait. */
static void the_end_does_not_wait_for_a_full_disk(void **state)
{
    struct stage *stage = *state;
    const uint64_t id = ask_in_the_air(stage, "a");
    refuse_commits(UINT_MAX);
    server_release(stage->server);
    rest(200);
    set_speed(20);
    const int64_t begun = broker_now();
    stop(stage);
    assert_true(broker_now() - begun < 15 * SECOND);
    refuse_commits(0);
    expect_failure(stage, id, WIRE_BUSY);
}

static void the_end_does_not_wait_for_ever(void **state)
{
    struct stage *stage = *state;
    set_speed(50);
    const uint64_t id = ask_in_the_air(stage, "a");
    stop(stage);
    expect_failure(stage, id, WIRE_BUSY);
}

static void the_end_waits_for_a_code_in_the_air(void **state)
{
    struct stage *stage = *state;
    server_script(stage->server,
                  (struct canned){ .status = 200, .body = GRANT_ROTATED, .held = true });
    const uint64_t id = ask_exchange(stage, "a", "code-secret-1", NULL);
    assert_true(server_wait(stage->server, NULL, 1));
    begin_stop(stage);
    rest(50);
    server_release(stage->server);
    stop(stage);
    expect_ok(stage, id);
}

static void the_end_waits_for_a_code_that_takes_its_time(void **state)
{
    struct stage *stage = *state;
    server_script(stage->server,
                  (struct canned){ .status = 200, .body = GRANT_ROTATED, .held = true });
    const uint64_t id = ask_exchange(stage, "a", "code-secret-1", NULL);
    assert_true(server_wait(stage->server, NULL, 1));
    set_speed(20);
    begin_stop(stage);
    rest(1000);
    server_release(stage->server);
    stop(stage);
    expect_ok(stage, id);
}

/* It has to be over before the service manager ends it. */
static void the_end_sends_no_code_that_waited_too_long(void **state)
{
    struct stage *stage = *state;
    acme(stage)->concurrency = 1;
    server_script(stage->server,
                  (struct canned){ .status = 200, .body = GRANT_ROTATED, .held = true });
    start(stage);
    const uint64_t id = ask_exchange(stage, "a", "code-secret-1", NULL);
    const uint64_t waits = ask_exchange(stage, "b", "code-secret-2", NULL);
    assert_true(server_wait(stage->server, NULL, 1));
    set_speed(20);
    begin_stop(stage);
    rest(500);
    server_release(stage->server);
    stop(stage);
    expect_ok(stage, id);
    expect_failure(stage, waits, WIRE_BUSY);
    assert_int_equal(server_count(stage->server, NULL), 1);
}

static void the_end_answers_a_code_that_hangs(void **state)
{
    struct stage *stage = *state;
    set_speed(50);
    server_script(stage->server,
                  (struct canned){ .status = 200, .body = GRANT_ROTATED, .held = true });
    start(stage);
    const uint64_t id = ask_exchange(stage, "a", "code-secret-1", NULL);
    assert_true(server_wait(stage->server, NULL, 1));
    stop(stage);
    expect_failure(stage, id, WIRE_BUSY);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_end_waits_for_what_is_in_the_air),
        TEST(the_end_waits_for_a_slow_reply),
        TEST(the_end_does_not_wait_for_a_full_disk),
        TEST(the_end_does_not_wait_for_ever),
        TEST_STARTED(the_end_waits_for_a_code_in_the_air),
        TEST_STARTED(the_end_waits_for_a_code_that_takes_its_time),
        TEST(the_end_sends_no_code_that_waited_too_long),
        TEST(the_end_answers_a_code_that_hangs),
    };
    return RUN(tests);
}

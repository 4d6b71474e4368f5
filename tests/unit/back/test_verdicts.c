/* What becomes of an account that fails, from the store to the store: by what others do meanwhile,
 * and by the set-up under which it failed. */

#include "fixture.h"

#include <stdio.h>

/* What ten hours without a provider leave in every row. */
static void outlast_an_outage(struct stage *stage)
{
    char sql[256];
    const int64_t now = broker_now();
    (void)snprintf(
        sql, sizeof sql,
        "UPDATE accounts SET failures = 40, last_error = 'not_sent', last_error_at = %lld,"
        " expires_at = %lld, refresh_at = %lld",
        (long long)(now - 5 * MINUTE), (long long)(now - 10 * HOUR), (long long)(now + 2 * SECOND));
    run_sql(stage, sql);
    run_sql(stage, "UPDATE accounts SET refresh_at = 1 WHERE label = 'good'");
}

static void the_first_to_fail_after_an_outage_is_not_silenced(void **state)
{
    struct stage *stage = *state;
    seed_due(stage, "good", NULL);
    seed_due(stage, "bad", NULL);
    server_script(stage->server, (struct canned){ .match = RT("bad"), .times = 4, .status = 500 });
    server_script(stage->server, (struct canned){ .status = 200, .body = GRANT_ROTATED });
    set_speed(20);
    outlast_an_outage(stage);
    start(stage);
    assert_true(server_wait(stage->server, RT("bad"), 4));
    rest(100);
    CLEANUP(cleanup_account_row) struct account_row row = ask_row(stage, "bad");
    assert_int_equal(row.failures, 41);
    assert_int_equal(row.failed_alone, 1);
    assert_int_equal(row.state, ACCOUNT_ACTIVE);
    assert_true(row.refresh_at - broker_now() < HOUR / 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_first_to_fail_after_an_outage_is_not_silenced),
    };
    return RUN(tests);
}

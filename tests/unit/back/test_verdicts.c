/* What becomes of an account that fails, from the store to the store: by what others do meanwhile,
 * and by the set-up under which it failed. */

#include "fixture.h"

#include <errno.h>
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

/* The set-up as it was, "client:client-secret-1", is one that the server has not given the tokens
 * to. */
#define OLD "Y2xpZW50OmNsaWVudC1zZWNyZXQtMQ=="
#define OTHER "client-secret-2"

static void set_secret(struct stage *stage, const char *text)
{
    struct secret **secret = &stage->settings->credentials[0].client_secret;
    *secret = secret_free(*secret);
    assert_int_equal(secret_new(text, strlen(text), secret), 0);
}

static void refuse_old_set_up(struct stage *stage)
{
    server_script(stage->server, (struct canned){ .match = OLD, .status = 400, .body = REFUSED });
    server_script(stage->server, (struct canned){ .status = 200, .body = GRANT_ROTATED });
}

static void condemn(struct stage *stage)
{
    seed_due(stage, "a", NULL);
    refuse_old_set_up(stage);
    set_speed(20);
    start(stage);
    await_state(stage, "a", ACCOUNT_CONSENT_REQUIRED);
    assert_int_equal(server_count(stage->server, RT("a")), 2);
}

static void what_a_wrong_set_up_has_condemned_a_reload_saves(void **state)
{
    struct stage *stage = *state;
    condemn(stage);
    reload(stage); /* nothing was mended */
    rest(300);
    assert_int_equal(server_count(stage->server, RT("a")), 2);
    set_secret(stage, OTHER);
    reload(stage);
    await_state(stage, "a", ACCOUNT_ACTIVE);
    assert_int_equal(server_count(stage->server, RT("a")), 3);
}

static void so_does_a_restart(void **state)
{
    struct stage *stage = *state;
    condemn(stage);
    stop(stage);
    start(stage);
    rest(300);
    assert_int_equal(server_count(stage->server, RT("a")), 2);
    stop(stage);
    set_secret(stage, OTHER);
    start(stage);
    await_state(stage, "a", ACCOUNT_ACTIVE);
    assert_int_equal(server_count(stage->server, RT("a")), 3);
}

/* More than would make the provider pause, one that lives among them. */
static void seed_the_dead(struct stage *stage)
{
    static const char *const dead[] = { "a", "b", "c", "d", "e" };
    static char tokens[5][16];
    for (size_t i = 0; i < sizeof dead / sizeof *dead; i++) {
        (void)snprintf(tokens[i], sizeof tokens[i], "rt-secret-%s", dead[i]);
        seed(stage, (struct seed){ .label = dead[i],
                                   .refresh_token = tokens[i],
                                   .predecessor = "rt-secret-spent",
                                   .state = ACCOUNT_CONSENT_REQUIRED,
                                   .refusals = REFUSAL_PREDECESSOR });
    }
    server_script(stage->server,
                  (struct canned){ .match = RT("d"), .status = 200, .body = GRANT_ROTATED });
    server_script(stage->server, (struct canned){ .status = 400, .body = REFUSED });
}

static void expect_one_try_each(struct stage *stage)
{
    await_state(stage, "d", ACCOUNT_ACTIVE);
    assert_true(server_wait(stage->server, RT("e"), 1));
    rest(300);
    assert_int_equal(server_count(stage->server, NULL), 5);
    assert_int_equal(server_count(stage->server, RT("spent")), 0);
    assert_int_equal(ask_state(stage, "a"), ACCOUNT_CONSENT_REQUIRED);
    assert_int_equal(ask_state(stage, "e"), ACCOUNT_CONSENT_REQUIRED);
    assert_false(ask_paused(stage));
}

static void the_dead_are_tried_once_and_never_their_predecessors(void **state)
{
    struct stage *stage = *state;
    seed_the_dead(stage);
    run_sql(stage, "UPDATE accounts SET refused_under = 'another'");
    set_speed(20);
    start(stage);
    expect_one_try_each(stage);
    stop(stage);
    start(stage);
    reload(stage);
    rest(300);
    assert_int_equal(server_count(stage->server, NULL), 5);
}

/* Of these it is not known under which set-up they were refused. */
static void or_when_a_person_says_so(void **state)
{
    struct stage *stage = *state;
    seed_the_dead(stage);
    set_speed(20);
    start(stage);
    expect_ok(stage, ask(stage, ASK_RETRY, NULL));
    rest(300);
    assert_int_equal(server_count(stage->server, NULL), 0);
    expect_ok(stage, ask(stage, ASK_RETRY, "acme/"));
    expect_one_try_each(stage);
}

/* One goes first, and while its reply is out no other does. */
static void one_of_the_dead_goes_first(void **state)
{
    struct stage *stage = *state;
    server_script(
        stage->server,
        (struct canned){ .match = RT("a"), .status = 400, .body = REFUSED, .held = true });
    seed_the_dead(stage);
    run_sql(stage, "UPDATE accounts SET refused_under = 'another'");
    start(stage);
    assert_true(server_wait(stage->server, RT("a"), 1));
    rest(300);
    assert_int_equal(server_count(stage->server, NULL), 1);
    server_release(stage->server);
    expect_one_try_each(stage);
}

/* A token of before may cost the newer grant, where a provider has one for each person. */
static void not_while_a_consent_is_held_for_it(void **state)
{
    struct stage *stage = *state;
    seed_the_dead(stage);
    run_sql(stage, "UPDATE accounts SET refused_under = 'another'");
    run_sql(stage, "INSERT INTO held (provider, label, created_at, refreshed_at, lifetime_ms,"
                   " expires_at, refresh_at, refresh_token_expires_at, refresh_token_life_ms)"
                   " VALUES ('acme', 'c', 1, 1, 0, 0, 0, 0, 0)");
    set_speed(20);
    start(stage);
    await_state(stage, "d", ACCOUNT_ACTIVE);
    assert_int_equal(server_count(stage->server, RT("c")), 0);
}

/* As at a start before there is a network: it is their one try, and the others wait for it. */
static void what_got_no_answer_goes_again_in_minutes(void **state)
{
    struct stage *stage = *state;
    server_script(stage->server, (struct canned){ .match = RT("a"), .times = 5, .status = 503 });
    seed_the_dead(stage);
    run_sql(stage, "UPDATE accounts SET refused_under = 'another'");
    set_speed(50);
    start(stage);
    assert_true(server_wait(stage->server, RT("a"), 5));
    assert_int_equal(server_count(stage->server, NULL), 5);
    await_state(stage, "d", ACCOUNT_ACTIVE);
    assert_int_equal(server_count(stage->server, RT("a")), 6);
}

/* A reload that changes nothing begins nothing anew. */
static void a_reload_amid_them_tries_none_twice(void **state)
{
    struct stage *stage = *state;
    server_script(stage->server,
                  (struct canned){
                      .match = RT("b"), .times = 1, .status = 400, .body = REFUSED, .held = true });
    seed_the_dead(stage);
    set_speed(5);
    start(stage);
    expect_ok(stage, ask(stage, ASK_RETRY, "acme/"));
    assert_true(server_wait(stage->server, RT("b"), 1));
    reload(stage);
    expect_ok(stage, ask(stage, ASK_RETRY, NULL));
    rest(200);
    server_release(stage->server);
    expect_one_try_each(stage);
}

static void one_on_a_damaged_page_ends_it_for_no_other(void **state)
{
    struct stage *stage = *state;
    seed_the_dead(stage);
    run_sql(stage, "UPDATE accounts SET refused_under = 'another'");
    fail_reads("b", -EBADMSG);
    set_speed(20);
    start(stage);
    await_state(stage, "d", ACCOUNT_ACTIVE);
    assert_int_equal(server_count(stage->server, RT("b")), 0);
}

static void nor_does_a_disk_that_is_full_for_a_while(void **state)
{
    struct stage *stage = *state;
    seed_the_dead(stage);
    run_sql(stage, "UPDATE accounts SET refused_under = 'another'");
    refuse_commits(2);
    set_speed(20);
    start(stage);
    expect_one_try_each(stage);
}

/* Nobody else could probe for the provider that pauses. */
static void expect_a_second_mend_tried(struct stage *stage, const char *first_mend)
{
    seed_due(stage, "a", NULL);
    seed_due(stage, "b", NULL);
    run_sql(stage, "UPDATE accounts SET state = 2, refusals = 2, refused_under = 'another',"
                   " refresh_at = 0");
    server_script(stage->server,
                  (struct canned){ .match = OLD, .status = 400, .body = first_mend });
    server_script(stage->server, (struct canned){ .status = 200, .body = GRANT_ROTATED });
    start(stage);
    await_paused(stage, true);
    rest(300);
    assert_int_equal(server_count(stage->server, NULL), 1);
    set_secret(stage, OTHER);
    reload(stage);
    await_state(stage, "a", ACCOUNT_ACTIVE);
    await_state(stage, "b", ACCOUNT_ACTIVE);
    assert_int_equal(server_count(stage->server, NULL), 3);
}

static void a_mend_that_was_none_is_followed_by_one_that_is(void **state)
{
    expect_a_second_mend_tried(*state, BAD_CLIENT);
}

static void whatever_was_wrong_with_the_first(void **state)
{
    expect_a_second_mend_tried(*state, "{\"error\":\"unauthorized_client\"}");
}

static void what_an_old_set_up_was_refused_goes_again_under_the_new(void **state)
{
    struct stage *stage = *state;
    seed_due(stage, "a", NULL);
    server_script(stage->server,
                  (struct canned){ .match = OLD, .status = 400, .body = REFUSED, .held = true });
    server_script(stage->server, (struct canned){ .status = 200, .body = GRANT_ROTATED });
    start(stage);
    assert_true(server_wait(stage->server, RT("a"), 1));
    set_secret(stage, OTHER);
    reload(stage);
    rest(200);
    server_release(stage->server);
    await_generation(stage, "a", 2);
    assert_int_equal(server_count(stage->server, RT("a")), 2);
    CLEANUP(cleanup_account_row) struct account_row row = ask_row(stage, "a");
    assert_null(row.last_error);
}

/* The predecessor is spent, and the current token was refused under the old set-up alone. */
static void under_the_new_set_up_the_current_token_goes_first_again(void **state)
{
    struct stage *stage = *state;
    seed(stage, (struct seed){ .label = "a",
                               .refresh_token = "rt-secret-a",
                               .predecessor = "rt-secret-old",
                               .refresh_at = 1,
                               .state = ACCOUNT_SUSPECT,
                               .refusals = REFUSAL_PREDECESSOR });
    server_script(stage->server,
                  (struct canned){ .match = OLD, .status = 400, .body = REFUSED, .held = true });
    server_script(stage->server, (struct canned){ .status = 200, .body = GRANT_ROTATED });
    set_speed(20);
    start(stage);
    assert_true(server_wait(stage->server, RT("old"), 1));
    set_secret(stage, OTHER);
    reload(stage);
    rest(200);
    server_release(stage->server);
    await_generation(stage, "a", 2);
    assert_int_equal(server_count(stage->server, RT("old")), 1);
    assert_int_equal(server_count(stage->server, RT("a")), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_first_to_fail_after_an_outage_is_not_silenced),
        TEST(what_a_wrong_set_up_has_condemned_a_reload_saves),
        TEST(so_does_a_restart),
        TEST(the_dead_are_tried_once_and_never_their_predecessors),
        TEST(or_when_a_person_says_so),
        TEST(one_of_the_dead_goes_first),
        TEST(not_while_a_consent_is_held_for_it),
        TEST(what_got_no_answer_goes_again_in_minutes),
        TEST(a_reload_amid_them_tries_none_twice),
        TEST(one_on_a_damaged_page_ends_it_for_no_other),
        TEST(nor_does_a_disk_that_is_full_for_a_while),
        TEST(a_mend_that_was_none_is_followed_by_one_that_is),
        TEST(whatever_was_wrong_with_the_first),
        TEST(what_an_old_set_up_was_refused_goes_again_under_the_new),
        TEST(under_the_new_set_up_the_current_token_goes_first_again),
    };
    return RUN(tests);
}

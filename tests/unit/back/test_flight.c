/* One refresh from the row to the wire and back: what is sent, in which order, and what lies on the
 * disk before anybody hears of it. */

#include "fixture.h"

#include <errno.h>
#include <stdio.h>

#include "back/judgement.h"

static void a_due_account_is_refreshed_unasked(void **state)
{
    struct stage *stage = *state;
    CLEANUP(cleanup_account_row) struct account_row row = { 0 };
    CLEANUP(cleanup_grant) struct grant grant = { 0 };
    seed_due(stage, "a", NULL);
    server_script(stage->server, (struct canned){ .status = 200, .body = GRANT_ROTATED });
    start(stage);
    await_generation(stage, "a", 2);
    stop(stage);
    stored(stage, "a", &row, &grant);
    assert_true(holds(grant.access_token, "at-secret-1"));
    assert_true(holds(grant.refresh_token, "rt-secret-1"));
    assert_true(holds(grant.predecessor, "rt-secret-a"));
    assert_true(row.refresh_at > broker_now() + 20 * MINUTE);
    assert_int_equal(server_count(stage->server, NULL), 1);
}

static void a_reply_without_a_refresh_token_keeps_the_old(void **state)
{
    struct stage *stage = *state;
    CLEANUP(cleanup_account_row) struct account_row row = { 0 };
    CLEANUP(cleanup_grant) struct grant grant = { 0 };
    seed_due(stage, "a", "rt-secret-before");
    server_script(stage->server, (struct canned){ .status = 200, .body = GRANT_PLAIN });
    start(stage);
    await_generation(stage, "a", 2);
    stop(stage);
    stored(stage, "a", &row, &grant);
    assert_true(holds(grant.refresh_token, "rt-secret-a"));
    assert_true(holds(grant.predecessor, "rt-secret-before"));
    assert_true(row.has_refresh_token);
}

static void nobody_hears_of_a_token_that_is_not_on_disk(void **state)
{
    struct stage *stage = *state;
    CLEANUP(cleanup_account_row) struct account_row row = { 0 };
    CLEANUP(cleanup_grant) struct grant grant = { 0 };
    seed(stage, (struct seed){ .label = "a", .refresh_token = "rt-secret-a" });
    server_script(stage->server,
                  (struct canned){ .status = 200, .body = GRANT_ROTATED, .held = true });
    start(stage);
    const uint64_t id = ask(stage, ASK_TOKEN, "a");
    assert_true(server_wait(stage->server, NULL, 1));
    refuse_commits(2);
    server_release(stage->server);
    rest(300);
    assert_false(answered(stage, id));
    assert_int_equal(stage->notice_count, 0);
    expect_token(stage, id, "at-secret-1");
    assert_int_equal(server_count(stage->server, NULL), 1);
    stop(stage);
    stored(stage, "a", &row, &grant);
    assert_true(holds(grant.refresh_token, "rt-secret-1"));
}

/* The provider has spent the token by then. */
static void a_reply_has_its_place_in_full_memory(void **state)
{
    struct stage *stage = *state;
    CLEANUP(cleanup_account_row) struct account_row row = { 0 };
    CLEANUP(cleanup_grant) struct grant grant = { 0 };
    seed(stage, (struct seed){ .label = "a", .refresh_token = "rt-secret-a" });
    server_script(stage->server,
                  (struct canned){ .status = 200, .body = GRANT_ROTATED, .held = true });
    start(stage);
    const uint64_t id = ask(stage, ASK_TOKEN, "a");
    assert_true(server_wait(stage->server, NULL, 1));
    fill_secrets(0);
    server_release(stage->server);
    rest(300);
    empty_secrets();
    expect_token(stage, id, "at-secret-1");
    assert_int_equal(server_count(stage->server, NULL), 1);
    stop(stage);
    stored(stage, "a", &row, &grant);
    assert_true(holds(grant.refresh_token, "rt-secret-1"));
}

/* Nothing that came before says how long it will be. */
static void a_first_token_has_its_place_too(void **state)
{
    enum { LONG = 10 * 1024 };
    static char body[2 * LONG + 128];
    struct stage *stage = *state;
    CLEANUP(cleanup_account_row) struct account_row row = { 0 };
    CLEANUP(cleanup_grant) struct grant grant = { 0 };
    (void)snprintf(body, sizeof body,
                   "{\"access_token\":\"at-secret-%0*d\",\"refresh_token\":\"rt-secret-%0*d\"}",
                   LONG, 1, LONG, 2);
    seed(stage, (struct seed){ .label = "a", .refresh_token = "rt-secret-a" });
    server_script(stage->server, (struct canned){ .status = 200, .body = body, .held = true });
    start(stage);
    (void)ask(stage, ASK_REFRESH, "a");
    assert_true(server_wait(stage->server, NULL, 1));
    fill_secrets(0);
    server_release(stage->server);
    rest(300);
    empty_secrets();
    await_generation(stage, "a", 2);
    stop(stage);
    stored(stage, "a", &row, &grant);
    assert_int_equal(secret_length(grant.refresh_token), strlen("rt-secret-") + LONG);
    assert_int_equal(server_count(stage->server, NULL), 1);
}

static void without_room_for_a_reply_nothing_is_sent(void **state)
{
    enum { TOO_FEW = SECRET_FREE_BESIDE_FIRST / SECRET_MAX / 2 };
    struct stage *stage = *state;
    seed(stage, (struct seed){ .label = "a", .refresh_token = "rt-secret-a" });
    seed_due(stage, "b", NULL);
    server_script(stage->server, (struct canned){ .status = 200, .body = GRANT_ROTATED });
    fill_secrets(TOO_FEW);
    start(stage);
    CLEANUP(cleanup_message)
    struct message *why = refusal(stage, ask(stage, ASK_TOKEN, "a"), WIRE_BUSY);
    assert_non_null(strstr(why->failure.description, "memory"));
    CLEANUP(cleanup_account_row) struct account_row row = ask_row(stage, "b");
    assert_int_equal(row.failures, 0);
    assert_int_equal(server_count(stage->server, NULL), 0);
    const uint64_t id = ask(stage, ASK_REFRESH, "a");
    empty_secrets();
    expect_ok(stage, id);
    await_generation(stage, "b", 2);
    assert_int_equal(server_count(stage->server, "rt-secret-b"), 1);
}

/* It is told at the latest when the end comes, and not as a token. */
static void a_disk_that_stays_full_gives_no_token(void **state)
{
    struct stage *stage = *state;
    seed(stage, (struct seed){ .label = "a", .refresh_token = "rt-secret-a" });
    server_script(stage->server,
                  (struct canned){ .status = 200, .body = GRANT_ROTATED, .held = true });
    set_speed(20);
    start(stage);
    const uint64_t id = ask(stage, ASK_TOKEN, "a");
    assert_true(server_wait(stage->server, NULL, 1));
    refuse_commits(1000);
    server_release(stage->server);
    rest(300);
    stop(stage);
    expect_failure(stage, id, WIRE_BUSY);
    refuse_commits(0);
}

/* The provider may have spent the token, and the reply is gone with the process. */
static void what_is_sent_before_it_is_due_is_due_after_the_end(void **state)
{
    struct stage *stage = *state;
    CLEANUP(cleanup_account_row) struct account_row row = { 0 };
    CLEANUP(cleanup_grant) struct grant grant = { 0 };
    seed(stage, (struct seed){ .label = "a", .refresh_token = "rt-secret-a" });
    server_script(stage->server,
                  (struct canned){ .status = 200, .body = GRANT_ROTATED, .held = true });
    start(stage);
    const uint64_t id = ask(stage, ASK_TOKEN, "a");
    assert_true(server_wait(stage->server, NULL, 1));
    set_speed(50);
    stop(stage);
    expect_failure(stage, id, WIRE_BUSY);
    stored(stage, "a", &row, &grant);
    assert_true(row.refresh_at > 0 && row.refresh_at <= broker_now());
    assert_true(holds(grant.refresh_token, "rt-secret-a"));
}

static void nothing_is_sent_early_while_the_store_refuses(void **state)
{
    struct stage *stage = *state;
    seed(stage, (struct seed){ .label = "a", .refresh_token = "rt-secret-a" });
    server_script(stage->server, (struct canned){ .status = 200, .body = GRANT_ROTATED });
    start(stage);
    refuse_commits(1);
    expect_failure(stage, ask(stage, ASK_TOKEN, "a"), WIRE_BUSY);
    assert_int_equal(server_count(stage->server, NULL), 0);
    rest(1500);
    expect_token(stage, ask(stage, ASK_TOKEN, "a"), "at-secret-1");
}

static void the_refused_token_then_the_same_then_its_predecessor(void **state)
{
    struct stage *stage = *state;
    CLEANUP(cleanup_account_row) struct account_row row = { 0 };
    CLEANUP(cleanup_grant) struct grant grant = { 0 };
    seed(stage, (struct seed){ .label = "good", .refresh_token = "rt-secret-good" });
    seed_due(stage, "dead", "rt-secret-old");
    server_script(stage->server,
                  (struct canned){ .match = "good", .status = 200, .body = GRANT_PLAIN });
    server_script(stage->server, (struct canned){ .status = 400, .body = REFUSED });
    set_speed(20);
    start(stage);
    assert_true(server_wait(stage->server, RT("dead"), 1));
    const int64_t first = broker_now();
    await_state(stage, "dead", ACCOUNT_SUSPECT);
    expect_token(stage, ask(stage, ASK_TOKEN, "good"), "at-secret-2");
    await_state(stage, "dead", ACCOUNT_CONSENT_REQUIRED);
    assert_true(broker_now() - first >= 4500);
    assert_int_equal(server_count(stage->server, RT("dead")), 2);
    assert_int_equal(server_count(stage->server, RT("old")), 1);
    expect_failure(stage, ask(stage, ASK_TOKEN, "dead"), WIRE_CONSENT_REQUIRED);
    assert_int_equal(ask_state(stage, "good"), ACCOUNT_ACTIVE);
    rest(300);
    assert_int_equal(server_count(stage->server, NULL), 4);
    stop(stage);
    stored(stage, "dead", &row, &grant);
    assert_true(holds(grant.refresh_token, "rt-secret-dead"));
    assert_int_equal(row.refresh_at, 0);
}

static void a_predecessor_that_works_takes_over(void **state)
{
    struct stage *stage = *state;
    CLEANUP(cleanup_account_row) struct account_row row = { 0 };
    CLEANUP(cleanup_grant) struct grant grant = { 0 };
    seed_due(stage, "dead", "rt-secret-old");
    server_script(stage->server,
                  (struct canned){ .match = RT("dead"), .status = 400, .body = REFUSED });
    server_script(stage->server, (struct canned){ .status = 200, .body = GRANT_PLAIN });
    set_speed(20);
    start(stage);
    expect_token(stage, ask(stage, ASK_TOKEN, "dead"), "at-secret-3");
    stop(stage);
    stored(stage, "dead", &row, &grant);
    assert_true(holds(grant.refresh_token, "rt-secret-old"));
    assert_null(grant.predecessor);
    assert_int_equal(row.state, ACCOUNT_ACTIVE);
    assert_int_equal(row.refusals, REFUSAL_NONE);
}

/* The step was durable, the process ended before its reply was. */
static void the_steps_go_on_after_a_crash(void **state)
{
    struct stage *stage = *state;
    seed(stage, (struct seed){ .label = "dead",
                               .refresh_token = "rt-secret-dead",
                               .predecessor = "rt-secret-old",
                               .refresh_at = 1,
                               .state = ACCOUNT_SUSPECT,
                               .refusals = REFUSAL_PREDECESSOR });
    server_script(stage->server, (struct canned){ .status = 400, .body = REFUSED });
    start(stage);
    await_state(stage, "dead", ACCOUNT_CONSENT_REQUIRED);
    assert_int_equal(server_count(stage->server, RT("old")), 1);
    assert_int_equal(server_count(stage->server, NULL), 1);
}

static void a_lost_reply_is_asked_for_again_with_the_same_token(void **state)
{
    struct stage *stage = *state;
    seed(stage, (struct seed){ .label = "a", .refresh_token = "rt-secret-a" });
    server_script(stage->server, (struct canned){ .times = 2, .status = 0 });
    server_script(stage->server, (struct canned){ .times = 1, .status = 503 });
    server_script(stage->server, (struct canned){ .status = 200, .body = GRANT_ROTATED });
    set_speed(20);
    start(stage);
    expect_token(stage, ask(stage, ASK_TOKEN, "a"), "at-secret-4");
    assert_int_equal(server_count(stage->server, RT("a")), 4);
}

static void without_an_answer_it_backs_off_and_says_so(void **state)
{
    struct stage *stage = *state;
    seed(stage, (struct seed){ .label = "a", .refresh_token = "rt-secret-a" });
    server_script(stage->server, (struct canned){ .status = 502 });
    set_speed(20);
    start(stage);
    expect_failure(stage, ask(stage, ASK_TOKEN, "a"), WIRE_PROVIDER_UNAVAILABLE);
    assert_int_equal(server_count(stage->server, NULL), 4);
    CLEANUP(cleanup_account_row) struct account_row row = ask_row(stage, "a");
    assert_int_equal(row.state, ACCOUNT_ACTIVE);
    assert_int_equal(row.failures, 1);
    assert_true(row.refresh_at > row.last_error_at);
    assert_string_equal(row.last_error, "http_502");
    /* A moment ago: nothing is sent for it. */
    expect_failure(stage, ask(stage, ASK_TOKEN, "a"), WIRE_PROVIDER_UNAVAILABLE);
    assert_int_equal(server_count(stage->server, NULL), 4);
}

/* A firewall's page is nobody's refusal, and the token may be spent for all that is known. */
static void a_page_in_place_of_an_answer_says_nothing_of_anybody(void **state)
{
    struct stage *stage = *state;
    for (const char *label = "abc"; *label; label++)
        seed(stage, (struct seed){ .label = (char[]){ *label, '\0' },
                                   .refresh_token = (char[]){ 'r', 't', '-', *label, '\0' } });
    server_script(stage->server,
                  (struct canned){ .status = 403, .body = "<html>not from here</html>" });
    set_speed(20);
    start(stage);
    for (const char *label = "abc"; *label; label++) {
        const char name[] = { *label, '\0' };
        expect_failure(stage, ask(stage, ASK_TOKEN, name), WIRE_PROVIDER_UNAVAILABLE);
        CLEANUP(cleanup_account_row) struct account_row row = ask_row(stage, name);
        assert_int_equal(row.state, ACCOUNT_ACTIVE);
        assert_int_equal(row.suspect_since, 0);
        assert_true(row.lost_at > 0);
        assert_string_equal(row.last_error, "http_403");
    }
    assert_int_equal(server_count(stage->server, "refresh_token=rt-c"), 1 + SHORT_RETRIES);
    assert_false(ask_paused(stage));
}

static void a_whole_reply_on_a_broken_connection_counts(void **state)
{
    struct stage *stage = *state;
    seed(stage, (struct seed){ .label = "a", .refresh_token = "rt-secret-a" });
    server_script(stage->server,
                  (struct canned){ .status = 200, .body = GRANT_ROTATED, .cut = true });
    start(stage);
    expect_token(stage, ask(stage, ASK_TOKEN, "a"), "at-secret-1");
    assert_int_equal(server_count(stage->server, NULL), 1);
}

static void an_odd_refusal_makes_suspect_and_success_clears_it(void **state)
{
    struct stage *stage = *state;
    seed(stage, (struct seed){ .label = "a", .refresh_token = "rt-secret-a" });
    server_script(
        stage->server,
        (struct canned){ .times = 1, .status = 400, .body = "{\"error\":\"computer_says_no\"}" });
    server_script(stage->server, (struct canned){ .status = 200, .body = GRANT_ROTATED });
    start(stage);
    expect_failure(stage, ask(stage, ASK_TOKEN, "a"), WIRE_PROVIDER_REJECTED);
    assert_int_equal(ask_state(stage, "a"), ACCOUNT_SUSPECT);
    expect_failure(stage, ask(stage, ASK_TOKEN, "a"), WIRE_PROVIDER_UNAVAILABLE);
    assert_int_equal(server_count(stage->server, NULL), 1);
    expect_ok(stage, ask(stage, ASK_RETRY, "a"));
    expect_token(stage, ask(stage, ASK_TOKEN, "a"), "at-secret-2");
    assert_int_equal(ask_state(stage, "a"), ACCOUNT_ACTIVE);
}

static void an_import_overtakes_a_flight(void **state)
{
    struct stage *stage = *state;
    CLEANUP(cleanup_account_row) struct account_row row = { 0 };
    CLEANUP(cleanup_grant) struct grant grant = { 0 };
    const uint64_t id = ask_in_the_air(stage, "a");
    expect_ok(stage, ask_import(stage, "a", "rt-secret-imported"));
    server_release(stage->server);
    expect_failure(stage, id, WIRE_BUSY);
    stop(stage);
    stored(stage, "a", &row, &grant);
    assert_true(holds(grant.refresh_token, "rt-secret-imported"));
    assert_null(grant.access_token);
}

static void an_account_forgotten_in_flight_does_not_come_back(void **state)
{
    struct stage *stage = *state;
    const uint64_t id = ask_in_the_air(stage, "a");
    expect_ok(stage, ask(stage, ASK_FORGET, "a"));
    server_release(stage->server);
    expect_failure(stage, id, WIRE_BUSY);
    expect_failure(stage, ask(stage, ASK_ACCOUNT, "a"), WIRE_UNKNOWN_ACCOUNT);
}

/* The new row's generation is the same as the old one's. */
static void a_new_account_of_the_same_name_is_left_alone(void **state)
{
    struct stage *stage = *state;
    CLEANUP(cleanup_account_row) struct account_row row = { 0 };
    CLEANUP(cleanup_grant) struct grant grant = { 0 };
    const uint64_t id = ask_in_the_air(stage, "a");
    expect_ok(stage, ask(stage, ASK_FORGET, "a"));
    expect_ok(stage, ask_import(stage, "a", "rt-secret-imported"));
    server_release(stage->server);
    expect_failure(stage, id, WIRE_BUSY);
    stop(stage);
    stored(stage, "a", &row, &grant);
    assert_int_equal(row.generation, 1);
    assert_true(holds(grant.refresh_token, "rt-secret-imported"));
}

/* Another key, or changed on disk: one account's trouble, and no loop. */
static void tokens_that_cannot_be_unsealed_are_one_accounts_trouble(void **state)
{
    struct stage *stage = *state;
    seed_due(stage, "a", NULL);
    run_sql(stage, "UPDATE accounts SET sealed = x'0011'");
    seed_due(stage, "b", NULL);
    server_script(stage->server, (struct canned){ .status = 200, .body = GRANT_ROTATED });
    start(stage);
    await_generation(stage, "b", 2);
    await_state(stage, "a", ACCOUNT_SUSPECT);
    rest(200);
    CLEANUP(cleanup_account_row) struct account_row row = ask_row(stage, "a");
    assert_int_equal(row.failures, 1);
    assert_true(row.refresh_at > broker_now() + MINUTE);
    assert_int_equal(server_count(stage->server, RT("a")), 0);
    expect_failure(stage, ask(stage, ASK_TOKEN, "a"), WIRE_PROVIDER_UNAVAILABLE);
}

static void a_damaged_row_does_not_stop_the_schedule(void **state)
{
    struct stage *stage = *state;
    seed_due(stage, "a", NULL);
    run_sql(stage, "UPDATE accounts SET refusals = 77");
    seed(stage, (struct seed){ .label = "b", .refresh_token = "rt-secret-b", .refresh_at = 2 });
    server_script(stage->server, (struct canned){ .status = 200, .body = GRANT_ROTATED });
    start(stage);
    await_generation(stage, "b", 2);
    assert_int_equal(server_count(stage->server, NULL), 1);
}

/* It was set aside; whoever asks for it later does not wait for the hour to end. */
static void a_mended_row_is_refreshed_when_asked_for(void **state)
{
    struct stage *stage = *state;
    seed_due(stage, "a", NULL);
    server_script(stage->server, (struct canned){ .status = 200, .body = GRANT_ROTATED });
    damage_reads("a");
    start(stage);
    rest(100);
    assert_int_equal(server_count(stage->server, NULL), 0);
    damage_reads(NULL);
    expect_token(stage, ask(stage, ASK_TOKEN, "a"), "at-secret-1");
}

/* The disk hung, say: nobody has to ask, and it does not take the hour of a damaged row. */
static void what_cannot_be_read_now_is_read_again_soon(void **state)
{
    struct stage *stage = *state;
    seed_due(stage, "a", NULL);
    server_script(stage->server, (struct canned){ .status = 200, .body = GRANT_ROTATED });
    set_speed(100);
    fail_reads("a", -EIO);
    start(stage);
    rest(100);
    assert_int_equal(server_count(stage->server, NULL), 0);
    fail_reads(NULL, 0);
    await_generation(stage, "a", 2);
}

/* The row itself holds what was never written. */
static void a_damaged_row_is_one_accounts_trouble(void **state)
{
    struct stage *stage = *state;
    seed(stage, (struct seed){ .label = "a", .refresh_token = "rt-secret-x" });
    const uint64_t id = ask_in_the_air(stage, "b");
    set_speed(50);
    stop(stage);
    set_speed(1);
    expect_failure(stage, id, WIRE_BUSY);
    run_sql(stage, "UPDATE accounts SET refusals = 77 WHERE label = 'a'");
    server_forget_script(stage->server);
    server_script(stage->server, (struct canned){ .status = 200, .body = GRANT_ROTATED });
    start(stage);
    expect_failure(stage, ask(stage, ASK_TOKEN, "a"), WIRE_INTERNAL);
    struct message *reject = question(ASK_REJECT, "a");
    const uint64_t rejected = post(stage, reject);
    expect_token(stage, ask(stage, ASK_TOKEN, "b"), "at-secret-2");
    message_free(answer(stage, rejected));
    expect_failure(stage, ask_exchange(stage, "a", "code-secret-1", NULL), WIRE_INTERNAL);
    expect_ok(stage, ask(stage, ASK_FORGET, "a"));
    expect_ok(stage, ask_import(stage, "a", "rt-secret-new"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_due_account_is_refreshed_unasked),
        TEST(a_reply_without_a_refresh_token_keeps_the_old),
        TEST(nobody_hears_of_a_token_that_is_not_on_disk),
        TEST(a_reply_has_its_place_in_full_memory),
        TEST(a_first_token_has_its_place_too),
        TEST(without_room_for_a_reply_nothing_is_sent),
        TEST(a_disk_that_stays_full_gives_no_token),
        TEST(what_is_sent_before_it_is_due_is_due_after_the_end),
        TEST(nothing_is_sent_early_while_the_store_refuses),
        TEST(the_refused_token_then_the_same_then_its_predecessor),
        TEST(a_predecessor_that_works_takes_over),
        TEST(the_steps_go_on_after_a_crash),
        TEST(a_lost_reply_is_asked_for_again_with_the_same_token),
        TEST(without_an_answer_it_backs_off_and_says_so),
        TEST(a_page_in_place_of_an_answer_says_nothing_of_anybody),
        TEST(a_whole_reply_on_a_broken_connection_counts),
        TEST(an_odd_refusal_makes_suspect_and_success_clears_it),
        TEST(an_import_overtakes_a_flight),
        TEST(an_account_forgotten_in_flight_does_not_come_back),
        TEST(a_new_account_of_the_same_name_is_left_alone),
        TEST(tokens_that_cannot_be_unsealed_are_one_accounts_trouble),
        TEST(a_damaged_row_does_not_stop_the_schedule),
        TEST(a_mended_row_is_refreshed_when_asked_for),
        TEST(what_cannot_be_read_now_is_read_again_soon),
        TEST(a_damaged_row_is_one_accounts_trouble),
    };
    return RUN(tests);
}

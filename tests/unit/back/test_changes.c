/* Questions that write: import, reject, forget, retry, the audit. */

#include "fixture.h"

#include <stdio.h>

#include "base/clock.h"

static void an_import_spends_nothing(void **state)
{
    struct stage *stage = *state;
    server_script(stage->server, (struct canned){ .status = 200, .body = GRANT_ROTATED });
    CLEANUP(cleanup_message)
    struct message *came = answer(stage, ask_import(stage, "a", "rt-secret-a"));
    assert_false(came->failed);
    assert_int_equal(came->row_count, 1);
    assert_true(came->rows[0].has_refresh_token);
    assert_int_equal(came->rows[0].state, ACCOUNT_ACTIVE);
    assert_int_equal(came->rows[0].refresh_at, 0);
    rest(100);
    assert_int_equal(server_count(stage->server, NULL), 0);
    expect_token(stage, ask(stage, ASK_TOKEN, "a"), "at-secret-1");
}

static void an_import_makes_an_account_whole_again(void **state)
{
    struct stage *stage = *state;
    seed(stage, (struct seed){ .label = "a",
                               .refresh_token = "rt-secret-dead",
                               .state = ACCOUNT_CONSENT_REQUIRED,
                               .refusals = REFUSAL_PREDECESSOR });
    start(stage);
    server_script(stage->server, (struct canned){ .status = 200, .body = GRANT_ROTATED });
    expect_failure(stage, ask(stage, ASK_TOKEN, "a"), WIRE_CONSENT_REQUIRED);
    expect_ok(stage, ask_import(stage, "a", "rt-secret-new"));
    expect_token(stage, ask(stage, ASK_TOKEN, "a"), "at-secret-1");
    assert_int_equal(server_count(stage->server, "rt-secret-new"), 1);
}

static void what_came_of_an_import_outlives_the_next(void **state)
{
    struct stage *stage = *state;
    server_script(stage->server, (struct canned){ .status = 200, .body = GRANT_ROTATED });
    expect_ok(stage, ask_import(stage, "a", "rt-secret-a"));
    expect_token(stage, ask(stage, ASK_TOKEN, "a"), "at-secret-1");
    CLEANUP(cleanup_message)
    struct message *again = answer(stage, ask_import(stage, "a", "rt-secret-a"));
    assert_false(again->failed);
    assert_int_equal(again->rows[0].generation, 2);
    expect_token(stage, ask(stage, ASK_TOKEN, "a"), "at-secret-1");
    assert_int_equal(server_count(stage->server, "rt-secret-a"), 1);
    expect_ok(stage, ask_import(stage, "a", "rt-secret-other"));
    CLEANUP(cleanup_message)
    struct message *spent = answer(stage, ask_import(stage, "a", "rt-secret-a"));
    assert_int_equal(spent->rows[0].generation, 3);
}

/* Nothing came of it: the other one may have been a slip. */
static void what_was_not_spent_may_come_back(void **state)
{
    struct stage *stage = *state;
    server_script(stage->server, (struct canned){ .status = 200, .body = GRANT_ROTATED });
    expect_ok(stage, ask_import(stage, "a", "rt-secret-a"));
    expect_ok(stage, ask_import(stage, "a", "rt-secret-slip"));
    expect_ok(stage, ask_import(stage, "a", "rt-secret-a"));
    expect_token(stage, ask(stage, ASK_TOKEN, "a"), "at-secret-1");
    assert_int_equal(server_count(stage->server, "rt-secret-a"), 1);
}

/* A script that brings it at each start would put it over what a person mended that with. */
static void what_was_refused_does_not_come_back(void **state)
{
    struct stage *stage = *state;
    server_script(stage->server,
                  (struct canned){ .match = RT("a"), .status = 400, .body = REFUSED });
    server_script(stage->server, (struct canned){ .status = 200, .body = GRANT_ROTATED });
    set_speed(200);
    expect_ok(stage, ask_import(stage, "a", "rt-secret-a"));
    expect_failure(stage, ask(stage, ASK_TOKEN, "a"), WIRE_CONSENT_REQUIRED);
    await_state(stage, "a", ACCOUNT_CONSENT_REQUIRED);
    expect_ok(stage, ask_import(stage, "a", "rt-secret-mended"));
    expect_ok(stage, ask_import(stage, "a", "rt-secret-a"));
    await_state(stage, "a", ACCOUNT_ACTIVE);
    CLEANUP(cleanup_account_row) struct account_row row = ask_row(stage, "a");
    assert_int_equal(row.generation, 2);
}

/* The account wants consent only because the provider went wrong for a while. */
static void expect_kept_though_consent_is_wanted(struct stage *stage)
{
    CLEANUP(cleanup_account_row) struct account_row row = { 0 };
    CLEANUP(cleanup_grant) struct grant grant = { 0 };
    stop(stage);
    run_sql(stage, "UPDATE accounts SET state = 2, refresh_at = 0");
    start(stage);
    CLEANUP(cleanup_message)
    struct message *again = answer(stage, ask_import(stage, "a", "rt-secret-a"));
    assert_false(again->failed);
    assert_int_equal(again->rows[0].state, ACCOUNT_CONSENT_REQUIRED);
    stop(stage);
    stored(stage, "a", &row, &grant);
    assert_true(holds(grant.refresh_token, "rt-secret-1"));
    start(stage);
    expect_ok(stage, ask_import(stage, "a", "rt-secret-newer"));
    assert_int_equal(ask_state(stage, "a"), ACCOUNT_ACTIVE);
}

static void not_even_where_consent_is_wanted_a_spent_token_comes_back(void **state)
{
    struct stage *stage = *state;
    server_script(stage->server, (struct canned){ .status = 200, .body = GRANT_ROTATED });
    expect_ok(stage, ask_import(stage, "a", "rt-secret-a"));
    expect_token(stage, ask(stage, ASK_TOKEN, "a"), "at-secret-1");
    expect_kept_though_consent_is_wanted(stage);
}

static void nor_over_that_of_a_consent_since(void **state)
{
    struct stage *stage = *state;
    server_script(stage->server, (struct canned){ .status = 200, .body = GRANT_ROTATED });
    expect_ok(stage, ask_import(stage, "a", "rt-secret-a"));
    expect_ok(stage, ask_exchange(stage, "a", "code-secret-1", NULL));
    expect_kept_though_consent_is_wanted(stage);
}

static void nor_the_predecessor(void **state)
{
    struct stage *stage = *state;
    CLEANUP(cleanup_account_row) struct account_row row = { 0 };
    CLEANUP(cleanup_grant) struct grant grant = { 0 };
    seed(stage, (struct seed){ .label = "a",
                               .refresh_token = "rt-secret-a",
                               .predecessor = "rt-secret-before" });
    server_script(stage->server, (struct canned){ .status = 200, .body = GRANT_ROTATED });
    start(stage);
    expect_ok(stage, ask_import(stage, "a", "rt-secret-before"));
    expect_token(stage, ask(stage, ASK_TOKEN, "a"), "at-secret-1");
    /* It is known from then on, though it is not the predecessor any more. */
    expect_ok(stage, ask_import(stage, "a", "rt-secret-before"));
    assert_int_equal(server_count(stage->server, "rt-secret-before"), 0);
    stop(stage);
    stored(stage, "a", &row, &grant);
    assert_true(holds(grant.refresh_token, "rt-secret-1"));
}

static void the_current_token_again_changes_nothing(void **state)
{
    struct stage *stage = *state;
    const int64_t retry_at = broker_now() + HOUR;
    CLEANUP(cleanup_account_row) struct account_row row = { 0 };
    CLEANUP(cleanup_grant) struct grant grant = { 0 };
    seed(stage, (struct seed){ .label = "a",
                               .refresh_token = "rt-secret-a",
                               .predecessor = "rt-secret-before",
                               .access_token = "at-secret-a",
                               .lifetime_ms = HOUR,
                               .refresh_at = retry_at,
                               .state = ACCOUNT_SUSPECT });
    run_sql(stage, "UPDATE accounts SET lost_at = 7, refresh_token_expires_at = 9");
    start(stage);
    expect_ok(stage, ask_import(stage, "a", "rt-secret-a"));
    expect_token(stage, ask(stage, ASK_TOKEN, "a"), "at-secret-a");
    assert_int_equal(server_count(stage->server, NULL), 0);
    stop(stage);
    stored(stage, "a", &row, &grant);
    assert_int_equal(row.refresh_at, retry_at);
    assert_int_equal(row.lost_at, 7);
    assert_int_equal(row.refresh_token_expires_at, 9);
    assert_int_equal(row.state, ACCOUNT_SUSPECT);
    assert_true(holds(grant.predecessor, "rt-secret-before"));
}

static void the_current_token_again_is_another_try_where_consent_is_wanted(void **state)
{
    struct stage *stage = *state;
    CLEANUP(cleanup_account_row) struct account_row row = { 0 };
    CLEANUP(cleanup_grant) struct grant grant = { 0 };
    seed(stage, (struct seed){ .label = "a",
                               .refresh_token = "rt-secret-a",
                               .predecessor = "rt-secret-before",
                               .state = ACCOUNT_CONSENT_REQUIRED,
                               .refusals = REFUSAL_PREDECESSOR });
    server_script(stage->server, (struct canned){ .status = 200, .body = GRANT_ROTATED });
    start(stage);
    CLEANUP(cleanup_message)
    struct message *came = answer(stage, ask_import(stage, "a", "rt-secret-a"));
    assert_int_equal(came->rows[0].state, ACCOUNT_ACTIVE);
    assert_int_equal(came->rows[0].refusals, REFUSAL_NONE);
    assert_true(server_wait(stage->server, RT("a"), 1)); /* though nobody asks for a token */
    await_generation(stage, "a", 2);
    stop(stage);
    stored(stage, "a", &row, &grant);
    assert_true(holds(grant.refresh_token, "rt-secret-1"));
    assert_true(holds(grant.predecessor, "rt-secret-a"));
}

/* Nothing came of it that could be kept. */
static void an_import_mends_what_cannot_be_unsealed(void **state)
{
    struct stage *stage = *state;
    char sql[160], fingerprint[FINGERPRINT_SIZE];
    seed(stage, (struct seed){ .label = "a", .refresh_token = "rt-secret-later" });
    (void)snprintf(sql, sizeof sql,
                   "UPDATE accounts SET sealed = x'00';"
                   "INSERT INTO imports VALUES ('acme', 'a', '%s', 1, 0)",
                   digest_text("rt-secret-a", strlen("rt-secret-a"), fingerprint));
    run_sql(stage, sql);
    start(stage);
    CLEANUP(cleanup_message)
    struct message *came = answer(stage, ask_import(stage, "a", "rt-secret-a"));
    assert_false(came->failed);
    assert_int_equal(came->rows[0].generation, 2);
}

static void a_refresh_token_has_one_account(void **state)
{
    struct stage *stage = *state;
    expect_ok(stage, ask_import(stage, "a", "rt-secret-a"));
    expect_ok(stage, ask_import(stage, "a", "rt-secret-a"));
    expect_failure(stage, ask_import(stage, "b", "rt-secret-a"), WIRE_BAD_REQUEST);
    expect_failure(stage, ask(stage, ASK_ACCOUNT, "b"), WIRE_UNKNOWN_ACCOUNT);
    expect_ok(stage, ask(stage, ASK_FORGET, "a"));
    expect_ok(stage, ask_import(stage, "b", "rt-secret-a"));
}

/* The account may have another name by now, which the script does not know. */
static void a_spent_token_is_not_taken_under_another_name(void **state)
{
    struct stage *stage = *state;
    server_script(stage->server, (struct canned){ .status = 200, .body = GRANT_ROTATED });
    expect_ok(stage, ask_import(stage, "a", "rt-secret-a"));
    expect_token(stage, ask(stage, ASK_TOKEN, "a"), "at-secret-1");
    expect_failure(stage, ask_import(stage, "b", "rt-secret-a"), WIRE_BAD_REQUEST);
    struct message *message = question(ASK_RENAME, "a");
    message->new_name = (struct account_name){ "acme", "c" };
    expect_ok(stage, post(stage, message));
    expect_failure(stage, ask_import(stage, "a", "rt-secret-a"), WIRE_BAD_REQUEST);
    expect_failure(stage, ask(stage, ASK_ACCOUNT, "a"), WIRE_UNKNOWN_ACCOUNT);
    expect_ok(stage, ask_import(stage, "c", "rt-secret-a"));
    expect_ok(stage, ask(stage, ASK_FORGET, "c"));
    expect_ok(stage, ask_import(stage, "a", "rt-secret-a"));
}

static uint64_t import_static(struct stage *stage, const char *label, const char *access_token)
{
    struct message *message = question(ASK_IMPORT, label);
    message->import = calloc(1, sizeof *message->import);
    assert_int_equal(secret_new(access_token, strlen(access_token), &message->import->access_token),
                     0);
    message->import->scope = strdup("all");
    return post(stage, message);
}

static void a_static_token_serves_until_it_is_rejected(void **state)
{
    struct stage *stage = *state;
    expect_ok(stage, ask_import(stage, "a", "rt-secret-a"));
    expect_ok(stage, import_static(stage, "a", "at-secret-fixed"));
    expect_token(stage, ask(stage, ASK_TOKEN, "a"), "at-secret-fixed");
    /* The refresh token that it replaced is nobody's any more. */
    expect_ok(stage, ask_import(stage, "b", "rt-secret-a"));
    expect_ok(stage, ask_reject(stage, "a", "at-secret-fixed"));
    expect_failure(stage, ask(stage, ASK_TOKEN, "a"), WIRE_CONSENT_REQUIRED);
}

static void an_import_to_nowhere_is_refused(void **state)
{
    struct stage *stage = *state;
    expect_failure(stage, ask_import(stage, "nobody/a", "rt-secret-a"), WIRE_UNKNOWN_PROVIDER);
}

static void seed_valid(struct stage *stage)
{
    seed(stage, (struct seed){ .label = "a",
                               .refresh_token = "rt-secret-a",
                               .access_token = "at-secret-a",
                               .lifetime_ms = HOUR,
                               .refresh_at = broker_now() + HOUR / 2 });
    start(stage);
}

static void a_rejected_token_is_replaced_once(void **state)
{
    struct stage *stage = *state;
    server_script(stage->server, (struct canned){ .status = 200, .body = GRANT_ROTATED });
    seed_valid(stage);
    expect_token(stage, ask(stage, ASK_TOKEN, "a"), "at-secret-a");
    expect_ok(stage, ask_reject(stage, "a", "at-secret-other"));
    rest(100);
    assert_int_equal(server_count(stage->server, NULL), 0);
    expect_ok(stage, ask_reject(stage, "a", "at-secret-a"));
    assert_true(stage->notice_count >= 1);
    assert_null(stage->notices[0]->token);
    assert_int_equal(stage->notices[0]->generation, 1);
    expect_token(stage, ask(stage, ASK_TOKEN, "a"), "at-secret-1");
    expect_ok(stage, ask_reject(stage, "a", "at-secret-a"));
    rest(100);
    assert_int_equal(server_count(stage->server, NULL), 1);
}

/* To say it again and again is no way to make the broker send. */
static void a_token_is_rejected_once(void **state)
{
    struct stage *stage = *state;
    server_script(stage->server, (struct canned){ .status = 500 });
    set_speed(20);
    seed_valid(stage);
    expect_ok(stage, ask_reject(stage, "a", "at-secret-a"));
    assert_true(server_wait(stage->server, NULL, 4)); /* with the short retries */
    rest(100);
    const unsigned sent = server_count(stage->server, NULL);
    for (int i = 0; i < 20; i++)
        expect_ok(stage, ask_reject(stage, "a", "at-secret-a"));
    rest(200);
    assert_in_range(server_count(stage->server, NULL), sent, sent + 1);
    expect_failure(stage, ask(stage, ASK_TOKEN, "a"), WIRE_PROVIDER_UNAVAILABLE);
}

static void a_rejected_token_that_comes_again_is_not_served(void **state)
{
    struct stage *stage = *state;
    server_script(
        stage->server,
        (struct canned){ .status = 200,
                         .body = "{\"access_token\":\"at-secret-a\",\"expires_in\":3600}" });
    set_speed(20);
    seed_valid(stage);
    expect_ok(stage, ask_reject(stage, "a", "at-secret-a"));
    await_generation(stage, "a", 2);
    CLEANUP(cleanup_account_row) struct account_row row = ask_row(stage, "a");
    assert_true(row.rejected);
    expect_failure(stage, ask(stage, ASK_TOKEN, "a"), WIRE_PROVIDER_UNAVAILABLE);
    assert_int_equal(server_count(stage->server, NULL), 1);
    rest(300); /* 6 s of its time */
    expect_failure(stage, ask(stage, ASK_TOKEN, "a"), WIRE_PROVIDER_UNAVAILABLE);
    assert_int_equal(server_count(stage->server, NULL), 1);
    set_speed(400);
    rest(200); /* 80 s */
    expect_failure(stage, ask(stage, ASK_TOKEN, "a"), WIRE_PROVIDER_REJECTED);
    assert_int_equal(server_count(stage->server, NULL), 2);
    for (size_t i = 0; i < stage->notice_count; i++)
        assert_null(stage->notices[i]->token);
}

static void what_is_not_there_is_said(void **state)
{
    struct stage *stage = *state;
    expect_failure(stage, ask_reject(stage, "a", "at-secret-a"), WIRE_UNKNOWN_ACCOUNT);
    expect_failure(stage, ask(stage, ASK_FORGET, "a"), WIRE_UNKNOWN_ACCOUNT);
    expect_failure(stage, ask(stage, ASK_RETRY, "a"), WIRE_UNKNOWN_ACCOUNT);
    expect_ok(stage, ask(stage, ASK_RETRY, NULL));
    expect_ok(stage, ask(stage, ASK_RETRY, "acme/"));
}

static void forgetting_tells_the_front(void **state)
{
    struct stage *stage = *state;
    seed_valid(stage);
    expect_ok(stage, ask(stage, ASK_FORGET, "a"));
    assert_int_equal(stage->notice_count, 1);
    assert_null(stage->notices[0]->token);
    assert_true(stage->notices[0]->generation >= 1);
    expect_failure(stage, ask(stage, ASK_TOKEN, "a"), WIRE_UNKNOWN_ACCOUNT);
}

static void a_broken_seal_does_not_keep_an_account(void **state)
{
    struct stage *stage = *state;
    seed(stage, (struct seed){ .label = "a", .refresh_token = "rt-secret-a" });
    seed(stage, (struct seed){ .label = "b", .refresh_token = "rt-secret-b" });
    run_sql(stage, "UPDATE accounts SET sealed = x'00'");
    start(stage);
    expect_ok(stage, ask(stage, ASK_FORGET, "a"));
    expect_ok(stage, ask_import(stage, "b", "rt-secret-new"));
}

static void a_full_disk_changes_nothing(void **state)
{
    struct stage *stage = *state;
    refuse_commits(1);
    expect_failure(stage, ask_import(stage, "a", "rt-secret-a"), WIRE_BUSY);
    expect_failure(stage, ask(stage, ASK_ACCOUNT, "a"), WIRE_UNKNOWN_ACCOUNT);
    expect_ok(stage, ask_import(stage, "a", "rt-secret-a"));
}

static void retry_gives_a_dead_account_another_chance(void **state)
{
    struct stage *stage = *state;
    seed(stage, (struct seed){ .label = "a",
                               .refresh_token = "rt-secret-a",
                               .state = ACCOUNT_CONSENT_REQUIRED });
    server_script(stage->server, (struct canned){ .status = 200, .body = GRANT_ROTATED });
    start(stage);
    rest(50);
    assert_int_equal(server_count(stage->server, NULL), 0);
    expect_ok(stage, ask(stage, ASK_RETRY, "a"));
    await_state(stage, "a", ACCOUNT_ACTIVE);
    await_generation(stage, "a", 2);
}

static void tell_audit(struct stage *stage, const char *account, const char *verdict,
                       uint64_t count)
{
    struct message *message = message_new(TELL_AUDIT);
    message->audit = calloc(1, sizeof *message->audit);
    message->audit_count = 1;
    message->audit[0] = (struct audit_row){ .uid = 1000, .count = count, .first_at = 1 };
    memcpy(message->audit[0].account, account, strlen(account) + 1);
    memcpy(message->audit[0].verdict, verdict, strlen(verdict) + 1);
    (void)post(stage, message);
}

static struct message *ask_audit(struct stage *stage, const char *account, int64_t before)
{
    struct message *message = question(ASK_AUDIT, NULL);
    memcpy(message->audit_query.filter.account, account, strlen(account) + 1);
    message->audit_query.filter.before = before;
    message->audit_query.limit = 1;
    return answer(stage, post(stage, message));
}

static void the_audit_counts(void **state)
{
    struct stage *stage = *state;
    tell_audit(stage, "acme/a", "token", 3);
    tell_audit(stage, "acme/b", "forbidden", 1);
    tell_audit(stage, "acme/a", "token", 4);
    rest(100);
    CLEANUP(cleanup_message) struct message *all = ask_audit(stage, "", 0);
    assert_int_equal(all->audit_count, 1);
    assert_string_equal(all->audit[0].account, "acme/b");
    CLEANUP(cleanup_message) struct message *next = ask_audit(stage, "", all->audit[0].id);
    assert_string_equal(next->audit[0].account, "acme/a");
    assert_int_equal(next->audit[0].count, 7);
    CLEANUP(cleanup_message) struct message *of = ask_audit(stage, "acme/b", 0);
    assert_string_equal(of->audit[0].verdict, "forbidden");
}

static void what_is_pending_at_the_end_is_written(void **state)
{
    struct stage *stage = *state;
    uint64_t ids[20];
    for (size_t i = 0; i < 20; i++) {
        char label[] = { 'a', (char)('a' + i), '\0' }, token[] = "rt-secret-_";
        token[10] = (char)('a' + i);
        ids[i] = ask_import(stage, label, token);
    }
    stop(stage);
    for (size_t i = 0; i < 20; i++)
        expect_ok(stage, ids[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_STARTED(an_import_spends_nothing),
        TEST(an_import_makes_an_account_whole_again),
        TEST_STARTED(what_came_of_an_import_outlives_the_next),
        TEST_STARTED(what_was_not_spent_may_come_back),
        TEST_STARTED(what_was_refused_does_not_come_back),
        TEST_STARTED(not_even_where_consent_is_wanted_a_spent_token_comes_back),
        TEST_STARTED(nor_over_that_of_a_consent_since),
        TEST(nor_the_predecessor),
        TEST(the_current_token_again_changes_nothing),
        TEST(the_current_token_again_is_another_try_where_consent_is_wanted),
        TEST(an_import_mends_what_cannot_be_unsealed),
        TEST_STARTED(a_refresh_token_has_one_account),
        TEST_STARTED(a_spent_token_is_not_taken_under_another_name),
        TEST_STARTED(a_static_token_serves_until_it_is_rejected),
        TEST_STARTED(an_import_to_nowhere_is_refused),
        TEST(a_rejected_token_is_replaced_once),
        TEST(a_token_is_rejected_once),
        TEST(a_rejected_token_that_comes_again_is_not_served),
        TEST_STARTED(what_is_not_there_is_said),
        TEST(forgetting_tells_the_front),
        TEST(a_broken_seal_does_not_keep_an_account),
        TEST_STARTED(a_full_disk_changes_nothing),
        TEST(retry_gives_a_dead_account_another_chance),
        TEST_STARTED(the_audit_counts),
        TEST_STARTED(what_is_pending_at_the_end_is_written),
    };
    return RUN(tests);
}

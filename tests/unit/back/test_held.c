/* A consent for another identity: held whole, then accepted or discarded. */

#include "fixture.h"

#define GRANT_OF(identity, number)                                                                 \
    "{\"access_token\":\"at-secret-" number "\",\"expires_in\":3600,\"refresh_token\":"            \
    "\"rt-secret-" number "\",\"scope\":\"write\",\"company_id\":\"" identity "\"}"

/* Account a of company "one"; codes 2 and 3 are consents for "two" and "three". */
static int set_up_other(void **state)
{
    (void)set_up(state);
    struct stage *stage = *state;
    set_revocation_endpoint(stage);
    set_text(&acme(stage)->identity, "company_id");
    seed(stage, (struct seed){ .label = "a",
                               .refresh_token = "rt-secret-1",
                               .predecessor = "rt-secret-0",
                               .access_token = "at-secret-1",
                               .lifetime_ms = HOUR,
                               .identity = "one" });
    server_script(
        stage->server,
        (struct canned){ .match = "code-secret-2", .status = 200, .body = GRANT_OF("two", "2") });
    server_script(
        stage->server,
        (struct canned){ .match = "code-secret-3", .status = 200, .body = GRANT_OF("three", "3") });
    server_script(stage->server, (struct canned){ .match = "POST /revoke", .status = 200 });
    start(stage);
    expect_ok(stage, ask_exchange(stage, "a", "code-secret-2", NULL));
    return 0;
}

static struct message *decide_on(struct stage *stage, const char *label, int64_t held_at,
                                 bool accept)
{
    struct message *message = question(ASK_DECIDE, label);
    message->accept = accept;
    message->held_at = held_at;
    return answer(stage, post(stage, message));
}

/* Of what is held now; 0: there is no such account, or nothing is. */
static int64_t held_at(struct stage *stage, const char *label)
{
    CLEANUP(cleanup_message) struct message *came = answer(stage, ask(stage, ASK_ACCOUNT, label));
    return came->failed ? 0 : came->rows[0].held_at;
}

static struct message *decide(struct stage *stage, const char *label, bool accept)
{
    return decide_on(stage, label, held_at(stage, label), accept);
}

static void it_is_listed(void **state)
{
    struct stage *stage = *state;
    expect_ok(stage, ask_import(stage, "b", "rt-secret-b"));
    struct message *asked = question(ASK_HELD, "a");
    asked->account = (struct account_name){ "", "" };
    asked->limit = 10;
    CLEANUP(cleanup_message) struct message *came = answer(stage, post(stage, asked));
    assert_int_equal(came->row_count, 1);
    assert_string_equal(came->rows[0].name.label, "a");
    assert_string_equal(came->rows[0].identity, "one");
    assert_string_equal(came->rows[0].held_identity, "two");
    assert_true(came->rows[0].held_at > 0);
}

static void accepted_it_is_the_grant(void **state)
{
    struct stage *stage = *state;
    CLEANUP(cleanup_account_row) struct account_row row = { 0 };
    CLEANUP(cleanup_grant) struct grant grant = { 0 };
    expect_token(stage, ask(stage, ASK_TOKEN, "a"), "at-secret-1");
    CLEANUP(cleanup_message) struct message *came = decide(stage, "a", true);
    assert_false(came->failed);
    assert_int_equal(came->rows[0].generation, 2);
    assert_string_equal(came->rows[0].identity, "two");
    assert_string_equal(came->rows[0].scope, "write");
    assert_int_equal(came->rows[0].held_at, 0);
    assert_null(came->rows[0].held_identity);
    /* The front forgets the old token. */
    assert_true(stage->notice_count > 0);
    assert_int_equal(stage->notices[stage->notice_count - 1]->generation, 2);
    expect_token(stage, ask(stage, ASK_TOKEN, "a"), "at-secret-2");
    assert_true(server_wait(stage->server, "token=rt-secret-1", 1));
    assert_true(server_wait(stage->server, "token=at-secret-1", 1));
    stop(stage);
    stored(stage, "a", &row, &grant);
    assert_true(holds(grant.refresh_token, "rt-secret-2"));
    assert_null(grant.predecessor);
    assert_int_equal(row.lifetime_ms, HOUR);
    assert_true(row.refresh_at > row.refreshed_at + HOUR / 2);
    assert_in_range(row.granted_at, row.refreshed_at, row.refreshed_at + MINUTE);
    assert_int_equal(server_count(stage->server, "token=rt-secret-2"), 0);
}

/* It may have been held for long. */
static void accepted_it_is_planned_as_its_section_says_by_then(void **state)
{
    struct stage *stage = *state;
    acme(stage)->refresh_token_idle_lifetime_ms = HOUR;
    reload(stage);
    CLEANUP(cleanup_message) struct message *came = decide(stage, "a", true);
    assert_false(came->failed);
    assert_int_equal(came->rows[0].refresh_at, came->rows[0].refreshed_at + HOUR / 2);
}

static void discarded_it_is_revoked(void **state)
{
    struct stage *stage = *state;
    CLEANUP(cleanup_message) struct message *came = decide(stage, "a", false);
    assert_false(came->failed);
    assert_int_equal(came->rows[0].generation, 1);
    assert_string_equal(came->rows[0].identity, "one");
    assert_int_equal(came->rows[0].held_at, 0);
    assert_true(server_wait(stage->server, "token=rt-secret-2", 1));
    assert_true(server_wait(stage->server, "token=at-secret-2", 1));
    expect_token(stage, ask(stage, ASK_TOKEN, "a"), "at-secret-1");
    assert_int_equal(server_count(stage->server, "token=rt-secret-1"), 0);
    CLEANUP(cleanup_message) struct message *again = decide(stage, "a", false);
    assert_int_equal(again->failure.error, WIRE_NOT_FOUND);
}

static void a_newer_takes_the_place(void **state)
{
    struct stage *stage = *state;
    CLEANUP(cleanup_held_row) struct held_row held = { 0 };
    CLEANUP(cleanup_grant) struct grant grant = { 0 };
    expect_ok(stage, ask_exchange(stage, "a", "code-secret-3", NULL));
    CLEANUP(cleanup_account_row) struct account_row row = ask_row(stage, "a");
    assert_string_equal(row.held_identity, "three");
    stop(stage);
    assert_true(held_consent(stage, "a", &held, &grant));
    assert_true(holds(grant.refresh_token, "rt-secret-3"));
    /* The one before is on its way to be revoked. */
    assert_int_equal(count_kept(stage, KEPT_REVOCATION), 1);
}

static void what_nobody_saw_is_not_decided(void **state)
{
    struct stage *stage = *state;
    const int64_t seen = held_at(stage, "a");
    rest(2); /* broker time is in milliseconds */
    expect_ok(stage, ask_exchange(stage, "a", "code-secret-3", NULL));
    for (int accept = 0; accept < 2; accept++) {
        CLEANUP(cleanup_message) struct message *came = decide_on(stage, "a", seen, accept);
        assert_int_equal(came->failure.error, WIRE_NOT_FOUND);
        assert_non_null(strstr(came->failure.description, "another"));
    }
    CLEANUP(cleanup_account_row) struct account_row row = ask_row(stage, "a");
    assert_string_equal(row.identity, "one");
    assert_string_equal(row.held_identity, "three");
    assert_int_equal(row.generation, 1);
    assert_int_equal(server_count(stage->server, "token=rt-secret-1"), 0);
    assert_int_equal(server_count(stage->server, "token=rt-secret-3"), 0);
}

/* Some providers would end the newer with it. */
static void the_same_identity_again_is_not_revoked(void **state)
{
    struct stage *stage = *state;
    expect_ok(stage, ask_exchange(stage, "a", "code-secret-2", NULL));
    stop(stage);
    assert_int_equal(count_kept(stage, KEPT_REVOCATION), 0);
}

/* The person logged in with the wrong label first, then with the right one. */
static void what_another_account_holds_is_not_revoked(void **state)
{
    struct stage *stage = *state;
    expect_ok(stage, ask_import(stage, "b", "rt-secret-2"));
    CLEANUP(cleanup_message) struct message *taken = decide(stage, "a", true);
    assert_int_equal(taken->failure.error, WIRE_BAD_REQUEST);
    CLEANUP(cleanup_message) struct message *came = decide(stage, "a", false);
    assert_false(came->failed);
    stop(stage);
    assert_int_equal(count_kept(stage, KEPT_REVOCATION), 0);
    assert_int_equal(server_count(stage->server, "POST /revoke"), 0);
}

static void the_first_identity_again_leaves_it(void **state)
{
    struct stage *stage = *state;
    server_script(
        stage->server,
        (struct canned){ .match = "code-secret-4", .status = 200, .body = GRANT_OF("one", "4") });
    expect_ok(stage, ask_exchange(stage, "a", "code-secret-4", NULL));
    CLEANUP(cleanup_account_row) struct account_row row = ask_row(stage, "a");
    assert_string_equal(row.identity, "one");
    assert_string_equal(row.held_identity, "two");
    expect_token(stage, ask(stage, ASK_TOKEN, "a"), "at-secret-4");
}

static void nothing_is_accepted_while_a_refresh_flies(void **state)
{
    struct stage *stage = *state;
    server_script(stage->server,
                  (struct canned){
                      .match = "rt-secret-1", .status = 200, .body = GRANT_PLAIN, .held = true });
    expect_ok(stage, ask_reject(stage, "a", "at-secret-1")); /* so it is refreshed */
    assert_true(server_wait(stage->server, "rt-secret-1", 1));
    CLEANUP(cleanup_message) struct message *busy = decide(stage, "a", true);
    assert_int_equal(busy->failure.error, WIRE_BUSY);
    server_release(stage->server);
    await_generation(stage, "a", 2);
    CLEANUP(cleanup_message) struct message *came = decide(stage, "a", true);
    assert_false(came->failed);
    assert_int_equal(came->rows[0].generation, 3);
}

static void forgotten_both_are_revoked(void **state)
{
    struct stage *stage = *state;
    expect_ok(stage, ask(stage, ASK_FORGET, "a"));
    assert_true(server_wait(stage->server, "token=rt-secret-1", 1));
    assert_true(server_wait(stage->server, "token=rt-secret-2", 1));
}

static void a_full_disk_changes_nothing(void **state)
{
    struct stage *stage = *state;
    refuse_commits(1);
    CLEANUP(cleanup_message) struct message *full = decide(stage, "a", true);
    assert_int_equal(full->failure.error, WIRE_BUSY);
    expect_token(stage, ask(stage, ASK_TOKEN, "a"), "at-secret-1");
    CLEANUP(cleanup_account_row) struct account_row row = ask_row(stage, "a");
    assert_string_equal(row.held_identity, "two");
    assert_int_equal(row.generation, 1);
}

/* What it replaces could not be opened, to be revoked. */
static void short_memory_changes_nothing(void **state)
{
    struct stage *stage = *state;
    refuse_vault_memory(1);
    CLEANUP(cleanup_message) struct message *came = decide(stage, "a", true);
    assert_true(came->failed);
    CLEANUP(cleanup_account_row) struct account_row row = ask_row(stage, "a");
    assert_string_equal(row.held_identity, "two");
    assert_int_equal(row.generation, 1);
}

static void there_must_be_something(void **state)
{
    struct stage *stage = *state;
    CLEANUP(cleanup_message) struct message *unknown = decide(stage, "nobody", true);
    assert_int_equal(unknown->failure.error, WIRE_UNKNOWN_ACCOUNT);
    expect_ok(stage, ask_import(stage, "b", "rt-secret-b"));
    CLEANUP(cleanup_message) struct message *nothing = decide(stage, "b", true);
    assert_int_equal(nothing->failure.error, WIRE_NOT_FOUND);
}

/* As a store of an older version has it: nothing but the tokens is known. */
static void what_is_not_known_is_refreshed(void **state)
{
    struct stage *stage = *state;
    server_script(stage->server, (struct canned){ .match = "refresh_token=rt-secret-2",
                                                  .status = 200,
                                                  .body = GRANT_OF("two", "9") });
    stop(stage);
    run_sql(stage, "UPDATE held SET refreshed_at = 0, lifetime_ms = 0, expires_at = 0, refresh_at"
                   " = created_at, scope = NULL, identity = NULL");
    start(stage);
    CLEANUP(cleanup_message) struct message *came = decide(stage, "a", true);
    assert_false(came->failed);
    expect_token(stage, ask(stage, ASK_TOKEN, "a"), "at-secret-9");
    CLEANUP(cleanup_account_row) struct account_row row = ask_row(stage, "a");
    assert_string_equal(row.identity, "two");
}

static void forget_whose_it_is(struct stage *stage)
{
    stop(stage);
    run_sql(stage, "UPDATE held SET identity = NULL");
    start(stage);
}

/* It may be a renewal by the person whose grant the account has: at many providers the end of one
 * is the end of both. */
static void what_may_be_the_same_persons_is_not_revoked(void **state)
{
    struct stage *stage = *state;
    forget_whose_it_is(stage);
    CLEANUP(cleanup_message) struct message *came = decide(stage, "a", true);
    assert_false(came->failed);
    expect_token(stage, ask(stage, ASK_TOKEN, "a"), "at-secret-2");
    rest(100);
    stop(stage);
    assert_int_equal(count_kept(stage, KEPT_REVOCATION), 0);
    assert_int_equal(server_count(stage->server, "POST /revoke"), 0);
}

static void nor_when_it_is_discarded(void **state)
{
    struct stage *stage = *state;
    forget_whose_it_is(stage);
    CLEANUP(cleanup_message) struct message *came = decide(stage, "a", false);
    assert_false(came->failed);
    expect_token(stage, ask(stage, ASK_TOKEN, "a"), "at-secret-1");
    rest(100);
    stop(stage);
    assert_int_equal(count_kept(stage, KEPT_REVOCATION), 0);
    assert_int_equal(server_count(stage->server, "POST /revoke"), 0);
    CLEANUP(cleanup_held_row) struct held_row held = { 0 };
    CLEANUP(cleanup_grant) struct grant grant = { 0 };
    assert_false(held_consent(stage, "a", &held, &grant));
}

static void nor_when_a_newer_takes_its_place(void **state)
{
    struct stage *stage = *state;
    forget_whose_it_is(stage);
    expect_ok(stage, ask_exchange(stage, "a", "code-secret-3", NULL));
    rest(100);
    stop(stage);
    assert_int_equal(count_kept(stage, KEPT_REVOCATION), 0);
    assert_int_equal(server_count(stage->server, "POST /revoke"), 0);
}

static void expect_nothing_revoked(struct stage *stage)
{
    rest(100);
    stop(stage);
    assert_int_equal(count_kept(stage, KEPT_REVOCATION), 0);
    assert_int_equal(server_count(stage->server, "POST /revoke"), 0);
}

static void also_has(struct stage *stage, const char *identity)
{
    stop(stage);
    seed(stage,
         (struct seed){ .label = "b", .refresh_token = "rt-secret-b", .identity = identity });
    start(stage);
}

static void nor_what_may_be_of_another_accounts_person(void **state)
{
    struct stage *stage = *state;
    also_has(stage, "two");
    CLEANUP(cleanup_message) struct message *came = decide(stage, "a", false);
    assert_false(came->failed);
    expect_nothing_revoked(stage);
}

static void nor_when_it_is_accepted(void **state)
{
    struct stage *stage = *state;
    also_has(stage, "one");
    CLEANUP(cleanup_message) struct message *came = decide(stage, "a", true);
    assert_false(came->failed);
    expect_nothing_revoked(stage);
}

static void nor_when_a_newer_replaces_that(void **state)
{
    struct stage *stage = *state;
    also_has(stage, "two");
    expect_ok(stage, ask_exchange(stage, "a", "code-secret-3", NULL));
    expect_nothing_revoked(stage);
}

static void nor_when_a_newer_replaces_its_own(void **state)
{
    struct stage *stage = *state;
    stop(stage);
    run_sql(stage, "UPDATE accounts SET identity = 'two'");
    start(stage);
    expect_ok(stage, ask_exchange(stage, "a", "code-secret-3", NULL));
    expect_nothing_revoked(stage);
}

#define TEST_OTHER(name) cmocka_unit_test_setup_teardown(name, set_up_other, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_OTHER(it_is_listed),
        TEST_OTHER(accepted_it_is_the_grant),
        TEST_OTHER(accepted_it_is_planned_as_its_section_says_by_then),
        TEST_OTHER(discarded_it_is_revoked),
        TEST_OTHER(a_newer_takes_the_place),
        TEST_OTHER(what_nobody_saw_is_not_decided),
        TEST_OTHER(the_same_identity_again_is_not_revoked),
        TEST_OTHER(what_another_account_holds_is_not_revoked),
        TEST_OTHER(the_first_identity_again_leaves_it),
        TEST_OTHER(nothing_is_accepted_while_a_refresh_flies),
        TEST_OTHER(forgotten_both_are_revoked),
        TEST_OTHER(a_full_disk_changes_nothing),
        TEST_OTHER(short_memory_changes_nothing),
        TEST_OTHER(there_must_be_something),
        TEST_OTHER(what_is_not_known_is_refreshed),
        TEST_OTHER(what_may_be_the_same_persons_is_not_revoked),
        TEST_OTHER(nor_when_it_is_discarded),
        TEST_OTHER(nor_when_a_newer_takes_its_place),
        TEST_OTHER(nor_what_may_be_of_another_accounts_person),
        TEST_OTHER(nor_when_it_is_accepted),
        TEST_OTHER(nor_when_a_newer_replaces_that),
        TEST_OTHER(nor_when_a_newer_replaces_its_own),
    };
    return RUN(tests);
}

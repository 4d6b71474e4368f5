/* An account takes another name: all of it at once, and what is in the air is not lost. */

#include "fixture.h"

#include <stdio.h>

static struct account_name account(const char *provider, const char *label)
{
    struct account_name name = { "", "" };
    (void)snprintf(name.provider, sizeof name.provider, "%s", provider);
    (void)snprintf(name.label, sizeof name.label, "%s", label);
    return name;
}

static struct message *rename_to(struct stage *stage, const char *label, const char *provider,
                                 const char *new_label)
{
    struct message *message = question(ASK_RENAME, label);
    message->new_name = account(provider, new_label);
    return answer(stage, post(stage, message));
}

static int set_up_renaming(void **state)
{
    (void)set_up(state);
    struct stage *stage = *state;
    set_text(&acme(stage)->identity, "company_id");
    (void)add_provider(stage, "other");
    seed(stage, (struct seed){ .label = "a",
                               .refresh_token = "rt-secret-1",
                               .predecessor = "rt-secret-0",
                               .access_token = "at-secret-a",
                               .lifetime_ms = HOUR,
                               .refresh_at = broker_now() + HOUR / 2,
                               .identity = "one" });
    start(stage);
    return 0;
}

static void the_grant_moves(void **state)
{
    struct stage *stage = *state;
    CLEANUP(cleanup_account_row) struct account_row before = ask_row(stage, "a");
    CLEANUP(cleanup_message) struct message *came = rename_to(stage, "a", "acme", "b");
    assert_false(came->failed);
    assert_string_equal(came->rows[0].name.label, "b");
    assert_int_equal(came->rows[0].generation, 2);
    assert_int_equal(came->rows[0].refresh_at, before.refresh_at);
    assert_int_equal(came->rows[0].created_at, before.created_at);
    assert_string_equal(came->rows[0].identity, "one");
    expect_failure(stage, ask(stage, ASK_TOKEN, "a"), WIRE_UNKNOWN_ACCOUNT);
    expect_token(stage, ask(stage, ASK_TOKEN, "b"), "at-secret-a");
    /* The front forgets the old name, whatever it has of it. */
    assert_string_equal(stage->notices[0]->account.label, "a");
    assert_true(stage->notices[0]->generation == UINT64_MAX);
    assert_int_equal(server_count(stage->server, NULL), 0);
    CLEANUP(cleanup_account_row) struct account_row row = { 0 };
    CLEANUP(cleanup_grant) struct grant grant = { 0 };
    stop(stage);
    stored(stage, "b", &row, &grant);
    assert_true(holds(grant.refresh_token, "rt-secret-1"));
    assert_true(holds(grant.predecessor, "rt-secret-0"));
}

static void its_refresh_token_is_known_under_the_new_name(void **state)
{
    struct stage *stage = *state;
    CLEANUP(cleanup_message) struct message *came = rename_to(stage, "a", "acme", "b");
    assert_false(came->failed);
    expect_failure(stage, ask_import(stage, "c", "rt-secret-1"), WIRE_BAD_REQUEST);
    expect_ok(stage, ask_import(stage, "b", "rt-secret-1"));
}

static void it_moves_to_another_provider(void **state)
{
    struct stage *stage = *state;
    server_script(stage->server, (struct canned){ .status = 200, .body = GRANT_ROTATED });
    CLEANUP(cleanup_message) struct message *came = rename_to(stage, "a", "other", "a");
    assert_false(came->failed);
    expect_token(stage, ask(stage, ASK_TOKEN, "other/a"), "at-secret-a");
    expect_ok(stage, ask_reject(stage, "other/a", "at-secret-a"));
    expect_token(stage, ask(stage, ASK_TOKEN, "other/a"), "at-secret-1");
    assert_int_equal(server_count(stage->server, "refresh_token=rt-secret-1"), 1);
}

static void a_name_that_is_taken_is_refused(void **state)
{
    struct stage *stage = *state;
    expect_ok(stage, ask_import(stage, "b", "rt-secret-b"));
    CLEANUP(cleanup_message) struct message *taken = rename_to(stage, "a", "acme", "b");
    assert_int_equal(taken->failure.error, WIRE_BAD_REQUEST);
    CLEANUP(cleanup_message) struct message *self = rename_to(stage, "a", "acme", "a");
    assert_int_equal(self->failure.error, WIRE_BAD_REQUEST);
    CLEANUP(cleanup_message) struct message *gone = rename_to(stage, "x", "acme", "y");
    assert_int_equal(gone->failure.error, WIRE_UNKNOWN_ACCOUNT);
    CLEANUP(cleanup_message) struct message *nowhere = rename_to(stage, "a", "nowhere", "a");
    assert_int_equal(nowhere->failure.error, WIRE_UNKNOWN_PROVIDER);
    expect_token(stage, ask(stage, ASK_TOKEN, "a"), "at-secret-a");
}

static void a_refresh_token_of_another_account_there_is_refused(void **state)
{
    struct stage *stage = *state;
    expect_ok(stage, ask_import(stage, "other/z", "rt-secret-1"));
    CLEANUP(cleanup_message) struct message *came = rename_to(stage, "a", "other", "a");
    assert_int_equal(came->failure.error, WIRE_BAD_REQUEST);
    expect_token(stage, ask(stage, ASK_TOKEN, "a"), "at-secret-a");
}

static void what_is_refreshed_another_way_is_refused(void **state)
{
    struct stage *stage = *state;
    stop(stage);
    stage->settings->providers[1]->grant = GRANT_STATIC;
    start(stage);
    CLEANUP(cleanup_message) struct message *came = rename_to(stage, "a", "other", "a");
    assert_int_equal(came->failure.error, WIRE_BAD_REQUEST);
}

/* There its refresh token would never be used, and here nobody can consent for what has none. */
static void what_needs_no_person_stays_apart(void **state)
{
    struct stage *stage = *state;
    struct provider *other = stage->settings->providers[1];
    server_script(stage->server, (struct canned){ .status = 200, .body = GRANT_PLAIN });
    stop(stage);
    other->grant = GRANT_CLIENT_CREDENTIALS;
    start(stage);
    CLEANUP(cleanup_message) struct message *there = rename_to(stage, "a", "other", "a");
    assert_int_equal(there->failure.error, WIRE_BAD_REQUEST);
    expect_token(stage, ask(stage, ASK_TOKEN, "other/z"), "at-secret-1");
    CLEANUP(cleanup_message) struct message *here = rename_to(stage, "other/z", "acme", "z");
    assert_int_equal(here->failure.error, WIRE_BAD_REQUEST);
    CLEANUP(cleanup_message) struct message *within = rename_to(stage, "other/z", "other", "y");
    assert_false(within->failed);
    /* A section that was changed by mistake is no reason to keep the account there. */
    stop(stage);
    acme(stage)->grant = GRANT_CLIENT_CREDENTIALS;
    other->grant = GRANT_AUTHORIZATION_CODE;
    start(stage);
    CLEANUP(cleanup_message) struct message *back = rename_to(stage, "a", "other", "a");
    assert_false(back->failed);
}

static void what_is_in_the_air_is_not_lost(void **state)
{
    struct stage *stage = *state;
    server_script(stage->server,
                  (struct canned){ .status = 200, .body = GRANT_ROTATED, .held = true });
    expect_ok(stage, ask_reject(stage, "a", "at-secret-a")); /* so it is refreshed */
    assert_true(server_wait(stage->server, "rt-secret-1", 1));
    CLEANUP(cleanup_message) struct message *busy = rename_to(stage, "a", "acme", "b");
    assert_int_equal(busy->failure.error, WIRE_BUSY);
    server_release(stage->server);
    await_generation(stage, "a", 2);
    CLEANUP(cleanup_message) struct message *came = rename_to(stage, "a", "acme", "b");
    assert_false(came->failed);
    assert_int_equal(came->rows[0].generation, 3);
}

static void what_is_held_moves_too(void **state)
{
    struct stage *stage = *state;
    server_script(stage->server,
                  (struct canned){ .status = 200,
                                   .body = "{\"access_token\":\"at-secret-2\",\"expires_in\":60,"
                                           "\"company_id\":\"two\"}" });
    expect_ok(stage, ask_exchange(stage, "a", "code-secret-2", NULL));
    CLEANUP(cleanup_message) struct message *came = rename_to(stage, "a", "acme", "b");
    assert_false(came->failed);
    CLEANUP(cleanup_held_row) struct held_row held = { 0 };
    CLEANUP(cleanup_grant) struct grant grant = { 0 };
    CLEANUP(cleanup_account_row) struct account_row row = ask_row(stage, "b");
    assert_string_equal(row.held_identity, "two");
    stop(stage);
    assert_false(held_consent(stage, "a", &held, &grant));
    assert_true(held_consent(stage, "b", &held, &grant));
    assert_true(holds(grant.access_token, "at-secret-2"));
}

static void a_full_disk_changes_nothing(void **state)
{
    struct stage *stage = *state;
    refuse_commits(1);
    CLEANUP(cleanup_message) struct message *full = rename_to(stage, "a", "acme", "b");
    assert_int_equal(full->failure.error, WIRE_BUSY);
    expect_token(stage, ask(stage, ASK_TOKEN, "a"), "at-secret-a");
    expect_failure(stage, ask(stage, ASK_TOKEN, "b"), WIRE_UNKNOWN_ACCOUNT);
}

#define TEST_RENAMING(name) cmocka_unit_test_setup_teardown(name, set_up_renaming, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_RENAMING(the_grant_moves),
        TEST_RENAMING(its_refresh_token_is_known_under_the_new_name),
        TEST_RENAMING(it_moves_to_another_provider),
        TEST_RENAMING(a_name_that_is_taken_is_refused),
        TEST_RENAMING(a_refresh_token_of_another_account_there_is_refused),
        TEST_RENAMING(what_is_refreshed_another_way_is_refused),
        TEST_RENAMING(what_needs_no_person_stays_apart),
        TEST_RENAMING(what_is_in_the_air_is_not_lost),
        TEST_RENAMING(what_is_held_moves_too),
        TEST_RENAMING(a_full_disk_changes_nothing),
    };
    return RUN(tests);
}

/* A refresh, or a code, comes back to an account that was changed while it was in the air: what it
 * brought is the only copy there is, and nothing of a grant that was given up lives on. */

#include "fixture.h"

#include <stdio.h>
#include <string.h>

static const struct canned held = {
    .match = "rt-secret-a", .times = 1, .status = 200, .body = GRANT_ROTATED, .held = true
};

static void seed_a(struct stage *stage)
{
    seed(stage, (struct seed){ .label = "a",
                               .refresh_token = "rt-secret-a",
                               .access_token = "at-secret-a",
                               .lifetime_ms = HOUR,
                               .refresh_at = 1 });
}

/* The refresh of "a" is in the air, its reply held back: rt-secret-1 will come for rt-secret-a. */
static void fly(struct stage *stage)
{
    seed_a(stage);
    server_script(stage->server, held);
    start(stage);
    assert_true(server_wait(stage->server, "refresh_token=rt-secret-a", 1));
}

static void land(struct stage *stage)
{
    server_release(stage->server);
    rest(200);
}

static void expect_stored(struct stage *stage, const char *refresh_token, const char *predecessor,
                          const char *access_token)
{
    CLEANUP(cleanup_account_row) struct account_row row = { 0 };
    CLEANUP(cleanup_grant) struct grant grant = { 0 };
    stop(stage);
    stored(stage, "a", &row, &grant);
    assert_true(holds(grant.refresh_token, refresh_token));
    assert_true(row.has_refresh_token);
    assert_int_equal(row.state, ACCOUNT_ACTIVE);
    if (predecessor)
        assert_true(holds(grant.predecessor, predecessor));
    if (access_token)
        assert_true(holds(grant.access_token, access_token));
    else
        assert_null(grant.access_token);
}

/* The consent brought no refresh token, so it kept the one that is being spent. */
static void a_consent_that_keeps_the_spent_token_gets_its_successor(void **state)
{
    struct stage *stage = *state;
    fly(stage);
    server_script(stage->server, (struct canned){ .status = 200, .body = GRANT_PLAIN });
    expect_ok(stage, ask_exchange(stage, "a", "code-secret-1", NULL));
    land(stage);
    expect_token(stage, ask(stage, ASK_TOKEN, "a"), "at-secret-2");
    expect_stored(stage, "rt-secret-1", "rt-secret-a", "at-secret-2");
}

/* The same where the current token was refused, and the one before it is being spent. */
static void a_consent_that_keeps_the_predecessor_gets_its_successor(void **state)
{
    struct stage *stage = *state;
    seed(stage, (struct seed){ .label = "a",
                               .refresh_token = "rt-secret-refused",
                               .predecessor = "rt-secret-a",
                               .refresh_at = 1,
                               .state = ACCOUNT_SUSPECT,
                               .refusals = REFUSAL_PREDECESSOR });
    server_script(stage->server, held);
    server_script(stage->server, (struct canned){ .status = 200, .body = GRANT_PLAIN });
    start(stage);
    assert_true(server_wait(stage->server, "refresh_token=rt-secret-a", 1));
    expect_ok(stage, ask_exchange(stage, "a", "code-secret-1", NULL));
    land(stage);
    expect_stored(stage, "rt-secret-1", "rt-secret-a", "at-secret-2");
}

/* What came is not to be read, and a person may yet make something of it. */
static void an_odd_successor_is_kept_too(void **state)
{
    struct stage *stage = *state;
    seed_a(stage);
    server_script(stage->server, (struct canned){ .match = "rt-secret-a",
                                                  .times = 1,
                                                  .status = 200,
                                                  .body = "{\"access_token\":\"at-secret-1\","
                                                          "\"refresh_token\":[\"rt-secret-1\"]}",
                                                  .held = true });
    server_script(stage->server, (struct canned){ .status = 200, .body = GRANT_PLAIN });
    start(stage);
    assert_true(server_wait(stage->server, "refresh_token=rt-secret-a", 1));
    expect_ok(stage, ask_exchange(stage, "a", "code-secret-1", NULL));
    land(stage);
    expect_stored(stage, "rt-secret-a", NULL, "at-secret-2");
    assert_int_equal(count_kept(stage, KEPT_UNREADABLE_REPLY), 1);
}

/* A program that sets accounts up puts the same token in again. */
static void an_import_of_the_spent_token_gets_its_successor(void **state)
{
    struct stage *stage = *state;
    fly(stage);
    expect_ok(stage, ask_import(stage, "a", "rt-secret-a"));
    land(stage);
    expect_failure(stage, ask_import(stage, "b", "rt-secret-1"), WIRE_BAD_REQUEST);
    expect_token(stage, ask(stage, ASK_TOKEN, "a"), "at-secret-1");
    assert_int_equal(server_count(stage->server, "refresh_token=rt-secret-a"), 1);
    expect_stored(stage, "rt-secret-1", "rt-secret-a", "at-secret-1");
}

/* Also where the account was forgotten and made anew between the two. */
static void a_new_account_with_the_spent_token_gets_its_successor(void **state)
{
    struct stage *stage = *state;
    fly(stage);
    expect_ok(stage, ask(stage, ASK_FORGET, "a"));
    expect_ok(stage, ask_import(stage, "a", "rt-secret-a"));
    land(stage);
    expect_stored(stage, "rt-secret-1", "rt-secret-a", NULL);
}

static void a_successor_waits_for_a_full_disk(void **state)
{
    struct stage *stage = *state;
    fly(stage);
    expect_ok(stage, ask(stage, ASK_FORGET, "a"));
    expect_ok(stage, ask_import(stage, "a", "rt-secret-a"));
    refuse_commits(2);
    server_release(stage->server);
    rest(2500);
    expect_stored(stage, "rt-secret-1", "rt-secret-a", NULL);
}

static void another_token_is_left_alone(void **state)
{
    struct stage *stage = *state;
    fly(stage);
    expect_ok(stage, ask_import(stage, "a", "rt-secret-imported"));
    land(stage);
    expect_stored(stage, "rt-secret-imported", NULL, NULL);
}

/* A refusal of a set-up that is not in force any more goes again at once, with the new token. */
static void what_came_with_a_refusal_outlives_a_reload(void **state)
{
    struct stage *stage = *state;
    seed_a(stage);
    server_script(stage->server, (struct canned){ .match = "rt-secret-a",
                                                  .times = 1,
                                                  .status = 200,
                                                  .body = "{\"error\":\"invalid_client\","
                                                          "\"refresh_token\":\"rt-secret-new\"}",
                                                  .held = true });
    server_script(stage->server, (struct canned){ .status = 503 });
    set_speed(10);
    start(stage);
    assert_true(server_wait(stage->server, NULL, 1));
    set_text(&acme(stage)->client_id, "another");
    reload(stage);
    rest(100);
    server_release(stage->server);
    assert_true(server_wait(stage->server, "refresh_token=rt-secret-new", 1));
    assert_int_equal(server_count(stage->server, "refresh_token=rt-secret-a"), 1);
    expect_stored(stage, "rt-secret-new", "rt-secret-a", "at-secret-a");
}

/* The token that was known when it was forgotten is spent: its successor is the living one. */
static void what_comes_for_a_forgotten_account_is_revoked(void **state)
{
    struct stage *stage = *state;
    set_revocation_endpoint(stage);
    server_script(stage->server, (struct canned){ .match = "POST /revoke", .status = 200 });
    fly(stage);
    expect_ok(stage, ask(stage, ASK_FORGET, "a"));
    assert_true(server_wait(stage->server, "token=at-secret-a", 1));
    server_release(stage->server);
    assert_true(server_wait(stage->server, "token=rt-secret-1", 1));
    assert_true(server_wait(stage->server, "token=at-secret-1", 1));
    expect_failure(stage, ask(stage, ASK_ACCOUNT, "a"), WIRE_UNKNOWN_ACCOUNT);
}

static void without_an_endpoint_it_is_let_go(void **state)
{
    struct stage *stage = *state;
    fly(stage);
    expect_ok(stage, ask(stage, ASK_FORGET, "a"));
    land(stage);
    stop(stage);
    assert_int_equal(count_kept(stage, KEPT_REVOCATION), 0);
}

/* Nor is it renamed while its code is in the air. */
static void a_logout_meanwhile_is_not_undone(void **state)
{
    struct stage *stage = *state;
    set_revocation_endpoint(stage);
    seed(stage, (struct seed){ .label = "a", .refresh_token = "rt-secret-a" });
    server_script(stage->server, (struct canned){ .match = "POST /revoke", .status = 200 });
    server_script(stage->server,
                  (struct canned){ .match = "code-secret",
                                   .status = 200,
                                   .body = "{\"access_token\":\"at-secret-x\",\"refresh_token\":"
                                           "\"rt-secret-x\"}",
                                   .held = true });
    start(stage);
    const uint64_t id = post(stage, begin_login(stage, "a", "code-secret-1"));
    assert_true(server_wait(stage->server, "code=code-secret-1", 1));
    struct message *rename = question(ASK_RENAME, "a");
    rename->new_name = rename->account;
    (void)snprintf(rename->new_name.label, sizeof rename->new_name.label, "b");
    CLEANUP(cleanup_message) struct message *busy = answer(stage, post(stage, rename));
    assert_int_equal(busy->failure.error, WIRE_BUSY);
    expect_ok(stage, ask(stage, ASK_FORGET, "a"));
    server_release(stage->server);
    expect_failure(stage, id, WIRE_UNKNOWN_ACCOUNT);
    expect_failure(stage, ask(stage, ASK_ACCOUNT, "a"), WIRE_UNKNOWN_ACCOUNT);
    assert_true(server_wait(stage->server, "token=rt-secret-x", 1));
}

/* The person was at the provider's page meanwhile: the code comes after the logout. */
static void a_logout_before_the_code_is_not_undone(void **state)
{
    struct stage *stage = *state;
    set_revocation_endpoint(stage);
    seed(stage, (struct seed){ .label = "a", .refresh_token = "rt-secret-a" });
    server_script(stage->server, (struct canned){ .match = "POST /revoke", .status = 200 });
    server_script(stage->server, (struct canned){ .status = 200, .body = GRANT_ROTATED });
    start(stage);
    struct message *late = begin_login(stage, "a", "code-secret-1");
    expect_ok(stage, ask(stage, ASK_FORGET, "a"));
    expect_failure(stage, post(stage, late), WIRE_UNKNOWN_ACCOUNT);
    expect_failure(stage, ask(stage, ASK_ACCOUNT, "a"), WIRE_UNKNOWN_ACCOUNT);
    expect_ok(stage, ask_exchange(stage, "a", "code-secret-2", NULL));
}

/* Nobody had given the account a grant when the login began. */
static void nor_one_of_an_account_that_came_meanwhile(void **state)
{
    struct stage *stage = *state;
    set_revocation_endpoint(stage);
    server_script(stage->server, (struct canned){ .match = "POST /revoke", .status = 200 });
    server_script(stage->server, (struct canned){ .match = "code-secret-1",
                                                  .status = 200,
                                                  .body = GRANT_ROTATED,
                                                  .held = true });
    server_script(stage->server, (struct canned){ .status = 200, .body = GRANT_ROTATED });
    start(stage);
    const uint64_t id = ask_exchange(stage, "a", "code-secret-1", NULL);
    assert_true(server_wait(stage->server, "code=code-secret-1", 1));
    expect_ok(stage, ask_import(stage, "a", "rt-secret-a"));
    expect_ok(stage, ask(stage, ASK_FORGET, "a"));
    server_release(stage->server);
    expect_failure(stage, id, WIRE_UNKNOWN_ACCOUNT);
    expect_failure(stage, ask(stage, ASK_ACCOUNT, "a"), WIRE_UNKNOWN_ACCOUNT);
    assert_true(server_wait(stage->server, "token=rt-secret-1", 1));
    expect_ok(stage, ask_exchange(stage, "a", "code-secret-2", NULL));
}

#define WITH_IDENTITY(grant, identity) grant ",\"company_id\":\"" identity "\"}"
#define OLDER_ACCESS_TOKEN "{\"access_token\":\"at-secret-old\""
#define NEWER_ACCESS_TOKEN "{\"access_token\":\"at-secret-new\""
#define OLDER_GRANT OLDER_ACCESS_TOKEN ",\"refresh_token\":\"rt-secret-old\""
#define NEWER_GRANT NEWER_ACCESS_TOKEN ",\"refresh_token\":\"rt-secret-new\""

/* Starts, and returns an older code's exchange: its reply is held back until a newer one is
 * answered. */
static uint64_t overtake(struct stage *stage, const char *older_body, const char *newer_body)
{
    server_script(stage->server,
                  (struct canned){
                      .match = "code-secret-1", .status = 200, .body = older_body, .held = true });
    server_script(stage->server,
                  (struct canned){ .match = "code-secret-2", .status = 200, .body = newer_body });
    start(stage);
    const uint64_t older = ask_exchange(stage, "a", "code-secret-1", NULL);
    assert_true(server_wait(stage->server, "code=code-secret-1", 1));
    expect_ok(stage, ask_exchange(stage, "a", "code-secret-2", NULL));
    server_release(stage->server);
    return older;
}

/* Where a new consent ends the one before, that is dead. */
static void an_older_code_does_not_replace_a_newer_grant(void **state)
{
    struct stage *stage = *state;
    expect_failure(stage, overtake(stage, OLDER_ACCESS_TOKEN "}", NEWER_GRANT "}"),
                   WIRE_BAD_REQUEST);
    expect_token(stage, ask(stage, ASK_TOKEN, "a"), "at-secret-new");
    expect_stored(stage, "rt-secret-new", NULL, "at-secret-new");
}

static void script_grants(struct stage *stage, const char *held_back)
{
    const struct canned grants[] = {
        { .match = "code-secret-1",
          .status = 200,
          .body = "{\"access_token\":\"at-secret-browser\",\"refresh_token\":\"rt-secret-b\"}" },
        { .match = "device_code=",
          .status = 200,
          .body = "{\"access_token\":\"at-secret-device\",\"refresh_token\":\"rt-secret-d\"}" },
    };
    for (size_t i = 0; i < 2; i++) {
        struct canned canned = grants[i];
        canned.held = strcmp(canned.match, held_back) == 0;
        server_script(stage->server, canned);
    }
}

/* Where a new consent ends the one before, that is dead: in a browser or not. */
static void an_older_poll_does_not_replace_the_grant_of_a_newer_code(void **state)
{
    struct stage *stage = *state;
    set_speed(20);
    start(stage);
    script_grants(stage, "device_code=");
    const uint64_t older = ask_poll(stage, "a", SECOND, 10 * MINUTE);
    assert_true(server_wait(stage->server, "device_code=", 1));
    expect_ok(stage, ask_exchange(stage, "a", "code-secret-1", NULL));
    server_release(stage->server);
    expect_failure(stage, older, WIRE_BAD_REQUEST);
    expect_token(stage, ask(stage, ASK_TOKEN, "a"), "at-secret-browser");
}

static void nor_an_older_code_that_of_a_newer_poll(void **state)
{
    struct stage *stage = *state;
    set_speed(20);
    start(stage);
    script_grants(stage, "code-secret-1");
    const uint64_t older = ask_exchange(stage, "a", "code-secret-1", NULL);
    assert_true(server_wait(stage->server, "code-secret-1", 1));
    expect_ok(stage, ask_poll(stage, "a", SECOND, 10 * MINUTE));
    server_release(stage->server);
    expect_failure(stage, older, WIRE_BAD_REQUEST);
    expect_token(stage, ask(stage, ASK_TOKEN, "a"), "at-secret-device");
}

/* The person has decided after the last poll, and so after the other login. */
static void what_a_later_poll_brings_counts(void **state)
{
    struct stage *stage = *state;
    set_speed(20);
    start(stage);
    server_script(stage->server,
                  (struct canned){ .match = "device_code=",
                                   .times = 1,
                                   .status = 400,
                                   .body = "{\"error\":\"authorization_pending\"}" });
    script_grants(stage, "");
    const uint64_t id = ask_poll(stage, "a", 10 * SECOND, 10 * MINUTE);
    assert_true(server_wait(stage->server, "device_code=", 1));
    expect_ok(stage, ask_exchange(stage, "a", "code-secret-1", NULL));
    expect_ok(stage, id);
    expect_token(stage, ask(stage, ASK_TOKEN, "a"), "at-secret-device");
}

/* Some providers give a refresh token at the first consent alone. */
static void but_where_it_alone_has_a_refresh_token(void **state)
{
    struct stage *stage = *state;
    expect_ok(stage, overtake(stage, OLDER_GRANT "}", NEWER_ACCESS_TOKEN "}"));
    expect_stored(stage, "rt-secret-old", NULL, "at-secret-old");
}

static void seed_of_one(struct stage *stage)
{
    set_text(&acme(stage)->identity, "company_id");
    seed(stage, (struct seed){ .label = "a", .refresh_token = "rt-secret-a", .identity = "one" });
}

/* Neither is the account's, which is "one"'s; the newer is what a person has seen last. */
static void nor_does_it_replace_a_newer_that_is_held(void **state)
{
    struct stage *stage = *state;
    CLEANUP(cleanup_held_row) struct held_row row = { 0 };
    CLEANUP(cleanup_grant) struct grant grant = { 0 };
    seed_of_one(stage);
    expect_failure(
        stage,
        overtake(stage, WITH_IDENTITY(OLDER_GRANT, "two"), WITH_IDENTITY(NEWER_GRANT, "three")),
        WIRE_BAD_REQUEST);
    stop(stage);
    assert_true(held_consent(stage, "a", &row, &grant));
    assert_string_equal(row.identity, "three");
}

/* What is held is nobody's grant yet. */
static void what_is_held_keeps_no_grant_out(void **state)
{
    struct stage *stage = *state;
    seed_of_one(stage);
    expect_ok(stage, overtake(stage, WITH_IDENTITY(OLDER_GRANT, "one"),
                              WITH_IDENTITY(NEWER_GRANT, "two")));
    expect_stored(stage, "rt-secret-old", NULL, "at-secret-old");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_consent_that_keeps_the_spent_token_gets_its_successor),
        TEST(a_consent_that_keeps_the_predecessor_gets_its_successor),
        TEST(an_odd_successor_is_kept_too),
        TEST(an_import_of_the_spent_token_gets_its_successor),
        TEST(a_new_account_with_the_spent_token_gets_its_successor),
        TEST(a_successor_waits_for_a_full_disk),
        TEST(another_token_is_left_alone),
        TEST(what_came_with_a_refusal_outlives_a_reload),
        TEST(what_comes_for_a_forgotten_account_is_revoked),
        TEST(without_an_endpoint_it_is_let_go),
        TEST(a_logout_meanwhile_is_not_undone),
        TEST(a_logout_before_the_code_is_not_undone),
        TEST(nor_one_of_an_account_that_came_meanwhile),
        TEST(an_older_code_does_not_replace_a_newer_grant),
        TEST(an_older_poll_does_not_replace_the_grant_of_a_newer_code),
        TEST(nor_an_older_code_that_of_a_newer_poll),
        TEST(what_a_later_poll_brings_counts),
        TEST(but_where_it_alone_has_a_refresh_token),
        TEST(nor_does_it_replace_a_newer_that_is_held),
        TEST(what_is_held_keeps_no_grant_out),
    };
    return RUN(tests);
}

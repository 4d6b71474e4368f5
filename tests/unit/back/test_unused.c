/* A grant that nobody will use is revoked, but where that may end one that stays: at many providers
 * one revocation ends all that a person has granted. */

#include "fixture.h"

#include <errno.h>
#include <stdio.h>

#define GRANT_OF(identity, number)                                                                 \
    "{\"access_token\":\"at-secret-" number "\",\"expires_in\":3600,\"refresh_token\":"            \
    "\"rt-secret-" number "\",\"company_id\":\"" identity "\"}"

/* Not started. Both codes are company "one"'s. */
static int set_up_two_codes(void **state)
{
    (void)set_up(state);
    struct stage *stage = *state;
    set_revocation_endpoint(stage);
    set_text(&acme(stage)->identity, "company_id");
    set_public_url(stage);
    server_script(stage->server, (struct canned){ .match = "POST /revoke", .status = 200 });
    server_script(stage->server, (struct canned){ .match = "code-secret-1",
                                                  .status = 200,
                                                  .body = GRANT_OF("one", "1"),
                                                  .held = true });
    server_script(stage->server, (struct canned){ .match = "code-secret-2",
                                                  .status = 200,
                                                  .body = GRANT_OF("one", "2"),
                                                  .held = true });
    return 0;
}

static void seed_as(struct stage *stage, const char *label, enum account_state account_state,
                    const char *identity)
{
    char token[64];
    (void)snprintf(token, sizeof token, "rt-secret-%s", label);
    seed(stage, (struct seed){ .label = label,
                               .refresh_token = token,
                               .access_token = "at-secret-seeded",
                               .lifetime_ms = HOUR,
                               .state = account_state,
                               .identity = identity });
}

/* An account that never had a grant, but for which that one's consent is held; identity is SQL. */
static void seed_held(struct stage *stage, const char *label, const char *identity)
{
    char sql[512];
    seed_as(stage, label, ACCOUNT_CONSENT_REQUIRED, NULL);
    (void)snprintf(sql, sizeof sql,
                   "UPDATE accounts SET generation = 0, sealed = NULL WHERE label = '%s';"
                   "DELETE FROM token_owners WHERE label = '%s';"
                   "INSERT INTO held (provider, label, created_at, refreshed_at, lifetime_ms,"
                   " expires_at, refresh_at, refresh_token_expires_at, refresh_token_life_ms,"
                   " identity, warned_days, sealed)"
                   " VALUES ('acme', '%s', 1, 1, 1, 1, 1, 0, 0, %s, 0, x'00')",
                   label, label, label, identity);
    run_sql(stage, sql);
}

static uint64_t send_code(struct stage *stage, const char *digest, const char *code)
{
    const uint64_t id = ask_exchange_by(stage, "late", code, digest);
    assert_true(server_wait(stage->server, code, 1));
    return id;
}

/* What is in the store is seeded: the link of "late" is withdrawn while its code is in the air. */
static void bring_late(struct stage *stage)
{
    char digest[LINK_DIGEST_SIZE];
    start(stage);
    make_link(stage, "late", NULL, digest);
    const uint64_t id = send_code(stage, digest, "code-secret-1");
    expect_ok(stage, ask(stage, ASK_UNLINK, "late"));
    server_release(stage->server);
    expect_failure(stage, id, WIRE_BAD_REQUEST);
}

static void expect_revoked(struct stage *stage)
{
    bring_late(stage);
    assert_true(server_wait(stage->server, "token=rt-secret-1", 1));
}

static void expect_spared(struct stage *stage)
{
    bring_late(stage);
    stop(stage);
    assert_int_equal(count_kept(stage, KEPT_REVOCATION), 0);
    assert_int_equal(server_count(stage->server, "POST /revoke"), 0);
}

static void where_nobody_else_is_it_is_revoked(void **state)
{
    expect_revoked(*state);
}

static void not_another_accounts_persons(void **state)
{
    seed_as(*state, "sibling", ACCOUNT_ACTIVE, "one");
    expect_spared(*state);
}

static void but_beside_another_persons(void **state)
{
    seed_as(*state, "sibling", ACCOUNT_ACTIVE, "two");
    expect_revoked(*state);
}

static void nor_whose_consent_is_held_for_another(void **state)
{
    seed_held(*state, "sibling", "'one'");
    expect_spared(*state);
}

static void but_beside_a_held_one_of_another_person(void **state)
{
    seed_held(*state, "sibling", "'two'");
    expect_revoked(*state);
}

/* The refusal may have been the provider's error. */
static void nor_the_accounts_own_that_needs_a_consent(void **state)
{
    seed_as(*state, "late", ACCOUNT_CONSENT_REQUIRED, "one");
    expect_spared(*state);
}

static void nor_where_the_account_does_not_say_whose_it_is(void **state)
{
    seed_as(*state, "late", ACCOUNT_ACTIVE, NULL);
    expect_spared(*state);
}

static void but_beside_the_accounts_own_of_another_person(void **state)
{
    seed_as(*state, "late", ACCOUNT_ACTIVE, "two");
    expect_revoked(*state);
}

static void nor_whose_consent_is_held_for_the_account(void **state)
{
    seed_held(*state, "late", "'one'");
    expect_spared(*state);
}

static void nor_where_the_held_one_may_be_anybodys(void **state)
{
    seed_held(*state, "late", "NULL");
    expect_spared(*state);
}

static void but_beside_the_accounts_held_one_of_another_person(void **state)
{
    seed_held(*state, "late", "'two'");
    expect_revoked(*state);
}

/* Both codes are on their way before either is answered; the link is used up by the first. */
static void two_codes_of_one_link_leave_the_held_one_alive(void **state)
{
    struct stage *stage = *state;
    char digest[LINK_DIGEST_SIZE];
    start(stage);
    make_link(stage, "late", NULL, digest);
    const uint64_t ids[] = { send_code(stage, digest, "code-secret-1"),
                             send_code(stage, digest, "code-secret-2") };
    server_release(stage->server);
    server_release(stage->server);
    CLEANUP(cleanup_message) struct message *first = answer(stage, ids[0]);
    CLEANUP(cleanup_message) struct message *second = answer(stage, ids[1]);
    assert_true(first->failed != second->failed);
    stop(stage);
    assert_int_equal(count_kept(stage, KEPT_REVOCATION), 0);
    assert_int_equal(server_count(stage->server, "POST /revoke"), 0);
}

#define TEST_CODES(name) cmocka_unit_test_setup_teardown(name, set_up_two_codes, tear_down)

/* The row is damaged when what was asked for comes. */
static void bring_without_a_place(struct stage *stage, const char *unwritable,
                                  const char *unreadable)
{
    start(stage);
    const uint64_t id = ask_exchange(stage, "late", "code-secret-1", NULL);
    assert_true(server_wait(stage->server, "code-secret-1", 1));
    damage_writes(unwritable);
    fail_reads(unreadable, -EBADMSG);
    server_release(stage->server);
    expect_failure(stage, id, WIRE_INTERNAL);
    damage_writes(NULL);
    fail_reads(NULL, 0);
}

static void where_it_cannot_be_written_it_is_revoked(void **state)
{
    struct stage *stage = *state;
    bring_without_a_place(stage, "late", NULL);
    assert_true(server_wait(stage->server, "token=rt-secret-1", 1));
}

/* Who knows whose the account is. */
static void but_beside_a_row_that_cannot_be_read(void **state)
{
    struct stage *stage = *state;
    seed_as(stage, "late", ACCOUNT_ACTIVE, "one");
    bring_without_a_place(stage, NULL, "late");
    stop(stage);
    assert_int_equal(count_kept(stage, KEPT_REVOCATION), 0);
    assert_int_equal(server_count(stage->server, "POST /revoke"), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_CODES(where_nobody_else_is_it_is_revoked),
        TEST_CODES(not_another_accounts_persons),
        TEST_CODES(but_beside_another_persons),
        TEST_CODES(nor_whose_consent_is_held_for_another),
        TEST_CODES(but_beside_a_held_one_of_another_person),
        TEST_CODES(nor_the_accounts_own_that_needs_a_consent),
        TEST_CODES(nor_where_the_account_does_not_say_whose_it_is),
        TEST_CODES(but_beside_the_accounts_own_of_another_person),
        TEST_CODES(nor_whose_consent_is_held_for_the_account),
        TEST_CODES(nor_where_the_held_one_may_be_anybodys),
        TEST_CODES(but_beside_the_accounts_held_one_of_another_person),
        TEST_CODES(two_codes_of_one_link_leave_the_held_one_alive),
        TEST_CODES(where_it_cannot_be_written_it_is_revoked),
        TEST_CODES(but_beside_a_row_that_cannot_be_read),
    };
    return RUN(tests);
}

/* Codes that are on their way, or wait for it, while their link ends. */

#include "fixture.h"

#define GRANT_OF(identity)                                                                         \
    "{\"access_token\":\"at-secret-%u\",\"expires_in\":3600,\"refresh_token\":\"rt-secret-%u\","   \
    "\"company_id\":\"" identity "\"}"
/* Some providers give a refresh token at the first consent alone. */
#define LATER_GRANT "{\"access_token\":\"at-secret-new\",\"company_id\":\"one\"}"

/* Not started; consents say whose they are. */
static int set_up_public(void **state)
{
    (void)set_up(state);
    struct stage *stage = *state;
    set_revocation_endpoint(stage);
    set_text(&acme(stage)->identity, "company_id");
    set_public_url(stage);
    server_script(stage->server, (struct canned){ .match = "POST /revoke", .status = 200 });
    start(stage);
    return 0;
}

/* The newer link is not used up by it. */
static void one_that_was_replaced_connects_nothing(void **state)
{
    struct stage *stage = *state;
    char first[LINK_DIGEST_SIZE], second[LINK_DIGEST_SIZE];
    server_script(stage->server,
                  (struct canned){ .status = 200, .body = GRANT_OF("one"), .held = true });
    make_link(stage, "a", "one", first);
    const uint64_t id = ask_exchange_by(stage, "a", "code-secret-1", first);
    assert_true(server_wait(stage->server, "code=code-secret-1", 1));
    make_link(stage, "a", "two", second);
    server_release(stage->server);
    expect_failure(stage, id, WIRE_BAD_REQUEST);
    CLEANUP(cleanup_message) struct message *open = answer(stage, ask(stage, ASK_LINK_OF, "a"));
    assert_string_equal(open->rows[0].link->digest, second);
    expect_failure(stage, ask(stage, ASK_TOKEN, "a"), WIRE_UNKNOWN_ACCOUNT);
    assert_true(server_wait(stage->server, "token=rt-secret-1", 1));
}

/* It waits for another try; what it would bring is nobody's. */
static void the_code_of_one_that_was_withdrawn_is_not_sent(void **state)
{
    struct stage *stage = *state;
    char digest[LINK_DIGEST_SIZE];
    server_script(stage->server, (struct canned){ .times = 1, .status = 429 });
    server_script(stage->server, (struct canned){ .status = 200, .body = GRANT_OF("one") });
    make_link(stage, "a", "one", digest);
    const uint64_t id = ask_exchange_by(stage, "a", "code-secret-1", digest);
    assert_true(server_wait(stage->server, "code=code-secret-1", 1));
    expect_ok(stage, ask(stage, ASK_UNLINK, "a"));
    expect_failure(stage, id, WIRE_BAD_REQUEST);
    assert_int_equal(server_count(stage->server, "code=code-secret-1"), 1);
}

static void expect_refresh_token(struct stage *stage, uint64_t first)
{
    expect_ok(stage, first);
    CLEANUP(cleanup_account_row) struct account_row row = ask_row(stage, "a");
    assert_true(row.has_refresh_token);
}

/* Two codes for one link: the first one's reply, which is `body`, is held back until the second is
 * answered. */
static uint64_t overtake(struct stage *stage, const char *identity, const char *body)
{
    char digest[LINK_DIGEST_SIZE];
    server_script(
        stage->server,
        (struct canned){ .match = "code-secret-1", .status = 200, .body = body, .held = true });
    server_script(stage->server, (struct canned){ .status = 200, .body = LATER_GRANT });
    make_link(stage, "a", identity, digest);
    const uint64_t first = ask_exchange_by(stage, "a", "code-secret-1", digest);
    assert_true(server_wait(stage->server, "code=code-secret-1", 1));
    expect_ok(stage, ask_exchange_by(stage, "a", "code-secret-2", digest));
    server_release(stage->server);
    return first;
}

static void of_two_codes_the_refresh_token_is_kept(void **state)
{
    struct stage *stage = *state;
    expect_refresh_token(stage, overtake(stage, "one", GRANT_OF("one")));
}

static void nor_is_its_code_kept_back(void **state)
{
    struct stage *stage = *state;
    char digest[LINK_DIGEST_SIZE];
    server_script(stage->server,
                  (struct canned){ .match = "code-secret-1", .times = 1, .status = 429 });
    server_script(
        stage->server,
        (struct canned){ .match = "code-secret-1", .status = 200, .body = GRANT_OF("one") });
    server_script(stage->server, (struct canned){ .status = 200, .body = LATER_GRANT });
    make_link(stage, "a", "one", digest);
    const uint64_t first = ask_exchange_by(stage, "a", "code-secret-1", digest);
    assert_true(server_wait(stage->server, "code=code-secret-1", 1));
    expect_ok(stage, ask_exchange_by(stage, "a", "code-secret-2", digest));
    expect_refresh_token(stage, first);
}

/* Nobody knew whose consent it was to be, so both are held. */
static void also_where_they_await_a_decision(void **state)
{
    struct stage *stage = *state;
    CLEANUP(cleanup_held_row) struct held_row row = { 0 };
    CLEANUP(cleanup_grant) struct grant grant = { 0 };
    expect_ok(stage, overtake(stage, NULL, GRANT_OF("one")));
    stop(stage);
    assert_true(held_consent(stage, "a", &row, &grant));
    assert_true(holds(grant.refresh_token, "rt-secret-1"));
}

static void but_not_that_of_another_person(void **state)
{
    struct stage *stage = *state;
    expect_failure(stage, overtake(stage, "one", GRANT_OF("two")), WIRE_BAD_REQUEST);
    expect_token(stage, ask(stage, ASK_TOKEN, "a"), "at-secret-new");
}

#define TEST_LATE(name) cmocka_unit_test_setup_teardown(name, set_up_public, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_LATE(one_that_was_replaced_connects_nothing),
        TEST_LATE(the_code_of_one_that_was_withdrawn_is_not_sent),
        TEST_LATE(of_two_codes_the_refresh_token_is_kept),
        TEST_LATE(nor_is_its_code_kept_back),
        TEST_LATE(also_where_they_await_a_decision),
        TEST_LATE(but_not_that_of_another_person),
    };
    return RUN(tests);
}

/* Questions that only read, and when a client's wish is a reason to send. */

#include "fixture.h"

#include <errno.h>
#include <stdio.h>

static void seed_valid(struct stage *stage)
{
    seed(stage, (struct seed){ .label = "a",
                               .refresh_token = "rt-secret-a",
                               .access_token = "at-secret-a",
                               .lifetime_ms = HOUR,
                               .refresh_at = broker_now() + 40 * MINUTE });
}

static uint64_t ask_ttl(struct stage *stage, int64_t min_ttl_ms)
{
    struct message *message = question(ASK_TOKEN, "a");
    message->min_ttl_ms = min_ttl_ms;
    return post(stage, message);
}

static void a_valid_token_comes_from_the_store(void **state)
{
    struct stage *stage = *state;
    seed_valid(stage);
    start(stage);
    CLEANUP(cleanup_message) struct message *came = answer(stage, ask(stage, ASK_TOKEN, "a"));
    assert_false(came->failed);
    assert_true(holds(came->token->access_token, "at-secret-a"));
    assert_string_equal(came->token->token_type, "Bearer");
    assert_string_equal(came->token->extra, "{}");
    assert_int_equal(came->token->generation, 1);
    assert_int_equal(came->token->expires_at - came->token->obtained_at, HOUR);
    expect_token(stage, ask_ttl(stage, 30 * MINUTE), "at-secret-a");
    assert_int_equal(server_count(stage->server, NULL), 0);
}

static void more_than_half_of_the_lifetime_is_too_much(void **state)
{
    struct stage *stage = *state;
    seed_valid(stage);
    start(stage);
    CLEANUP(cleanup_message)
    struct message *came = refusal(stage, ask_ttl(stage, 30 * MINUTE + SECOND), WIRE_BAD_REQUEST);
    assert_int_equal(came->failure.max_min_ttl_s, 1800);
    assert_int_equal(server_count(stage->server, NULL), 0);
}

static void a_token_near_its_end_is_replaced(void **state)
{
    struct stage *stage = *state;
    seed(stage, (struct seed){ .label = "a",
                               .refresh_token = "rt-secret-a",
                               .access_token = "at-secret-a",
                               .lifetime_ms = 20 * SECOND });
    server_script(stage->server, (struct canned){ .status = 200, .body = GRANT_PLAIN });
    set_speed(100);
    start(stage);
    expect_token(stage, ask_ttl(stage, SECOND), "at-secret-a");
    rest(250); /* 25 s of its time */
    expect_token(stage, ask_ttl(stage, 0), "at-secret-1");
}

static void what_is_unknown_is_said(void **state)
{
    static const enum message_kind kinds[] = { ASK_TOKEN, ASK_ACCOUNT, ASK_REFRESH };
    struct stage *stage = *state;
    for (size_t i = 0; i < 3; i++) {
        expect_failure(stage, ask(stage, kinds[i], "a"), WIRE_UNKNOWN_ACCOUNT);
        expect_failure(stage, ask(stage, kinds[i], "nobody/a"), WIRE_UNKNOWN_PROVIDER);
    }
    expect_failure(stage, ask(stage, ASK_PROVIDER, "nobody/"), WIRE_UNKNOWN_PROVIDER);
}

static void refreshes_on_demand_are_a_second_apart(void **state)
{
    struct stage *stage = *state;
    seed_valid(stage);
    server_script(stage->server, (struct canned){ .status = 200, .body = GRANT_ROTATED });
    start(stage);
    rest(1100);
    expect_token(stage, ask(stage, ASK_REFRESH, "a"), "at-secret-1");
    expect_failure(stage, ask(stage, ASK_REFRESH, "a"), WIRE_TOO_MANY_REQUESTS);
    assert_int_equal(server_count(stage->server, NULL), 1);
}

static void after_a_failure_demands_are_spaced(void **state)
{
    struct stage *stage = *state;
    seed(stage, (struct seed){ .label = "a", .refresh_token = "rt-secret-a" });
    server_script(stage->server, (struct canned){ .times = 4, .status = 500 });
    server_script(stage->server, (struct canned){ .status = 200, .body = GRANT_PLAIN });
    set_speed(20);
    start(stage);
    expect_failure(stage, ask(stage, ASK_TOKEN, "a"), WIRE_PROVIDER_UNAVAILABLE);
    CLEANUP(cleanup_message) struct message *came = answer(stage, ask(stage, ASK_TOKEN, "a"));
    assert_true(came->failed);
    assert_in_range(came->failure.retry_after_s, 1, 5);
    assert_int_equal(server_count(stage->server, NULL), 4);
    rest(300); /* 6 s of its time */
    expect_token(stage, ask(stage, ASK_TOKEN, "a"), "at-secret-5");
}

static void what_cannot_be_unsealed_is_said(void **state)
{
    struct stage *stage = *state;
    seed_valid(stage);
    run_sql(stage, "UPDATE accounts SET sealed = x'00'");
    start(stage);
    expect_failure(stage, ask(stage, ASK_TOKEN, "a"), WIRE_INTERNAL);
}

static struct message *list(struct stage *stage, const char *after, size_t limit)
{
    struct message *message = question(ASK_ACCOUNTS, after);
    message->limit = limit;
    return answer(stage, post(stage, message));
}

static void accounts_are_listed_in_pages(void **state)
{
    struct stage *stage = *state;
    for (int i = 0; i < 5; i++) {
        const char label[] = { 'a', (char)('0' + i), '\0' };
        seed(stage, (struct seed){ .label = label, .refresh_token = "rt-secret-a" });
    }
    start(stage);
    CLEANUP(cleanup_message) struct message *first = list(stage, NULL, 3);
    assert_int_equal(first->row_count, 3);
    assert_string_equal(first->rows[2].name.label, "a2");
    assert_null(first->rows[0].sealed);
    CLEANUP(cleanup_message) struct message *second = list(stage, "a2", 1000000);
    assert_int_equal(second->row_count, 2);
    CLEANUP(cleanup_message) struct message *none = list(stage, "a4", 3);
    assert_false(none->failed);
    assert_int_equal(none->row_count, 0);
    CLEANUP(cleanup_message) struct message *nothing = list(stage, NULL, 0);
    assert_int_equal(nothing->row_count, 0);
}

static void health_counts_and_names(void **state)
{
    struct stage *stage = *state;
    (void)add_provider(stage, "other");
    seed_valid(stage);
    seed(stage, (struct seed){ .label = "other/b",
                               .refresh_token = "rt-secret-b",
                               .state = ACCOUNT_CONSENT_REQUIRED });
    start(stage);
    CLEANUP(cleanup_message) struct message *came = answer(stage, ask(stage, ASK_HEALTH, NULL));
    assert_false(came->failed);
    assert_true(came->health->store_ok);
    assert_int_equal(came->health->accounts[ACCOUNT_ACTIVE], 1);
    assert_int_equal(came->health->accounts[ACCOUNT_CONSENT_REQUIRED], 1);
    assert_int_equal(came->health->provider_count, 2);
    assert_string_equal(came->health->providers[1].provider, "other");
    assert_false(came->health->providers[1].paused);
    stage->settings->provider_count = 1;
    reload(stage);
    CLEANUP(cleanup_message) struct message *later = answer(stage, ask(stage, ASK_HEALTH, NULL));
    assert_int_equal(later->health->provider_count, 1);
    expect_failure(stage, ask(stage, ASK_TOKEN, "other/b"), WIRE_UNKNOWN_PROVIDER);
    stage->settings->provider_count = 2;
}

/* More than are taken in one turn: each is answered, once. */
static void a_flood_is_answered(void **state)
{
    struct stage *stage = *state;
    seed_valid(stage);
    start(stage);
    for (int round = 0; round < 10; round++) {
        uint64_t ids[FRONT_SLOTS];
        for (size_t i = 0; i < FRONT_SLOTS; i++)
            ids[i] = ask(stage, ASK_TOKEN, "a");
        for (size_t i = 0; i < FRONT_SLOTS; i++)
            expect_token(stage, ids[i], "at-secret-a");
    }
}

static int64_t told_at_the_begin(struct stage *stage, const char *label)
{
    CLEANUP(cleanup_message) struct message *came = answer(stage, ask(stage, ASK_PROVIDER, label));
    assert_false(came->failed);
    return came->account_created_at;
}

/* By which a login is for no later account of the name; there is none where nobody gave a grant. */
static void a_login_is_told_which_account_it_is_for(void **state)
{
    struct stage *stage = *state;
    seed_valid(stage);
    start(stage);
    CLEANUP(cleanup_message) struct message *came = answer(stage, ask(stage, ASK_ACCOUNT, "a"));
    assert_int_equal(told_at_the_begin(stage, "a"), came->rows[0].created_at);
    assert_int_equal(told_at_the_begin(stage, "b"), 0);
}

/* Nobody is to consent to what cannot be written down. */
static void no_login_begins_for_a_row_that_cannot_be_read(void **state)
{
    struct stage *stage = *state;
    static const int results[] = { STORE_FOREIGN, -EBADMSG };
    for (size_t i = 0; i < 2; i++) {
        fail_reads("a", results[i]);
        expect_failure(stage, ask(stage, ASK_PROVIDER, "a"), WIRE_INTERNAL);
        expect_ok(stage, ask(stage, ASK_PROVIDER, "b"));
    }
    damage_reads(NULL);
}

/* It is no busy store, which would take it a second later. */
static void what_meets_damage_is_not_to_be_asked_again(void **state)
{
    struct stage *stage = *state;
    seed_valid(stage);
    start(stage);
    fail_reads("a", -EBADMSG);
    CLEANUP(cleanup_message)
    struct message *why = refusal(stage, ask(stage, ASK_FORGET, "a"), WIRE_INTERNAL);
    assert_non_null(strstr(why->failure.description, "damaged"));
    assert_int_equal(why->failure.retry_after_s, 0);
    damage_reads(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_valid_token_comes_from_the_store),
        TEST(more_than_half_of_the_lifetime_is_too_much),
        TEST(a_token_near_its_end_is_replaced),
        TEST_STARTED(what_is_unknown_is_said),
        TEST(a_login_is_told_which_account_it_is_for),
        TEST(refreshes_on_demand_are_a_second_apart),
        TEST(after_a_failure_demands_are_spaced),
        TEST(what_cannot_be_unsealed_is_said),
        TEST_STARTED(no_login_begins_for_a_row_that_cannot_be_read),
        TEST(what_meets_damage_is_not_to_be_asked_again),
        TEST(accounts_are_listed_in_pages),
        TEST(health_counts_and_names),
        TEST(a_flood_is_answered),
    };
    return RUN(tests);
}

/* What comes with a reply that is no plain grant may be the only copy of a token. */

#include "fixture.h"

#include <errno.h>

static void a_refresh_token_is_rescued_from_a_reply_that_is_no_grant(void **state)
{
    struct stage *stage = *state;
    CLEANUP(cleanup_account_row) struct account_row row = { 0 };
    CLEANUP(cleanup_grant) struct grant grant = { 0 };
    seed_due(stage, "a", NULL);
    server_script(stage->server, (struct canned){ .times = 1,
                                                  .status = 200,
                                                  .body = "{\"refresh_token\":\"rt-secret-x\"}" });
    server_script(stage->server, (struct canned){ .status = 503 });
    start(stage);
    assert_true(server_wait(stage->server, RT("a"), 1));
    for (int i = 0; i < 100 && row.failures == 0; i++) {
        account_row_release(&row);
        row = ask_row(stage, "a");
    }
    assert_int_equal(row.generation, 1);
    stop(stage);
    account_row_release(&row);
    stored(stage, "a", &row, &grant);
    assert_true(holds(grant.refresh_token, "rt-secret-x"));
    assert_true(holds(grant.predecessor, "rt-secret-a"));
    assert_int_equal(count_kept(stage, KEPT_UNREADABLE_REPLY), 1);
}

static void an_unreadable_reply_is_kept_sealed(void **state)
{
    struct stage *stage = *state;
    seed_due(stage, "a", NULL);
    server_script(stage->server, (struct canned){ .times = 1, .status = 200, .body = "{broken" });
    server_script(stage->server, (struct canned){ .status = 503 });
    start(stage);
    assert_true(server_wait(stage->server, RT("a"), 1));
    rest(200);
    stop(stage);
    assert_int_equal(count_kept(stage, KEPT_UNREADABLE_REPLY), 1);
}

/* The provider may have spent the old one for it, and it may be the only copy; but one that sends
 * such a thing each time does not fill the disk. */
static void an_odd_refresh_token_beside_a_grant_is_kept_once_a_day(void **state)
{
    static const char odd[] = "{\"access_token\":\"at-secret-%u\",\"expires_in\":3600,"
                              "\"refresh_token\":{\"value\":\"rt-secret-x\"}}";
    struct stage *stage = *state;
    CLEANUP(cleanup_account_row) struct account_row row = { 0 };
    CLEANUP(cleanup_grant) struct grant grant = { 0 };
    seed_due(stage, "a", NULL);
    server_script(stage->server, (struct canned){ .status = 200, .body = odd });
    start(stage);
    await_generation(stage, "a", 2);
    expect_ok(stage, ask_reject(stage, "a", "at-secret-1"));
    await_generation(stage, "a", 3);
    stop(stage);
    assert_int_equal(count_kept(stage, KEPT_UNREADABLE_REPLY), 1);
    stored(stage, "a", &row, &grant);
    assert_true(holds(grant.refresh_token, "rt-secret-a"));
    run_sql(stage, "UPDATE kept SET created_at = created_at - 86400000");
    run_sql(stage, "UPDATE accounts SET refresh_at = 1");
    start(stage);
    await_generation(stage, "a", 4);
    stop(stage);
    assert_int_equal(count_kept(stage, KEPT_UNREADABLE_REPLY), 2);
}

/* Both of its tokens were refused, and then the predecessor brought a new one. */
static void a_rescued_token_goes_next_after_the_predecessor(void **state)
{
    struct stage *stage = *state;
    CLEANUP(cleanup_account_row) struct account_row row = { 0 };
    CLEANUP(cleanup_grant) struct grant grant = { 0 };
    seed_due(stage, "a", "rt-secret-old");
    server_script(stage->server, (struct canned){ .match = RT("old"),
                                                  .times = 1,
                                                  .status = 200,
                                                  .body = "{\"refresh_token\":\"rt-secret-x\"}" });
    server_script(stage->server,
                  (struct canned){ .match = RT("x"), .status = 200, .body = GRANT_ROTATED });
    server_script(stage->server, (struct canned){ .status = 400, .body = REFUSED });
    set_speed(20);
    start(stage);
    await_generation(stage, "a", 2);
    assert_int_equal(server_count(stage->server, RT("old")), 1);
    stop(stage);
    stored(stage, "a", &row, &grant);
    assert_int_equal(row.state, ACCOUNT_ACTIVE);
    assert_true(holds(grant.refresh_token, "rt-secret-4"));
    assert_true(holds(grant.predecessor, "rt-secret-x"));
}

/* A refusal that brings a new token says nothing about that one. */
static void a_refusal_with_a_new_token_is_no_verdict(void **state)
{
    struct stage *stage = *state;
    CLEANUP(cleanup_account_row) struct account_row row = { 0 };
    CLEANUP(cleanup_grant) struct grant grant = { 0 };
    seed(stage, (struct seed){ .label = "a",
                               .refresh_token = "rt-secret-a",
                               .refresh_at = 1,
                               .state = ACCOUNT_SUSPECT,
                               .refusals = REFUSAL_TWICE });
    server_script(stage->server, (struct canned){ .status = 200,
                                                  .body = "{\"error\":\"invalid_grant\","
                                                          "\"refresh_token\":\"rt-secret-x\"}" });
    start(stage);
    assert_true(server_wait(stage->server, RT("a"), 1));
    rest(200);
    stop(stage);
    stored(stage, "a", &row, &grant);
    assert_int_equal(row.state, ACCOUNT_SUSPECT);
    assert_int_equal(row.refusals, REFUSAL_NONE);
    assert_true(row.refresh_at > 0);
    assert_true(holds(grant.refresh_token, "rt-secret-x"));
}

/* While its refresh is in the air, the row becomes one that gives that result. */
static void expect_kept_apart(struct stage *stage, int result)
{
    seed(stage, (struct seed){ .label = "b", .refresh_token = "rt-secret-b" });
    const uint64_t id = ask_in_the_air(stage, "a");
    server_script(stage->server, (struct canned){ .status = 200, .body = GRANT_ROTATED });
    fail_reads("a", result);
    server_release(stage->server);
    expect_failure(stage, id, WIRE_INTERNAL);
    const uint64_t other = ask(stage, ASK_REFRESH, "b");
    CLEANUP(cleanup_message) struct message *came = answer(stage, other);
    assert_false(came->failed);
    assert_int_equal(server_count(stage->server, RT("a")), 1);
}

/* What came takes its place as soon as it can, and what was spent for it is not sent again. */
static void expect_found_again(struct stage *stage)
{
    CLEANUP(cleanup_account_row) struct account_row row = { 0 };
    CLEANUP(cleanup_grant) struct grant grant = { 0 };
    expect_token(stage, ask(stage, ASK_TOKEN, "a"), "at-secret-3");
    assert_int_equal(server_count(stage->server, RT("a")), 1);
    assert_int_equal(server_count(stage->server, RT("1")), 1);
    stop(stage);
    assert_int_equal(count_kept(stage, KEPT_SUCCESSOR), 0);
    stored(stage, "a", &row, &grant);
    assert_true(holds(grant.refresh_token, "rt-secret-3"));
    assert_true(holds(grant.predecessor, "rt-secret-1"));
}

/* The provider spent the old token for one that has no place any more. */
static void a_grant_whose_row_is_damaged_is_kept_sealed(void **state)
{
    struct stage *stage = *state;
    expect_kept_apart(stage, STORE_FOREIGN);
    stop(stage);
    fail_reads(NULL, 0);
    assert_int_equal(count_kept(stage, KEPT_SUCCESSOR), 1);
    start(stage);
    expect_found_again(stage);
}

/* That sends no refresh token; what a person consented to stays for the day that it is put back. */
static void it_takes_its_place_under_another_section_too(void **state)
{
    struct stage *stage = *state;
    CLEANUP(cleanup_account_row) struct account_row row = { 0 };
    CLEANUP(cleanup_grant) struct grant grant = { 0 };
    expect_kept_apart(stage, STORE_FOREIGN);
    stop(stage);
    fail_reads(NULL, 0);
    acme(stage)->grant = GRANT_CLIENT_CREDENTIALS;
    start(stage);
    expect_token(stage, ask(stage, ASK_TOKEN, "a"), "at-secret-3");
    stop(stage);
    assert_int_equal(count_kept(stage, KEPT_SUCCESSOR), 0);
    stored(stage, "a", &row, &grant);
    assert_true(holds(grant.refresh_token, "rt-secret-1"));
}

static void so_is_one_whose_page_is_damaged_and_others_go_on(void **state)
{
    expect_kept_apart(*state, -EBADMSG);
    fail_reads(NULL, 0);
    expect_found_again(*state);
}

/* It can be read, but no longer written, as where a page of an index is damaged. */
static void while_it_has_no_place_nothing_is_sent(void **state)
{
    struct stage *stage = *state;
    CLEANUP(cleanup_account_row) struct account_row row = { 0 };
    CLEANUP(cleanup_grant) struct grant grant = { 0 };
    expect_kept_apart(stage, -EBADMSG);
    fail_reads(NULL, 0);
    damage_writes("a");
    for (int i = 0; i < 2; i++)
        expect_failure(stage, ask(stage, ASK_TOKEN, "a"), WIRE_INTERNAL);
    assert_int_equal(server_count(stage->server, NULL), 2);
    damage_writes(NULL);
    expect_ok(stage, ask_import(stage, "a", "rt-secret-new"));
    expect_token(stage, ask(stage, ASK_TOKEN, "a"), "at-secret-3");
    assert_int_equal(server_count(stage->server, RT("new")), 1);
    stop(stage);
    assert_int_equal(count_kept(stage, KEPT_SUCCESSOR), 0);
    stored(stage, "a", &row, &grant);
    assert_true(holds(grant.refresh_token, "rt-secret-3"));
}

static void a_logout_revokes_it_too(void **state)
{
    struct stage *stage = *state;
    set_revocation_endpoint(stage);
    expect_kept_apart(stage, STORE_FOREIGN);
    fail_reads(NULL, 0);
    expect_ok(stage, ask(stage, ASK_FORGET, "a"));
    assert_true(server_wait(stage->server, "token=rt-secret-1", 1));
    stop(stage);
    assert_int_equal(count_kept(stage, KEPT_SUCCESSOR), 0);
}

/* Its place is under the name that it came for. */
static void a_rename_waits_until_it_has_its_place(void **state)
{
    struct stage *stage = *state;
    expect_kept_apart(stage, STORE_FOREIGN);
    stop(stage);
    fail_reads(NULL, 0);
    run_sql(stage, "UPDATE accounts SET refresh_at = 9000000000000000"); /* it takes it later */
    start(stage);
    struct message *rename = question(ASK_RENAME, "a");
    rename->new_name = (struct account_name){ "acme", "c" };
    expect_failure(stage, post(stage, rename), WIRE_BUSY);
    expect_found_again(stage);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_refresh_token_is_rescued_from_a_reply_that_is_no_grant),
        TEST(an_unreadable_reply_is_kept_sealed),
        TEST(an_odd_refresh_token_beside_a_grant_is_kept_once_a_day),
        TEST(a_rescued_token_goes_next_after_the_predecessor),
        TEST(a_refusal_with_a_new_token_is_no_verdict),
        TEST(a_grant_whose_row_is_damaged_is_kept_sealed),
        TEST(it_takes_its_place_under_another_section_too),
        TEST(so_is_one_whose_page_is_damaged_and_others_go_on),
        TEST(while_it_has_no_place_nothing_is_sent),
        TEST(a_logout_revokes_it_too),
        TEST(a_rename_waits_until_it_has_its_place),
    };
    return RUN(tests);
}

/* Links: a person elsewhere consents by one; whose consent it is decides what becomes of it. */

#include "fixture.h"

#include "back/links.h"

#include <stdio.h>

#define GRANT_OF(identity)                                                                         \
    "{\"access_token\":\"at-secret-%u\",\"expires_in\":3600,\"refresh_token\":\"rt-secret-%u\","   \
    "\"company_id\":\"" identity "\"}"
#define GRANT_ALIKE                                                                                \
    "{\"access_token\":\"at-secret-%u\",\"expires_in\":3600,\"refresh_token\":\"rt-alike\","       \
    "\"company_id\":\"one\"}"
#define DAY (24 * HOUR)

/* Provider acme behind a public name; not started. */
static int set_up_public(void **state)
{
    (void)set_up(state);
    struct stage *stage = *state;
    set_public_url(stage);
    set_text(&acme(stage)->identity, "company_id");
    return 0;
}

static int set_up_started(void **state)
{
    (void)set_up_public(state);
    start(*state);
    return 0;
}

static struct message *make(struct stage *stage, const char *label, const char *expect)
{
    struct message *message = question(ASK_LINK, label);
    message->link_order = calloc(1, sizeof *message->link_order);
    message->link_order->life_ms = DAY;
    message->link_order->uid = 7;
    if (expect)
        set_text(&message->link_order->expect, expect);
    return answer(stage, post(stage, message));
}

/* Makes one that has to be made; its digest goes to out. */
static void make_one(struct stage *stage, const char *label, const char *expect,
                     char out[static LINK_DIGEST_SIZE])
{
    CLEANUP(cleanup_message) struct message *came = make(stage, label, expect);
    if (came->failed)
        fail_msg("%s", came->failure.description);
    memcpy(out, came->rows[0].link->digest, LINK_DIGEST_SIZE);
}

static struct message *by_digest(struct stage *stage, enum message_kind kind, const char *digest)
{
    struct message *message = question(kind, NULL);
    (void)snprintf(message->link_digest, LINK_DIGEST_SIZE, "%s", digest);
    return answer(stage, post(stage, message));
}

static enum link_ending ending_of(struct stage *stage, const char *digest)
{
    CLEANUP(cleanup_message) struct message *came = by_digest(stage, ASK_LINK_LOOK, digest);
    assert_false(came->failed);
    assert_true((came->rows[0].link->ending == LINK_OPEN) == (came->rows[0].link->token != NULL));
    return came->rows[0].link->ending;
}

static uint64_t begin_consent(struct stage *stage, const char *label, const char *digest)
{
    struct message *message = question(ASK_EXCHANGE, label);
    message->exchange = calloc(1, sizeof *message->exchange);
    assert_int_equal(secret_new("code-secret-1", 13, &message->exchange->code), 0);
    message->exchange->redirect_uri = strdup("https://hr.example/oauth/callback/acme");
    (void)snprintf(message->exchange->link, LINK_DIGEST_SIZE, "%s", digest);
    return post(stage, message);
}

static struct message *consent(struct stage *stage, const char *label, const char *digest)
{
    return answer(stage, begin_consent(stage, label, digest));
}

static void expect_consent(struct stage *stage, const char *label, const char *digest,
                           enum consent_outcome outcome)
{
    CLEANUP(cleanup_message) struct message *came = consent(stage, label, digest);
    if (came->failed)
        fail_msg("%s", came->failure.description);
    assert_int_equal(came->consent->outcome, outcome);
    const bool again = outcome == CONSENT_IDENTITY_MISMATCH || outcome == CONSENT_UNTOLD;
    assert_int_equal(came->consent->link_used, !again);
}

static struct message *decide(struct stage *stage, const char *label, bool accept)
{
    CLEANUP(cleanup_account_row) struct account_row row = ask_row(stage, label);
    struct message *message = question(ASK_DECIDE, label);
    message->accept = accept;
    message->held_at = row.held_at;
    return answer(stage, post(stage, message));
}

static void it_is_shown_and_outlives_a_restart(void **state)
{
    struct stage *stage = *state;
    char token[LINK_TOKEN_SIZE], digest[FINGERPRINT_SIZE];
    CLEANUP(cleanup_message) struct message *came = make(stage, "a", NULL);
    assert_false(came->failed);
    const struct link_row *link = came->rows[0].link;
    assert_int_equal(strlen(link->token), LINK_TOKEN_SIZE - 1);
    assert_string_equal(digest_text(link->token, strlen(link->token), digest), link->digest);
    assert_int_equal(link->expires_at, link->created_at + DAY);
    memcpy(token, link->token, sizeof token);
    stop(stage);
    start(stage);
    CLEANUP(cleanup_message) struct message *again = answer(stage, ask(stage, ASK_LINK_OF, "a"));
    assert_string_equal(again->rows[0].link->token, token);
    expect_failure(stage, ask(stage, ASK_LINK_OF, "b"), WIRE_NOT_FOUND);
    expect_failure(stage, ask(stage, ASK_ACCOUNT, "a"), WIRE_UNKNOWN_ACCOUNT);
}

static void a_newer_replaces_it_and_one_is_withdrawn(void **state)
{
    struct stage *stage = *state;
    char first[LINK_DIGEST_SIZE], second[LINK_DIGEST_SIZE];
    make_one(stage, "a", NULL, first);
    make_one(stage, "a", NULL, second);
    assert_int_equal(ending_of(stage, first), LINK_REPLACED);
    assert_int_equal(ending_of(stage, second), LINK_OPEN);
    expect_ok(stage, ask(stage, ASK_UNLINK, "a"));
    assert_int_equal(ending_of(stage, second), LINK_WITHDRAWN);
    expect_failure(stage, ask(stage, ASK_UNLINK, "a"), WIRE_NOT_FOUND);
    CLEANUP(cleanup_message) struct message *none = by_digest(stage, ASK_LINK_LOOK, "nothing");
    assert_int_equal(none->failure.error, WIRE_NOT_FOUND);
}

static void they_are_listed(void **state)
{
    struct stage *stage = *state;
    char digest[LINK_DIGEST_SIZE];
    make_one(stage, "b", "two", digest);
    make_one(stage, "a", NULL, digest);
    struct message *asked = question(ASK_LINKS, NULL);
    asked->limit = 10;
    CLEANUP(cleanup_message) struct message *came = answer(stage, post(stage, asked));
    assert_int_equal(came->row_count, 2);
    assert_string_equal(came->rows[0].name.label, "a");
    assert_non_null(came->rows[0].link->token);
    assert_string_equal(came->rows[1].link->expect, "two");
}

static void clicks_are_counted_and_bounded(void **state)
{
    struct stage *stage = *state;
    char digest[LINK_DIGEST_SIZE];
    make_one(stage, "a", NULL, digest);
    for (unsigned i = 1; i <= LINK_CLICKS_PER_HOUR; i++) {
        CLEANUP(cleanup_message) struct message *came = by_digest(stage, ASK_LINK_CLICK, digest);
        assert_false(came->failed);
        assert_int_equal(came->rows[0].link->clicks, i);
    }
    CLEANUP(cleanup_message) struct message *more = by_digest(stage, ASK_LINK_CLICK, digest);
    assert_int_equal(more->failure.error, WIRE_TOO_MANY_REQUESTS);
    assert_int_equal(ending_of(stage, digest), LINK_OPEN);
    stop(stage);
    run_sql(stage, "UPDATE links SET hour_began_at = hour_began_at - 3600000");
    start(stage);
    CLEANUP(cleanup_message) struct message *later = by_digest(stage, ASK_LINK_CLICK, digest);
    assert_int_equal(later->rows[0].link->clicks, LINK_CLICKS_PER_HOUR + 1);
}

static void a_first_consent_is_held_then_accepted(void **state)
{
    struct stage *stage = *state;
    char digest[LINK_DIGEST_SIZE];
    server_script(stage->server, (struct canned){ .status = 200, .body = GRANT_OF("one") });
    make_one(stage, "a", NULL, digest);
    expect_consent(stage, "a", digest, CONSENT_AWAITS);
    assert_int_equal(ending_of(stage, digest), LINK_USED);
    for (size_t i = 0; i < stage->notice_count; i++)
        assert_null(stage->notices[i]->token);
    CLEANUP(cleanup_account_row) struct account_row row = ask_row(stage, "a");
    assert_int_equal(row.state, ACCOUNT_CONSENT_REQUIRED);
    assert_int_equal(row.generation, 0);
    assert_string_equal(row.held_identity, "one");
    CLEANUP(cleanup_message) struct message *asked = answer(stage, ask(stage, ASK_TOKEN, "a"));
    assert_int_equal(asked->failure.error, WIRE_CONSENT_REQUIRED);
    assert_non_null(strstr(asked->failure.description, "tokenbroker accept acme/a"));
    assert_string_equal(asked->failure.link, "");
    CLEANUP(cleanup_message) struct message *accepted = decide(stage, "a", true);
    assert_false(accepted->failed);
    assert_string_equal(accepted->rows[0].identity, "one");
    assert_int_equal(accepted->rows[0].generation, 1);
    expect_token(stage, ask(stage, ASK_TOKEN, "a"), "at-secret-1");
}

static void a_first_consent_is_held_then_discarded(void **state)
{
    struct stage *stage = *state;
    char digest[LINK_DIGEST_SIZE];
    server_script(stage->server, (struct canned){ .status = 200, .body = GRANT_OF("one") });
    make_one(stage, "a", NULL, digest);
    expect_consent(stage, "a", digest, CONSENT_AWAITS);
    CLEANUP(cleanup_message) struct message *discarded = decide(stage, "a", false);
    assert_false(discarded->failed);
    expect_failure(stage, ask(stage, ASK_ACCOUNT, "a"), WIRE_UNKNOWN_ACCOUNT);
    make_one(stage, "a", NULL, digest);
}

static void the_expected_one_is_connected_at_once(void **state)
{
    struct stage *stage = *state;
    char digest[LINK_DIGEST_SIZE];
    server_script(stage->server, (struct canned){ .status = 200, .body = GRANT_OF("one") });
    make_one(stage, "a", "one", digest);
    expect_consent(stage, "a", digest, CONSENT_GRANTED);
    assert_int_equal(ending_of(stage, digest), LINK_USED);
    expect_token(stage, ask(stage, ASK_TOKEN, "a"), "at-secret-1");
    CLEANUP(cleanup_message) struct message *second = consent(stage, "a", digest);
    assert_int_equal(second->failure.error, WIRE_BAD_REQUEST);
    assert_int_equal(server_count(stage->server, "code=code-secret-1"), 1);
}

static void another_than_the_expected_is_held_and_the_link_goes_on(void **state)
{
    struct stage *stage = *state;
    char digest[LINK_DIGEST_SIZE];
    server_script(stage->server, (struct canned){ .status = 200, .body = GRANT_OF("other") });
    make_one(stage, "a", "one", digest);
    expect_consent(stage, "a", digest, CONSENT_IDENTITY_MISMATCH);
    assert_int_equal(ending_of(stage, digest), LINK_OPEN);
    expect_failure(stage, ask(stage, ASK_TOKEN, "a"), WIRE_CONSENT_REQUIRED);
    CLEANUP(cleanup_message) struct message *discarded = decide(stage, "a", false);
    assert_false(discarded->failed);
    assert_int_equal(ending_of(stage, digest), LINK_OPEN);
}

/* The provider does not say who it was: nobody can vouch for it but an admin. */
static void one_without_an_identity_is_held(void **state)
{
    struct stage *stage = *state;
    char digest[LINK_DIGEST_SIZE];
    server_script(stage->server, (struct canned){ .status = 200, .body = GRANT_ROTATED });
    make_one(stage, "a", "one", digest);
    expect_consent(stage, "a", digest, CONSENT_UNTOLD);
    assert_int_equal(ending_of(stage, digest), LINK_OPEN);
    make_one(stage, "b", NULL, digest);
    CLEANUP(cleanup_message) struct message *owned = consent(stage, "c", digest);
    assert_int_equal(owned->failure.error, WIRE_BAD_REQUEST); /* it is b's link */
}

static void an_account_of_another_cannot_be_expected(void **state)
{
    struct stage *stage = *state;
    seed(stage, (struct seed){ .label = "a", .refresh_token = "rt-secret-0", .identity = "one" });
    start(stage);
    CLEANUP(cleanup_message) struct message *other = make(stage, "a", "two");
    assert_int_equal(other->failure.error, WIRE_BAD_REQUEST);
    CLEANUP(cleanup_message) struct message *same = make(stage, "a", NULL);
    assert_string_equal(same->rows[0].link->expect, "one");
}

/* Their page must not name the account that has the grant already. */
static void a_visitor_does_not_learn_of_other_accounts(void **state)
{
    struct stage *stage = *state;
    char digest[LINK_DIGEST_SIZE];
    server_script(stage->server, (struct canned){ .status = 200, .body = GRANT_ALIKE });
    CLEANUP(cleanup_message) struct message *first = consent(stage, "secretive", "");
    assert_false(first->failed);
    make_one(stage, "a", NULL, digest);
    CLEANUP(cleanup_message) struct message *came = consent(stage, "a", digest);
    assert_int_equal(came->failure.error, WIRE_PROVIDER_REJECTED);
    assert_null(strstr(came->failure.description, "secretive"));
    assert_int_equal(ending_of(stage, digest), LINK_OPEN);
    CLEANUP(cleanup_message) struct message *here = consent(stage, "b", "");
    assert_null(strstr(here->failure.description, "secretive"));
}

static void a_login_here_ends_the_link(void **state)
{
    struct stage *stage = *state;
    char digest[LINK_DIGEST_SIZE];
    server_script(stage->server, (struct canned){ .status = 200, .body = GRANT_OF("one") });
    make_one(stage, "a", NULL, digest);
    expect_ok(stage, ask_exchange(stage, "a", "code-secret-1", NULL));
    assert_int_equal(ending_of(stage, digest), LINK_USED);
    make_one(stage, "b", NULL, digest);
    expect_ok(stage, ask_import(stage, "b", "rt-secret-b"));
    assert_int_equal(ending_of(stage, digest), LINK_USED);
}

/* In the commit of the verdict, with the identity that it had. */
static void a_refused_account_gets_its_link(void **state)
{
    struct stage *stage = *state;
    seed(stage, (struct seed){ .label = "a", .refresh_token = "rt-secret-0", .identity = "one" });
    server_script(stage->server,
                  (struct canned){ .match = "rt-secret-0", .status = 400, .body = REFUSED });
    server_script(stage->server, (struct canned){ .status = 200, .body = GRANT_OF("one") });
    set_speed(50);
    start(stage);
    CLEANUP(cleanup_message) struct message *refused = answer(stage, ask(stage, ASK_TOKEN, "a"));
    assert_int_equal(refused->failure.error, WIRE_CONSENT_REQUIRED);
    assert_int_equal(strlen(refused->failure.link), LINK_TOKEN_SIZE - 1);
    CLEANUP(cleanup_message) struct message *again = answer(stage, ask(stage, ASK_TOKEN, "a"));
    assert_string_equal(again->failure.link, refused->failure.link);
    CLEANUP(cleanup_account_row) struct account_row row = ask_row(stage, "a");
    assert_string_equal(row.link->token, refused->failure.link);
    assert_string_equal(row.link->expect, "one");
    assert_int_equal(row.link->expires_at - row.link->created_at, LINK_OFFERED_MS);
    expect_consent(stage, "a", row.link->digest, CONSENT_GRANTED);
    CLEANUP(cleanup_account_row) struct account_row after = ask_row(stage, "a");
    assert_int_equal(after.state, ACCOUNT_ACTIVE);
    assert_null(after.link);
}

/* Also one that came to need it before there were links, or whose link has expired. */
static void it_is_made_when_somebody_asks(void **state)
{
    struct stage *stage = *state;
    seed(stage, (struct seed){ .label = "a",
                               .refresh_token = "rt-secret-0",
                               .state = ACCOUNT_CONSENT_REQUIRED });
    start(stage);
    CLEANUP(cleanup_message) struct message *first = answer(stage, ask(stage, ASK_TOKEN, "a"));
    assert_int_equal(first->failure.error, WIRE_CONSENT_REQUIRED);
    assert_int_equal(strlen(first->failure.link), LINK_TOKEN_SIZE - 1);
    stop(stage);
    run_sql(stage, "UPDATE links SET expires_at = 1");
    start(stage);
    CLEANUP(cleanup_account_row) struct account_row row = ask_row(stage, "a");
    assert_null(row.link);
    refuse_commits(1);
    CLEANUP(cleanup_message) struct message *full = answer(stage, ask(stage, ASK_TOKEN, "a"));
    assert_int_equal(full->failure.error, WIRE_CONSENT_REQUIRED);
    assert_string_equal(full->failure.link, "");
}

/* So many open links of that user, of accounts that nobody knows. */
static void have_links(struct stage *stage, unsigned uid, unsigned count)
{
    char sql[512];
    (void)snprintf(sql, sizeof sql,
                   "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < %u) "
                   "INSERT INTO links (provider, label, digest, created_at, expires_at, ending, "
                   "ended_at, forget_at, uid, clicks, hour_began_at, hour_clicks) "
                   "SELECT 'acme', 'u' || %u || i, %u || '-' || i, 1, 9000000000000000, 0, 0, "
                   "9000000000000000, %u, 0, 0, 0 "
                   "FROM n",
                   count, uid, uid, uid);
    stop(stage);
    run_sql(stage, sql);
    start(stage);
}

static void one_user_cannot_make_them_all(void **state)
{
    struct stage *stage = *state;
    char digest[LINK_DIGEST_SIZE];
    have_links(stage, 7, LINKS_OPEN_PER_UID_MAX - 1);
    make_one(stage, "last", NULL, digest);
    CLEANUP(cleanup_message) struct message *own = make(stage, "more", NULL);
    assert_int_equal(own->failure.error, WIRE_TOO_MANY_REQUESTS);
    assert_non_null(strstr(own->failure.description, "links of yours"));
    have_links(stage, 8, LINKS_OPEN_MAX - LINKS_OPEN_PER_UID_MAX);
    CLEANUP(cleanup_message) struct message *full = make(stage, "more", NULL);
    assert_int_equal(full->failure.error, WIRE_TOO_MANY_REQUESTS);
    assert_non_null(strstr(full->failure.description, "the most there can be"));
}

static void none_is_offered_where_none_can_lead(void **state)
{
    struct stage *stage = *state;
    set_text(&acme(stage)->redirect_uri, "http://127.0.0.1:1/callback");
    seed(stage, (struct seed){ .label = "a",
                               .refresh_token = "rt-secret-0",
                               .state = ACCOUNT_CONSENT_REQUIRED });
    start(stage);
    CLEANUP(cleanup_message) struct message *came = answer(stage, ask(stage, ASK_TOKEN, "a"));
    assert_int_equal(came->failure.error, WIRE_CONSENT_REQUIRED);
    assert_string_equal(came->failure.link, "");
}

static void it_moves_and_ends_with_its_account(void **state)
{
    struct stage *stage = *state;
    char digest[LINK_DIGEST_SIZE];
    server_script(stage->server, (struct canned){ .status = 200, .body = GRANT_OF("other") });
    make_one(stage, "a", "one", digest);
    expect_consent(stage, "a", digest, CONSENT_IDENTITY_MISMATCH);
    struct message *renaming = question(ASK_RENAME, "a");
    renaming->new_name = (struct account_name){ "acme", "b" };
    CLEANUP(cleanup_message) struct message *renamed = answer(stage, post(stage, renaming));
    if (renamed->failed)
        fail_msg("%s", renamed->failure.description);
    assert_int_equal(renamed->rows[0].generation, 0);
    CLEANUP(cleanup_message) struct message *came = answer(stage, ask(stage, ASK_LINK_OF, "b"));
    assert_string_equal(came->rows[0].link->digest, digest);
    assert_non_null(came->rows[0].link->token);
    expect_ok(stage, ask(stage, ASK_FORGET, "b"));
    assert_int_equal(ending_of(stage, digest), LINK_WITHDRAWN);
    expect_failure(stage, ask(stage, ASK_ACCOUNT, "b"), WIRE_UNKNOWN_ACCOUNT);
}

#define TEST_PUBLIC(name) cmocka_unit_test_setup_teardown(name, set_up_public, tear_down)
#define TEST_MADE(name) cmocka_unit_test_setup_teardown(name, set_up_started, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_MADE(it_is_shown_and_outlives_a_restart),
        TEST_MADE(a_newer_replaces_it_and_one_is_withdrawn),
        TEST_MADE(they_are_listed),
        TEST_MADE(clicks_are_counted_and_bounded),
        TEST_MADE(a_first_consent_is_held_then_accepted),
        TEST_MADE(a_first_consent_is_held_then_discarded),
        TEST_MADE(the_expected_one_is_connected_at_once),
        TEST_MADE(another_than_the_expected_is_held_and_the_link_goes_on),
        TEST_MADE(one_without_an_identity_is_held),
        TEST_PUBLIC(an_account_of_another_cannot_be_expected),
        TEST_MADE(a_visitor_does_not_learn_of_other_accounts),
        TEST_MADE(a_login_here_ends_the_link),
        TEST_PUBLIC(a_refused_account_gets_its_link),
        TEST_PUBLIC(it_is_made_when_somebody_asks),
        TEST_PUBLIC(none_is_offered_where_none_can_lead),
        TEST_MADE(one_user_cannot_make_them_all),
        TEST_MADE(it_moves_and_ends_with_its_account),
    };
    return RUN(tests);
}

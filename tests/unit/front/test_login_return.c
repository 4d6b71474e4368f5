#include "login_support.h"

#include <stdio.h>

#include "base/clock.h"

/* --- what the redirect brings --- */

struct return_row {
    const char *what;
    size_t provider;
    const char *query; /* STATE stands for the login's */
    enum { OWN_COOKIE, NO_COOKIE, OTHER_COOKIE } cookie;
    enum login_landing landing;
    enum login_status after;
};

static const struct return_row return_rows[] = {
    { "code and state", PROVIDER_ZENEGY, "code=c&state=STATE", OWN_COOKIE, LANDING_EXCHANGING,
      LOGIN_EXCHANGING },
    { "with iss", PROVIDER_ZENEGY, "code=c&state=STATE&iss=https://auth.example", OWN_COOKIE,
      LANDING_EXCHANGING, LOGIN_EXCHANGING },
    { "unknown parameters", PROVIDER_ZENEGY, "x=1&code=c&state=STATE&session_state=2", OWN_COOKIE,
      LANDING_EXCHANGING, LOGIN_EXCHANGING },
    { "no cookie", PROVIDER_ZENEGY, "code=c&state=STATE", NO_COOKIE, LANDING_FOREIGN,
      LOGIN_PENDING },
    { "another's cookie", PROVIDER_ZENEGY, "code=c&state=STATE", OTHER_COOKIE, LANDING_FOREIGN,
      LOGIN_PENDING },
    { "wrong state", PROVIDER_ZENEGY, "code=c&state=other", OWN_COOKIE, LANDING_UNKNOWN,
      LOGIN_PENDING },
    { "no state", PROVIDER_ZENEGY, "code=c", OWN_COOKIE, LANDING_STATE_MISSING, LOGIN_PENDING },
    { "wrong iss", PROVIDER_ZENEGY, "code=c&state=STATE&iss=https://evil.example", OWN_COOKIE,
      LANDING_WRONG_ISSUER, LOGIN_PENDING },
    { "iss before error", PROVIDER_ZENEGY,
      "error=access_denied&state=STATE&iss=https://evil.example", OWN_COOKIE, LANDING_WRONG_ISSUER,
      LOGIN_PENDING },
    { "iss with a slash", PROVIDER_ZENEGY, "code=c&state=STATE&iss=https://auth.example/",
      OWN_COOKIE, LANDING_WRONG_ISSUER, LOGIN_PENDING },
    { "promised iss absent", PROVIDER_STRICT, "code=c&state=STATE", OWN_COOKIE,
      LANDING_WRONG_ISSUER, LOGIN_PENDING },
    { "promised iss absent, error", PROVIDER_STRICT, "error=access_denied&state=STATE", OWN_COOKIE,
      LANDING_WRONG_ISSUER, LOGIN_PENDING },
    { "promised iss", PROVIDER_STRICT, "code=c&state=STATE&iss=https://auth.example", OWN_COOKIE,
      LANDING_EXCHANGING, LOGIN_EXCHANGING },
    { "iss of a provider without issuer", PROVIDER_ABSENT, "code=c&iss=https://any.example",
      OWN_COOKIE, LANDING_EXCHANGING, LOGIN_EXCHANGING },
    { "error", PROVIDER_ZENEGY, "error=access_denied&state=STATE", OWN_COOKIE, LANDING_OVER,
      LOGIN_FAILED },
    { "error without state", PROVIDER_ZENEGY, "error=access_denied", OWN_COOKIE, LANDING_OVER,
      LOGIN_FAILED },
    { "error without cookie", PROVIDER_ZENEGY, "error=access_denied&state=STATE", NO_COOKIE,
      LANDING_FOREIGN, LOGIN_PENDING },
    { "error alone", PROVIDER_ZENEGY, "error=access_denied", NO_COOKIE, LANDING_FOREIGN,
      LOGIN_PENDING },
    { "error, another's cookie", PROVIDER_ZENEGY, "error=access_denied", OTHER_COOKIE,
      LANDING_FOREIGN, LOGIN_PENDING },
    { "error, wrong state", PROVIDER_ZENEGY, "error=access_denied&state=x", OWN_COOKIE,
      LANDING_UNKNOWN, LOGIN_PENDING },
    { "neither", PROVIDER_ZENEGY, "state=STATE", OWN_COOKIE, LANDING_OVER, LOGIN_FAILED },
    { "nothing at all", PROVIDER_ZENEGY, "", OWN_COOKIE, LANDING_OVER, LOGIN_FAILED },
    { "nothing, no cookie", PROVIDER_ZENEGY, "", NO_COOKIE, LANDING_FOREIGN, LOGIN_PENDING },
    { "absent: code alone", PROVIDER_ABSENT, "code=c", OWN_COOKIE, LANDING_EXCHANGING,
      LOGIN_EXCHANGING },
    { "absent: state echoed", PROVIDER_ABSENT, "code=c&state=STATE", OWN_COOKIE, LANDING_EXCHANGING,
      LOGIN_EXCHANGING },
    { "absent: wrong state", PROVIDER_ABSENT, "code=c&state=x", OWN_COOKIE, LANDING_UNKNOWN,
      LOGIN_PENDING },
    { "absent: no cookie", PROVIDER_ABSENT, "code=c", NO_COOKIE, LANDING_FOREIGN, LOGIN_PENDING },
    { "absent: another's cookie", PROVIDER_ABSENT, "code=c", OTHER_COOKIE, LANDING_FOREIGN,
      LOGIN_PENDING },
    { "absent: neither", PROVIDER_ABSENT, "", OWN_COOKIE, LANDING_OVER, LOGIN_FAILED },
};

static void check_return(struct fixture *f, size_t index, const struct return_row *row)
{
    char own[FIXTURE_TEXT_MAX], other[FIXTURE_TEXT_MAX], query[FIXTURE_TEXT_MAX];
    struct login *login = login_opened(f, row->provider, own);
    /* Another browser's login, with another redirect path. */
    login_opened(f, row->provider == PROVIDER_STRICT ? PROVIDER_ZENEGY : PROVIDER_STRICT, other);
    const char *cookies = row->cookie == OWN_COOKIE     ? own
                          : row->cookie == OTHER_COOKIE ? other
                                                        : NULL;
    struct login *found = NULL;
    login_fill_state(row->query, login, query);
    enum login_landing landing = login_land(f, login->redirect_target, cookies, query, &found);
    if (landing != row->landing || login->status != row->after)
        fail_row(index, row->what);
    if (landing == LANDING_EXCHANGING || landing == LANDING_OVER)
        assert_ptr_equal(found, login);
    CLEANUP(cleanup_message) struct message *question = fixture_question(f);
    assert_int_equal(question != NULL, landing == LANDING_EXCHANGING);
}

static void test_return(void **state)
{
    for (size_t i = 0; i < LENGTH_OF(return_rows); i++) {
        struct fixture f;
        fixture_start(&f, PORT);
        check_return(&f, i, &return_rows[i]);
        fixture_stop(&f);
    }
}

static void test_return_to_another_path(void **state)
{
    struct fixture *f = *state;
    char cookies[FIXTURE_TEXT_MAX], query[FIXTURE_TEXT_MAX];
    struct login *login = login_opened(f, PROVIDER_ZENEGY, cookies), *found = NULL;
    login_fill_state("code=c&state=STATE", login, query);
    assert_int_equal(login_land(f, ORIGIN "/callback/strict", cookies, query, &found),
                     LANDING_UNKNOWN);
    assert_int_equal(login_land(f, "http://localhost:8765/callback/zenegy", cookies, query, &found),
                     LANDING_UNKNOWN);
    assert_int_equal(login->status, LOGIN_PENDING);
}

static void test_refusal_that_fits_two(void **state)
{
    struct fixture *f = *state;
    char first[FIXTURE_TEXT_MAX], second[FIXTURE_TEXT_MAX], both[2 * FIXTURE_TEXT_MAX + 2];
    struct login *a = login_opened(f, PROVIDER_ZENEGY, first);
    struct login *b = login_opened(f, PROVIDER_ZENEGY, second), *found = NULL;
    (void)snprintf(both, sizeof(both), "%s; %s", first, second);
    assert_int_equal(login_land(f, a->redirect_target, both, "error=access_denied", &found),
                     LANDING_NOT_GRANTED);
    assert_int_equal(a->status, LOGIN_PENDING);
    assert_int_equal(b->status, LOGIN_PENDING);
}

/* Without a state: one whose code came already waits for none, and knows it again. */
static void test_two_of_which_one_is_exchanged(void **state)
{
    struct fixture *f = *state;
    char first[FIXTURE_TEXT_MAX], second[FIXTURE_TEXT_MAX], both[2 * FIXTURE_TEXT_MAX + 2];
    struct login *a = login_opened(f, PROVIDER_ABSENT, first), *found = NULL;
    assert_int_equal(login_land(f, a->redirect_target, first, "code=one", &found),
                     LANDING_EXCHANGING);
    CLEANUP(cleanup_message) struct message *one = fixture_question(f);
    struct login *b = login_opened(f, PROVIDER_ABSENT, second);
    (void)snprintf(both, sizeof(both), "%s; %s", first, second);

    assert_int_equal(login_land(f, a->redirect_target, both, "code=one", &found),
                     LANDING_EXCHANGING);
    assert_ptr_equal(found, a);
    assert_int_equal(b->status, LOGIN_PENDING);
    fixture_deliver(f, fixture_consent_for(one, CONSENT_GRANTED));
    assert_int_equal(login_land(f, a->redirect_target, both, "code=one", &found), LANDING_OVER);
    assert_ptr_equal(found, a);
    assert_int_equal(b->status, LOGIN_PENDING);
    assert_null(fixture_question(f));

    assert_int_equal(login_land(f, a->redirect_target, both, "code=two", &found),
                     LANDING_EXCHANGING);
    assert_ptr_equal(found, b);
    CLEANUP(cleanup_message) struct message *two = fixture_question(f);
    assert_non_null(two);
}

/* The second's code comes while the first's is still exchanged. */
static void test_two_that_are_exchanged(void **state)
{
    struct fixture *f = *state;
    char first[FIXTURE_TEXT_MAX], second[FIXTURE_TEXT_MAX], both[2 * FIXTURE_TEXT_MAX + 2];
    struct login *a = login_opened(f, PROVIDER_ABSENT, first), *found = NULL;
    assert_int_equal(login_land(f, a->redirect_target, first, "code=one", &found),
                     LANDING_EXCHANGING);
    struct login *b = login_opened(f, PROVIDER_ABSENT, second);
    (void)snprintf(both, sizeof(both), "%s; %s", first, second);
    assert_int_equal(login_land(f, a->redirect_target, both, "code=two", &found),
                     LANDING_EXCHANGING);
    assert_ptr_equal(found, b);
    assert_int_equal(login_land(f, a->redirect_target, both, "code=one", &found),
                     LANDING_EXCHANGING);
    assert_ptr_equal(found, a);
    CLEANUP(cleanup_message) struct message *one = fixture_question(f);
    CLEANUP(cleanup_message) struct message *two = fixture_question(f);
    assert_true(one && two && !fixture_question(f));
}

static void test_not_granted_keeps_the_words(void **state)
{
    struct fixture *f = *state;
    char cookies[FIXTURE_TEXT_MAX];
    struct login *login = login_opened(f, PROVIDER_ZENEGY, cookies), *found = NULL;
    assert_int_equal(login_land(f, login->redirect_target, cookies,
                                "error=access_denied&error_description=The+user+said+no", &found),
                     LANDING_OVER);
    assert_int_equal(login->ending, ENDING_NOT_GRANTED);
    assert_string_equal(login->error, "access_denied");
    assert_string_equal(login->description, "The user said no");
    assert_true(logins_pages_until(f->context.logins) > clock_now());
}

static void test_return_for_paste(void **state)
{
    struct fixture *f = *state;
    char query[FIXTURE_TEXT_MAX];
    struct login *login = fixture_begin(f, PROVIDER_ZENEGY, LOGIN_PASTE), *found = NULL;
    login_fill_state("code=c&state=STATE", login, query);
    assert_int_equal(login_land(f, login->redirect_target, NULL, query, &found), LANDING_PASTE);
    assert_int_equal(login->status, LOGIN_PENDING);
    login_set_status(login, LOGIN_CANCELLED, NULL, NULL);
    assert_int_equal(login_land(f, login->redirect_target, NULL, query, &found), LANDING_UNKNOWN);
}

/* --- the exchange --- */

static struct login *exchanging(struct fixture *f, struct message **ret_question)
{
    char cookies[FIXTURE_TEXT_MAX], query[FIXTURE_TEXT_MAX];
    struct login *login = login_opened(f, PROVIDER_ZENEGY, cookies), *found = NULL;
    login->account_created_at = 17;
    login_fill_state("code=the-code&state=STATE", login, query);
    assert_int_equal(login_land(f, login->redirect_target, cookies, query, &found),
                     LANDING_EXCHANGING);
    *ret_question = fixture_question(f);
    assert_non_null(*ret_question);
    return login;
}

static void test_exchange_asks_for_all(void **state)
{
    struct fixture *f = *state;
    CLEANUP(cleanup_message) struct message *question = NULL;
    struct login *login = exchanging(f, &question);
    assert_int_equal(question->kind, ASK_EXCHANGE);
    assert_true(account_name_equal(&question->account, &login->account));
    assert_true(secret_equal_bytes(question->exchange->code, "the-code", 8));
    assert_true(secret_equal(question->exchange->verifier, login->verifier));
    assert_null(question->exchange->nonce);
    assert_string_equal(question->exchange->redirect_uri, ORIGIN "/callback/zenegy");
    assert_string_equal(question->exchange->scope, "read write");
    assert_int_equal(question->exchange->account_created_at, 17);
}

static void test_exchange_granted(void **state)
{
    struct fixture *f = *state;
    CLEANUP(cleanup_message) struct message *question = NULL;
    struct login *login = exchanging(f, &question);
    struct message *answer = fixture_consent_for(question, CONSENT_WITHOUT_REFRESH_TOKEN);
    answer->consent->expires_at = 12345;
    answer->consent->fewer_scopes = true;
    fixture_deliver(f, answer);
    assert_int_equal(login->status, LOGIN_DONE);
    assert_true(login->without_refresh_token);
    assert_true(login->fewer_scopes);
    assert_string_equal(login->granted_scope, "read");
    assert_string_equal(login->identity, "4711");
    assert_int_equal(login->expires_at, 12345);
}

static void test_exchange_held(void **state)
{
    struct fixture *f = *state;
    CLEANUP(cleanup_message) struct message *question = NULL;
    struct login *login = exchanging(f, &question);
    fixture_deliver(f, fixture_consent_for(question, CONSENT_IDENTITY_MISMATCH));
    assert_int_equal(login->status, LOGIN_FAILED);
    assert_int_equal(login->ending, ENDING_HELD);
    assert_string_equal(login->error, "identity_mismatch");
}

/* A consent that is to be accepted is no failure to whoever counts. */
static void test_exchange_awaits(void **state)
{
    struct fixture *f = *state;
    CLEANUP(cleanup_message) struct message *question = NULL;
    struct login *login = exchanging(f, &question);
    fixture_deliver(f, fixture_consent_for(question, CONSENT_AWAITS));
    assert_int_equal(login->ending, ENDING_AWAITS);
    assert_int_equal(f->context.counters.logins[COUNTED_HELD], 1);
    assert_int_equal(f->context.counters.logins[COUNTED_FAILED], 0);
}

static void test_exchange_untold(void **state)
{
    struct fixture *f = *state;
    CLEANUP(cleanup_message) struct message *question = NULL;
    struct login *login = exchanging(f, &question);
    fixture_deliver(f, fixture_consent_for(question, CONSENT_UNTOLD));
    assert_int_equal(login->ending, ENDING_UNTOLD);
    assert_string_equal(login->error, "consent_held");
    assert_int_equal(f->context.counters.logins[COUNTED_HELD], 1);
}

static void test_exchange_failed(void **state)
{
    static const struct {
        enum wire_error error;
        enum login_ending ending;
    } rows[] = {
        { WIRE_PROVIDER_REJECTED, ENDING_NONE },
        { WIRE_INTERNAL, ENDING_NONE },
        { WIRE_TIMEOUT, ENDING_UNCERTAIN },
        { WIRE_PROVIDER_UNAVAILABLE, ENDING_UNCERTAIN },
    };
    struct fixture *f = *state;
    for (size_t i = 0; i < LENGTH_OF(rows); i++) {
        CLEANUP(cleanup_message) struct message *question = NULL;
        struct login *login = exchanging(f, &question);
        struct message *answer = fixture_answer_to(question);
        message_fail(answer, rows[i].error, "it went wrong");
        fixture_deliver(f, answer);
        assert_int_equal(login->status, LOGIN_FAILED);
        assert_int_equal(login->ending, rows[i].ending);
        assert_string_equal(login->error, wire_errors[rows[i].error].name);
        assert_string_equal(login->description, "it went wrong");
    }
}

static void test_exchange_with_an_empty_answer(void **state)
{
    struct fixture *f = *state;
    CLEANUP(cleanup_message) struct message *question = NULL;
    struct login *login = exchanging(f, &question);
    fixture_deliver(f, fixture_answer_to(question));
    assert_int_equal(login->status, LOGIN_FAILED);
    assert_string_equal(login->error, "internal");
}

static void test_code_is_exchanged_once(void **state)
{
    struct fixture *f = *state;
    CLEANUP(cleanup_message) struct message *question = NULL;
    char cookies[FIXTURE_TEXT_MAX], query[FIXTURE_TEXT_MAX];
    struct login *login = exchanging(f, &question), *found = NULL;
    fixture_cookies(login, cookies);
    login_fill_state("code=the-code&state=STATE", login, query);

    assert_int_equal(login_land(f, login->redirect_target, cookies, query, &found),
                     LANDING_EXCHANGING);
    assert_null(fixture_question(f));
    fixture_deliver(f, fixture_consent_for(question, CONSENT_GRANTED));
    assert_int_equal(login_land(f, login->redirect_target, cookies, query, &found), LANDING_OVER);
    assert_ptr_equal(found, login);
    assert_int_equal(login_land(f, login->redirect_target, cookies, "error=access_denied", &found),
                     LANDING_OVER);
    assert_int_equal(login_land(f, login->redirect_target, NULL, query, &found), LANDING_UNKNOWN);
    assert_int_equal(login->status, LOGIN_DONE);
    assert_null(fixture_question(f));
}

static void test_busy_back_keeps_the_code(void **state)
{
    struct fixture *f = *state;
    char cookies[FIXTURE_TEXT_MAX], query[FIXTURE_TEXT_MAX];
    struct login *login = login_opened(f, PROVIDER_ZENEGY, cookies), *found = NULL;
    login_fill_state("code=c&state=STATE", login, query);
    while (mailbox_reserve(f->inbox) == 0)
        ;
    assert_int_equal(login_land(f, login->redirect_target, cookies, query, &found), LANDING_BUSY);
    assert_int_equal(login->status, LOGIN_PENDING);
    mailbox_unreserve(f->inbox);
    assert_int_equal(login_land(f, login->redirect_target, cookies, query, &found),
                     LANDING_EXCHANGING);
    message_free(fixture_question(f));
}

static void test_free_while_exchanging(void **state)
{
    struct fixture f;
    struct message *question = NULL;
    fixture_start(&f, PORT);
    exchanging(&f, &question);
    f.context.logins = logins_free(f.context.logins);
    fixture_deliver(&f, fixture_consent_for(question, CONSENT_GRANTED));
    message_free(question);
    fixture_stop(&f);
}

/* --- by paste --- */

static void test_paste(void **state)
{
    static const struct {
        const char *address; /* STATE stands for the login's */
        bool should_fail;
        enum login_status after;
    } rows[] = {
        { "https://oauth.example/v1/callback?code=c&state=STATE", false, LOGIN_EXCHANGING },
        { "  https://oauth.example/v1/callback?code=c&state=STATE\n", false, LOGIN_EXCHANGING },
        { "https://oauth.example/v1/callback?code=c&state=STATE#_=_", false, LOGIN_EXCHANGING },
        { "https://oauth.example:443/v1/callback?code=c&state=STATE", false, LOGIN_EXCHANGING },
        { "HTTPS://OAuth.Example/v1/callback?code=c&state=STATE", false, LOGIN_EXCHANGING },
        { "https://oauth.example/v1/callback?error=access_denied&state=STATE", false,
          LOGIN_FAILED },
        { "https://oauth.example/v1/callback?state=STATE", false, LOGIN_FAILED },
        { "https://oauth.example/v1/callback", true, LOGIN_PENDING },
        { "https://oauth.example/v1/callback?coe=c&st", true, LOGIN_PENDING },
        { "https://oauth.example/v1/callback?code=c", true, LOGIN_PENDING },
        { "https://oauth.example/v1/callback?code=c&state=x", true, LOGIN_PENDING },
        { "https://oauth.example/v1/callback?error=e&state=x", true, LOGIN_PENDING },
        { "https://oauth.example/v1/callback?code=c&code=d&state=STATE", true, LOGIN_PENDING },
        { "https://oauth.example/v1/other?code=c&state=STATE", true, LOGIN_PENDING },
        { "https://oauth.example/v1/callback/?code=c&state=STATE", true, LOGIN_PENDING },
        { "https://evil.example/v1/callback?code=c&state=STATE", true, LOGIN_PENDING },
        { "https://oauth.example:444/v1/callback?code=c&state=STATE", true, LOGIN_PENDING },
        { "http://oauth.example/v1/callback?code=c&state=STATE", true, LOGIN_PENDING },
        { "https://a@oauth.example/v1/callback?code=c&state=STATE", true, LOGIN_PENDING },
        { "code=c&state=STATE", true, LOGIN_PENDING },
        { "#", true, LOGIN_PENDING },
        { "", true, LOGIN_PENDING },
    };
    struct fixture *f = *state;
    for (size_t i = 0; i < LENGTH_OF(rows); i++) {
        struct complaint complaint = { "" };
        char address[FIXTURE_TEXT_MAX];
        struct login *login = fixture_begin(f, PROVIDER_PASTED, LOGIN_PASTE);
        login_fill_state(rows[i].address, login, address);
        int r = login_paste(login, address, &complaint);
        if (r != (rows[i].should_fail ? LOGIN_REFUSED : 0) || login->status != rows[i].after)
            fail_row(i, rows[i].address);
        assert_int_equal(complaint.text[0] != '\0', rows[i].should_fail);
        message_free(fixture_question(f));
    }
}

static void test_paste_again_or_too_long(void **state)
{
    struct fixture *f = *state;
    struct complaint complaint = { "" };
    struct login *login = fixture_begin(f, PROVIDER_PASTED, LOGIN_PASTE);
    char *address = malloc(LOGIN_PASTE_MAX + 2);
    assert_non_null(address);
    memset(address, 'a', LOGIN_PASTE_MAX + 1);
    address[LOGIN_PASTE_MAX + 1] = '\0';
    assert_int_equal(login_paste(login, address, &complaint), LOGIN_REFUSED);
    free(address);
    login_set_status(login, LOGIN_CANCELLED, NULL, NULL);
    assert_int_equal(login_paste(login, "https://oauth.example/v1/callback", &complaint),
                     LOGIN_REFUSED);
    assert_int_equal(login->status, LOGIN_CANCELLED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_return),
        cmocka_unit_test_setup_teardown(test_return_to_another_path, login_set_up, login_tear_down),
        cmocka_unit_test_setup_teardown(test_refusal_that_fits_two, login_set_up, login_tear_down),
        cmocka_unit_test_setup_teardown(test_two_of_which_one_is_exchanged, login_set_up,
                                        login_tear_down),
        cmocka_unit_test_setup_teardown(test_two_that_are_exchanged, login_set_up, login_tear_down),
        cmocka_unit_test_setup_teardown(test_not_granted_keeps_the_words, login_set_up,
                                        login_tear_down),
        cmocka_unit_test_setup_teardown(test_return_for_paste, login_set_up, login_tear_down),
        cmocka_unit_test_setup_teardown(test_exchange_asks_for_all, login_set_up, login_tear_down),
        cmocka_unit_test_setup_teardown(test_exchange_granted, login_set_up, login_tear_down),
        cmocka_unit_test_setup_teardown(test_exchange_held, login_set_up, login_tear_down),
        cmocka_unit_test_setup_teardown(test_exchange_awaits, login_set_up, login_tear_down),
        cmocka_unit_test_setup_teardown(test_exchange_untold, login_set_up, login_tear_down),
        cmocka_unit_test_setup_teardown(test_exchange_failed, login_set_up, login_tear_down),
        cmocka_unit_test_setup_teardown(test_exchange_with_an_empty_answer, login_set_up,
                                        login_tear_down),
        cmocka_unit_test_setup_teardown(test_code_is_exchanged_once, login_set_up, login_tear_down),
        cmocka_unit_test_setup_teardown(test_busy_back_keeps_the_code, login_set_up,
                                        login_tear_down),
        cmocka_unit_test(test_free_while_exchanging),
        cmocka_unit_test_setup_teardown(test_paste, login_set_up, login_tear_down),
        cmocka_unit_test_setup_teardown(test_paste_again_or_too_long, login_set_up,
                                        login_tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

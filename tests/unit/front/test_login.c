#include "login_fixture.h"

#include <stdio.h>

#include "base/clock.h"
#include "front/callback.h"

enum { PORT = 8765 };
#define ORIGIN "http://127.0.0.1:8765"

static int set_up(void **state)
{
    struct fixture *f = malloc(sizeof(*f));
    assert_non_null(f);
    fixture_start(f, PORT);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    fixture_stop(*state);
    free(*state);
    clock_use_source(NULL);
    return 0;
}

static struct login *opened(struct fixture *f, size_t provider, char cookies[FIXTURE_TEXT_MAX])
{
    struct login *login = fixture_begin(f, provider, LOGIN_BROWSER);
    assert_int_equal(fixture_open(f, login, NULL), OPENING_GRANTED);
    fixture_cookies(login, cookies);
    return login;
}

static enum login_landing land(struct fixture *f, const char *target, const char *cookies,
                               const char *query, struct login **ret)
{
    CLEANUP(cleanup_response) struct authorization_response response = fixture_response(query);
    return login_return(f->context.logins, target, cookies, &response, ret);
}

/* --- beginning --- */

static void test_begin(void **state)
{
    struct fixture *f = *state;
    struct login *a = fixture_begin(f, PROVIDER_ZENEGY, LOGIN_BROWSER);
    struct login *b = fixture_begin(f, PROVIDER_ZENEGY, LOGIN_BROWSER);
    const char *url = secret_reveal(a->authorize_url);

    assert_int_equal(strlen(a->id), LOGIN_ID_SIZE - 1);
    assert_string_not_equal(a->id, b->id);
    assert_string_not_equal(a->tag, b->tag);
    assert_false(secret_equal(a->state, b->state));
    assert_false(secret_equal(a->cookie, b->cookie));
    assert_non_null(strstr(url, secret_reveal(a->state)));
    assert_non_null(strstr(url, "code_challenge_method=S256"));
    assert_null(strstr(url, secret_reveal(a->verifier)));
    assert_null(strstr(url, "nonce="));
    assert_null(a->nonce);
    assert_string_equal(a->redirect_target, ORIGIN "/callback/zenegy");
    assert_string_equal(a->redirect_path, "/callback/zenegy");
    assert_ptr_equal(strstr(secret_reveal(a->start_url), ORIGIN "/start/"),
                     secret_reveal(a->start_url));
    assert_ptr_equal(logins_find(f->context.logins, a->id), a);
    assert_null(logins_find(f->context.logins, "unknown"));
    assert_true(logins_any_pending(f->context.logins));
}

static void test_begin_by_paste(void **state)
{
    struct fixture *f = *state;
    struct login *login = fixture_begin(f, PROVIDER_PASTED, LOGIN_PASTE);
    assert_null(login->start_url);
    assert_null(login->start_nonce);
    assert_false(logins_any_pending(f->context.logins));
}

static void test_begin_with_openid(void **state)
{
    struct fixture *f = *state;
    free(f->providers[PROVIDER_ZENEGY]->scope);
    f->providers[PROVIDER_ZENEGY]->scope = strdup("openid read");
    struct login *login = fixture_begin(f, PROVIDER_ZENEGY, LOGIN_BROWSER);
    assert_non_null(login->nonce);
    assert_non_null(strstr(secret_reveal(login->authorize_url), secret_reveal(login->nonce)));
    assert_null(fixture_begin(f, PROVIDER_ABSENT, LOGIN_BROWSER)->verifier);
}

static void test_begin_refused(void **state)
{
    struct fixture *f = *state;
    struct account_name account;
    struct complaint complaint = { "" };
    struct login *login = NULL;
    struct provider *provider = NULL;
    assert_true(account_name_make("zenegy", "acme", &account));
    struct login_order order = { .uid = 1, .account = &account };

    assert_int_equal(provider_copy(f->providers[PROVIDER_ZENEGY], &provider), 0);
    free(provider->authorization_endpoint);
    provider->authorization_endpoint = NULL;
    assert_int_equal(login_begin(f->context.logins, &order, provider, &login, &complaint),
                     LOGIN_REFUSED);
    assert_non_null(strstr(complaint.text, "authorization_endpoint"));

    char *scope = malloc(AUTHORIZE_URL_MAX + 1);
    assert_non_null(scope);
    memset(scope, 'a', AUTHORIZE_URL_MAX);
    scope[AUTHORIZE_URL_MAX] = '\0';
    order.scope = scope;
    assert_int_equal(provider_copy(f->providers[PROVIDER_ZENEGY], &provider), 0);
    assert_int_equal(login_begin(f->context.logins, &order, provider, &login, &complaint),
                     LOGIN_REFUSED);
    free(scope);
    assert_null(login);
    assert_null(logins_newest(f->context.logins));
}

/* --- cookies --- */

static void test_cookies(void **state)
{
    static const struct {
        const char *header;
        bool holds;
    } rows[] = {
        { "a=value", true },
        { "x=1; a=value", true },
        { "x=1;a=value;y=2", true },
        { "a=value ; y=2", true },
        { "a=other; a=value", true },
        { "junk; a=value", true },
        { ";;; a=value", true },
        { NULL, false },
        { "", false },
        { "a", false },
        { "a=", false },
        { "a=valu", false },
        { "a=value2", false },
        { "aa=value", false },
        { "A=value", false },
        { "a=\"value\"", false },
        { "x=a=value", false },
        { "value", false },
        { "b=value", false },
    };
    CLEANUP(cleanup_secret) struct secret *value = NULL;
    assert_int_equal(secret_new("value", 5, &value), 0);
    for (size_t i = 0; i < LENGTH_OF(rows); i++)
        if (cookies_hold(rows[i].header, "a", value) != rows[i].holds)
            fail_row(i, rows[i].header ? rows[i].header : "(none)");
}

/* --- opening --- */

static void test_open(void **state)
{
    struct fixture *f = *state;
    char cookies[FIXTURE_TEXT_MAX], of_other[FIXTURE_TEXT_MAX];
    struct login *login = opened(f, PROVIDER_ZENEGY, cookies);
    opened(f, PROVIDER_ZENEGY, of_other);

    assert_int_equal(fixture_open(f, login, cookies), OPENING_GRANTED);
    assert_int_equal(fixture_open(f, login, NULL), OPENING_ELSEWHERE);
    assert_int_equal(fixture_open(f, login, of_other), OPENING_ELSEWHERE);

    struct login *found = NULL;
    assert_int_equal(login_open(f->context.logins, ORIGIN, "nonce", cookies, &found),
                     OPENING_UNKNOWN);
    assert_int_equal(login_open(f->context.logins, "http://localhost:8765",
                                secret_reveal(login->start_nonce), cookies, &found),
                     OPENING_UNKNOWN);
    assert_null(found);

    login_set_status(login, LOGIN_CANCELLED, NULL, NULL);
    assert_int_equal(fixture_open(f, login, cookies), OPENING_OVER);
    assert_int_equal(fixture_open(f, login, of_other), OPENING_ELSEWHERE);
}

static void test_one_browser_is_known_again(void **state)
{
    struct fixture *f = *state;
    char cookies[FIXTURE_TEXT_MAX];
    struct login *first = opened(f, PROVIDER_ZENEGY, cookies);
    struct login *second = fixture_begin(f, PROVIDER_ZENEGY, LOGIN_BROWSER);
    struct login *third = fixture_begin(f, PROVIDER_ZENEGY, LOGIN_BROWSER);

    assert_int_equal(fixture_open(f, second, cookies), OPENING_GRANTED);
    assert_true(secret_equal(first->browser, second->browser));
    assert_false(secret_equal(first->cookie, second->cookie));
    assert_int_equal(first->status, LOGIN_PENDING);

    /* A value that we did not give out is not taken over. */
    assert_int_equal(fixture_open(f, third, "tb_browser=planted"), OPENING_GRANTED);
    assert_false(secret_equal_bytes(third->browser, "planted", strlen("planted")));
    assert_false(secret_equal(third->browser, first->browser));
}

static void test_newer_replaces_older_without_state(void **state)
{
    struct fixture *f = *state;
    char cookies[FIXTURE_TEXT_MAX], elsewhere[FIXTURE_TEXT_MAX];
    struct login *older = opened(f, PROVIDER_ABSENT, cookies);
    struct login *of_other_browser = opened(f, PROVIDER_ABSENT, elsewhere);
    struct login *with_state = fixture_begin(f, PROVIDER_ZENEGY, LOGIN_BROWSER);
    struct login *newer = fixture_begin(f, PROVIDER_ABSENT, LOGIN_BROWSER);

    assert_int_equal(fixture_open(f, with_state, cookies), OPENING_GRANTED);
    assert_int_equal(fixture_open(f, newer, cookies), OPENING_GRANTED);
    assert_int_equal(older->status, LOGIN_CANCELLED);
    assert_int_equal(older->ending, ENDING_REPLACED);
    assert_string_equal(older->error, "replaced");
    assert_int_equal(of_other_browser->status, LOGIN_PENDING);
    assert_int_equal(with_state->status, LOGIN_PENDING);
    assert_int_equal(newer->status, LOGIN_PENDING);
    assert_int_equal(fixture_open(f, older, cookies), OPENING_OVER);
}

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

static void fill_state(const char *query, const struct login *login, char out[FIXTURE_TEXT_MAX])
{
    const char *mark = strstr(query, "STATE");
    int before = mark ? (int)(mark - query) : (int)strlen(query);
    (void)snprintf(out, FIXTURE_TEXT_MAX, "%.*s%s%s", before, query,
                   mark ? secret_reveal(login->state) : "", mark ? mark + strlen("STATE") : "");
}

static void check_return(struct fixture *f, size_t index, const struct return_row *row)
{
    char own[FIXTURE_TEXT_MAX], other[FIXTURE_TEXT_MAX], query[FIXTURE_TEXT_MAX];
    struct login *login = opened(f, row->provider, own);
    /* Another browser's login, with another redirect path. */
    opened(f, row->provider == PROVIDER_STRICT ? PROVIDER_ZENEGY : PROVIDER_STRICT, other);
    const char *cookies = row->cookie == OWN_COOKIE     ? own
                          : row->cookie == OTHER_COOKIE ? other
                                                        : NULL;
    struct login *found = NULL;
    fill_state(row->query, login, query);
    enum login_landing landing = land(f, login->redirect_target, cookies, query, &found);
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
    struct login *login = opened(f, PROVIDER_ZENEGY, cookies), *found = NULL;
    fill_state("code=c&state=STATE", login, query);
    assert_int_equal(land(f, ORIGIN "/callback/strict", cookies, query, &found), LANDING_UNKNOWN);
    assert_int_equal(land(f, "http://localhost:8765/callback/zenegy", cookies, query, &found),
                     LANDING_UNKNOWN);
    assert_int_equal(login->status, LOGIN_PENDING);
}

static void test_refusal_that_fits_two(void **state)
{
    struct fixture *f = *state;
    char first[FIXTURE_TEXT_MAX], second[FIXTURE_TEXT_MAX], both[2 * FIXTURE_TEXT_MAX + 2];
    struct login *a = opened(f, PROVIDER_ZENEGY, first);
    struct login *b = opened(f, PROVIDER_ZENEGY, second), *found = NULL;
    (void)snprintf(both, sizeof(both), "%s; %s", first, second);
    assert_int_equal(land(f, a->redirect_target, both, "error=access_denied", &found),
                     LANDING_NOT_GRANTED);
    assert_int_equal(a->status, LOGIN_PENDING);
    assert_int_equal(b->status, LOGIN_PENDING);
}

static void test_not_granted_keeps_the_words(void **state)
{
    struct fixture *f = *state;
    char cookies[FIXTURE_TEXT_MAX];
    struct login *login = opened(f, PROVIDER_ZENEGY, cookies), *found = NULL;
    assert_int_equal(land(f, login->redirect_target, cookies,
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
    fill_state("code=c&state=STATE", login, query);
    assert_int_equal(land(f, login->redirect_target, NULL, query, &found), LANDING_PASTE);
    assert_int_equal(login->status, LOGIN_PENDING);
    login_set_status(login, LOGIN_CANCELLED, NULL, NULL);
    assert_int_equal(land(f, login->redirect_target, NULL, query, &found), LANDING_UNKNOWN);
}

/* --- the exchange --- */

static struct login *exchanging(struct fixture *f, struct message **ret_question)
{
    char cookies[FIXTURE_TEXT_MAX], query[FIXTURE_TEXT_MAX];
    struct login *login = opened(f, PROVIDER_ZENEGY, cookies), *found = NULL;
    fill_state("code=the-code&state=STATE", login, query);
    assert_int_equal(land(f, login->redirect_target, cookies, query, &found), LANDING_EXCHANGING);
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
    fill_state("code=the-code&state=STATE", login, query);

    assert_int_equal(land(f, login->redirect_target, cookies, query, &found), LANDING_EXCHANGING);
    assert_null(fixture_question(f));
    fixture_deliver(f, fixture_consent_for(question, CONSENT_GRANTED));
    assert_int_equal(land(f, login->redirect_target, cookies, query, &found), LANDING_OVER);
    assert_ptr_equal(found, login);
    assert_int_equal(land(f, login->redirect_target, cookies, "error=access_denied", &found),
                     LANDING_OVER);
    assert_int_equal(land(f, login->redirect_target, NULL, query, &found), LANDING_UNKNOWN);
    assert_int_equal(login->status, LOGIN_DONE);
    assert_null(fixture_question(f));
}

static void test_busy_back_keeps_the_code(void **state)
{
    struct fixture *f = *state;
    char cookies[FIXTURE_TEXT_MAX], query[FIXTURE_TEXT_MAX];
    struct login *login = opened(f, PROVIDER_ZENEGY, cookies), *found = NULL;
    fill_state("code=c&state=STATE", login, query);
    while (mailbox_reserve(f->inbox) == 0)
        ;
    assert_int_equal(land(f, login->redirect_target, cookies, query, &found), LANDING_BUSY);
    assert_int_equal(login->status, LOGIN_PENDING);
    mailbox_unreserve(f->inbox);
    assert_int_equal(land(f, login->redirect_target, cookies, query, &found), LANDING_EXCHANGING);
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
        fill_state(rows[i].address, login, address);
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

/* --- the table --- */

static void begin_for(struct fixture *f, uid_t uid, struct login **ret)
{
    struct login_seat *seat = NULL;
    assert_int_equal(logins_take_seat(f->context.logins, uid, &seat), 0);
    login_seat_free(seat);
    *ret = fixture_begin(f, PROVIDER_ABSENT, LOGIN_PASTE);
    (*ret)->uid = uid;
}

static void test_quota_of_a_uid(void **state)
{
    struct fixture *f = *state;
    struct login *first = NULL, *login = NULL;
    struct login_seat *seat = NULL;
    begin_for(f, 7, &first);
    for (unsigned i = 2; i < LOGINS_PER_UID_MAX; i++)
        begin_for(f, 7, &login);
    assert_int_equal(logins_take_seat(f->context.logins, 7, &seat), 0);
    /* A seat counts like a login. */
    struct login_seat *more = NULL;
    assert_int_equal(logins_take_seat(f->context.logins, 7, &more), LOGINS_QUOTA);
    login_seat_free(seat);
    begin_for(f, 7, &login);
    assert_int_equal(logins_take_seat(f->context.logins, 7, &more), LOGINS_QUOTA);
    assert_int_equal(logins_take_seat(f->context.logins, 8, &more), 0);
    login_seat_free(more);

    char id[LOGIN_ID_SIZE];
    memcpy(id, first->id, sizeof(id));
    login_set_status(first, LOGIN_CANCELLED, NULL, NULL);
    begin_for(f, 7, &login);
    assert_null(logins_find(f->context.logins, id));
}

static void test_table_is_bounded(void **state)
{
    struct fixture *f = *state;
    struct login *login = NULL;
    struct login_seat *seat = NULL;
    for (unsigned i = 0; i < LOGINS_MAX; i++)
        begin_for(f, i / LOGINS_PER_UID_MAX, &login);
    assert_int_equal(logins_take_seat(f->context.logins, 1234, &seat), LOGINS_FULL);
    login_set_status(login, LOGIN_FAILED, NULL, NULL);
    assert_int_equal(logins_take_seat(f->context.logins, 1234, &seat), 0);
    login_seat_free(seat);
}

struct told {
    unsigned times;
    enum login_status status;
};

static void note(void *userdata, struct login *login)
{
    struct told *told = userdata;
    told->times++;
    told->status = login->status;
}

static void test_waiters(void **state)
{
    struct fixture *f = *state;
    CLEANUP(cleanup_message) struct message *question = NULL;
    struct told next = { 0 }, end = { 0 }, gone = { 0 };
    struct login_waiter *waiter = NULL, *leaving = NULL;
    char cookies[FIXTURE_TEXT_MAX], query[FIXTURE_TEXT_MAX];
    struct login *login = opened(f, PROVIDER_ZENEGY, cookies), *found = NULL;
    assert_int_equal(login_wait(login, false, 60000, note, &next, &waiter), 0);
    assert_int_equal(login_wait(login, true, 60000, note, &end, &waiter), 0);
    assert_int_equal(login_wait(login, false, 60000, note, &gone, &leaving), 0);
    login_unwait(leaving);

    fill_state("code=c&state=STATE", login, query);
    land(f, login->redirect_target, cookies, query, &found);
    assert_int_equal(next.times, 1);
    assert_int_equal(next.status, LOGIN_EXCHANGING);
    assert_int_equal(end.times, 0);
    question = fixture_question(f);
    fixture_deliver(f, fixture_consent_for(question, CONSENT_GRANTED));
    assert_int_equal(next.times, 1);
    assert_int_equal(end.times, 1);
    assert_int_equal(end.status, LOGIN_DONE);
    assert_int_equal(gone.times, 0);
}

static void test_waiters_are_bounded(void **state)
{
    struct fixture *f = *state;
    struct told told = { 0 };
    struct login_waiter *waiter = NULL;
    struct login *login = fixture_begin(f, PROVIDER_ZENEGY, LOGIN_BROWSER);
    for (unsigned i = 0; i < LOGIN_WAITERS_PER_LOGIN_MAX; i++)
        assert_int_equal(login_wait(login, false, 60000, note, &told, &waiter), 0);
    assert_int_equal(login_wait(login, false, 60000, note, &told, &waiter), LOGIN_WAITERS_FULL);
    login_set_status(login, LOGIN_CANCELLED, NULL, NULL);
    assert_int_equal(told.times, LOGIN_WAITERS_PER_LOGIN_MAX);
}

/* --- time --- */

static int64_t fake_now = 1000000;

static int64_t fake_clock(void)
{
    return fake_now;
}

static void stop_loop(void *loop)
{
    loop_exit(loop, 0);
}

/* Lets the table's timer fire that is due at the fake time. */
static void run_timers(struct fixture *f)
{
    struct loop_source *timer = NULL;
    assert_int_equal(loop_add_timer(f->context.loop, stop_loop, f->context.loop, &timer), 0);
    assert_int_equal(loop_timer_set(timer, 50), 0);
    assert_int_equal(loop_run(f->context.loop), 0);
    loop_source_free(timer);
}

static const struct clock_source fake_source = { fake_clock, fake_clock };

static void test_expiry(void **state)
{
    struct fixture *f = *state;
    struct told told = { 0 }, waited = { 0 };
    struct login_waiter *waiter = NULL;
    clock_use_source(&fake_source);
    struct login *old = fixture_begin(f, PROVIDER_ZENEGY, LOGIN_BROWSER);
    struct login *ended = fixture_begin(f, PROVIDER_ZENEGY, LOGIN_BROWSER);
    char id[LOGIN_ID_SIZE];
    memcpy(id, ended->id, sizeof(id));
    login_set_status(ended, LOGIN_DONE, NULL, NULL);
    assert_int_equal(login_wait(old, true, LOGIN_LIFETIME_MS * 2, note, &told, &waiter), 0);

    fake_now += LOGIN_LIFETIME_MS;
    struct login *young = fixture_begin(f, PROVIDER_ZENEGY, LOGIN_BROWSER);
    assert_int_equal(login_wait(young, true, 0, note, &waited, &waiter), 0);
    run_timers(f);
    assert_int_equal(old->status, LOGIN_EXPIRED);
    assert_string_equal(old->error, "expired");
    assert_int_equal(told.times, 1);
    assert_null(logins_find(f->context.logins, id));
    assert_int_equal(young->status, LOGIN_PENDING);
    assert_int_equal(waited.times, 1);
    assert_int_equal(waited.status, LOGIN_PENDING);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_begin, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_begin_by_paste, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_begin_with_openid, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_begin_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_cookies, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_open, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_one_browser_is_known_again, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_newer_replaces_older_without_state, set_up, tear_down),
        cmocka_unit_test(test_return),
        cmocka_unit_test_setup_teardown(test_return_to_another_path, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_refusal_that_fits_two, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_not_granted_keeps_the_words, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_return_for_paste, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_exchange_asks_for_all, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_exchange_granted, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_exchange_held, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_exchange_failed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_exchange_with_an_empty_answer, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_code_is_exchanged_once, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_busy_back_keeps_the_code, set_up, tear_down),
        cmocka_unit_test(test_free_while_exchanging),
        cmocka_unit_test_setup_teardown(test_paste, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_paste_again_or_too_long, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_quota_of_a_uid, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_table_is_bounded, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_waiters, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_waiters_are_bounded, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_expiry, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#include "login_support.h"

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

/* The arguments of the starter's browser can be read by all: its link is for that uid. */
static void test_begin_for_the_own_browser(void **state)
{
    static const struct {
        const char *public_url, *redirect_uri;
        bool own_browser, for_others;
    } rows[] = {
        { NULL, NULL, false, true },
        { NULL, NULL, true, false },
        { "https://hr.example", NULL, true, false },
        { "https://hr.example", "https://hr.example/callback/zenegy", true, true },
        { "http://localhost:8000/tb", "http://localhost:8000/tb/callback/zenegy", true, true },
    };
    struct fixture *f = *state;
    struct account_name account;
    struct complaint complaint;

    assert_true(account_name_make("zenegy", "acme", &account));
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        const struct login_order order = { .uid = 1000,
                                           .account = &account,
                                           .mode = LOGIN_BROWSER,
                                           .own_browser = rows[i].own_browser };
        struct provider *provider = NULL;
        struct login *login = NULL;
        if (rows[i].public_url)
            fixture_go_public(f, rows[i].public_url);
        assert_int_equal(provider_copy(f->providers[PROVIDER_ZENEGY], &provider), 0);
        if (rows[i].redirect_uri) {
            free(provider->redirect_uri);
            provider->redirect_uri = strdup(rows[i].redirect_uri);
        }
        assert_int_equal(login_begin(f->context.logins, &order, provider, &login, &complaint), 0);
        assert_true(login_is_for(login, 1000));
        assert_int_equal(login_is_for(login, 0), rows[i].for_others);
        assert_int_equal(login_is_for(login, (uid_t)-1), rows[i].for_others);
    }
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
    struct login *login = login_opened(f, PROVIDER_ZENEGY, cookies);
    login_opened(f, PROVIDER_ZENEGY, of_other);

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
    struct login *first = login_opened(f, PROVIDER_ZENEGY, cookies);
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
    struct login *older = login_opened(f, PROVIDER_ABSENT, cookies);
    struct login *of_other_browser = login_opened(f, PROVIDER_ABSENT, elsewhere);
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_begin, login_set_up, login_tear_down),
        cmocka_unit_test_setup_teardown(test_begin_by_paste, login_set_up, login_tear_down),
        cmocka_unit_test_setup_teardown(test_begin_with_openid, login_set_up, login_tear_down),
        cmocka_unit_test_setup_teardown(test_begin_refused, login_set_up, login_tear_down),
        cmocka_unit_test_setup_teardown(test_begin_for_the_own_browser, login_set_up,
                                        login_tear_down),
        cmocka_unit_test_setup_teardown(test_cookies, login_set_up, login_tear_down),
        cmocka_unit_test_setup_teardown(test_open, login_set_up, login_tear_down),
        cmocka_unit_test_setup_teardown(test_one_browser_is_known_again, login_set_up,
                                        login_tear_down),
        cmocka_unit_test_setup_teardown(test_newer_replaces_older_without_state, login_set_up,
                                        login_tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

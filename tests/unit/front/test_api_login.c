#include "fixture.h"

#include <limits.h>

enum { LISTENER_COUNT = 2 };

/* zenegy redirects to a page elsewhere; local to a listener of ours; secure to one that needs TLS.
 * zenpayroll is static. */
enum { LOCAL, SECURE, ZENEGY, ZENPAYROLL, PROVIDER_COUNT }; /* sorted by name */

#define LOGIN "/v1/login/zenegy/acme"
#define REDIRECT "https://oauth.example/v1/callback"

static struct provider *like(const struct provider *provider, const char *name,
                             const char *redirect_uri)
{
    struct provider *copy = NULL;
    assert_int_equal(provider_copy(provider, &copy), 0);
    snprintf(copy->name, sizeof(copy->name), "%s", name);
    free(copy->redirect_uri);
    copy->redirect_uri = strdup(redirect_uri);
    return copy;
}

static int set_up(void **state)
{
    fixture_set_up(state);
    struct fixture *f = *state;
    struct settings *settings = f->context.settings;
    struct provider *zenegy = settings->providers[0], *zenpayroll = settings->providers[1];
    zenegy->authorization_endpoint = strdup("https://auth.example/authorize");
    zenegy->client_id = strdup("client");
    zenegy->redirect_uri = strdup(REDIRECT);
    settings->providers =
        realloc(settings->providers, PROVIDER_COUNT * sizeof(settings->providers[0]));
    assert_non_null(settings->providers);
    settings->providers[ZENEGY] = zenegy;
    settings->providers[ZENPAYROLL] = zenpayroll;
    settings->providers[LOCAL] = like(zenegy, "local", "http://127.0.0.1:8765/callback");
    settings->providers[SECURE] = like(zenegy, "secure", "https://localhost:8766/callback");
    settings->provider_count = PROVIDER_COUNT;

    settings->listeners = calloc(LISTENER_COUNT, sizeof(settings->listeners[0]));
    settings->listeners[0] = (struct callback_listener){ .address = "127.0.0.1", .port = 8765 };
    settings->listeners[1] = (struct callback_listener){
        .https = true, .both_families = true, .address = "localhost", .port = 8766
    };
    settings->listener_count = LISTENER_COUNT;
    callback_free(f->context.callback);
    assert_int_equal(callback_new(&f->context, false, &f->context.callback), 0);
    return 0;
}

/* The back says what the provider is. */
static void answer_provider(struct fixture *f, size_t provider)
{
    struct message *answer = fixture_answer(fixture_take(f, ASK_PROVIDER));
    assert_int_equal(provider_copy(f->context.settings->providers[provider], &answer->provider), 0);
    answer->account_created_at = 17;
    fixture_deliver(f, answer);
}

/* Starts a login of zenegy/acme; returns the table's. */
static struct login *start(struct fixture *f, uid_t uid, const char *body)
{
    struct web_request *request = fixture_send_as(f, uid, "POST", LOGIN, body);
    assert_int_equal(request->answers, 0);
    answer_provider(f, ZENEGY);
    expect_answer(request, 200, "\"login_id\":\"");
    struct login *login = logins_newest(f->context.logins);
    assert_int_equal(login->account_created_at, 17);
    assert_non_null(login);
    return login;
}

static void test_start_by_paste(void **state)
{
    struct fixture *f = *state;
    struct web_request *request = fixture_send(f, "POST", LOGIN, NULL);
    answer_provider(f, ZENEGY);
    struct login *login = logins_newest(f->context.logins);
    assert_int_equal(login->uid, FIXTURE_UID);
    assert_int_equal(login->mode, LOGIN_PASTE);
    assert_int_equal(request->status, 200);
    assert_non_null(strstr(request->answer, login->id));
    assert_non_null(strstr(request->answer, "\"account\":\"zenegy/acme\""));
    assert_non_null(strstr(request->answer, "\"authorize_url\":\"https:"));
    assert_non_null(strstr(request->answer, "\"expires_in\":600"));
    assert_non_null(strstr(request->answer, "\"redirect_uri\":\"https:"));
    assert_null(strstr(request->answer, "start_url"));
    assert_null(strstr(request->answer, secret_reveal(login->cookie)));
    assert_null(strstr(request->answer, secret_reveal(login->verifier)));
    free(request);
}

/* A pasted login needs its address at once; where it cannot be pushed there is no login. */
static void test_start_by_paste_pushes(void **state)
{
    struct fixture *f = *state;
    f->context.settings->providers[ZENEGY]->pushed_authorization_request_endpoint = strdup("x");
    struct web_request *request = fixture_send(f, "POST", LOGIN, NULL);
    answer_provider(f, ZENEGY);
    fixture_fail(f, fixture_take(f, ASK_PUSH), WIRE_PROVIDER_REJECTED);
    expect_answer(request, 502, "provider_rejected");
    assert_null(logins_newest(f->context.logins));
    request = fixture_send(f, "POST", LOGIN, NULL);
    answer_provider(f, ZENEGY);
    struct message *answer = fixture_answer(fixture_take(f, ASK_PUSH));
    assert_int_equal(secret_new("urn:1", 5, &answer->request_uri), 0);
    answer->request_uri_lifetime_ms = 60 * 1000;
    fixture_deliver(f, answer);
    expect_answer(request, 200, "request_uri=urn%3A1\",\"authorize_url_expires_in\":60");
}

static void test_start_with_wishes(void **state)
{
    struct login *login =
        start(*state, FIXTURE_UID,
              "{\"mode\":\"paste\",\"own_browser\":true,\"scope\":\"read:a write\","
              "\"params\":{\"company_id\":\"4711\",\"prompt\":\"login\"}}");
    const char *url = secret_reveal(login->authorize_url);
    assert_true(login->own_browser);
    assert_string_equal(login->scope, "read:a write");
    assert_non_null(strstr(url, "company_id=4711"));
    assert_non_null(strstr(url, "prompt=login"));
    assert_non_null(strstr(url, "scope=read%3Aa%20write"));
}

static void test_start_refused_bodies(void **state)
{
    static const char *const bodies[] = {
        "[]",
        "\"x\"",
        "{",
        "{\"mode\":\"magic\"}",
        "{\"mode\":1}",
        "{\"mode\":null}",
        "{\"modes\":\"paste\"}",
        "{\"own_browser\":1}",
        "{\"scope\":\"\"}",
        "{\"scope\":\" a\"}",
        "{\"scope\":\"a \"}",
        "{\"scope\":\"a  b\"}",
        "{\"scope\":\"a\\\"b\"}",
        "{\"scope\":\"a\\tb\"}",
        "{\"scope\":\"\\u00e4\"}",
        "{\"scope\":[\"a\"]}",
        "{\"params\":[]}",
        "{\"params\":{\"a\":1}}",
        "{\"params\":{\"\":\"x\"}}",
        "{\"params\":{\"state\":\"mine\"}}",
        "{\"params\":{\"redirect_uri\":\"https://evil.example\"}}",
        "{\"params\":{\"code_challenge\":\"x\"}}",
        "{\"params\":{\"a\":\"b\",\"a\":\"c\"}}",
        "{\"mode\":\"paste\",\"mode\":\"paste\"}",
    };
    struct fixture *f = *state;
    for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++) {
        expect_answer(fixture_send(f, "POST", LOGIN, bodies[i]), 400, "\"bad_request\"");
        fixture_quiet(f);
    }
    assert_null(logins_newest(f->context.logins));
}

static void test_start_with_too_much(void **state)
{
    struct fixture *f = *state;
    struct buffer body = BUFFER_WITH_MAXIMUM(16 * 1024);
    buffer_append_text(&body, "{\"params\":{");
    for (int i = 0; i < 17; i++)
        buffer_append_format(&body, "%s\"p%d\":\"v\"", i ? "," : "", i);
    buffer_append_text(&body, "}}");
    expect_answer(fixture_send(f, "POST", LOGIN, buffer_text(&body)), 400, "too many");

    buffer_clear(&body);
    buffer_append_text(&body, "{\"params\":{\"p\":\"");
    for (int i = 0; i < 1025; i++)
        buffer_append_char(&body, 'v');
    buffer_append_text(&body, "\"}}");
    expect_answer(fixture_send(f, "POST", LOGIN, buffer_text(&body)), 400, "no usable text");
    buffer_release(&body);
    fixture_quiet(f);
}

static void test_start_where(void **state)
{
    static const struct {
        const char *target, *body;
        int status;
        const char *says;
    } rows[] = {
        { "/v1/login/unknown/acme", NULL, 404, "unknown_provider" },
        { "/v1/login/zenpayroll/app", NULL, 400, "authorization_code" },
        { LOGIN, "{\"mode\":\"browser\"}", 400, "no callback address of this broker" },
    };
    struct fixture *f = *state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        expect_answer(fixture_send(f, "POST", rows[i].target, rows[i].body), rows[i].status,
                      rows[i].says);
        fixture_quiet(f);
    }
}

/* The fake web cannot listen, as if the port were taken. */
static void test_start_without_the_port(void **state)
{
    struct fixture *f = *state;
    struct web_request *request = fixture_send(f, "POST", "/v1/login/local/acme", NULL);
    answer_provider(f, LOCAL);
    char *end = NULL;
    long seconds = strtol(request->retry_after, &end, 10);
    assert_true(seconds > 0 && seconds < LONG_MAX);
    assert_string_equal(end, "");
    expect_answer(request, 503, "the callback address cannot be held");
    assert_null(logins_newest(f->context.logins));

    request = fixture_send(f, "POST", "/v1/login/secure/acme", NULL);
    answer_provider(f, SECURE);
    expect_answer(request, 503, "there is no certificate for https yet");
    assert_null(logins_newest(f->context.logins));

    request = fixture_send(f, "POST", "/v1/login/local/acme", "{\"mode\":\"paste\"}");
    answer_provider(f, LOCAL);
    expect_answer(request, 200, "\"login_id\":\"");
}

static void test_start_not_allowed(void **state)
{
    struct fixture *f = *state;
    expect_answer(fixture_send_as(f, STRANGER_UID, "POST", LOGIN, NULL), 403, "forbidden");
    fixture_rule(f, STRANGER_UID, MAY_TOKEN | MAY_LIST, "*");
    expect_answer(fixture_send_as(f, STRANGER_UID, "POST", LOGIN, NULL), 403, "forbidden");
    expect_answer(fixture_send_as(f, STRANGER_UID, "POST", "/v1/login/unknown/a", NULL), 403,
                  "forbidden");
    fixture_quiet(f);
}

static void test_start_when_the_back_fails(void **state)
{
    struct fixture *f = *state;
    struct web_request *request = fixture_send(f, "POST", LOGIN, NULL);
    fixture_fail(f, fixture_take(f, ASK_PROVIDER), WIRE_PROVIDER_UNAVAILABLE);
    expect_answer(request, 503, "the test said no");

    request = fixture_send(f, "POST", LOGIN, NULL);
    fixture_deliver(f, fixture_answer(fixture_take(f, ASK_PROVIDER)));
    expect_answer(request, 500, "internal");

    request = fixture_send(f, "POST", LOGIN, "{\"scope\":\"a\"}");
    fake_hang_up(request);
    answer_provider(f, ZENEGY);
    assert_int_equal(request->answers, 0);
    free(request);
    assert_null(logins_newest(f->context.logins));
}

static void test_start_quota(void **state)
{
    struct fixture *f = *state;
    struct web_request *waiting[LOGINS_PER_UID_MAX];
    for (size_t i = 0; i < LOGINS_PER_UID_MAX; i++)
        waiting[i] = fixture_send(f, "POST", LOGIN, NULL);
    expect_answer(fixture_send(f, "POST", LOGIN, NULL), 429, "too_many_requests");
    for (size_t i = 0; i < LOGINS_PER_UID_MAX; i++) {
        fake_hang_up(waiting[i]);
        free(waiting[i]);
        message_free(fixture_take(f, ASK_PROVIDER));
    }
    start(f, FIXTURE_UID, NULL);
}

/* --- following --- */

static const char *target_of(const struct login *login, const char *query, char out[128])
{
    snprintf(out, 128, "/v1/logins/%s%s", login->id, query);
    return out;
}

static void test_follow(void **state)
{
    struct fixture *f = *state;
    char target[128];
    struct login *login = start(f, FIXTURE_UID, NULL);
    expect_answer(fixture_send(f, "GET", target_of(login, "", target), NULL), 200,
                  "\"account\":\"zenegy/acme\",\"status\":\"pending\"}");
    expect_answer(fixture_send(f, "GET", target_of(login, "?wait=0", target), NULL), 200,
                  "pending");
    expect_answer(fixture_send(f, "GET", "/v1/logins/unknown", NULL), 404, "not_found");

    static const char *const odd[] = { "?wait=",  "?wait=61", "?wait=-1",
                                       "?wait=x", "?wait=1s", "?wait=99999999999999999999",
                                       "?weit=1" };
    for (size_t i = 0; i < sizeof(odd) / sizeof(odd[0]); i++)
        expect_answer(fixture_send(f, "GET", target_of(login, odd[i], target), NULL), 400,
                      "bad_request");
}

static void test_follow_waits(void **state)
{
    struct fixture *f = *state;
    char target[128];
    struct login *login = start(f, FIXTURE_UID, NULL);
    struct web_request *first = fixture_send(f, "GET", target_of(login, "?wait=60", target), NULL);
    struct web_request *gone = fixture_send(f, "GET", target, NULL);
    assert_int_equal(first->answers, 0);
    fake_hang_up(gone);
    free(gone);
    expect_answer(fixture_send(f, "DELETE", target_of(login, "", target), NULL), 200,
                  "\"status\":\"cancelled\"}");
    expect_answer(first, 200, "\"status\":\"cancelled\"");
    /* It has ended: there is nothing to wait for. */
    expect_answer(fixture_send(f, "GET", target_of(login, "?wait=60", target), NULL), 200,
                  "cancelled");
}

static void test_too_many_follow(void **state)
{
    struct fixture *f = *state;
    struct web_request *waiting[LOGIN_WAITERS_PER_LOGIN_MAX];
    char target[128];
    target_of(start(f, FIXTURE_UID, NULL), "?wait=9", target);
    for (size_t i = 0; i < LOGIN_WAITERS_PER_LOGIN_MAX; i++)
        waiting[i] = fixture_send(f, "GET", target, NULL);
    expect_answer(fixture_send(f, "GET", target, NULL), 503, "busy");
    for (size_t i = 0; i < LOGIN_WAITERS_PER_LOGIN_MAX; i++) {
        fake_hang_up(waiting[i]);
        free(waiting[i]);
    }
}

static void test_only_the_starter_or_an_admin(void **state)
{
    static const char *const methods[] = { "GET", "POST", "DELETE" };
    struct fixture *f = *state;
    char target[128];
    struct login *login = start(f, FIXTURE_UID, NULL);
    target_of(login, "", target);
    fixture_rule(f, STRANGER_UID, MAY_TOKEN | MAY_LOGIN | MAY_LIST | MAY_MONITOR, "*");
    for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++)
        expect_answer(fixture_send_as(f, STRANGER_UID, methods[i], target, NULL), 403, "forbidden");
    assert_int_equal(login->status, LOGIN_PENDING);
    f->context.settings->rules[0].may = MAY_ADMIN;
    expect_answer(fixture_send_as(f, STRANGER_UID, "GET", target, NULL), 200, "pending");
}

/* --- finishing --- */

static struct web_request *paste(struct fixture *f, const struct login *login, const char *query)
{
    char target[128], body[512];
    snprintf(body, sizeof(body), "{\"redirect\":\"%s?state=%s&%s\"}", REDIRECT,
             secret_reveal(login->state), query);
    return fixture_send(f, "POST", target_of(login, "", target), body);
}

static struct message *consent_for(struct message *question, enum consent_outcome outcome)
{
    struct message *answer = fixture_answer(question);
    answer->consent = calloc(1, sizeof(*answer->consent));
    answer->consent->outcome = outcome;
    answer->consent->expires_at = clock_now() + 3600 * 1000;
    answer->consent->scope = strdup("read");
    answer->consent->identity = strdup("4711");
    return answer;
}

static void test_finish(void **state)
{
    struct fixture *f = *state;
    char target[128], expires[64];
    struct login *login = start(f, FIXTURE_UID, NULL);
    struct web_request *request = paste(f, login, "code=abc");
    assert_int_equal(request->answers, 0);
    expect_answer(fixture_send(f, "DELETE", target_of(login, "", target), NULL), 503, "too late");
    expect_answer(paste(f, login, "code=abc"), 400, "not pending any more");

    struct message *question = fixture_take(f, ASK_EXCHANGE);
    assert_string_equal(question->exchange->redirect_uri, REDIRECT);
    fixture_deliver(f, consent_for(question, CONSENT_GRANTED));
    snprintf(expires, sizeof(expires), "\"status\":\"done\",\"expires_at\":%lld,",
             (long long)(clock_to_wall(clock_now() + 3600 * 1000) / 1000));
    assert_null(strstr(request->answer, "warning"));
    assert_non_null(strstr(request->answer, "\"scope\":\"read\",\"identity\":\"4711\"}"));
    expect_answer(request, 200, expires);
    expect_answer(fixture_send(f, "DELETE", target_of(login, "", target), NULL), 400,
                  "ended already: done");
}

static void test_finish_with_a_warning(void **state)
{
    struct fixture *f = *state;
    struct login *login = start(f, FIXTURE_UID, NULL);
    struct web_request *request = paste(f, login, "code=abc");
    struct message *answer =
        consent_for(fixture_take(f, ASK_EXCHANGE), CONSENT_WITHOUT_REFRESH_TOKEN);
    answer->consent->fewer_scopes = true;
    fixture_deliver(f, answer);
    assert_non_null(strstr(request->answer, "; the provider granted less than was asked for\"}"));
    expect_answer(request, 200, "\"warning\":\"the provider sent no refresh token: works until ");
}

static void test_finish_badly(void **state)
{
    struct fixture *f = *state;
    struct login *login = start(f, FIXTURE_UID, NULL);
    struct web_request *request = paste(f, login, "code=abc");
    fixture_deliver(f, consent_for(fixture_take(f, ASK_EXCHANGE), CONSENT_IDENTITY_MISMATCH));
    expect_answer(request, 200, "\"status\":\"failed\",\"error\":\"identity_mismatch\"");

    login = start(f, FIXTURE_UID, NULL);
    request = paste(f, login, "code=abc");
    fixture_fail(f, fixture_take(f, ASK_EXCHANGE), WIRE_PROVIDER_REJECTED);
    expect_answer(request, 200,
                  "\"error\":\"provider_rejected\",\"error_description\":\"the test said no\"");

    login = start(f, FIXTURE_UID, NULL);
    expect_answer(paste(f, login, "error=access_denied&error_description=No"), 200,
                  "\"error\":\"access_denied\",\"error_description\":\"No\"}");
    fixture_quiet(f);
}

static void test_finish_refused(void **state)
{
    static const struct {
        const char *body, *says;
    } rows[] = {
        { NULL, "redirect" },
        { "{}", "redirect" },
        { "{\"redirect\":1}", "redirect" },
        { "{\"redirect\":\"x\",\"more\":1}", "more" },
        { "{\"redirect\":\"code=abc\"}", "paste all of it" },
        { "{\"redirect\":\"https://oauth.example/other?code=abc\"}", "not the one" },
        { "{\"redirect\":\"" REDIRECT "?code=abc\"}", "no state" },
        { "{\"redirect\":\"" REDIRECT "?code=abc&state=x\"}", "another login" },
    };
    struct fixture *f = *state;
    char target[128];
    struct login *login = start(f, FIXTURE_UID, NULL);
    target_of(login, "", target);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        expect_answer(fixture_send(f, "POST", target, rows[i].body), 400, rows[i].says);
    assert_int_equal(login->status, LOGIN_PENDING);
    fixture_quiet(f);
}

/* --- what is counted --- */

static void test_audit(void **state)
{
    struct fixture *f = *state;
    char target[128];
    struct login *login = start(f, FIXTURE_UID, NULL);
    target_of(login, "", target);
    expect_answer(fixture_send_as(f, STRANGER_UID, "GET", target, NULL), 403, "forbidden");
    expect_answer(fixture_send(f, "DELETE", target, NULL), 200, "cancelled");
    audit_flush(f->context.audit);
    struct message *rows = fixture_take(f, TELL_AUDIT);
    unsigned seen = 0;
    for (size_t i = 0; i < rows->audit_count; i++) {
        const struct audit_row *row = &rows->audit[i];
        assert_string_equal(row->account, "zenegy/acme");
        seen |= strcmp(row->verdict, "login_started") == 0 && row->uid == FIXTURE_UID ? 1U : 0;
        seen |= strcmp(row->verdict, "login_cancelled") == 0 && row->uid == FIXTURE_UID ? 2U : 0;
        seen |= strcmp(row->verdict, "forbidden") == 0 && row->uid == STRANGER_UID ? 4U : 0;
    }
    assert_int_equal(seen, 7);
    message_free(rows);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, fixture_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_start_by_paste),
        TEST(test_start_by_paste_pushes),
        TEST(test_start_with_wishes),
        TEST(test_start_refused_bodies),
        TEST(test_start_with_too_much),
        TEST(test_start_where),
        TEST(test_start_without_the_port),
        TEST(test_start_not_allowed),
        TEST(test_start_when_the_back_fails),
        TEST(test_start_quota),
        TEST(test_follow),
        TEST(test_follow_waits),
        TEST(test_too_many_follow),
        TEST(test_only_the_starter_or_an_admin),
        TEST(test_finish),
        TEST(test_finish_with_a_warning),
        TEST(test_finish_badly),
        TEST(test_finish_refused),
        TEST(test_audit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

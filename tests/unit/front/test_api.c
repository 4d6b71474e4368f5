#include "fixture.h"

#include "front/api_path.h"

/* Requests that are answered at once, by what their form says. */
struct form_row {
    const char *method;
    const char *target;
    const char *body;
    int status;
    const char *text;
};

static const struct form_row forms[] = {
    { "GET", "/", NULL, 404, "not_found" },
    { "GET", "/v1", NULL, 404, "not_found" },
    { "GET", "/v1/token", NULL, 404, "not_found" },
    { "GET", "/v1/token/", NULL, 404, "not_found" },
    { "GET", "/v1/token/zenegy", NULL, 404, "not_found" },
    { "GET", "/v1/token/zenegy/", NULL, 404, "not_found" },
    { "GET", "/v1/token//acme", NULL, 404, "not_found" },
    { "GET", "/v1/token/zenegy/acme/x", NULL, 404, "not_found" },
    { "GET", "/v1/accounts/", NULL, 404, "not_found" },
    { "GET", "/v1/accounts/zenegy", NULL, 404, "not_found" },
    { "GET", "/v1/healthy", NULL, 404, "not_found" },
    { "POST", "/v1/retry/", NULL, 404, "not_found" },
    { "GET", "/v2/health", NULL, 404, "not_found" },
    { "POST", "/v1/token/zenegy/acme", NULL, 405, "takes GET" },
    { "HEAD", "/v1/health", NULL, 405, "takes GET" },
    { "get", "/v1/health", NULL, 405, "takes GET" },
    { "POST", "/v1/accounts/zenegy/acme", NULL, 405, "takes GET, PUT, DELETE" },
    { "DELETE", "/v1/accounts", NULL, 405, "takes GET" },
    { "GET", "/v1/login/zenegy/acme", NULL, 405, "takes POST" },
    { "PUT", "/v1/logins/abc", NULL, 405, "takes GET, POST, DELETE" },
    { "GET", "/v1/refresh/zenegy/acme", NULL, 405, "takes POST" },
    { "GET", "/v1/retry", NULL, 405, "takes POST" },
    { "GET", "/v1/health?x=1", NULL, 400, "query parameter x" },
    { "GET", "/v1/token/zenegy/acme?minttl=1", NULL, 400, "query parameter minttl" },
    { "GET", "/v1/token/zenegy/acme?wait=1&wait=1", NULL, 400, "came twice" },
    { "DELETE", "/v1/accounts/zenegy/acme?limit=1", NULL, 400, "query parameter limit" },
    { "GET", "/v1/health", "{}", 400, "no body" },
    { "POST", "/v1/refresh/zenegy/acme", "{}", 400, "no body" },
    { "GET", "/v1/token/Zenegy/acme", NULL, 400, "no name" },
    { "GET", "/v1/token/zenegy/-acme", NULL, 400, "no name" },
    { "GET", "/v1/token/zenegy/a%00b", NULL, 400, "no name" },
    { "GET", "/v1/token/zenegy/a%2", NULL, 400, "no name" },
    { "GET", "/v1/token/zenegy/a%zz", NULL, 400, "no name" },
    { "GET", "/v1/token/zenegy/a%2Fb", NULL, 400, "no name" },
    { "GET", "/v1/token/zenegi/acme", NULL, 404, "no provider zenegi is configured" },
    { "POST", "/v1/refresh/zenegi/acme", NULL, 404, "unknown_provider" },
    { "PUT", "/v1/accounts/zenegi/acme", "{}", 404, "unknown_provider" },
    { "POST", "/v1/retry/zenegi", NULL, 404, "unknown_provider" },
    { "GET", "/v1/token/zenegy/acme?min_ttl=-1", NULL, 400, "min_ttl must be" },
    { "GET", "/v1/token/zenegy/acme?min_ttl=", NULL, 400, "min_ttl must be" },
    { "GET", "/v1/token/zenegy/acme?min_ttl=1e3", NULL, 400, "min_ttl must be" },
    { "GET", "/v1/token/zenegy/acme?min_ttl=315360001", NULL, 400, "min_ttl must be" },
    { "GET", "/v1/token/zenegy/acme?min_ttl=99999999999999999999", NULL, 400, "min_ttl must be" },
    { "GET", "/v1/token/zenegy/acme?wait=61", NULL, 400, "wait must be" },
    { "GET", "/v1/token/zenegy/acme?wait=+1", NULL, 400, "wait must be" },
    { "GET", "/v1/accounts?limit=0", NULL, 400, "limit must be" },
    { "GET", "/v1/accounts?limit=501", NULL, 400, "limit must be" },
    { "GET", "/v1/accounts?after=zenegy", NULL, 400, "after is no name" },
    { "GET", "/v1/audit?account=x", NULL, 400, "account must be a name or a glob" },
    { "GET", "/v1/audit?before=0", NULL, 400, "before must be" },
    { "GET", "/v1/audit?limit=501", NULL, 400, "limit is out" },
    { "PUT", "/v1/accounts/zenegy/acme", "", 400, "either refresh_token or access_token" },
    { "PUT", "/v1/accounts/zenegy/acme", "[]", 400, "no JSON object" },
    { "PUT", "/v1/accounts/zenegy/acme", "{\"refresh_token\":\"a\"", 400, "no JSON object" },
    { "PUT", "/v1/accounts/zenegy/acme", "{\"refresh_token\":\"a\",\"x\":1}", 400, "member x" },
    { "PUT", "/v1/accounts/zenegy/acme", "{\"refresh_token\":1}", 400, "refresh_token must be" },
    { "PUT", "/v1/accounts/zenegy/acme", "{\"refresh_token\":\"\"}", 400, "refresh_token must be" },
    { "PUT", "/v1/accounts/zenegy/acme", "{\"refresh_token\":\"a\\n\"}", 400, "printable" },
    { "PUT", "/v1/accounts/zenegy/acme", "{\"access_token\":\"a\"}", 400, "static" },
    { "PUT", "/v1/accounts/zenegy/acme", "{\"access_token\":\"a\",\"refresh_token\":\"b\"}", 400,
      "either" },
    { "PUT", "/v1/accounts/zenegy/acme", "{\"refresh_token\":\"a\",\"scope\":1}", 400, "scope" },
    { "PUT", "/v1/accounts/zenpayroll/app", "{\"refresh_token\":\"a\"}", 400, "no refresh token" },
    { "POST", "/v1/reject/zenegy/acme", "", 400, "either access_token or fingerprint" },
    { "POST", "/v1/reject/zenegy/acme", "{\"fingerprint\":\"abc\"}", 400, "fingerprint must be" },
    { "POST", "/v1/reject/zenegy/acme", "{\"fingerprint\":3}", 400, "fingerprint must be" },
    { "POST", "/v1/reject/zenegy/acme", "{\"token\":\"abc\"}", 400, "member token" },
    { "POST", "/v1/retry/ZENEGY", NULL, 400, "no name of a provider" },
};

static void test_forms(void **state)
{
    struct fixture *fixture = *state;

    for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
        const struct form_row *row = &forms[i];
        struct web_request *request = fixture_send(fixture, row->method, row->target, row->body);
        if (request->answers != 1 || request->status != row->status)
            fail_msg("%s %s: %d", row->method, row->target, request->status);
        assert_int_equal(*request->allow != '\0', row->status == 405);
        assert_string_equal(request->content_type, "application/json");
        expect_answer(request, row->status, row->text);
        fixture_quiet(fixture);
    }
}

static void test_percent_encoded_name(void **state)
{
    struct fixture *fixture = *state;
    struct web_request *request =
        fixture_send(fixture, "GET", "/v1/token/zenegy/ann%40example.com%2b1", NULL);
    struct message *question = fixture_take(fixture, ASK_TOKEN);

    assert_string_equal(question->account.label, "ann@example.com+1");
    fixture_issue(fixture, question, "tok", 1, 3600 * 1000);
    expect_answer(request, 200, "\"account\":\"zenegy/ann@example.com+1\"");
}

/* Every request about an account or more, and what it takes. */
struct right_row {
    const char *method;
    const char *target;
    const char *body;
    enum may may;
    bool whole; /* a right to one account is not enough */
};

static const struct right_row rights[] = {
    { "GET", "/v1/token/zenegy/acme", NULL, MAY_TOKEN, false },
    { "GET", "/v1/accounts", NULL, MAY_LIST, false },
    { "GET", "/v1/accounts/zenegy/acme", NULL, MAY_LIST, false },
    { "PUT", "/v1/accounts/zenegy/acme", "{\"refresh_token\":\"a\"}", MAY_IMPORT, false },
    { "DELETE", "/v1/accounts/zenegy/acme", NULL, MAY_LOGOUT, false },
    { "POST", "/v1/refresh/zenegy/acme", NULL, MAY_TOKEN, false },
    { "POST", "/v1/reject/zenegy/acme", "{\"access_token\":\"a\"}", MAY_REJECT, false },
    { "POST", "/v1/retry/zenegy/acme", NULL, MAY_ADMIN, false },
    { "POST", "/v1/retry/zenegy", NULL, MAY_ADMIN, true },
    { "POST", "/v1/retry", NULL, MAY_ADMIN, true },
    { "GET", "/v1/audit", NULL, MAY_ADMIN, true },
    { "GET", "/v1/audit?account=zenegy/acme", NULL, MAY_ADMIN, false },
};

static const unsigned every_right = MAY_TOKEN | MAY_REJECT | MAY_LIST | MAY_LOGIN | MAY_LINK |
                                    MAY_IMPORT | MAY_LOGOUT | MAY_MONITOR;

/* Is the request with these rights to these accounts forbidden? */
static bool forbidden(const struct right_row *row, unsigned may, const char *glob)
{
    struct fixture *fixture = fixture_new(100);
    void *fixture_state = fixture;

    fixture_rule(fixture, FIXTURE_UID, may, glob);
    struct web_request *request = fixture_send(fixture, row->method, row->target, row->body);
    bool refused = request->answers == 1 && request->status == 403;
    if (refused)
        fixture_quiet(fixture);
    if (request->answers == 0)
        fake_hang_up(request);
    free(request);
    fixture_tear_down(&fixture_state);
    return refused;
}

static void test_rights(void **state)
{
    for (size_t i = 0; i < sizeof(rights) / sizeof(rights[0]); i++) {
        const struct right_row *row = &rights[i];
        bool about_all = strcmp(row->target, "/v1/accounts") == 0;
        if (forbidden(row, row->may, "*/*") || forbidden(row, MAY_ADMIN, "*/*") ||
            !forbidden(row, every_right & ~(unsigned)row->may, "*/*") ||
            forbidden(row, row->may, "zenegy/acme") != row->whole ||
            forbidden(row, row->may, "gusto/*") == about_all)
            fail_msg("%s %s", row->method, row->target);
    }
}

/* The same words whether or not it exists. */
static void test_forbidden_tells_nothing(void **state)
{
    struct fixture *fixture = *state;
    struct web_request *known =
        fixture_send_as(fixture, STRANGER_UID, "GET", "/v1/token/zenegy/acme", NULL);
    struct web_request *unknown =
        fixture_send_as(fixture, STRANGER_UID, "GET", "/v1/token/zenegi/acme", NULL);
    char *at = strstr(unknown->answer, "zenegi");

    assert_non_null(strstr(known->answer, "access uid-2000 { accounts = {\\\"zenegy/acme\\\"} "
                                          "who = {\\\"user:2000\\\"} may = {\\\"token\\\"} }"));
    for (; at; at = strstr(at, "zenegi"))
        memcpy(at, "zenegy", 6);
    assert_string_equal(known->answer, unknown->answer);
    fixture_quiet(fixture);
    free(unknown);
    expect_answer(known, 403, "\"error\":\"forbidden\"");
}

static void test_longest_names_fit_a_refusal(void **state)
{
    struct fixture *fixture = *state;
    char target[256] = "/v1/accounts/";

    memset(target + strlen(target), 'p', PROVIDER_NAME_MAX);
    target[strlen(target)] = '/';
    memset(target + strlen(target), 'l', LABEL_MAX);
    struct web_request *request = fixture_send_as(fixture, 4294967294U, "DELETE", target, NULL);
    assert_non_null(strstr(request->answer, "may = {\\\"logout\\\"} }\""));
    expect_answer(request, 403, "ppp/lll");
}

/* A refusal that quotes what was asked is fit for a terminal. */
static void test_refusals_are_printable(void **state)
{
    struct fixture *fixture = *state;
    struct web_request *request = fixture_send(fixture, "POST", "/v1/login/zenegy/acme",
                                               "{\"a\x7f\xc2\x9b"
                                               "b\":1}");
    assert_non_null(strstr(request->answer, "the member a  b is not known here"));
    expect_answer(request, 400, "bad_request");
}

static void test_integers(void **state)
{
    int64_t value = -7;

    assert_true(text_to_integer("0", 0, 10, &value));
    assert_int_equal(value, 0);
    assert_true(text_to_integer("9223372036854775807", 0, INT64_MAX, &value));
    assert_true(value == INT64_MAX);
    value = -7;
    assert_false(text_to_integer("9223372036854775808", 0, INT64_MAX, &value));
    assert_false(text_to_integer("11", 0, 10, &value));
    assert_false(text_to_integer("1", 2, 10, &value));
    assert_false(text_to_integer("1 ", 0, 10, &value));
    assert_int_equal(value, -7);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_set_up, fixture_tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_forms),
        TEST(test_percent_encoded_name),
        cmocka_unit_test(test_rights),
        TEST(test_forbidden_tells_nothing),
        TEST(test_longest_names_fit_a_refusal),
        TEST(test_refusals_are_printable),
        TEST(test_integers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

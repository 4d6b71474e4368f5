/* /v1/links: what an order for a link may say, and how a link is told. */

#include "fixture.h"

#define PUBLIC "https://hr.example.com/oauth"

enum { WEEK_MS = 7 * 24 * 3600 * 1000, HOUR_MS = 3600 * 1000 };

/* Provider zenegy comes back by a public name. */
static int set_up_public(void **state)
{
    (void)fixture_set_up(state);
    struct fixture *fixture = *state;
    struct settings *settings = fixture->context.settings;
    settings->public_url = strdup(PUBLIC);
    settings->providers[0]->redirect_uri = strdup(PUBLIC "/callback/zenegy");
    settings->providers[0]->identity = strdup("extra.company_id");
    return 0;
}

static struct web_request *make(struct fixture *fixture, const char *body)
{
    return fixture_send(fixture, "POST", "/v1/links/zenegy/a", body);
}

/* An answer of links a, b, …, of an hour each. */
static struct message *links_for(struct message *question, size_t count)
{
    struct message *answer = fixture_rows(question, 'a', count);
    for (size_t i = 0; i < count; i++) {
        struct link_row *link = calloc(1, sizeof(*link));
        assert_non_null(link);
        link->token = strdup("TOKEN");
        link->created_at = clock_now();
        link->expires_at = clock_now() + HOUR_MS;
        link->clicks = 3;
        answer->rows[i].link = link;
    }
    return answer;
}

static void test_made(void **state)
{
    struct fixture *fixture = *state;
    struct web_request *request = make(
        fixture, "{\"expires_in\":3600,\"expect\":{\"company_id\":\"4711\"},\"scope\":\"read\","
                 "\"params\":{\"hint\":\"a b\"}}");
    struct message *question = fixture_take(fixture, ASK_LINK);
    const struct link_order *order = question->link_order;

    assert_string_equal(question->account.label, "a");
    assert_int_equal(order->life_ms, HOUR_MS);
    assert_int_equal(order->uid, FIXTURE_UID);
    assert_string_equal(order->expect, "4711");
    assert_string_equal(order->scope, "read");
    assert_string_equal(order->params, "{\"hint\":\"a b\"}");
    struct message *answer = links_for(question, 1);
    answer->rows[0].link->expect = strdup("4711");
    answer->rows[0].link->scope = strdup("read");
    fixture_deliver(fixture, answer);
    assert_string_equal(request->answer,
                        "{\"account\":\"zenegy/a\",\"url\":\"" PUBLIC "/link/TOKEN\","
                        "\"state\":\"open\",\"created_at\":2000,\"expires_at\":5600,"
                        "\"attempts\":3,\"expected_identity\":\"4711\",\"scope\":\"read\"}");
    free(request);
}

static void test_defaults(void **state)
{
    struct fixture *fixture = *state;
    struct web_request *request = make(fixture, NULL);
    struct message *question = fixture_take(fixture, ASK_LINK);

    assert_int_equal(question->link_order->life_ms, WEEK_MS);
    assert_null(question->link_order->expect);
    assert_null(question->link_order->scope);
    assert_null(question->link_order->params);
    fixture_fail(fixture, question, WIRE_CONSENT_REQUIRED);
    expect_answer(request, 409, "the test said no");
}

static void test_orders_that_are_refused(void **state)
{
    struct fixture *fixture = *state;
    static const struct {
        const char *body, *why;
    } rows[] = {
        { "{", "no JSON object" },
        { "{\"expire_in\":3600}", "expire_in is not known" },
        { "{\"expires_in\":59}", "a minute to a year" },
        { "{\"expires_in\":31536001}", "a minute to a year" },
        { "{\"expires_in\":\"7d\"}", "a minute to a year" },
        { "{\"expect\":\"4711\"}", "an object with one member" },
        { "{\"expect\":{}}", "an object with one member" },
        { "{\"expect\":{\"company_id\":\"1\",\"extra.company_id\":\"1\"}}", "one member" },
        { "{\"expect\":{\"extra\":\"1\"}}", "must name what the provider's identity is" },
        { "{\"expect\":{\"id\":\"1\"}}", "identity is: extra.company_id" },
        { "{\"expect\":{\"company_id\":4711}}", "must be a short text" },
        { "{\"expect\":{\"company_id\":\"\"}}", "must be a short text" },
        { "{\"scope\":7}", "scope" },
        { "{\"params\":{\"state\":\"x\"}}", "state" },
        { "{\"params\":[]}", "params" },
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        expect_answer(make(fixture, rows[i].body), 400, rows[i].why);
    fixture_quiet(fixture);
}

static void test_expect_is_bounded_and_may_name_the_whole_path(void **state)
{
    struct fixture *fixture = *state;
    char body[400];

    snprintf(body, sizeof(body), "{\"expect\":{\"extra.company_id\":\"%0256d\"}}", 7);
    struct web_request *request = make(fixture, body);
    fixture_deliver(fixture, links_for(fixture_take(fixture, ASK_LINK), 1));
    expect_answer(request, 200, "TOKEN");
    snprintf(body, sizeof(body), "{\"expect\":{\"company_id\":\"%0257d\"}}", 7);
    expect_answer(make(fixture, body), 400, "must be a short text");
    fixture_quiet(fixture);
}

static void test_nothing_to_expect(void **state)
{
    struct fixture *fixture = *state;
    struct provider *provider = fixture->context.settings->providers[0];

    free(provider->identity);
    provider->identity = NULL;
    expect_answer(make(fixture, "{\"expect\":{\"company_id\":\"1\"}}"), 400, "says no identity");
    fixture_quiet(fixture);
}

static void test_where_no_link_leads(void **state)
{
    struct fixture *fixture = *state;

    expect_answer(fixture_send(fixture, "POST", "/v1/links/zenpayroll/a", "{}"), 400,
                  "not given in a browser");
    expect_answer(fixture_send(fixture, "POST", "/v1/links/nobody/a", "{}"), 404,
                  "unknown_provider");
    free(fixture->context.settings->public_url);
    fixture->context.settings->public_url = NULL;
    expect_answer(make(fixture, "{}"), 400, "no public_url");
    fixture_quiet(fixture);
}

static void test_looked_at(void **state)
{
    struct fixture *fixture = *state;
    struct web_request *request = fixture_send(fixture, "GET", "/v1/links/zenegy/a", NULL);
    struct message *answer = links_for(fixture_take(fixture, ASK_LINK_OF), 1);

    answer->rows[0].link->expires_at = clock_now();
    fixture_deliver(fixture, answer);
    expect_answer(request, 200, "\"state\":\"expired\"");
    request = fixture_send(fixture, "GET", "/v1/links/zenegy/a", NULL);
    fixture_fail(fixture, fixture_take(fixture, ASK_LINK_OF), WIRE_NOT_FOUND);
    expect_answer(request, 404, "not_found");
    /* A row without its link would be a fault of the back's. */
    request = fixture_send(fixture, "GET", "/v1/links/zenegy/a", NULL);
    fixture_deliver(fixture, fixture_rows(fixture_take(fixture, ASK_LINK_OF), 'a', 1));
    expect_answer(request, 500, "internal");
}

static void test_listed_to_whom_it_concerns(void **state)
{
    struct fixture *fixture = *state;

    fixture_rule(fixture, FIXTURE_UID, MAY_LINK, "zenegy/b");
    struct web_request *request = fixture_send(fixture, "GET", "/v1/links?limit=10", NULL);
    fixture_deliver(fixture, links_for(fixture_take(fixture, ASK_LINKS), 3));
    assert_null(strstr(request->answer, "zenegy/a"));
    assert_null(strstr(request->answer, "zenegy/c"));
    expect_answer(request, 200, "{\"links\":[{\"account\":\"zenegy/b\",\"url\":");
}

static void test_ended(void **state)
{
    struct fixture *fixture = *state;
    struct web_request *request = fixture_send(fixture, "DELETE", "/v1/links/zenegy/a", NULL);

    fixture_deliver(fixture, fixture_answer(fixture_take(fixture, ASK_UNLINK)));
    expect_answer(request, 200, "{\"account\":\"zenegy/a\",\"revoked\":true}");
    request = fixture_send(fixture, "DELETE", "/v1/links/zenegy/a", NULL);
    fixture_fail(fixture, fixture_take(fixture, ASK_UNLINK), WIRE_NOT_FOUND);
    expect_answer(request, 404, "not_found");
}

static void test_who_may_not(void **state)
{
    struct fixture *fixture = *state;
    static const char *const methods[] = { "GET", "POST", "DELETE" };

    fixture_rule(fixture, FIXTURE_UID, MAY_TOKEN | MAY_LIST | MAY_LOGIN | MAY_LOGOUT, "*");
    for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++)
        expect_answer(fixture_send(fixture, methods[i], "/v1/links/zenegy/a", NULL), 403,
                      "forbidden");
    expect_answer(fixture_send(fixture, "GET", "/v1/links", NULL), 403, "forbidden");
    expect_answer(fixture_send(fixture, "PUT", "/v1/links/zenegy/a", NULL), 405, "POST");
    fixture_quiet(fixture);
}

/* Each that was made or ended, and nothing that was refused. */
static void test_counted(void **state)
{
    struct fixture *fixture = *state;
    struct web_request *request = make(fixture, "{}");

    fixture_deliver(fixture, links_for(fixture_take(fixture, ASK_LINK), 1));
    free(request);
    request = fixture_send(fixture, "DELETE", "/v1/links/zenegy/a", NULL);
    fixture_deliver(fixture, fixture_answer(fixture_take(fixture, ASK_UNLINK)));
    free(request);
    audit_flush(fixture->context.audit);
    struct message *told = fixture_take(fixture, TELL_AUDIT);
    assert_int_equal(told->audit_count, 2);
    assert_string_equal(told->audit[0].verdict, "link");
    assert_string_equal(told->audit[1].verdict, "unlink");
    message_free(told);
}

/* Who hangs up while the back makes it: the answer is nobody's. */
static void test_gone_meanwhile(void **state)
{
    struct fixture *fixture = *state;
    struct web_request *request = make(fixture, "{}");
    struct message *question = fixture_take(fixture, ASK_LINK);

    fake_hang_up(request);
    free(request);
    fixture_deliver(fixture, links_for(question, 1));
}

static void test_back_is_full(void **state)
{
    struct fixture *fixture = fixture_new(1);
    void *held = fixture;
    struct web_request *first = fixture_send(fixture, "GET", "/v1/links", NULL);

    expect_answer(fixture_send(fixture, "GET", "/v1/links", NULL), 503, "busy");
    fixture_deliver(fixture, links_for(fixture_take(fixture, ASK_LINKS), 0));
    expect_answer(first, 200, "{\"links\":[]}");
    (void)fixture_tear_down(&held);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up_public, fixture_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_made),
        TEST(test_defaults),
        TEST(test_orders_that_are_refused),
        TEST(test_expect_is_bounded_and_may_name_the_whole_path),
        TEST(test_nothing_to_expect),
        TEST(test_where_no_link_leads),
        TEST(test_looked_at),
        TEST(test_listed_to_whom_it_concerns),
        TEST(test_ended),
        TEST(test_who_may_not),
        TEST(test_counted),
        TEST(test_gone_meanwhile),
        cmocka_unit_test(test_back_is_full),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

#include "fixture.h"

#include <errno.h>

#include "front/consumers.h"
#include "front/loopback.h"

#define KEY_A "a-key-of-powerbi-that-is-long-enough"
#define KEY_B "b-key-of-another-that-is-long-enough"
#define HOST "127.0.0.1:8770"
#define TOKEN "/v1/token/zenegy/acme"

/* Two consumers at one address, each with one account. */
static struct access_rule rule_of(char *name, char **accounts)
{
    return (struct access_rule){ .name = name, .accounts = accounts, .may = MAY_TOKEN };
}

static void add_consumer(struct settings *settings, const char *name, const char *glob,
                         const char *key)
{
    char **accounts = calloc(2, sizeof *accounts);
    assert_non_null(accounts);
    accounts[0] = strdup(glob);
    struct consumer *grown =
        reallocarray(settings->consumers, settings->consumer_count + 1, sizeof *grown);
    assert_non_null(grown);
    settings->consumers = grown;
    struct consumer *consumer = &grown[settings->consumer_count++];
    *consumer = (struct consumer){ .rule = rule_of(strdup(name), accounts),
                                   .listen = { .address = "127.0.0.1", .port = 8770 },
                                   .has_key = key != NULL };
    if (key)
        digest_sha256(key, strlen(key), consumer->key_digest);
}

static int set_up(void **state)
{
    fixture_set_up(state);
    struct fixture *f = *state;

    fake_server = (struct fake_server){ .possible = true };
    add_consumer(f->context.settings, "powerbi", "zenegy/acme", KEY_A);
    add_consumer(f->context.settings, "another", "zenegy/other", KEY_B);
    assert_int_equal(consumers_new(&f->context, &f->context.consumers), 0);
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    f->context.consumers = consumers_free(f->context.consumers);
    assert_int_equal(fake_server.live, 0);
    fake_server = (struct fake_server){ 0 };
    return fixture_tear_down(state);
}

/* Sends a request with these headers; the caller frees it. */
static struct web_request *ask(const char *method, const char *target,
                               const struct web_header_line *headers)
{
    struct web_request *request = fake_request(method, target, NULL, 0);

    for (size_t i = 0; headers[i].name; i++)
        request->headers[i] = headers[i];
    fake_server.handler(fake_server.userdata, request);
    return request;
}

static struct web_request *ask_with(const char *key, const char *target)
{
    const struct web_header_line headers[] = { { "Host", HOST }, { "X-Api-Key", key }, { NULL } };

    return ask("GET", target, headers);
}

/* --- who is let in --- */

struct row {
    struct web_header_line headers[5];
    bool let_in;
};

static const struct row rows[] = {
    { { { "Host", HOST }, { "X-Api-Key", KEY_A } }, true },
    { { { "Host", HOST }, { "Authorization", "Bearer " KEY_A } }, true },
    { { { "Host", HOST }, { "Authorization", "bEARER   " KEY_A } }, true },
    { { { "Host", HOST }, { "X-Api-Key", KEY_A }, { "Sec-Fetch-Site", "none" } }, true },
    { { { "Host", HOST } }, false },
    { { { "Host", HOST }, { "X-Api-Key", "" } }, false },
    { { { "Host", HOST }, { "X-Api-Key", KEY_A " " } }, false },
    { { { "Host", HOST }, { "X-Api-Key", "A-key-of-powerbi-that-is-long-enough" } }, false },
    { { { "Host", HOST }, { "X-Api-Key", KEY_A }, { "X-Api-Key", KEY_A } }, false },
    { { { "Host", HOST }, { "Authorization", KEY_A } }, false },
    { { { "Host", HOST }, { "Authorization", "Basic " KEY_A } }, false },
    { { { "Host", HOST }, { "Authorization", "Bearer " KEY_A }, { "X-Api-Key", KEY_A } }, false },
    { { { "Host", HOST }, { "Cookie", "key=" KEY_A } }, false },
    { { { "Host", "127.0.0.1" }, { "X-Api-Key", KEY_A } }, false },
    { { { "Host", "localhost:8770" }, { "X-Api-Key", KEY_A } }, false },
    { { { "Host", "[::1]:8770" }, { "X-Api-Key", KEY_A } }, false },
    { { { "Host", "127.0.0.1:8771" }, { "X-Api-Key", KEY_A } }, false },
    { { { "Host", "evil.example:8770" }, { "X-Api-Key", KEY_A } }, false },
    { { { "X-Api-Key", KEY_A } }, false },
    { { { "Host", HOST }, { "X-Api-Key", KEY_A }, { "Origin", "http://" HOST } }, false },
    { { { "Host", HOST }, { "X-Api-Key", KEY_A }, { "Origin", "" } }, false },
    { { { "Host", HOST }, { "X-Api-Key", KEY_A }, { "Origin", "x" }, { "Origin", "x" } }, false },
    { { { "Host", HOST }, { "X-Api-Key", KEY_A }, { "Sec-Fetch-Site", "same-origin" } }, false },
    { { { "Host", HOST }, { "X-Api-Key", KEY_A }, { "Sec-Fetch-Site", "" } }, false },
};

/* Who is let in asks for an account that is not there yet: the request waits for the back. */
static void test_who_is_let_in(void **state)
{
    struct fixture *f = *state;

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct web_request *request = ask("GET", TOKEN, rows[i].headers);
        if ((request->answers == 0) != rows[i].let_in)
            fail_msg("row %zu: %s", i, request->answer);
        if (rows[i].let_in) {
            fake_hang_up(request);
            free(request);
        } else {
            expect_answer(request, 403, "the key of a consumer");
        }
    }
    message_free(fixture_take(f, ASK_TOKEN)); /* one for all: an account has one flight */
    fixture_quiet(f);
}

static void test_a_consumer_without_a_key_fits_none(void **state)
{
    static const char nothing[CONSUMER_DIGEST_SIZE];
    struct fixture *f = *state;
    struct consumer *consumer = &f->context.settings->consumers[0];

    consumer->has_key = false;
    expect_answer(ask_with(KEY_A, TOKEN), 403, "the key of a consumer");
    memcpy(consumer->key_digest, nothing, sizeof nothing);
    expect_answer(ask_with("", TOKEN), 403, "the key of a consumer");
}

static void test_another_address(void **state)
{
    struct fixture *f = *state;

    f->context.settings->consumers[0].listen.port = 8771;
    expect_answer(ask_with(KEY_A, TOKEN), 403, "the key of a consumer");
}

/* --- what is there --- */

static void test_the_section_is_the_rule(void **state)
{
    struct fixture *f = *state;

    fixture_rule(f, ASKER_NO_UID, MAY_ADMIN, "*/*");
    expect_answer(ask_with(KEY_B, TOKEN), 403,
                  "no access rule lets consumer another do this; an admin would add: consumer "
                  "another { accounts = {\\\"zenegy/acme\\\"} may = {\\\"token\\\"} }");
    expect_answer(ask_with(KEY_A, "/v1/token/zenegy/other"), 403, "consumer powerbi");
}

static void test_routes(void **state)
{
    const struct web_header_line headers[] = { { "Host", HOST }, { "X-Api-Key", KEY_A }, { NULL } };

    expect_answer(ask("GET", "/v1/health", headers), 404, "no such path");
    expect_answer(ask("GET", "/v1/accounts", headers), 404, "no such path");
    expect_answer(ask("POST", "/v1/refresh/zenegy/acme", headers), 404, "no such path");
    expect_answer(ask("POST", "/v1/login/zenegy/acme", headers), 404, "no such path");
    expect_answer(ask("POST", TOKEN, headers), 405, "this path takes GET");
    expect_answer(ask("GET", "/v1/reject/zenegy/acme", headers), 405, "this path takes POST");
    expect_answer(ask("POST", "/v1/reject/zenegy/acme", headers), 403, "consumer powerbi");
    expect_answer(ask("GET", "/v1/token/zenegy", headers), 404, "no such path");
    expect_answer(ask("GET", TOKEN "?key=x", headers), 400, "the query parameter key");
}

/* --- failures --- */

static void test_failures_are_slowed_down(void **state)
{
    for (int i = 0; i < CONSUMERS_FAILURES_MAX; i++)
        expect_answer(ask_with("x", TOKEN), 403, "forbidden");
    struct web_request *late = ask_with("x", TOKEN);
    assert_string_equal(late->retry_after, "1");
    expect_answer(late, 429, "too many requests without the key");
    expect_answer(ask_with(KEY_B, TOKEN), 403, "consumer another"); /* a right key is looked at */
    fixture_pass(*state, CONSUMERS_FAILURES_MS);
    expect_answer(ask_with("x", TOKEN), 403, "forbidden");
}

/* --- the addresses --- */

static void test_one_address_once(void **state)
{
    assert_int_equal(fake_server.live, 1);
    assert_int_equal(fake_server.options.connections_max, CONSUMERS_CONNECTIONS_MAX);
    assert_int_equal(fake_server.options.body_max, WEB_BODY_MAX);
    assert_true(fake_server.options.require_host);
    assert_null(fake_server.options.tls);
}

static void test_addresses_follow_the_settings(void **state)
{
    struct fixture *f = *state;
    struct settings *settings = f->context.settings;

    settings->consumers[1].listen.port = 8771;
    consumers_update(f->context.consumers);
    assert_int_equal(fake_server.live, 2);
    settings->consumers[1].listen.port = 8770;
    consumers_update(f->context.consumers);
    assert_int_equal(fake_server.live, 1);
    settings->consumers[0].listen.https = settings->consumers[1].listen.https = true;
    consumers_update(f->context.consumers); /* there is no certificate */
    assert_int_equal(fake_server.live, 0);
}

static void expect_health(const struct fixture *f, const char *wanted)
{
    CLEANUP(cleanup_buffer) struct buffer out = BUFFER_WITH_MAXIMUM(4096);
    struct json_writer writer = json_writer_begin(&out, '{');

    consumers_put_health(f->context.consumers, &writer);
    json_writer_end(&writer);
    assert_string_equal(buffer_text(&out), wanted);
}

static void test_taken_address(void **state)
{
    struct fixture *f = *state;

    expect_health(f, "{\"consumers\":[{\"listen\":\"http://127.0.0.1:8770\",\"bound\":true}]}");
    f->context.consumers = consumers_free(f->context.consumers);
    expect_health(f, "{}");
    fake_server.refuse = -EADDRINUSE;
    assert_int_equal(consumers_new(&f->context, &f->context.consumers), 0);
    expect_health(f, "{\"consumers\":[{\"listen\":\"http://127.0.0.1:8770\",\"bound\":false,"
                     "\"problem\":\"127.0.0.1 port 8770 is held by another program\"}]}");
    fake_server.refuse = 0;
    consumers_update(f->context.consumers);
    assert_int_equal(fake_server.live, 1);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_who_is_let_in),    TEST(test_a_consumer_without_a_key_fits_none),
        TEST(test_another_address),  TEST(test_the_section_is_the_rule),
        TEST(test_routes),           TEST(test_failures_are_slowed_down),
        TEST(test_one_address_once), TEST(test_addresses_follow_the_settings),
        TEST(test_taken_address),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

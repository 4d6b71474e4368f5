/* What a handler sees of a request, and what it never sees. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "web_harness.h"

#define END "\r\n\r\n"
#define BYTES(text) text, sizeof(text) - 1

static int setup(void **state)
{
    static struct harness harness;

    *state = &harness;
    harness_init(&harness, false);
    return 0;
}

static int setup_tcp(void **state)
{
    (void)setup(state);
    struct harness *h = *state;
    h->tcp = h->options.require_host = true;
    h->options.reject_malformed_json = false;
    return 0;
}

static int teardown(void **state)
{
    harness_stop(*state);
    return 0;
}

struct row {
    const char *bytes;
    size_t length;
    int status;
};

/* status 200: must pass. Everything else should fail, before the handler. */
static const struct row rows[] = {
    /* the request line */
    { BYTES("GET / HTTP/1.1" END), 200 },
    { BYTES("GET /a%20b+c HTTP/1.1" END), 200 },
    { BYTES("\r\nGET / HTTP/1.1" END), 200 },
    { BYTES("get / HTTP/1.1" END), 200 },
    { BYTES("G\0T / HTTP/1.1" END), 400 },
    { BYTES("GET\0 / HTTP/1.1" END), 400 },
    { BYTES("G(T / HTTP/1.1" END), 400 },
    { BYTES("GET /a\0b HTTP/1.1" END), 400 },
    { BYTES("GET /a%00b HTTP/1.1" END), 400 },
    { BYTES("GET /a%0 HTTP/1.1" END), 400 },
    { BYTES("GET /a% HTTP/1.1" END), 400 },
    { BYTES("GET /a%zz HTTP/1.1" END), 400 },
    { BYTES("GET /a%+1 HTTP/1.1" END), 400 },
    { BYTES("GET /a b HTTP/1.1" END), 400 },
    { BYTES("GET /a\tb HTTP/1.1" END), 400 },
    { BYTES("GET /a\rb HTTP/1.1" END), 400 },
    { BYTES("GET /a\x7f HTTP/1.1" END), 400 },
    { BYTES("GET /\xc3\xa4 HTTP/1.1" END), 400 },
    { BYTES("GET x HTTP/1.1" END), 400 },
    { BYTES("GET ?x HTTP/1.1" END), 400 },
    { BYTES("GET http://h/ HTTP/1.1" END), 400 },
    { BYTES("OPTIONS * HTTP/1.1" END), 400 },
    { BYTES("GET" END), 0 },
    { BYTES("GET /" END), 400 },
    { BYTES("GET / HTTP/2.0" END), 505 },
    { BYTES("GET / HTTP/0.9" END), 505 },
    { BYTES("GET / HTTP/1.1 x" END), 400 },
    /* the query */
    { BYTES("GET /?a=%41&b=+&&c&=d HTTP/1.1" END), 200 },
    { BYTES("GET /? HTTP/1.1" END), 200 },
    { BYTES("GET /?a=%00 HTTP/1.1" END), 400 },
    { BYTES("GET /?a%00b=c HTTP/1.1" END), 400 },
    { BYTES("GET /?a=b\0c HTTP/1.1" END), 400 },
    { BYTES("GET /?a=%4 HTTP/1.1" END), 400 },
    { BYTES("GET /?a=%4&b=1 HTTP/1.1" END), 400 },
    { BYTES("GET /?a=\"\xe4\" HTTP/1.1" END), 400 },
    /* Host */
    { BYTES("GET / HTTP/1.1\r\nHost: a" END), 200 },
    { BYTES("GET / HTTP/1.1\r\nHost: a\r\nHost: a" END), 400 },
    { BYTES("GET / HTTP/1.1\r\nHost: a\r\nhOST: b" END), 400 },
    /* header lines */
    { BYTES("GET / HTTP/1.1\r\nX: a\tb" END), 200 },
    { BYTES("GET / HTTP/1.1\r\nX" END), 400 },
    { BYTES("GET / HTTP/1.1\r\nX : a" END), 400 },
    { BYTES("GET / HTTP/1.1\r\n: a" END), 400 },
    { BYTES("GET / HTTP/1.1\r\nX(: a" END), 400 },
    { BYTES("GET / HTTP/1.1\r\nX: a\rb" END), 400 },
    { BYTES("GET / HTTP/1.1\r\nX: a\x01" END), 400 },
    { BYTES("GET / HTTP/1.1\r\nX: a\r\n folded line" END), 400 },
    { BYTES("GET / HTTP/1.1\r\n X: a" END), 400 },
    /* the body's length */
    { BYTES("POST / HTTP/1.1\r\nContent-Length: 1" END "a"), 200 },
    { BYTES("POST / HTTP/1.1\r\nContent-Length: 01" END "a"), 200 },
    { BYTES("POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 1" END "a"), 400 },
    { BYTES("POST / HTTP/1.1\r\nContent-Length: 1, 1" END "a"), 400 },
    { BYTES("POST / HTTP/1.1\r\nContent-Length: -1" END "a"), 400 },
    { BYTES("POST / HTTP/1.1\r\nContent-Length: +1" END "a"), 400 },
    { BYTES("POST / HTTP/1.1\r\nContent-Length: 1a" END "a"), 400 },
    { BYTES("POST / HTTP/1.1\r\nContent-Length:" END "a"), 400 },
    { BYTES("POST / HTTP/1.1\r\nContent-Length: 65537" END), 413 },
    { BYTES("POST / HTTP/1.1\r\nContent-Length: 18446744073709551615" END), 413 },
    { BYTES("POST / HTTP/1.1\r\nContent-Length: 99999999999999999999999" END), 413 },
    { BYTES("POST / HTTP/1.1\r\nTransfer-Encoding: Chunked" END "1\r\na\r\n0" END), 200 },
    { BYTES("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\nContent-Length: 1" END
            "1\r\na\r\n0" END),
      400 },
    { BYTES("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked" END
            "0" END),
      400 },
    { BYTES("POST / HTTP/1.1\r\nTransfer-Encoding: gzip, chunked" END "0" END), 400 },
    { BYTES("POST / HTTP/1.1\r\nTransfer-Encoding: identity" END), 400 },
    { BYTES("POST / HTTP/1.1\r\nTransfer-Encoding: chunked" END "x\r\na\r\n0" END), 400 },
    { BYTES("POST / HTTP/1.1\r\nTransfer-Encoding: chunked" END "1\r\nab\r\n0" END), 400 },
};

static int ask_all_rows(struct harness *h)
{
    struct reply reply;

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        unsigned before = h->handled;
        int status = client_ask(h, rows[i].bytes, rows[i].length, &reply);
        bool handled = h->handled > before;
        reply_release(&reply);
        if (status != rows[i].status || handled != (rows[i].status == 200)) {
            (void)fprintf(stderr, "%.60s: %d, not %d\n", rows[i].bytes, status, rows[i].status);
            return __LINE__;
        }
    }
    return 0;
}

static void test_malformed_requests(void **state)
{
    harness_start(*state, echo);
    harness_run(*state, ask_all_rows);
}

static int one_host_over_tcp(struct harness *h)
{
    static const struct row host_rows[] = {
        { BYTES("GET / HTTP/1.1\r\nHost: a" END), 200 },
        { BYTES("GET / HTTP/1.1" END), 400 },
        { BYTES("GET / HTTP/1.0" END), 400 },
        { BYTES("GET / HTTP/1.1\r\nHost: a\r\nHost: a" END), 400 },
    };
    struct reply reply;

    for (size_t i = 0; i < sizeof host_rows / sizeof host_rows[0]; i++) {
        CHECK(client_ask(h, host_rows[i].bytes, host_rows[i].length, &reply) ==
              host_rows[i].status);
        if (reply.status == 400) {
            CHECK(strstr(reply.head, "\r\nContent-Type: text/plain\r\n"));
            CHECK(strcasestr(reply.head, "\r\nConnection: close\r\n"));
            CHECK(strcmp(reply.body, "there must be one Host header\n") == 0);
        }
        reply_release(&reply);
    }
    return 0;
}

static void test_host_is_required_over_tcp(void **state)
{
    harness_start(*state, echo);
    harness_run(*state, one_host_over_tcp);
}

static int refusals_as_json(struct harness *h)
{
    struct reply reply;

    CHECK(client_ask(h, BYTES("GET /?%zz HTTP/1.1" END), &reply) == 400);
    CHECK(strstr(reply.head, "\r\nContent-Type: application/json\r\n"));
    CHECK(strcmp(reply.body, "{\"error\":\"bad_request\",\"error_description\":"
                             "\"the query is malformed\"}") == 0);
    reply_release(&reply);
    return 0;
}

static void test_refusals_as_json(void **state)
{
    harness_start(*state, echo);
    harness_run(*state, refusals_as_json);
}

/* Path, query and a header line of many lengths: all get an answer, none is cut off or hangs. */
static int status_for_lengths(struct harness *h, size_t path, size_t query, size_t header)
{
    static char request[64 * 1024];
    struct reply reply;
    int length = snprintf(request, sizeof request, "GET /%0*d?%0*d HTTP/1.1\r\nX: %0*d\r\n\r\n",
                          (int)path - 1, 0, (int)query, 0, (int)header, 0);
    int status = client_ask(h, request, (size_t)length, &reply);

    reply_release(&reply);
    return status;
}

static int ask_all_lengths(struct harness *h)
{
    CHECK(status_for_lengths(h, WEB_PATH_MAX, WEB_QUERY_MAX, 4000) == 200);
    CHECK(status_for_lengths(h, WEB_PATH_MAX + 1, 10, 10) == 414);
    CHECK(status_for_lengths(h, 10, WEB_QUERY_MAX + 1, 10) == 414);
    CHECK(status_for_lengths(h, 10, 50000, 10) == 414);
    CHECK(status_for_lengths(h, 10, 10, 50000) == 431);
    for (size_t length = 10; length < 30000; length += 61) {
        int status = status_for_lengths(h, 10, length, 10);
        CHECK(status == (length <= WEB_QUERY_MAX ? 200 : 414) ||
              (status == 431 && length > 24000)); /* the line fitted, the rest not */
        status = status_for_lengths(h, 10, 10, length);
        CHECK(status == (length < 16000 ? 200 : 431) || (length > 15900 && length < 16400));
        status = status_for_lengths(h, WEB_PATH_MAX, WEB_QUERY_MAX, length);
        CHECK(status == 200 || status == 431);
    }
    /* Where the library's pool is all but full, to the byte. */
    for (size_t length = 23900; length < 24600; length++) {
        CHECK(status_for_lengths(h, 10, 10, length) == 431);
        int status = status_for_lengths(h, 10, length, 10);
        CHECK(status == 414 || status == 431);
    }
    return 0;
}

static void test_no_length_hangs(void **state)
{
    harness_start(*state, echo);
    harness_run(*state, ask_all_lengths);
}

/* Cookies cost the library a copy and records; the answer's head must still find room. */
static int ask_many_headers(struct harness *h)
{
    CLEANUP(cleanup_buffer) struct buffer request = BUFFER_WITH_MAXIMUM(64 * 1024);
    struct reply reply;

    for (unsigned count = 1; count < 400; count++) {
        buffer_clear(&request);
        buffer_append_text(&request, "GET / HTTP/1.1\r\nCookie: a=b");
        for (unsigned i = 0; i < count; i++)
            buffer_append_text(&request, ";a=b");
        buffer_append_text(&request, END);
        client_ask(h, request.data, request.length, &reply);
        CHECK(reply.status == (count < 220 ? 200 : 431) || (count > 210 && count < 230));
        reply_release(&reply);

        buffer_clear(&request);
        buffer_append_text(&request, "GET / HTTP/1.1\r\n");
        for (unsigned i = 0; i < count; i++)
            buffer_append_text(&request, "A: b\r\n");
        buffer_append_text(&request, "\r\n");
        client_ask(h, request.data, request.length, &reply);
        CHECK(reply.status == (count < 230 ? 200 : 431) || (count > 220 && count < 240));
        reply_release(&reply);
    }
    return 0;
}

static void test_many_header_lines(void **state)
{
    harness_start(*state, echo);
    harness_run(*state, ask_many_headers);
}

static int many_parameters(struct harness *h)
{
    CLEANUP(cleanup_buffer) struct buffer request = BUFFER_WITH_MAXIMUM(1024);
    struct reply reply;

    for (int extra = 0; extra < 2; extra++) {
        buffer_clear(&request);
        buffer_append_text(&request, "GET /?");
        for (int i = 0; i < WEB_PARAMETERS_MAX + extra; i++)
            buffer_append_text(&request, "a=b&");
        buffer_append_text(&request, " HTTP/1.1" END);
        CHECK(client_ask(h, request.data, request.length, &reply) == (extra ? 400 : 200));
        reply_release(&reply);
    }
    return 0;
}

static void test_many_parameters(void **state)
{
    harness_start(*state, echo);
    harness_run(*state, many_parameters);
}

static void check_text(const char *got, const char *expected)
{
    if (expected)
        assert_string_equal(got, expected);
    else
        assert_null(got);
}

static void look_at_everything(void *userdata, struct web_request *request)
{
    static const char *const known[] = { "a b", "plus", "amp", "none", "empty", NULL };
    static const char *const fewer[] = { "a b", "plus", "amp", "none", NULL };
    size_t length;

    assert_string_equal(web_method(request), "PUT");
    assert_string_equal(web_path(request), "/p%41th");
    assert_string_equal(web_query(request),
                        "a%20b=c%3dd&plus=1+2%2B3&amp=%26&none&empty=&a+b=twice");
    check_text(web_parameter(request, "a b"), "c=d");
    check_text(web_parameter(request, "plus"), "1 2+3");
    check_text(web_parameter(request, "amp"), "&");
    check_text(web_parameter(request, "none"), "");
    check_text(web_parameter(request, "empty"), "");
    check_text(web_parameter(request, "other"), NULL);
    assert_int_equal(web_parameter_count(request, "a b"), 2);
    assert_int_equal(web_parameter_count(request, "amp"), 1);
    assert_int_equal(web_parameter_count(request, "other"), 0);
    check_text(web_odd_parameter(request, known), "a b");
    check_text(web_odd_parameter(request, &fewer[1]), "a b");
    check_text(web_odd_parameter(request, &fewer[4]), "a b");

    check_text(web_header(request, "x-one"), "1");
    check_text(web_header(request, "X-Twice"), NULL);
    check_text(web_header(request, "X-Other"), NULL);
    check_text(web_header(request, "x-empty"), "");
    assert_string_equal(web_body(request, &length), "body");
    assert_int_equal(length, 4);
    assert_true(web_fd(request) >= 0);
    echo(userdata, request);
}

static int ask_with_everything(struct harness *h)
{
    static const char text[] =
        "PUT /p%41th?a%20b=c%3dd&plus=1+2%2B3&amp=%26&none&empty=&a+b=twice HTTP/1.1\r\n"
        "X-One:  1\r\nX-Twice: 1\r\nx-twice: 2\r\nX-Empty:\r\nContent-Length: 4\r\n\r\nbody";
    struct reply reply;

    CHECK(client_ask(h, BYTES(text), &reply) == 200);
    reply_release(&reply);
    return 0;
}

static void test_what_the_handler_sees(void **state)
{
    struct harness *h = *state;

    harness_start(h, look_at_everything);
    harness_run(h, ask_with_everything);
    assert_int_equal(h->handled, 1);
}

static void look_for_odd(void *userdata, struct web_request *request)
{
    static const char *const known[] = { "a", "b", NULL };
    const char *odd = web_odd_parameter(request, known);

    web_answer(request, &(struct web_answer){ .status = odd ? 400 : 200 });
}

static int ask_odd(struct harness *h)
{
    static const struct row odd_rows[] = {
        { BYTES("GET / HTTP/1.1" END), 200 },
        { BYTES("GET /?a=1&b=2 HTTP/1.1" END), 200 },
        { BYTES("GET /?b=2 HTTP/1.1" END), 200 },
        { BYTES("GET /?a=1&b=2&c=3 HTTP/1.1" END), 400 },
        { BYTES("GET /?a=1&b=2&a=1 HTTP/1.1" END), 400 },
        { BYTES("GET /?a=1&b=2&%61=1 HTTP/1.1" END), 400 },
        { BYTES("GET /?A=1 HTTP/1.1" END), 400 },
        { BYTES("GET /?=1 HTTP/1.1" END), 400 },
    };
    struct reply reply;

    for (size_t i = 0; i < sizeof odd_rows / sizeof odd_rows[0]; i++) {
        CHECK(client_ask(h, odd_rows[i].bytes, odd_rows[i].length, &reply) == odd_rows[i].status);
        reply_release(&reply);
    }
    return 0;
}

static void test_odd_parameters(void **state)
{
    harness_start(*state, look_for_odd);
    harness_run(*state, ask_odd);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_malformed_requests),
        cmocka_unit_test_setup_teardown(test_host_is_required_over_tcp, setup_tcp, teardown),
        TEST(test_refusals_as_json),
        TEST(test_no_length_hangs),
        TEST(test_many_header_lines),
        TEST(test_many_parameters),
        TEST(test_what_the_handler_sees),
        TEST(test_odd_parameters),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

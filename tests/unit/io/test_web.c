#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "web_harness.h"

static const char simple[] = "GET /a%20b?x=1 HTTP/1.1\r\nHost: h\r\n\r\n";

static int setup(void **state)
{
    static struct harness harness;

    *state = &harness;
    harness_init(&harness, false);
    return 0;
}

static int teardown(void **state)
{
    harness_stop(*state);
    return 0;
}

static int get_once(struct harness *h)
{
    struct reply reply;

    CHECK(client_ask(h, simple, strlen(simple), &reply) == 200);
    CHECK(strcmp(reply.body, "GET /a%20b?x=1\n") == 0);
    CHECK(strstr(reply.head, "\r\nContent-Type: text/plain\r\n"));
    CHECK(!strcasestr(reply.head, "\r\nServer:") && !strcasestr(reply.head, "\r\nDate:"));
    reply_release(&reply);
    return 0;
}

static void test_get(void **state)
{
    struct harness *h = *state;

    harness_start(h, echo);
    harness_run(h, get_once);
    assert_int_equal(h->handled, 1);
}

static void test_get_over_tcp(void **state)
{
    struct harness *h = *state;

    h->tcp = h->options.require_host = true;
    harness_start(h, echo);
    harness_run(h, get_once);
}

static int thousand_bodies(struct harness *h)
{
    CLEANUP(cleanup_string) char *body = malloc(WEB_BODY_MAX);
    CLEANUP(cleanup_fd) int fd = client_connect(h);
    struct reply reply;
    char head[128];

    for (size_t i = 0; i < 1000; i++) {
        size_t length = i * 65;
        memset(body, (int)('a' + i % 26), length);
        (void)snprintf(head, sizeof head, "POST /p HTTP/1.1\r\nContent-Length: %zu\r\n\r\n",
                       length);
        CHECK(client_send_text(fd, head) && client_send(fd, body, length));
        CHECK(client_read(fd, false, &reply) && reply.status == 200);
        CHECK(reply.length == strlen("POST /p?\n") + length);
        CHECK(memcmp(reply.body + strlen("POST /p?\n"), body, length) == 0);
        reply_release(&reply);
    }
    return 0;
}

static void test_thousand_requests_with_bodies_on_one_connection(void **state)
{
    struct harness *h = *state;

    harness_start(h, echo);
    harness_run(h, thousand_bodies);
    assert_int_equal(h->handled, 1000);
}

static int pipeline(struct harness *h)
{
    CLEANUP(cleanup_fd) int fd = client_connect(h);
    struct reply reply;

    for (unsigned i = 0; i < 20; i++)
        CHECK(client_send_text(fd, simple));
    for (unsigned i = 0; i < 20; i++) {
        CHECK(client_read(fd, false, &reply) && reply.status == 200);
        reply_release(&reply);
    }
    return 0;
}

static void test_pipelined_requests(void **state)
{
    struct harness *h = *state;

    harness_start(h, echo);
    harness_run(h, pipeline);
    assert_int_equal(h->handled, 20);
}

static int ask_for_head(struct harness *h)
{
    CLEANUP(cleanup_fd) int fd = client_connect(h);
    struct reply reply;

    CHECK(client_send_text(fd, "HEAD /x HTTP/1.1\r\n\r\n"));
    CHECK(client_read(fd, true, &reply) && reply.status == 200);
    CHECK(reply.length == strlen("HEAD /x?\n"));
    /* Were there a body, it would be taken for the next head. */
    CHECK(client_send_text(fd, simple) && client_read(fd, false, &reply) && reply.status == 200);
    reply_release(&reply);
    return 0;
}

static void test_head_has_no_body(void **state)
{
    harness_start(*state, echo);
    harness_run(*state, ask_for_head);
}

static int expect_continue(struct harness *h)
{
    CLEANUP(cleanup_fd) int fd = client_connect(h);
    struct reply reply;

    CHECK(client_send_text(fd,
                           "PUT /x HTTP/1.1\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n"));
    CHECK(client_read(fd, true, &reply) && reply.status == 100);
    CHECK(client_send_text(fd, "abcd"));
    CHECK(client_read(fd, false, &reply) && reply.status == 200);
    CHECK(strcmp(reply.body, "PUT /x?\nabcd") == 0);
    reply_release(&reply);
    CHECK(client_send_text(
        fd, "PUT /x HTTP/1.1\r\nContent-Length: 999999\r\nExpect: 100-continue\r\n\r\n"));
    CHECK(client_read(fd, false, &reply) && reply.status == 413);
    reply_release(&reply);
    CHECK(client_at_end(fd));
    return 0;
}

static void test_expect_continue(void **state)
{
    harness_start(*state, echo);
    harness_run(*state, expect_continue);
}

static int chunked(struct harness *h)
{
    CLEANUP(cleanup_fd) int fd = client_connect(h);
    struct reply reply;

    CHECK(client_send_text(fd, "POST /x HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"
                               "3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"));
    CHECK(client_read(fd, false, &reply) && reply.status == 200);
    CHECK(strcmp(reply.body, "POST /x?\nabcde") == 0);
    reply_release(&reply);
    return 0;
}

static void test_chunked_body(void **state)
{
    harness_start(*state, echo);
    harness_run(*state, chunked);
}

/* Sends chunks until there are `total` bytes or the server hangs up. */
static bool send_chunks(int fd, size_t total)
{
    char chunk[5 + 1000 + 2 + 1];

    (void)snprintf(chunk, sizeof chunk, "3e8\r\n%01000d\r\n", 0);
    for (size_t sent = 0; sent < total; sent += 1000) {
        if (!client_send_text(fd, chunk))
            return false;
    }
    return client_send_text(fd, "0\r\n\r\n");
}

static int chunked_too_large(struct harness *h)
{
    CLEANUP(cleanup_fd) int fd = client_connect(h);
    CLEANUP(cleanup_fd) int endless = client_connect(h);
    static const char head[] = "POST /x HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n";
    struct reply reply;

    CHECK(client_send_text(fd, head) && send_chunks(fd, WEB_BODY_MAX + 1000));
    CHECK(client_read(fd, false, &reply) && reply.status == 413);
    reply_release(&reply);
    CHECK(client_at_end(fd));
    CHECK(client_send_text(endless, head) && !send_chunks(endless, 64 * 1024 * 1024));
    return 0;
}

static void test_chunked_body_too_large(void **state)
{
    struct harness *h = *state;

    harness_start(h, echo);
    harness_run(h, chunked_too_large);
    assert_int_equal(h->handled, 0);
}

static int no_bodies(struct harness *h)
{
    static const char *const refused[] = {
        "POST /x HTTP/1.1\r\nContent-Length: 1\r\n\r\na",
        "POST /x HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    };
    static const char empty[] = "POST /x HTTP/1.1\r\nContent-Length: 0\r\n\r\n";
    struct reply reply;

    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
        CHECK(client_ask(h, refused[i], strlen(refused[i]), &reply) == 413);
        reply_release(&reply);
    }
    CHECK(client_ask(h, empty, strlen(empty), &reply) == 200);
    reply_release(&reply);
    return 0;
}

static void test_bodies_can_be_forbidden(void **state)
{
    struct harness *h = *state;

    h->options.body_max = 0;
    harness_start(h, echo);
    harness_run(h, no_bodies);
}

static void answer_with_close(void *userdata, struct web_request *request)
{
    struct harness *h = userdata;

    /* The second answer must not do anything. */
    web_answer(request, &(struct web_answer){ .status = 204,
                                              .headers = { { "X-One", "1" }, { "X-Two", "2" } },
                                              .close = true });
    if (h->handled++ == 0)
        web_answer(request, &(struct web_answer){ .status = 500 });
}

static int expect_close(struct harness *h)
{
    CLEANUP(cleanup_fd) int fd = client_connect(h);
    struct reply reply;

    CHECK(client_send_text(fd, simple) && client_read(fd, false, &reply) && reply.status == 204);
    CHECK(strstr(reply.head, "\r\nX-One: 1\r\n") && strstr(reply.head, "\r\nX-Two: 2\r\n"));
    reply_release(&reply);
    CHECK(client_at_end(fd));
    return 0;
}

static void test_answer_can_close(void **state)
{
    harness_start(*state, answer_with_close);
    harness_run(*state, expect_close);
}

static void answer_with_line_break(void *userdata, struct web_request *request)
{
    web_answer(request, &(struct web_answer){
                            .status = 200, .headers = { { "Location", "/a\r\nSet-Cookie: b" } } });
}

static int expect_nothing(struct harness *h)
{
    CLEANUP(cleanup_fd) int fd = client_connect(h);

    CHECK(client_send_text(fd, simple));
    CHECK(client_at_end(fd));
    return 0;
}

static void test_no_line_break_in_a_header(void **state)
{
    harness_start(*state, answer_with_line_break);
    harness_run(*state, expect_nothing);
}

static int third_waits_its_turn(struct harness *h)
{
    int fds[3];
    struct reply reply;

    for (size_t i = 0; i < 3; i++) {
        fds[i] = client_connect(h);
        CHECK(fds[i] >= 0 && client_send_text(fds[i], simple));
    }
    for (size_t i = 0; i < 3; i++) {
        CHECK(client_read(fds[i], false, &reply) && reply.status == 200);
        reply_release(&reply);
        cleanup_fd(&fds[i]);
        client_sleep_ms(20);
    }
    return 0;
}

static void test_connections_above_the_limit_wait(void **state)
{
    struct harness *h = *state;

    h->options.connections_max = 1;
    harness_start(h, echo);
    harness_run(h, third_waits_its_turn);
    assert_int_equal(h->handled, 3);
}

static void test_bad_options(void **state)
{
    struct harness *h = *state;
    const struct web_options good = h->options;
    struct web_options bad[5] = { good, good, good, good, good };

    harness_start(h, echo);
    bad[0].listen_fd = -1;
    bad[1].connections_max = 0;
    bad[2].request_deadline_s = 0;
    bad[3].idle_s = 0;
    bad[4].body_max = WEB_BODY_MAX + 1;
    for (size_t i = 0; i < 5; i++) {
        struct web_server *server = NULL;
        assert_true(web_server_new(h->loop, &bad[i], echo, h, &server) < 0);
        assert_null(server);
    }
    assert_null(web_server_free(NULL));
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_get),
        TEST(test_get_over_tcp),
        TEST(test_thousand_requests_with_bodies_on_one_connection),
        TEST(test_pipelined_requests),
        TEST(test_head_has_no_body),
        TEST(test_expect_continue),
        TEST(test_chunked_body),
        TEST(test_chunked_body_too_large),
        TEST(test_bodies_can_be_forbidden),
        TEST(test_answer_can_close),
        TEST(test_no_line_break_in_a_header),
        TEST(test_connections_above_the_limit_wait),
        TEST(test_bad_options),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

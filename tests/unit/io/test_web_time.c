/* Answers that come later, clients that hang up, and deadlines. */

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

static const char simple[] = "GET /slow HTTP/1.1\r\n\r\n";

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

static void count_gone(void *userdata)
{
    struct harness *h = userdata;

    h->gone++;
    h->request = NULL;
}

static void answer_now(void *userdata)
{
    struct harness *h = userdata;
    char *body = calloc(1, h->answer_size + 1);

    memset(body, 'x', h->answer_size);
    web_answer(h->request, &(struct web_answer){ .status = 200,
                                                 .content_type = "text/plain",
                                                 .body = body,
                                                 .length = h->answer_size });
    free(body);
    h->request = NULL;
}

/* Answers from a timer, after delay_ms; never when that is negative. */
static void answer_later(void *userdata, struct web_request *request)
{
    struct harness *h = userdata;

    h->handled++;
    h->request = request;
    assert_null(web_userdata(request));
    web_set_userdata(request, h);
    assert_ptr_equal(web_userdata(request), h);
    web_on_gone(request, count_gone);
    if (h->delay_ms < 0)
        return;
    if (!h->timer)
        assert_int_equal(loop_add_timer(h->loop, answer_now, h, &h->timer), 0);
    assert_int_equal(loop_timer_set(h->timer, h->delay_ms), 0);
}

static int ask_slowly(struct harness *h)
{
    CLEANUP(cleanup_fd) int fd = client_connect(h);
    struct reply reply;

    /* The second lies in the socket while the first waits. */
    CHECK(client_send_text(fd, simple) && client_send_text(fd, simple));
    for (unsigned i = 0; i < 2; i++) {
        CHECK(client_read(fd, false, &reply) && reply.status == 200);
        CHECK(reply.length == h->answer_size);
        reply_release(&reply);
    }
    return 0;
}

static void test_answer_from_a_timer(void **state)
{
    struct harness *h = *state;

    h->delay_ms = 10;
    h->answer_size = 300 * 1000;
    harness_start(h, answer_later);
    harness_run(h, ask_slowly);
    assert_int_equal(h->handled, 2);
    assert_int_equal(h->gone, 0);
}

static void test_no_deadline_while_the_handler_works(void **state)
{
    struct harness *h = *state;

    h->options.request_deadline_s = h->options.idle_s = 1;
    h->delay_ms = 1700;
    harness_start(h, answer_later);
    harness_run(h, ask_slowly);
    assert_int_equal(h->gone, 0);
}

static int hang_up(struct harness *h)
{
    int fd = client_connect(h);

    CHECK(client_send_text(fd, simple));
    client_sleep_ms(50);
    cleanup_fd(&fd);
    client_sleep_ms(100);
    return 0;
}

static void test_hang_up_is_told_once(void **state)
{
    struct harness *h = *state;

    h->delay_ms = -1;
    harness_start(h, answer_later);
    harness_run(h, hang_up);
    assert_int_equal(h->handled, 1);
    assert_int_equal(h->gone, 1);
    h->server = web_server_free(h->server);
    assert_int_equal(h->gone, 1);
}

static void test_hang_up_over_tcp(void **state)
{
    struct harness *h = *state;

    h->tcp = true;
    h->delay_ms = -1;
    harness_start(h, answer_later);
    harness_run(h, hang_up);
    assert_int_equal(h->gone, 1);
}

static int hang_up_before_the_handler(struct harness *h)
{
    int fd = client_connect(h);

    CHECK(client_send_text(fd, simple));
    cleanup_fd(&fd);
    client_sleep_ms(100);
    return 0;
}

static void test_hang_up_right_after_the_request(void **state)
{
    struct harness *h = *state;

    h->delay_ms = -1;
    harness_start(h, answer_later);
    harness_run(h, hang_up_before_the_handler);
    /* Whether the request was seen before the end of the connection is the kernel's business. */
    assert_int_equal(h->gone, h->handled);
}

static void answer_later_without_gone(void *userdata, struct web_request *request)
{
    answer_later(userdata, request);
    web_on_gone(request, NULL);
}

static int hang_up_and_ask_again(struct harness *h)
{
    struct reply reply;

    CHECK(hang_up(h) == 0);
    client_sleep_ms(200); /* the first one's answer went nowhere */
    CHECK(client_ask(h, simple, strlen(simple), &reply) == 200);
    reply_release(&reply);
    return 0;
}

static void test_answer_after_an_unwatched_hang_up(void **state)
{
    struct harness *h = *state;

    h->delay_ms = 200;
    h->answer_size = 10;
    harness_start(h, answer_later_without_gone);
    harness_run(h, hang_up_and_ask_again);
    assert_int_equal(h->handled, 2);
    assert_int_equal(h->gone, 0);
}

static int leave_connections_open(struct harness *h)
{
    int waiting = client_connect(h);
    int half = client_connect(h);
    int silent = client_connect(h);

    CHECK(client_send_text(waiting, simple) && client_send_text(half, "GET /half HT") &&
          silent >= 0);
    client_sleep_ms(100);
    /* They stay open: the server is freed with them. */
    h->answer_size = (size_t)waiting;
    return 0;
}

static void test_server_freed_with_open_connections(void **state)
{
    struct harness *h = *state;

    h->delay_ms = -1;
    harness_start(h, answer_later);
    harness_run(h, leave_connections_open);
    assert_int_equal(h->handled, 1);
    assert_int_equal(h->gone, 0);
    h->server = web_server_free(h->server);
    assert_int_equal(h->gone, 1);
    assert_true(client_at_end((int)h->answer_size));
}

static void answer_within_another(void *userdata, struct web_request *request)
{
    struct harness *h = userdata;

    if (!h->request) {
        answer_later(userdata, request);
        return;
    }
    answer_now(h);
    h->request = request;
    answer_now(h);
}

static int ask_twice_at_once(struct harness *h)
{
    CLEANUP(cleanup_fd) int first = client_connect(h);
    CLEANUP(cleanup_fd) int second = client_connect(h);
    struct reply reply;

    CHECK(client_send_text(first, simple));
    client_sleep_ms(30);
    CHECK(client_send_text(second, simple));
    CHECK(client_read(first, false, &reply) && reply.status == 200);
    reply_release(&reply);
    CHECK(client_read(second, false, &reply) && reply.status == 200);
    reply_release(&reply);
    return 0;
}

static void test_answer_from_within_another_handler(void **state)
{
    struct harness *h = *state;

    h->delay_ms = -1;
    harness_start(h, answer_within_another);
    harness_run(h, ask_twice_at_once);
    assert_int_equal(h->gone, 0);
}

/* Sends one byte after the other, slowly; how long the server bore it, -1 when it did to the end.
 */
static int64_t drip(int fd, const char *text, size_t length)
{
    int64_t started = client_now_ms();

    for (size_t i = 0; i < length; i++) {
        char answer;
        client_sleep_ms(100);
        if (!client_send(fd, &text[i % strlen(text)], 1) || recv(fd, &answer, 1, MSG_DONTWAIT) == 0)
            return client_now_ms() - started;
    }
    return -1;
}

static void *drip_one(void *userdata)
{
    int *fd = userdata;
    int64_t borne = drip(*fd, "x", 50);

    /* Says by its number whether the server's patience was right. */
    cleanup_fd(fd);
    *fd = borne >= 800 && borne < 2500;
    return NULL;
}

static int drip_everywhere(struct harness *h)
{
    static const char *const beginnings[] = {
        "",
        "GET /",
        "GET / HTTP/1.1\r\nX-Long: ",
        "POST / HTTP/1.1\r\nContent-Length: 1000\r\n\r\n",
        "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nfff\r\n",
    };
    enum { DRIPS = sizeof beginnings / sizeof beginnings[0] };
    pthread_t threads[DRIPS];
    int fds[DRIPS];

    for (size_t i = 0; i < DRIPS; i++) {
        fds[i] = client_connect(h);
        CHECK(client_send_text(fds[i], beginnings[i]));
        CHECK(pthread_create(&threads[i], NULL, drip_one, &fds[i]) == 0);
    }
    for (size_t i = 0; i < DRIPS; i++)
        CHECK(pthread_join(threads[i], NULL) == 0);
    for (size_t i = 0; i < DRIPS; i++)
        CHECK(fds[i] == 1);
    return 0;
}

static void test_drip_ends_at_the_deadline(void **state)
{
    struct harness *h = *state;

    h->options.request_deadline_s = 1;
    harness_start(h, answer_later);
    harness_run(h, drip_everywhere);
    assert_int_equal(h->handled, 0);
}

static int idle_out(struct harness *h)
{
    CLEANUP(cleanup_fd) int fd = client_connect(h);
    struct reply reply;

    for (unsigned i = 0; i < 3; i++) {
        CHECK(client_send_text(fd, simple) && client_read(fd, false, &reply));
        reply_release(&reply);
        client_sleep_ms(600); /* within the limit, which begins anew */
    }
    int64_t started = client_now_ms();
    CHECK(client_at_end(fd));
    CHECK(client_now_ms() - started < 1500);
    return 0;
}

static void test_idle_connection_ends(void **state)
{
    struct harness *h = *state;

    h->options.idle_s = 1;
    harness_start(h, answer_later);
    harness_run(h, idle_out);
    assert_int_equal(h->handled, 3);
}

static int drip_the_second_request(struct harness *h)
{
    CLEANUP(cleanup_fd) int fd = client_connect(h);
    struct reply reply;

    CHECK(client_send_text(fd, simple) && client_read(fd, false, &reply));
    reply_release(&reply);
    /* The idle limit holds until the request line is there, which takes 0.4 s; then the request's
     * own, which is as long. */
    CHECK(client_send_text(fd, "GET / HTTP/1"));
    int64_t borne = drip(fd, ".1\r\nX: yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy", 50);
    CHECK(borne >= 2300 && borne < 4500);
    return 0;
}

static void test_drip_of_a_later_request(void **state)
{
    struct harness *h = *state;

    h->options.idle_s = 2;
    h->options.request_deadline_s = 2;
    harness_start(h, answer_later);
    harness_run(h, drip_the_second_request);
    assert_int_equal(h->handled, 1);
}

static int do_not_read(struct harness *h)
{
    CLEANUP(cleanup_fd) int fd = client_connect(h);
    struct reply reply;

    CHECK(client_send_text(fd, simple));
    client_sleep_ms(2000);
    CHECK(!client_read(fd, false, &reply));
    CHECK(reply.status == 200);
    reply_release(&reply);
    return 0;
}

static void test_answer_that_nobody_takes_ends(void **state)
{
    struct harness *h = *state;

    h->options.request_deadline_s = 1;
    h->answer_size = 8 * 1024 * 1024;
    harness_start(h, answer_later);
    harness_run(h, do_not_read);
    assert_int_equal(h->handled, 1);
}

static void answer_at_once(void *userdata, struct web_request *request)
{
    struct harness *h = userdata;

    h->request = request;
    answer_now(h);
}

static int send_and_take_slowly(struct harness *h)
{
    CLEANUP(cleanup_fd) int fd = client_connect(h);
    struct reply reply;

    CHECK(client_send_text(fd, "GET / HTTP/1.1\r\n"));
    client_sleep_ms(1300);
    CHECK(client_send_text(fd, "\r\n"));
    client_sleep_ms(1300);
    CHECK(client_read(fd, false, &reply) && reply.length == h->answer_size);
    reply_release(&reply);
    return 0;
}

static void test_the_answer_has_a_deadline_of_its_own(void **state)
{
    struct harness *h = *state;

    h->options.request_deadline_s = 2;
    h->answer_size = 8 * 1024 * 1024;
    harness_start(h, answer_at_once);
    harness_run(h, send_and_take_slowly);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_answer_from_a_timer),
        TEST(test_no_deadline_while_the_handler_works),
        TEST(test_hang_up_is_told_once),
        TEST(test_hang_up_over_tcp),
        TEST(test_hang_up_right_after_the_request),
        TEST(test_answer_after_an_unwatched_hang_up),
        TEST(test_server_freed_with_open_connections),
        TEST(test_answer_from_within_another_handler),
        TEST(test_drip_ends_at_the_deadline),
        TEST(test_idle_connection_ends),
        TEST(test_drip_of_a_later_request),
        TEST(test_answer_that_nobody_takes_ends),
        TEST(test_the_answer_has_a_deadline_of_its_own),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

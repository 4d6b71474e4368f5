/* Answers that come in pieces: web_stream_begin() and its kin. */

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

enum { UNREAD_MAX = 1024 * 1024 }; /* more than the socket's buffers, so that it backs up */

static const char ask[] = "GET /s HTTP/1.1\r\nHost: h\r\n\r\n";

static unsigned pieces;   /* that the server was to send */
static unsigned refused;  /* that did not fit */
static char filler[1024]; /* one piece */

static int setup(void **state)
{
    static struct harness harness;

    *state = &harness;
    harness_init(&harness, false);
    pieces = refused = 0;
    memset(filler, 'x', sizeof filler);
    return 0;
}

static int teardown(void **state)
{
    harness_stop(*state);
    return 0;
}

static void on_gone(void *userdata)
{
    struct harness *h = userdata;

    h->gone++;
    h->request = NULL;
}

static void begin(struct harness *h, struct web_request *request)
{
    h->handled++;
    h->request = request;
    web_stream_begin(request,
                     &(struct web_answer){ .status = 200, .content_type = "text/event-stream" },
                     UNREAD_MAX);
    web_set_userdata(request, h);
    web_on_gone(request, on_gone);
}

/* Sends piece after piece, one for each firing of the timer; then ends. */
static void send_next(void *userdata)
{
    struct harness *h = userdata;
    char text[16];

    if (!h->request)
        return;
    if (pieces-- == 0) {
        web_stream_end(h->request);
        h->request = NULL;
        return;
    }
    int length = snprintf(text, sizeof text, "<%u>", pieces);
    (void)web_stream_send(h->request, text, (size_t)length);
    (void)loop_timer_set(h->timer, h->delay_ms);
}

static void three_pieces(void *userdata, struct web_request *request)
{
    struct harness *h = userdata;

    begin(h, request);
    pieces = 3;
    if (!h->timer)
        (void)loop_add_timer(h->loop, send_next, h, &h->timer);
    (void)loop_timer_set(h->timer, h->delay_ms);
}

/* Reads until the end of the connection or the text is there. */
static bool read_until(int fd, char *all, size_t size, const char *text)
{
    size_t length = 0;

    for (all[0] = '\0'; !strstr(all, text);) {
        ssize_t n = length + 1 < size ? recv(fd, all + length, size - 1 - length, 0) : 0;
        if (n <= 0)
            return false;
        length += (size_t)n;
        all[length] = '\0';
    }
    return true;
}

static int reads_pieces_twice(struct harness *h)
{
    CLEANUP(cleanup_fd) int fd = client_connect(h);
    char all[4096];

    for (int i = 0; i < 2; i++) {
        CHECK(client_send_text(fd, ask));
        CHECK(read_until(fd, all, sizeof all, "\r\n0\r\n\r\n"));
        CHECK(strstr(all, "HTTP/1.1 200 ") &&
              strcasestr(all, "\r\nTransfer-Encoding: chunked\r\n"));
        CHECK(strstr(all, "3\r\n<2>\r\n3\r\n<1>\r\n3\r\n<0>\r\n0\r\n\r\n"));
    }
    return 0;
}

static void test_pieces_and_end(void **state)
{
    struct harness *h = *state;

    h->delay_ms = 50;
    harness_start(h, three_pieces);
    harness_run(h, reads_pieces_twice);
    assert_int_equal(h->handled, 2);
    assert_int_equal(h->gone, 0);
}

static int reads_to_the_close(struct harness *h)
{
    CLEANUP(cleanup_fd) int fd = client_connect(h);
    char all[4096];

    CHECK(client_send_text(fd, "GET /s HTTP/1.0\r\n\r\n"));
    CHECK(!read_until(fd, all, sizeof all, "never"));
    CHECK(strstr(all, "\r\n\r\n<2><1><0>"));
    return 0;
}

static void test_a_client_without_chunks(void **state)
{
    struct harness *h = *state;

    h->delay_ms = 20;
    harness_start(h, three_pieces);
    harness_run(h, reads_to_the_close);
}

/* The pauses are longer than any deadline. */
static void test_quiet_stream_outlives_the_deadlines(void **state)
{
    struct harness *h = *state;

    h->options.request_deadline_s = h->options.idle_s = 1;
    h->delay_ms = 1600;
    harness_start(h, three_pieces);
    harness_run(h, reads_to_the_close);
    assert_int_equal(h->gone, 0);
}

static int hangs_up(struct harness *h)
{
    CLEANUP(cleanup_fd) int fd = client_connect(h);
    char all[4096];

    CHECK(client_send_text(fd, ask));
    CHECK(read_until(fd, all, sizeof all, "<2>"));
    cleanup_fd(&fd);
    client_sleep_ms(300);
    return 0;
}

static void test_gone_is_told_once(void **state)
{
    struct harness *h = *state;

    h->delay_ms = 100;
    harness_start(h, three_pieces);
    harness_run(h, hangs_up);
    assert_int_equal(h->gone, 1);
}

/* Sends more and more, as long as it is taken. */
static void flood(void *userdata)
{
    struct harness *h = userdata;

    if (!h->request)
        return;
    while (web_stream_send(h->request, filler, sizeof filler))
        pieces++;
    refused++;
    (void)loop_timer_set(h->timer, 1); /* faster than anybody reads */
}

static void flooding(void *userdata, struct web_request *request)
{
    struct harness *h = userdata;

    begin(h, request);
    (void)loop_add_timer(h->loop, flood, h, &h->timer);
    (void)loop_timer_set(h->timer, h->delay_ms);
}

/* What was under way is all that comes; else there would be no end. */
static int reads_nothing(struct harness *h)
{
    CLEANUP(cleanup_fd) int fd = client_connect(h);
    char piece[8 * 1024];
    size_t length = 0;

    CHECK(client_send_text(fd, ask));
    client_sleep_ms(2500);
    for (ssize_t n = 1; n > 0 && length<2 * UNREAD_MAX; length += n> 0 ? (size_t)n : 0)
        n = recv(fd, piece, sizeof piece, 0);
    CHECK(length < 2 * UNREAD_MAX);
    return 0;
}

/* Also one that had rested before. */
static void test_who_reads_nothing_is_dropped(void **state)
{
    struct harness *h = *state;

    for (int64_t delay_ms = 0; delay_ms <= 300; delay_ms += 300) {
        h->delay_ms = delay_ms;
        h->options.request_deadline_s = 1;
        h->gone = refused = 0;
        harness_start(h, flooding);
        harness_run(h, reads_nothing);
        assert_int_equal(h->gone, 1);
        assert_true(refused > 1);
        harness_stop(h);
        harness_init(h, false);
    }
}

static int reads_some_slowly(struct harness *h)
{
    CLEANUP(cleanup_fd) int fd = client_connect(h);
    char piece[8 * 1024];

    CHECK(client_send_text(fd, ask));
    /* More than the socket's buffers hold, over more than the deadline. */
    for (int i = 0; i < 150; i++) {
        CHECK(recv(fd, piece, sizeof piece, 0) > 0);
        client_sleep_ms(20);
    }
    CHECK(recv(fd, piece, sizeof piece, 0) > 0);
    return 0;
}

static void test_who_reads_slowly_stays(void **state)
{
    struct harness *h = *state;

    h->options.request_deadline_s = 1;
    harness_start(h, flooding);
    harness_run(h, reads_some_slowly);
    assert_true(pieces > 16);
}

static void rests(void *userdata, struct web_request *request)
{
    begin(userdata, request);
}

static int leaves_it_open(struct harness *h)
{
    int fd = client_connect(h);

    CHECK(client_send_text(fd, ask));
    client_sleep_ms(100);
    return 0; /* the connection stays, until the test ends */
}

static void test_the_server_ends_with_streams(void **state)
{
    struct harness *h = *state;

    harness_start(h, rests);
    harness_run(h, leaves_it_open);
    assert_int_equal(h->gone, 0);
    h->server = web_server_free(h->server);
    assert_int_equal(h->gone, 1);
}

static void test_a_piece_that_never_fits(void **state)
{
    struct harness *h = *state;

    harness_start(h, rests);
    harness_run(h, leaves_it_open);
    assert_false(web_stream_send(h->request, filler, UNREAD_MAX + 1));
    assert_true(web_stream_send(h->request, filler, sizeof filler));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_pieces_and_end, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_client_without_chunks, setup, teardown),
        cmocka_unit_test_setup_teardown(test_quiet_stream_outlives_the_deadlines, setup, teardown),
        cmocka_unit_test_setup_teardown(test_gone_is_told_once, setup, teardown),
        cmocka_unit_test_setup_teardown(test_who_reads_nothing_is_dropped, setup, teardown),
        cmocka_unit_test_setup_teardown(test_who_reads_slowly_stays, setup, teardown),
        cmocka_unit_test_setup_teardown(test_the_server_ends_with_streams, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_piece_that_never_fits, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

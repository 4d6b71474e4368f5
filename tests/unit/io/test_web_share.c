/* Too many connections: whose give way, and whose never do. */

#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cmocka.h>

#include "io/web_private.h"
#include "web_harness.h"

enum { ROOM = 8, ROOM_PER_UID = 5, DRIPS = 40, CROWD = 61234, OTHERS = 61300 };

static const char begun[] = "GET /x HTTP/1.1\r\nX-Slow: ";
static const char whole[] = "GET /x HTTP/1.1\r\nHost: x\r\n\r\n";

static int setup_for(void **state, bool tcp)
{
    static struct harness harness;

    *state = &harness;
    harness_init(&harness, tcp);
    harness.options.connections_max = ROOM;
    harness.options.connections_per_uid_max = ROOM_PER_UID;
    return 0;
}

static int setup(void **state)
{
    return setup_for(state, false);
}

static int setup_tcp(void **state)
{
    return setup_for(state, true);
}

static int teardown(void **state)
{
    harness_stop(*state);
    return 0;
}

/* This thread alone: the library's function would change the server's too. */
static void become(uid_t uid)
{
    (void)syscall(SYS_setresuid, -1, uid, -1);
}

static int connect_as(const struct harness *h, uid_t uid)
{
    become(uid);
    int fd = client_connect(h);
    become(0);
    return fd;
}

/* How many of them the server still holds: the others are at their end. */
static unsigned count_open(const int *fds, size_t count)
{
    unsigned open = 0;
    char byte;

    for (size_t i = 0; i < count; i++)
        open += recv(fds[i], &byte, 1, MSG_DONTWAIT | MSG_PEEK) < 0;
    return open;
}

static void close_all(int *fds, size_t count)
{
    for (size_t i = 0; i < count; i++)
        cleanup_fd(&fds[i]);
}

static int drip(const struct harness *h, const char *text, uid_t uid, int *fds, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        fds[i] = uid ? connect_as(h, uid) : client_connect(h);
        CHECK(fds[i] >= 0 && client_send_text(fds[i], text));
    }
    client_sleep_ms(100);
    return 0;
}

static int ask(const struct harness *h)
{
    struct reply reply;
    int status = client_ask(h, whole, strlen(whole), &reply);

    reply_release(&reply);
    return status;
}

static int ask_among_own_drips(struct harness *h)
{
    int fds[DRIPS];

    CHECK(drip(h, begun, 0, fds, DRIPS) == 0);
    CHECK(count_open(fds, DRIPS) == ROOM_PER_UID);
    CHECK(ask(h) == 200);
    close_all(fds, DRIPS);
    return 0;
}

static void test_the_oldest_of_a_uid_gives_way(void **state)
{
    struct harness *h = *state;

    harness_start(h, echo);
    harness_run(h, ask_among_own_drips);
}

static int idle_before_busy(struct harness *h)
{
    int idle[ROOM_PER_UID - 1], busy[2];
    struct reply reply;

    CHECK(drip(h, begun, 0, busy, 1) == 0);
    for (size_t i = 0; i < ROOM_PER_UID - 1; i++) {
        idle[i] = client_connect(h);
        CHECK(client_send_text(idle[i], whole) && client_read(idle[i], false, &reply));
        reply_release(&reply);
    }
    CHECK(drip(h, begun, 0, busy + 1, 1) == 0);
    CHECK(count_open(busy, 2) == 2 && count_open(idle, ROOM_PER_UID - 1) == ROOM_PER_UID - 2);
    close_all(idle, ROOM_PER_UID - 1);
    close_all(busy, 2);
    return 0;
}

static void test_idle_ones_first(void **state)
{
    struct harness *h = *state;

    harness_start(h, echo);
    harness_run(h, idle_before_busy);
}

/* Whoever floods the server, others are answered, and what they have begun stays. */
static int others_among_floods(struct harness *h)
{
    int mine, floods[2][DRIPS];

    CHECK(drip(h, begun, 0, &mine, 1) == 0);
    for (unsigned i = 0; i < 2; i++)
        CHECK(drip(h, begun, CROWD + i, floods[i], DRIPS) == 0);
    CHECK(count_open(&mine, 1) == 1);
    CHECK(count_open(floods[0], DRIPS) + count_open(floods[1], DRIPS) == ROOM - 1);
    CHECK(count_open(floods[0], DRIPS) >= ROOM / 2 - 1 &&
          count_open(floods[1], DRIPS) >= ROOM / 2 - 1);
    for (unsigned i = 0; i < DRIPS; i++)
        CHECK(ask(h) == 200);
    CHECK(count_open(&mine, 1) == 1);
    close_all(&mine, 1);
    close_all(floods[0], DRIPS);
    close_all(floods[1], DRIPS);
    return 0;
}

static void run_with_other_users(struct harness *h, int (*client)(struct harness *h))
{
    if (geteuid() != 0)
        skip();
    assert_int_equal(chmod(h->folder, 0711), 0);
    harness_start(h, echo);
    assert_true(h->tcp || chmod(h->path, 0666) == 0);
    harness_run(h, client);
}

static void test_nobody_keeps_others_out(void **state)
{
    run_with_other_users(*state, others_among_floods);
}

/* As many uids as connections, which is what a user with subordinate uids has. */
static int others_among_uids(struct harness *h)
{
    int floods[DRIPS];

    for (unsigned i = 0; i < DRIPS; i++)
        CHECK(drip(h, begun, OTHERS + i, &floods[i], 1) == 0);
    CHECK(count_open(floods, DRIPS) == ROOM);
    CHECK(ask(h) == 200);
    close_all(floods, DRIPS);
    return 0;
}

static void test_many_uids(void **state)
{
    run_with_other_users(*state, others_among_uids);
}

static void count_gone(void *userdata)
{
    struct harness *h = userdata;

    h->gone++;
}

static void answer_never(void *userdata, struct web_request *request)
{
    struct harness *h = userdata;

    h->handled++;
    web_set_userdata(request, h);
    web_on_gone(request, count_gone);
}

/* What waits already stays; what comes above the cap is told so. */
static int wait_in_a_crowd(struct harness *h)
{
    int fds[ROOM_PER_UID + 1];
    struct reply reply;

    CHECK(drip(h, whole, 0, fds, ROOM_PER_UID) == 0);
    CHECK(drip(h, whole, 0, fds + ROOM_PER_UID, 1) == 0);
    CHECK(count_open(fds, ROOM_PER_UID) == ROOM_PER_UID);
    CHECK(client_read(fds[ROOM_PER_UID], false, &reply) && reply.status == 429);
    CHECK(reply.body[reply.length - 1] == '}');
    reply_release(&reply);
    CHECK(client_at_end(fds[ROOM_PER_UID]));
    close_all(fds, ROOM_PER_UID + 1);
    return 0;
}

static void test_the_newest_of_those_that_wait(void **state)
{
    struct harness *h = *state;

    harness_start(h, answer_never);
    harness_run(h, wait_in_a_crowd);
    assert_int_equal(h->handled, ROOM_PER_UID + 1);
    assert_true(h->gone >= 1);
}

/* TCP: the kernel knows whose the client's socket is. */
static int tcp_has_uids(struct harness *h)
{
    int mine[2], floods[DRIPS];

    CHECK(drip(h, begun, 0, mine, 2) == 0);
    CHECK(drip(h, begun, CROWD, floods, DRIPS) == 0);
    CHECK(count_open(mine, 2) == 2 && count_open(floods, DRIPS) == ROOM_PER_UID);
    CHECK(ask(h) == 200);
    close_all(mine, 2);
    close_all(floods, DRIPS);
    return 0;
}

static void test_tcp(void **state)
{
    run_with_other_users(*state, tcp_has_uids);
}

/* Between a browser's connect() and its first byte a crowd may come: it is not met before. */
static int ask_after_a_pause(struct harness *h)
{
    int drips[DRIPS], mine = client_connect(h);
    struct reply reply;

    CHECK(mine >= 0);
    CHECK(drip(h, begun, 0, drips, DRIPS) == 0);
    CHECK(count_open(drips, DRIPS) == ROOM_PER_UID);
    CHECK(client_send_text(mine, whole) && client_read(mine, false, &reply));
    CHECK(reply.status == 200);
    reply_release(&reply);
    close_all(&mine, 1);
    close_all(drips, DRIPS);
    return 0;
}

static void test_tcp_before_the_first_byte(void **state)
{
    struct harness *h = *state;

    harness_start(h, echo);
    harness_run(h, ask_after_a_pause);
}

/* A browser connects ahead of time: it is accepted then, and held as any that is idle. */
static int stay_silent(struct harness *h)
{
    int silent[DRIPS];

    for (size_t i = 0; i < DRIPS; i++)
        silent[i] = client_connect(h);
    client_sleep_ms(2500);
    CHECK(count_open(silent, DRIPS) == ROOM_PER_UID);
    close_all(silent, DRIPS);
    return 0;
}

static void test_tcp_without_a_byte(void **state)
{
    struct harness *h = *state;

    harness_start(h, echo);
    harness_run(h, stay_silent);
}

static void test_uid_of_what_is_no_peer(void **state)
{
    CLEANUP(cleanup_fd) int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_true(web_uid_of(fd) == WEB_UID_UNKNOWN);
    assert_true(web_uid_of(-1) == WEB_UID_UNKNOWN);
}

/* Its owner has gone: the kernel's table says root. */
static void test_what_nobody_holds_is_nobodys(void **state)
{
    struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t size = sizeof at;
    CLEANUP(cleanup_fd) int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CLEANUP(cleanup_fd) int client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_int_equal(bind(listener, (struct sockaddr *)&at, sizeof at), 0);
    assert_int_equal(listen(listener, 1), 0);
    assert_int_equal(getsockname(listener, (struct sockaddr *)&at, &size), 0);
    assert_int_equal(connect(client, (struct sockaddr *)&at, size), 0);
    CLEANUP(cleanup_fd) int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    assert_int_equal(web_holder_of(fd), geteuid());
    assert_int_equal(close(client), 0);
    client = -1;
    assert_int_equal(web_uid_of(fd), 0);
    assert_true(web_holder_of(fd) == WEB_UID_UNKNOWN);
    assert_true(web_holder_of(listener) == WEB_UID_UNKNOWN);
    assert_true(web_holder_of(-1) == WEB_UID_UNKNOWN);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_the_oldest_of_a_uid_gives_way),
        TEST(test_idle_ones_first),
        TEST(test_nobody_keeps_others_out),
        TEST(test_many_uids),
        TEST(test_the_newest_of_those_that_wait),
        cmocka_unit_test_setup_teardown(test_tcp, setup_tcp, teardown),
        cmocka_unit_test_setup_teardown(test_tcp_before_the_first_byte, setup_tcp, teardown),
        cmocka_unit_test_setup_teardown(test_tcp_without_a_byte, setup_tcp, teardown),
        cmocka_unit_test(test_uid_of_what_is_no_peer),
        cmocka_unit_test(test_what_nobody_holds_is_nobodys),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

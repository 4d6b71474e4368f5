#include "unit.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "client/cleanup.h"
#include "client/connection.h"

static void on_alarm(int number)
{
    (void)number;
}

/* A program with an interval timer of its own: each signal would begin the wait anew. */
static void test_signals_do_not_lengthen_a_connect(void **state)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    char folder[] = "/tmp/tb-client-XXXXXX";
    const struct itimerval often = { .it_interval = { .tv_usec = 100 * 1000 },
                                     .it_value = { .tv_usec = 100 * 1000 } };
    const struct itimerval never = { .it_value = { 0 } };
    const struct patience patience = { connection_now() + 500, -1 };
    int fds[3] = { -1, -1, -1 };
    int r = 0;

    assert_non_null(mkdtemp(folder));
    (void)snprintf(address.sun_path, sizeof address.sun_path, "%s/s", folder);
    CLEANUP(cleanup_fd) int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(listener, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(listener, 0), 0);
    assert_int_equal(sigaction(SIGALRM, &(struct sigaction){ .sa_handler = on_alarm }, NULL), 0);
    assert_int_equal(setitimer(ITIMER_REAL, &often, NULL), 0);
    for (size_t i = 0; i < COUNT(fds) && r == 0; i++)
        r = connection_open(address.sun_path, &patience, &fds[i]);
    assert_int_equal(setitimer(ITIMER_REAL, &never, NULL), 0);
    assert_int_equal(r, -ETIMEDOUT);
    assert_true(connection_now() < patience.deadline_ms + 2000);
    for (size_t i = 0; i < COUNT(fds); i++)
        cleanup_fd(&fds[i]);
    (void)unlink(address.sun_path);
    (void)rmdir(folder);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_signals_do_not_lengthen_a_connect),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

#include <errno.h>
#include <grp.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "io/peer.h"

static void close_pair(int pair[2])
{
    cleanup_fd(&pair[0]);
    cleanup_fd(&pair[1]);
}

static void test_this_process_is_known(void **state)
{
    struct peer peer;
    gid_t own[PEER_GROUPS_MAX];
    int pair[2];

    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
    assert_int_equal(peer_identify(pair[0], &peer), 0);
    assert_int_equal(peer.uid, getuid());
    assert_int_equal(peer.pid, getpid());
    assert_true(peer.group_count >= 1);
    assert_int_equal(peer.groups[0], getgid());
    assert_true(peer_in_group(&peer, getgid()));

    int count = getgroups(PEER_GROUPS_MAX, own);
    assert_true(count >= 0);
    for (int i = 0; i < count; i++)
        assert_true(peer_in_group(&peer, own[i]));
    assert_false(peer_in_group(&peer, (gid_t)-2));
    close_pair(pair);
}

static void test_other_sockets_have_no_peer(void **state)
{
    struct peer peer = { .uid = 42 };
    int tcp = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_true(tcp >= 0);
    assert_true(peer_identify(tcp, &peer) < 0);
    assert_int_equal(peer.uid, 42);
    assert_int_equal(peer_identify(-1, &peer), -EBADF);
    assert_int_equal(peer_identify(STDIN_FILENO, &peer) < 0, 1);
    cleanup_fd(&tcp);
}

/* In a child: takes the groups on, then makes a pair, whose peer is the child itself. Returns the
 * exit status: 0 when peer_identify() and count are as expected. */
static int child_with_groups(size_t group_count, size_t expected)
{
    gid_t groups[PEER_GROUPS_MAX + 1];
    struct peer peer;
    int pair[2];

    for (size_t i = 0; i < group_count; i++)
        groups[i] = (gid_t)(10000 + i);
    if (setgroups(group_count, groups) < 0 || setgid(9999) < 0)
        return 2;
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
        return 3;
    if (peer_identify(pair[0], &peer) != 0 || peer.group_count != expected)
        return 4;
    if (expected && (peer.groups[0] != 9999 || !peer_in_group(&peer, 10000)))
        return 5;
    return !expected && peer_in_group(&peer, 9999) ? 6 : 0;
}

static void run_child(size_t group_count, size_t expected)
{
    pid_t child = fork();
    int status;

    assert_true(child >= 0);
    if (child == 0)
        _exit(child_with_groups(group_count, expected));
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

static void test_many_groups(void **state)
{
    if (geteuid() != 0)
        skip();
    run_child(3, 4);
    run_child(PEER_GROUPS_MAX - 1, PEER_GROUPS_MAX);
    run_child(PEER_GROUPS_MAX, 0);
    run_child(PEER_GROUPS_MAX + 1, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_this_process_is_known),
        cmocka_unit_test(test_other_sockets_have_no_peer),
        cmocka_unit_test(test_many_groups),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

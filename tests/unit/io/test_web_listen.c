#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "io/web.h"

struct fixture {
    char folder[64];
    char path[96];
    struct complaint complaint;
    int fd;
    int other;
};

static int setup(void **state)
{
    static struct fixture fixture;

    fixture = (struct fixture){ .folder = "/tmp/tokenbroker-listen-XXXXXX", .fd = -1, .other = -1 };
    if (!mkdtemp(fixture.folder))
        return -1;
    (void)snprintf(fixture.path, sizeof fixture.path, "%s/s", fixture.folder);
    *state = &fixture;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    cleanup_fd(&f->fd);
    cleanup_fd(&f->other);
    (void)unlink(f->path);
    return rmdir(f->folder);
}

static void assert_complaint(const struct fixture *f, const char *part)
{
    if (!strstr(f->complaint.text, part))
        fail_msg("\"%s\" lacks \"%s\"", f->complaint.text, part);
}

static mode_t mode_of(const char *path)
{
    struct stat status;

    assert_int_equal(lstat(path, &status), 0);
    assert_true(S_ISSOCK(status.st_mode));
    return status.st_mode & 07777;
}

static void test_unix_mode_and_flags(void **state)
{
    static const unsigned modes[] = { 0600, 0666, 0660 };
    struct fixture *f = *state;
    mode_t before = umask(0027);

    for (size_t i = 0; i < sizeof modes / sizeof modes[0]; i++) {
        f->fd = web_listen_unix(f->path, modes[i], &f->complaint);
        assert_true(f->fd >= 0);
        assert_int_equal(mode_of(f->path), modes[i]);
        assert_true(fcntl(f->fd, F_GETFL) & O_NONBLOCK);
        assert_true(fcntl(f->fd, F_GETFD) & FD_CLOEXEC);
        cleanup_fd(&f->fd); /* and leaves a stale socket for the next turn */
    }
    assert_int_equal(umask(before), 0027);
}

static void test_unix_live_socket_stays(void **state)
{
    struct fixture *f = *state;
    char expected[256];

    f->fd = web_listen_unix(f->path, 0600, NULL);
    assert_true(f->fd >= 0);
    assert_int_equal(web_listen_unix(f->path, 0600, &f->complaint), -EADDRINUSE);
    (void)snprintf(expected, sizeof expected, "another broker (uid %u, pid %d) answers at %s",
                   (unsigned)getuid(), (int)getpid(), f->path);
    assert_complaint(f, expected);
    assert_int_equal(mode_of(f->path), 0600);
}

static void test_unix_full_queue_is_live(void **state)
{
    struct fixture *f = *state;
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    int fillers[4];

    (void)snprintf(address.sun_path, sizeof address.sun_path, "%s", f->path);
    f->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(f->fd, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(f->fd, 0), 0);
    for (size_t i = 0; i < 4; i++) {
        fillers[i] = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        (void)connect(fillers[i], (struct sockaddr *)&address, sizeof address);
    }
    assert_int_equal(web_listen_unix(f->path, 0600, &f->complaint), -EADDRINUSE);
    assert_complaint(f, "another broker answers at");
    for (size_t i = 0; i < 4; i++)
        cleanup_fd(&fillers[i]);
}

static void test_unix_other_things_stay(void **state)
{
    struct fixture *f = *state;

    f->other = open(f->path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    assert_true(f->other >= 0);
    assert_int_equal(web_listen_unix(f->path, 0600, &f->complaint), -EEXIST);
    assert_complaint(f, "is not a socket");
    assert_int_equal(access(f->path, F_OK), 0);

    assert_int_equal(unlink(f->path), 0);
    assert_int_equal(symlink("/nowhere", f->path), 0);
    assert_int_equal(web_listen_unix(f->path, 0600, &f->complaint), -EEXIST);
}

static void test_unix_bad_paths(void **state)
{
    struct fixture *f = *state;
    char longest[sizeof((struct sockaddr_un *)NULL)->sun_path + 1];

    memset(longest, 'x', sizeof longest);
    longest[sizeof longest - 1] = '\0';
    assert_int_equal(web_listen_unix(longest, 0600, &f->complaint), -ENAMETOOLONG);
    assert_complaint(f, "107");
    assert_int_equal(web_listen_unix("", 0600, NULL), -ENAMETOOLONG);
    assert_int_equal(web_listen_unix("/tmp/tb-no-such-folder/s", 0600, &f->complaint), -ENOENT);
    assert_complaint(f, "/tmp/tb-no-such-folder/s");
    assert_int_equal(web_listen_unix("/dev/null/s", 0600, &f->complaint), -ENOTDIR);
}

static uint16_t port_of(int fd)
{
    struct sockaddr_storage address;
    socklen_t size = sizeof address;

    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &size), 0);
    if (address.ss_family == AF_INET6)
        return ntohs(((struct sockaddr_in6 *)&address)->sin6_port);
    return ntohs(((struct sockaddr_in *)&address)->sin_port);
}

static void test_tcp_both_families_on_one_port(void **state)
{
    struct fixture *f = *state;

    f->fd = web_listen_tcp("127.0.0.1", 0, &f->complaint);
    assert_true(f->fd >= 0);
    assert_true(fcntl(f->fd, F_GETFL) & O_NONBLOCK);
    assert_true(fcntl(f->fd, F_GETFD) & FD_CLOEXEC);
    f->other = web_listen_tcp("::1", port_of(f->fd), &f->complaint);
    if (f->other == -EADDRNOTAVAIL || f->other == -EAFNOSUPPORT)
        skip();
    assert_true(f->other >= 0);
    assert_int_equal(port_of(f->other), port_of(f->fd));
    int v6_only = 0;
    socklen_t size = sizeof v6_only;
    assert_int_equal(getsockopt(f->other, IPPROTO_IPV6, IPV6_V6ONLY, &v6_only, &size), 0);
    assert_int_equal(v6_only, 1);
}

static void test_tcp_holder_is_named(void **state)
{
    static const char *const addresses[] = { "127.0.0.1", "::1" };
    struct fixture *f = *state;
    char expected[64];

    (void)snprintf(expected, sizeof expected, "is held by a program of uid %u", (unsigned)getuid());
    for (size_t i = 0; i < 2; i++) {
        f->fd = web_listen_tcp(addresses[i], 0, NULL);
        if (f->fd == -EADDRNOTAVAIL || f->fd == -EAFNOSUPPORT)
            continue;
        assert_true(f->fd >= 0);
        assert_int_equal(web_listen_tcp(addresses[i], port_of(f->fd), &f->complaint), -EADDRINUSE);
        assert_complaint(f, expected);
        cleanup_fd(&f->fd);
        f->fd = -1;
    }
}

static void test_tcp_addresses(void **state)
{
    static const struct {
        const char *address;
        bool should_fail;
    } rows[] = {
        { "127.0.0.1", false }, { "127.0.0.2", false },       { "0.0.0.0", true },
        { "::", true },         { "10.0.0.1", true },         { "localhost", true },
        { "", true },           { "::ffff:127.0.0.1", true }, { "127.1", true },
    };
    struct fixture *f = *state;

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        int fd = web_listen_tcp(rows[i].address, 0, &f->complaint);
        if (rows[i].should_fail)
            assert_int_equal(fd, -EINVAL);
        else
            assert_true(fd >= 0);
        cleanup_fd(&fd);
    }
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_unix_mode_and_flags),     TEST(test_unix_live_socket_stays),
        TEST(test_unix_full_queue_is_live), TEST(test_unix_other_things_stay),
        TEST(test_unix_bad_paths),          TEST(test_tcp_both_families_on_one_port),
        TEST(test_tcp_holder_is_named),     TEST(test_tcp_addresses),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

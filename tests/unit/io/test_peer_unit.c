#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "io/peer.h"

struct row {
    const char *text;
    const char *unit; /* NULL: none */
};

static const struct row paths[] = {
    { "/system.slice/sync.service", "sync.service" },
    { "/system.slice/sync.service/inner/more", "sync.service" },
    { "/system.slice/system-sync.slice/sync@dk.service", "sync@dk.service" },
    { "/sync.service", "sync.service" },
    { "/init.scope", "init.scope" },
    { "/user.slice/user-1000.slice/session-3.scope", "session-3.scope" },
    /* what a user's own manager runs is never taken for a system unit */
    { "/user.slice/user-1000.slice/user@1000.service/app.slice/sync.service", "user@1000.service" },
    { "/user.slice/user-1000.slice/user@1000.service/system.slice/sync.service",
      "user@1000.service" },
    { "/machine.slice/machine-x.scope/system.slice/sync.service", "machine-x.scope" },
    { "/system.slice/_sync.service", "sync.service" },
    { "/system.slice/docker-0a1b.scope", "docker-0a1b.scope" },
    { "/", NULL },
    { "", NULL },
    { "/system.slice", NULL },
    { "/system.slice/", NULL },
    { "/system.slice//sync.service", NULL },
    { "/process_api/sync.service", NULL },     /* no slice: somebody else's tree */
    { "/../system.slice/sync.service", NULL }, /* outside our cgroup namespace */
    { "/.slice/sync.service", NULL },
    { "/system.slice/.service", NULL },
    { "/system.slice/sync.servicex", NULL },
    { "/system.slice/sync.mount", NULL },
    { "system.slice/sync.service", NULL },
};

static void test_paths(void **state)
{
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
        char unit[PEER_UNIT_SIZE] = "";
        int r = peer_unit_of_path(paths[i].text, unit);
        if (r != (paths[i].unit ? 0 : PEER_WITHOUT_UNIT) ||
            strcmp(unit, paths[i].unit ? paths[i].unit : "") != 0)
            fail_msg("%s: %d, \"%s\"", paths[i].text, r, unit);
    }
}

static void test_overlong_name(void **state)
{
    char path[2 * PEER_UNIT_SIZE], unit[PEER_UNIT_SIZE];
    for (size_t length = PEER_UNIT_SIZE - 10; length < PEER_UNIT_SIZE; length++) {
        int wanted = length + strlen(".service") < PEER_UNIT_SIZE ? 0 : PEER_WITHOUT_UNIT;
        snprintf(path, sizeof path, "/system.slice/%.*s.service", (int)length,
                 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
                 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
                 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
                 "aaaaaaaaaaaaaaaaaaaa");
        assert_int_equal(peer_unit_of_path(path, unit), wanted);
    }
}

static const struct row cgroups[] = {
    { "0::/system.slice/a.service\n", "a.service" },
    { "9:name=systemd:/system.slice/a.service\n0::/\n", "a.service" },
    { "1:name=systemd:/system.slice/a.service\n0::/system.slice/a.service\n", "a.service" },
    { "1:name=systemd:/system.slice/a.service\n", "a.service" },
    { "0::/\n", NULL },
    { "", NULL },
    { "\n\n:\n::\n", NULL },
    { "0::/\n1:name=systemd:/\n", NULL },
    { "8:pids:/system.slice/a.service\n0::/\n", NULL },
    /* a cgroup's name may hold a colon, so that a user's own looks like another line's head */
    { "8:pids:/x:name=systemd:/system.slice/a.service\n0::/\n", NULL },
    { "8:pids:/0::/system.slice/a.service\n0::/user.slice/session-1.scope\n", "session-1.scope" },
    { "0::/user.slice/session-1.scope/0::/system.slice/a.service\n", "session-1.scope" },
    { "10:name=elogind:/system.slice/a.service\n0::/\n", NULL },
};

static void test_cgroups(void **state)
{
    for (size_t i = 0; i < sizeof cgroups / sizeof *cgroups; i++) {
        char unit[PEER_UNIT_SIZE] = "", text[512];
        snprintf(text, sizeof text, "%s", cgroups[i].text);
        int r = peer_unit_of_cgroups(text, unit);
        if (r != (cgroups[i].unit ? 0 : PEER_WITHOUT_UNIT) ||
            strcmp(unit, cgroups[i].unit ? cgroups[i].unit : "") != 0)
            fail_msg("row %zu: %d, \"%s\"", i, r, unit);
    }
}

/* A child connects to us; it lives until its pipe ends. */
struct caller {
    pid_t pid;
    int alive, fd;
};

static void call(struct caller *caller)
{
    int pipes[2];
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    socklen_t size = sizeof address.sun_family; /* a free abstract name */
    int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(listener >= 0 && pipe2(pipes, O_CLOEXEC) == 0);
    assert_int_equal(bind(listener, (struct sockaddr *)&address, size), 0);
    size = sizeof address;
    assert_int_equal(getsockname(listener, (struct sockaddr *)&address, &size), 0);
    assert_int_equal(listen(listener, 1), 0);
    caller->pid = fork();
    assert_true(caller->pid >= 0);
    if (caller->pid == 0) {
        char end;
        int fd = socket(AF_UNIX, SOCK_STREAM, 0);
        close(pipes[1]);
        if (connect(fd, (struct sockaddr *)&address, size) == 0)
            (void)!read(pipes[0], &end, 1);
        _exit(0);
    }
    close(pipes[0]);
    caller->alive = pipes[1];
    caller->fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    assert_true(caller->fd >= 0);
    close(listener);
}

static void end(struct caller *caller)
{
    close(caller->alive);
    assert_int_equal(waitpid(caller->pid, NULL, 0), caller->pid);
}

#define CGROUPS "/sys/fs/cgroup"
static const char *const mounts[] = { CGROUPS "/unified", CGROUPS };

/* Puts a process into a cgroup of that name, as systemd does; false where this is not allowed. */
static bool put_into(pid_t pid, const char *slice, const char *unit)
{
    char path[256];
    for (size_t i = 0; i < sizeof mounts / sizeof *mounts; i++) {
        snprintf(path, sizeof path, "%s/%s", mounts[i], slice);
        mkdir(path, 0755);
        snprintf(path, sizeof path, "%s/%s/%s", mounts[i], slice, unit);
        mkdir(path, 0755);
        snprintf(path, sizeof path, "%s/%s/%s/cgroup.procs", mounts[i], slice, unit);
        FILE *file = fopen(path, "we");
        if (!file)
            continue;
        fprintf(file, "%d\n", (int)pid);
        if (fclose(file) == 0)
            return true;
    }
    return false;
}

static void remove_cgroups(const char *slice, const char *unit)
{
    char path[256];
    for (size_t i = 0; i < sizeof mounts / sizeof *mounts; i++) {
        snprintf(path, sizeof path, "%s/%s/%s", mounts[i], slice, unit);
        rmdir(path);
        snprintf(path, sizeof path, "%s/%s", mounts[i], slice);
        rmdir(path);
    }
}

#define SLICE "tokenbrokertest.slice"
#define UNIT "tokenbroker-test.service"

static void test_a_living_process(void **state)
{
    struct caller caller;
    struct peer peer;
    call(&caller);
    bool placed = put_into(caller.pid, SLICE, UNIT);
    assert_int_equal(peer_identify(caller.fd, &peer), 0);
    assert_int_equal(peer.pid, caller.pid);
    assert_string_equal(peer.unit, "");
    int r = peer_find_unit(caller.fd, &peer);
    end(&caller);
    close(caller.fd);
    remove_cgroups(SLICE, UNIT);
    if (!placed)
        skip(); /* not root, or no cgroup that can be written */
    assert_int_equal(r, 0);
    assert_string_equal(peer.unit, UNIT);
    assert_int_equal(peer.unit_proven, peer_units_can_be_proven());
}

/* Whoever comes to have its number, or holds its connection, is somebody else. */
static void test_an_ended_process(void **state)
{
    struct caller caller;
    struct peer peer;
    call(&caller);
    put_into(caller.pid, SLICE, UNIT);
    assert_int_equal(peer_identify(caller.fd, &peer), 0);
    end(&caller);
    remove_cgroups(SLICE, UNIT);
    assert_int_equal(peer_find_unit(caller.fd, &peer), PEER_WITHOUT_UNIT);
    assert_string_equal(peer.unit, "");
    close(caller.fd);
}

static void test_a_zombie(void **state)
{
    struct caller caller;
    struct peer peer;
    siginfo_t info;
    call(&caller);
    put_into(caller.pid, SLICE, UNIT);
    assert_int_equal(peer_identify(caller.fd, &peer), 0);
    close(caller.alive);
    assert_int_equal(waitid(P_PID, (id_t)caller.pid, &info, WEXITED | WNOWAIT), 0);
    assert_int_equal(peer_find_unit(caller.fd, &peer), PEER_WITHOUT_UNIT);
    assert_int_equal(waitpid(caller.pid, NULL, 0), caller.pid);
    remove_cgroups(SLICE, UNIT);
    close(caller.fd);
}

static void test_no_unix_socket(void **state)
{
    struct peer peer = { .pid = 0 };
    assert_true(peer_find_unit(-1, &peer) < 0);
    assert_string_equal(peer.unit, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_paths),
        cmocka_unit_test(test_overlong_name),
        cmocka_unit_test(test_cgroups),
        cmocka_unit_test(test_a_living_process),
        cmocka_unit_test(test_an_ended_process),
        cmocka_unit_test(test_a_zombie),
        cmocka_unit_test(test_no_unix_socket),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* A command whose output is a secret: no shell, no environment but PATH, a time limit, a cap. Its
 * own error output goes nowhere, since some programs echo there what they were about to print. */

#include <errno.h>
#include <fcntl.h>
#include <paths.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/cleanup.h"
#include "settings/sections.h"

enum { COMMAND_TIME_LIMIT_MS = 10 * 1000, COMMAND_STEP = 4096 };

static int64_t monotonic_ms(void)
{
    struct timespec now = { 0 };
    (void)clock_gettime(CLOCK_MONOTONIC, &now); /* cannot fail with this clock */
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* True when fd has something before the deadline. */
static bool wait_for(int fd, int64_t deadline)
{
    struct pollfd wait = { .fd = fd, .events = POLLIN };
    for (;;) {
        int64_t left = deadline - monotonic_ms();
        int n = poll(&wait, 1, left > 0 ? (int)left : 0);
        if (n >= 0 || errno != EINTR)
            return n > 0;
    }
}

/* Reads until the end. NULL, or a problem. */
static const char *read_output(int fd, int64_t deadline, struct buffer *out)
{
    char step[COMMAND_STEP];
    const char *problem = NULL;
    for (;;) {
        if (!wait_for(fd, deadline)) {
            problem = "took longer than 10 s";
            break;
        }
        ssize_t n = read(fd, step, sizeof step);
        if (n < 0 && errno == EINTR)
            continue;
        if (n == 0)
            break;
        if (n > 0)
            buffer_append(out, step, (size_t)n);
        if (n < 0 || out->failed) {
            problem = n < 0 ? "could not be read" : "wrote too much";
            break;
        }
    }
    explicit_bzero(step, sizeof step);
    return problem;
}

/* Attributes and file actions of the child, as posix_spawn() wants them. */
struct child_setup {
    posix_spawnattr_t attributes;
    posix_spawn_file_actions_t actions;
    bool attributes_made, actions_made;
};

static void cleanup_child_setup(struct child_setup *setup)
{
    if (setup->attributes_made)
        (void)posix_spawnattr_destroy(&setup->attributes);
    if (setup->actions_made)
        (void)posix_spawn_file_actions_destroy(&setup->actions);
}

static bool set_attributes(posix_spawnattr_t *attributes)
{
    sigset_t none, all;
    (void)sigemptyset(&none);
    (void)sigfillset(&all);
    /* A process group of its own, so that what it starts can be ended with it. */
    return posix_spawnattr_setflags(attributes, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK |
                                                    POSIX_SPAWN_SETSIGDEF) == 0 &&
           posix_spawnattr_setpgroup(attributes, 0) == 0 &&
           posix_spawnattr_setsigmask(attributes, &none) == 0 &&
           posix_spawnattr_setsigdefault(attributes, &all) == 0;
}

static bool set_actions(posix_spawn_file_actions_t *actions, int output)
{
    return posix_spawn_file_actions_addopen(actions, STDIN_FILENO, _PATH_DEVNULL, O_RDONLY, 0) ==
               0 &&
           posix_spawn_file_actions_adddup2(actions, output, STDOUT_FILENO) == 0 &&
           posix_spawn_file_actions_addopen(actions, STDERR_FILENO, _PATH_DEVNULL, O_WRONLY, 0) ==
               0 &&
           posix_spawn_file_actions_addclosefrom_np(actions, STDERR_FILENO + 1) == 0;
}

static bool set_up(struct child_setup *setup, int output)
{
    setup->attributes_made = posix_spawnattr_init(&setup->attributes) == 0;
    setup->actions_made = posix_spawn_file_actions_init(&setup->actions) == 0;
    return setup->attributes_made && setup->actions_made && set_attributes(&setup->attributes) &&
           set_actions(&setup->actions, output);
}

/* The child's pid, 0 when it could not be started. */
static pid_t start(char *const argv[], int output)
{
    static const char default_path[] = "PATH=" _PATH_STDPATH;
    CLEANUP(cleanup_child_setup) struct child_setup setup = { 0 };
    CLEANUP(cleanup_string) char *path = NULL;
    const char *own = getenv("PATH");
    pid_t pid = 0;
    if (own != NULL && asprintf(&path, "PATH=%s", own) < 0)
        path = NULL;
    char *environment[] = { path != NULL ? path : (char *)default_path, NULL };
    if (!set_up(&setup, output) ||
        posix_spawnp(&pid, argv[0], &setup.actions, &setup.attributes, argv, environment) != 0)
        return 0;
    return pid;
}

/* Waits for the end, or brings it about. NULL, or a problem. */
static const char *finish(pid_t pid, bool wanted, int64_t deadline)
{
    CLEANUP(cleanup_fd) int child = pidfd_open(pid, 0);
    bool ended = wanted && child >= 0 && wait_for(child, deadline);
    int status = 0;
    if (!ended)
        (void)kill(-pid, SIGKILL); /* it may have ended by itself just now */
    while (waitpid(pid, &status, 0) < 0)
        if (errno != EINTR)
            return "could not be waited for";
    if (!ended)
        return "took longer than 10 s";
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
        return "failed; run it by hand to see why";
    return NULL;
}

int command_output(char *const argv[], struct buffer *out, const char **ret_problem)
{
    int ends[2] = { -1, -1 };
    int64_t deadline = monotonic_ms() + COMMAND_TIME_LIMIT_MS;
    if (pipe2(ends, O_CLOEXEC) < 0) {
        *ret_problem = "could not be started";
        return SETTINGS_INVALID;
    }
    CLEANUP(cleanup_fd) int reading = ends[0];
    pid_t pid = start(argv, ends[1]);
    (void)close(ends[1]); /* the child has its own; ours would hide the end of its output */
    if (pid == 0) {
        *ret_problem = "could not be started";
        return SETTINGS_INVALID;
    }
    const char *problem = read_output(reading, deadline, out);
    const char *end = finish(pid, problem == NULL, deadline);
    if (problem == NULL)
        problem = end;
    if (problem == NULL && memchr(buffer_text(out), '\0', out->length) != NULL)
        problem = "wrote a NUL byte";
    if (problem == NULL)
        return 0;
    *ret_problem = problem;
    return SETTINGS_INVALID;
}

#include "client/cli/program.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "client/cli/output.h"

enum { PIECE = 1024 };

bool program_find(const char *name, char ret[static PATH_MAX])
{
    const char *paths = getenv("PATH");
    char path[PATH_MAX];

    for (const char *at = paths ? paths : "/usr/bin:/bin"; *at; at += strspn(at, ":")) {
        int folder = (int)strcspn(at, ":");
        int length = snprintf(path, sizeof path, "%.*s/%s", folder, at, name);
        at += folder;
        if (path[0] != '/' || length >= PATH_MAX || access(path, X_OK) < 0)
            continue;
        memcpy(ret, path, (size_t)length + 1);
        return true;
    }
    return false;
}

/* A file without a name, so that the program may be slow to read, or not read at all. */
static int open_input(const struct text *input)
{
    if (!input)
        return open("/dev/null", O_RDONLY | O_CLOEXEC);
    CLEANUP(cleanup_fd) int fd = memfd_create("input", MFD_CLOEXEC);
    if (fd < 0 || !output_bytes(fd, text_string(input), input->length) ||
        lseek(fd, 0, SEEK_SET) < 0)
        return -1;
    int opened = fd;
    fd = -1;
    return opened;
}

static int arrange(posix_spawn_file_actions_t *files, int input, bool quiet)
{
    int r = posix_spawn_file_actions_adddup2(files, input, STDIN_FILENO);

    if (r == 0 && quiet)
        r = posix_spawn_file_actions_addopen(files, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
    return r ? r : posix_spawn_file_actions_adddup2(files, STDERR_FILENO, STDOUT_FILENO);
}

static int wait_for(pid_t pid)
{
    int status = 0;

    while (waitpid(pid, &status, 0) < 0)
        if (errno != EINTR)
            return PROGRAM_FAILED;
    return WIFEXITED(status) ? WEXITSTATUS(status) : PROGRAM_FAILED;
}

int program_run(const char *const *argv, const struct text *input, bool quiet)
{
    CLEANUP(cleanup_fd) int fd = open_input(input);
    posix_spawn_file_actions_t files;
    pid_t pid = 0;

    if (fd < 0 || posix_spawn_file_actions_init(&files) != 0)
        return PROGRAM_FAILED;
    int r = arrange(&files, fd, quiet);
    if (r == 0)
        r = posix_spawnp(&pid, argv[0], &files, NULL, (char *const *)(uintptr_t)argv, environ);
    (void)posix_spawn_file_actions_destroy(&files);
    if (r != 0)
        return r == ENOENT ? PROGRAM_MISSING : PROGRAM_FAILED;
    return wait_for(pid);
}

static bool read_back(int fd, struct text *output)
{
    char piece[PIECE];
    ssize_t got = -1;

    if (lseek(fd, 0, SEEK_SET) == 0)
        while ((got = read(fd, piece, sizeof piece)) > 0)
            text_append(output, piece, (size_t)got);
    return got == 0 && !output->failed;
}

int program_ask(const char *const *argv, const struct text *input, struct text *output)
{
    CLEANUP(cleanup_fd) int in = open_input(input);
    CLEANUP(cleanup_fd) int out = memfd_create("output", MFD_CLOEXEC);
    char *environment[] = { NULL };
    posix_spawn_file_actions_t files;
    pid_t pid = 0;

    if (in < 0 || out < 0 || posix_spawn_file_actions_init(&files) != 0)
        return PROGRAM_FAILED;
    int r = posix_spawn_file_actions_adddup2(&files, in, STDIN_FILENO);
    if (r == 0)
        r = posix_spawn_file_actions_adddup2(&files, out, STDOUT_FILENO);
    if (r == 0)
        r = posix_spawn_file_actions_adddup2(&files, out, STDERR_FILENO);
    if (r == 0)
        r = posix_spawn(&pid, argv[0], &files, NULL, (char *const *)(uintptr_t)argv, environment);
    (void)posix_spawn_file_actions_destroy(&files);
    if (r != 0)
        return r == ENOENT ? PROGRAM_MISSING : PROGRAM_FAILED;
    r = wait_for(pid);
    return read_back(out, output) ? r : PROGRAM_FAILED;
}

#pragma once

/* What the tests of keys and certificates share: a folder, and openssl in it. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* after the four above */
#include <cmocka.h>

#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/secret.h"

enum { SHELL_PATH_SIZE = 128, SHELL_FILE_MAX = 32 * 1024 };

struct shell {
    char folder[64];
};

/* Runs one line of sh in the folder, silently; true when it ended with 0. */
static inline bool shell_run(const struct shell *shell, const char *line)
{
    const char *const arguments[] = { "/bin/sh", "-c", line, NULL };
    int status = -1;
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        int nowhere = open("/dev/null", O_RDWR | O_CLOEXEC);
        (void)dup2(nowhere, STDIN_FILENO);
        (void)dup2(nowhere, STDOUT_FILENO);
        (void)dup2(nowhere, STDERR_FILENO);
        if (chdir(shell->folder) == 0)
            execv(arguments[0], (char *const *)(uintptr_t)arguments);
        _exit(127);
    }
    return waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static inline void shell_begin(struct shell *shell)
{
    (void)snprintf(shell->folder, sizeof shell->folder, "/tmp/tb-keys-XXXXXX");
    assert_non_null(mkdtemp(shell->folder));
}

static inline void shell_end(struct shell *shell)
{
    assert_true(shell_run(shell, "rm -f ./*"));
    assert_int_equal(rmdir(shell->folder), 0);
}

/* "FOLDER/name" in out. */
static inline const char *shell_path(const struct shell *shell, const char *name,
                                     char out[static SHELL_PATH_SIZE])
{
    (void)snprintf(out, SHELL_PATH_SIZE, "%s/%s", shell->folder, name);
    return out;
}

static inline void shell_write(const struct shell *shell, const char *name, const void *bytes,
                               size_t length)
{
    char path[SHELL_PATH_SIZE];
    FILE *file = fopen(shell_path(shell, name, path), "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, length, file), length);
    assert_int_equal(fclose(file), 0);
}

/* A file's bytes as a secret, the caller's. */
static inline struct secret *shell_secret(const struct shell *shell, const char *name)
{
    static char bytes[SHELL_FILE_MAX];
    char path[SHELL_PATH_SIZE];
    struct secret *secret = NULL;
    FILE *file = fopen(shell_path(shell, name, path), "rb");
    assert_non_null(file);
    size_t length = fread(bytes, 1, sizeof bytes, file);
    (void)fclose(file);
    assert_int_equal(secret_new(bytes, length, &secret), 0);
    return secret;
}

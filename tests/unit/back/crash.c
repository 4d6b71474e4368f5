#include "crash.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* after the four above */
#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "io/store.h"

unsigned commits_to_refuse;
char crash_from[64];
unsigned crashes;

static void copy_file(const char *from, const char *to)
{
    char bytes[64 * 1024];
    CLEANUP(cleanup_fd) int in = open(from, O_RDONLY | O_CLOEXEC);
    CLEANUP(cleanup_fd) int out = open(to, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    assert_true(in >= 0 && out >= 0);
    for (ssize_t n = read(in, bytes, sizeof bytes); n > 0; n = read(in, bytes, sizeof bytes))
        assert_int_equal(write(out, bytes, (size_t)n), n);
}

void crash_folder(unsigned number, char out[static CRASH_PATH_SIZE])
{
    (void)snprintf(out, CRASH_PATH_SIZE, "%s-crash-%u", crash_from, number);
}

static void copy_folder(const char *from, const char *to)
{
    DIR *dir = opendir(from);
    assert_non_null(dir);
    assert_int_equal(mkdir(to, 0700), 0);
    for (const struct dirent *entry = readdir(dir); entry; entry = readdir(dir)) {
        char source[2 * CRASH_PATH_SIZE + 256];
        char target[2 * CRASH_PATH_SIZE + 256];
        (void)snprintf(source, sizeof source, "%s/%s", from, entry->d_name);
        (void)snprintf(target, sizeof target, "%s/%s", to, entry->d_name);
        if (entry->d_name[0] != '.')
            copy_file(source, target);
    }
    (void)closedir(dir);
}

void remove_folder(const char *folder)
{
    DIR *dir = opendir(folder);
    assert_non_null(dir);
    for (const struct dirent *entry = readdir(dir); entry; entry = readdir(dir))
        (void)unlinkat(dirfd(dir), entry->d_name, 0);
    (void)closedir(dir);
    assert_int_equal(rmdir(folder), 0);
}

int __real_store_commit(struct store *store);
int __wrap_store_commit(struct store *store);
int __wrap_store_commit(struct store *store)
{
    char to[CRASH_PATH_SIZE];
    if (commits_to_refuse > 0) {
        commits_to_refuse--;
        return -ENOSPC;
    }
    int r = __real_store_commit(store);
    if (r == 0 && crash_from[0] && crashes < CRASHES_MAX) {
        crash_folder(crashes++, to);
        copy_folder(crash_from, to);
    }
    return r;
}

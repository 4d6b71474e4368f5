#include "client/cli/new_file.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "client/cleanup.h"
#include "client/cli/cli.h"
#include "client/cli/output.h"

static bool fail(const char *what, const char *path)
{
    cli_complain("%s %s: %s", what, path, strerrordesc_np(errno));
    return false;
}

bool new_file_begin(struct new_file *file)
{
    struct stat st;

    if (lstat(file->path, &st) == 0) {
        cli_complain("%s is there already: give another name", file->path);
        return false;
    }
    if (asprintf(&file->part, "%s.XXXXXX", file->path) < 0) {
        file->part = NULL;
        cli_complain("out of memory");
        return false;
    }
    file->fd = mkostemp(file->part, O_CLOEXEC); /* 0600 */
    if (file->fd >= 0)
        return true;
    free(file->part);
    file->part = NULL;
    return fail("cannot write", file->path);
}

bool new_file_write(struct new_file *file, const void *bytes, size_t length)
{
    return output_bytes(file->fd, bytes, length) || fail("cannot write", file->path);
}

/* Some file systems know no renaming that replaces nothing. */
static int give_name(const char *part, const char *path)
{
    struct stat st;

    if (renameat2(AT_FDCWD, part, AT_FDCWD, path, RENAME_NOREPLACE) == 0)
        return 0;
    if (errno != EINVAL && errno != ENOSYS)
        return -1;
    if (lstat(path, &st) == 0) {
        errno = EEXIST;
        return -1;
    }
    return rename(part, path);
}

static int sync_folder(const char *path)
{
    CLEANUP(cleanup_string) char *copy = strdup(path);
    CLEANUP(cleanup_fd)
    int fd = copy ? open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;

    return fd >= 0 && fsync(fd) == 0 ? 0 : -1;
}

bool new_file_finish(struct new_file *file)
{
    if (fsync(file->fd) < 0)
        return fail("cannot write", file->path);
    if (give_name(file->part, file->path) < 0)
        return fail("cannot make", file->path);
    free(file->part);
    file->part = NULL;
    if (sync_folder(file->path) < 0)
        return fail("cannot sync the folder of", file->path);
    return true;
}

void new_file_release(struct new_file *file)
{
    if (file->fd >= 0)
        (void)close(file->fd); /* what matters was synced */
    if (file->part)
        (void)unlink(file->part);
    free(file->part);
    *file = (struct new_file)NEW_FILE(NULL);
}

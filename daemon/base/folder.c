#include "base/folder.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"

int folder_sync(const char *path)
{
    CLEANUP(cleanup_fd) int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    return fd < 0 || fsync(fd) < 0 ? -errno : 0;
}

int folder_sync_above(const char *path)
{
    const char *slash = strrchr(path, '/');
    CLEANUP(cleanup_string) char *folder = NULL;

    folder = slash ? strndup(path, slash == path ? 1 : (size_t)(slash - path)) : strdup(".");
    return folder ? folder_sync(folder) : -ENOMEM;
}

static int make_one(const char *path, mode_t mode)
{
    if (mkdir(path, mode) < 0)
        return errno == EEXIST ? 0 : -errno;
    int r = folder_sync_above(path);
    return r == -EACCES ? 0 : r; /* who may only write there cannot sync it */
}

int folder_make(const char *path, mode_t mode)
{
    CLEANUP(cleanup_string) char *copy = strdup(path);
    int r = copy ? 0 : -ENOMEM;
    for (char *slash = copy ? strchr(copy + 1, '/') : NULL; r == 0 && slash;
         slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        r = make_one(copy, mode);
        *slash = '/';
    }
    if (r == 0)
        r = make_one(copy, mode);
    if (r == 0)
        /* Who made it may not have lived to sync it; else it is not ours to complain of. */
        (void)folder_sync_above(path);
    return r;
}

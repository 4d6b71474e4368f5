#include "temporary.h"

#include <fcntl.h>
#include <ftw.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon.h"

enum { FOLDERS_OPEN_MAX = 8 };

static char folder[64];
static char path[96];

static int remove_one(const char *name, const struct stat *status, int kind, struct FTW *where)
{
    return remove(name);
}

static void remove_folder(void)
{
    (void)nftw(folder, remove_one, FOLDERS_OPEN_MAX, FTW_DEPTH | FTW_PHYS);
}

const char *temporary_folder(void)
{
    if (!*folder) {
        (void)snprintf(folder, sizeof folder, "/tmp/tokenbroker-fuzz-XXXXXX");
        PROMISE(mkdtemp(folder) != NULL);
        (void)snprintf(path, sizeof path, "%s/input", folder);
        PROMISE(atexit(remove_folder) == 0);
    }
    return folder;
}

const char *temporary_file(const void *bytes, size_t length)
{
    (void)temporary_folder();
    CLEANUP(cleanup_fd) int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    PROMISE(fd >= 0 && write(fd, bytes, length) == (ssize_t)length);
    return path;
}

#include "settings/file.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"

enum { READ_STEP = 16 * 1024 };

static int refuse(struct complaint *complaint, const char *path, const char *problem)
{
    complain(complaint, "%s %s", path, problem);
    return SETTINGS_INVALID;
}

/* Who else may change it. Returns 0 or SETTINGS_INVALID. */
static int check_writers(const struct stat *status, const char *path, struct complaint *complaint)
{
    if (status->st_uid != 0 && status->st_uid != geteuid()) {
        complain(complaint, "%s belongs to user %u, who is neither root nor the broker's own", path,
                 status->st_uid);
        return SETTINGS_INVALID;
    }
    if ((status->st_mode & (S_IWGRP | S_IWOTH)) != 0) {
        complain(complaint, "others can write %s: chmod go-w %s", path, path);
        return SETTINGS_INVALID;
    }
    return 0;
}

/* The service's own group, which root knows by its name where it checks the file by hand. */
static bool is_our_group(gid_t gid)
{
    const struct group *services = geteuid() == 0 ? getgrnam("tokenbroker") : NULL;
    return gid == getegid() || (services && gid == services->gr_gid);
}

static bool others_read(const struct stat *status)
{
    /* The usual file of a system service: root writes, the service's group reads. */
    return (status->st_mode & S_IROTH) != 0 ||
           ((status->st_mode & S_IRGRP) != 0 &&
            !(status->st_uid == 0 && is_our_group(status->st_gid)));
}

/* NULL where the file is its owner's alone. */
static const struct group *readers_of(const char *path)
{
    static const char services[] = "/etc/tokenbroker/";
    struct stat status;
    if (stat(path, &status) < 0 || status.st_uid != 0)
        return NULL;
    if (geteuid() != 0)
        return getgrgid(getegid());
    return strncmp(path, services, sizeof services - 1) == 0 ? getgrnam("tokenbroker") : NULL;
}

void file_advise(const char *path, char out[static FILE_ADVICE_SIZE])
{
    const struct group *readers = readers_of(path);
    if (readers)
        (void)snprintf(out, FILE_ADVICE_SIZE, "chgrp %s %s && chmod 640 %s", readers->gr_name, path,
                       path);
    else
        (void)snprintf(out, FILE_ADVICE_SIZE, "chmod 600 %s", path);
}

static int read_all(int fd, const char *path, struct buffer *out, struct complaint *complaint)
{
    char step[READ_STEP];
    int r = 0;
    for (;;) {
        ssize_t n = read(fd, step, sizeof step);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            r = refuse(complaint, path, "cannot be read");
        if (n <= 0)
            break;
        if (memchr(step, '\0', (size_t)n) != NULL) {
            r = refuse(complaint, path, "holds a NUL byte");
            break;
        }
        buffer_append(out, step, (size_t)n);
        if (out->failed) {
            complain(complaint, "%s is larger than %zu bytes", path, out->maximum);
            r = SETTINGS_INVALID;
            break;
        }
    }
    explicit_bzero(step, sizeof step);
    return r;
}

int file_read(const char *path, struct buffer *out, bool *ret_others_read,
              struct complaint *complaint)
{
    /* Without O_NONBLOCK a FIFO in the file's place would hold us up before it is refused. */
    CLEANUP(cleanup_fd) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0) {
        int error = errno;
        complain(complaint, "%s cannot be opened: %s", path, strerrordesc_np(error));
        return error == ENOENT ? FILE_MISSING : SETTINGS_INVALID;
    }
    struct stat status;
    if (fstat(fd, &status) < 0)
        return refuse(complaint, path, "cannot be looked at");
    if (!S_ISREG(status.st_mode))
        return refuse(complaint, path, "is no regular file");
    int r = check_writers(&status, path, complaint);
    if (r == 0)
        r = read_all(fd, path, out, complaint);
    if (r == 0)
        *ret_others_read = others_read(&status);
    return r;
}

int folder_check(int fd, const char *path, struct complaint *complaint)
{
    struct stat status;
    if (fstat(fd, &status) < 0)
        return refuse(complaint, path, "cannot be looked at");
    return check_writers(&status, path, complaint);
}

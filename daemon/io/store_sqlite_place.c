/* The folder and the files of the store: whose they are, and who has them. */

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "base/folder.h"
#include "io/store_sqlite_private.h"

enum { PID_TEXT_SIZE = 24 };

static const char lock_name[] = "lock";
static const char file_name[] = "store.sqlite";

static int check_folder(const char *folder, int fd, struct complaint *complaint)
{
    struct stat st;

    if (fstat(fd, &st) < 0) {
        complain(complaint, "cannot look at the state folder %s: %s", folder, strerror(errno));
        return -EIO;
    }
    if (st.st_uid != geteuid()) {
        complain(
            complaint,
            "the state folder %s belongs to uid %u, and this runs as uid %u: run as its owner, "
            "or chown %u %s",
            folder, st.st_uid, geteuid(), geteuid(), folder);
        return -EPERM;
    }
    if ((st.st_mode & 0777) != 0700) {
        complain(complaint,
                 "the state folder %s has mode %04o and must be closed to others: "
                 "chmod 0700 %s",
                 folder, st.st_mode & 0777, folder);
        return -EPERM;
    }
    return 0;
}

static int open_folder(const char *folder, int *ret_fd, struct complaint *complaint)
{
    CLEANUP(cleanup_fd) int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) {
        int r = -errno;
        complain(complaint, "cannot open the state folder %s: %s%s%s", folder, strerror(-r),
                 r == -ENOENT ? "; make it with mkdir -m 0700 " : "", r == -ENOENT ? folder : "");
        return r;
    }

    int r = check_folder(folder, fd, complaint);
    if (r < 0)
        return r;
    *ret_fd = steal_fd(&fd);
    return 0;
}

static int locked_by_another(const char *folder, int lock_fd, struct complaint *complaint)
{
    char pid[PID_TEXT_SIZE] = "";
    ssize_t length = pread(lock_fd, pid, sizeof pid - 1, 0);

    pid[length > 0 ? (size_t)length : 0] = '\0';
    pid[strspn(pid, "0123456789")] = '\0';
    if (pid[0])
        complain(
            complaint,
            "the store in %s is in use by the tokenbrokerd with pid %s: stop that one first, or "
            "give this one another state folder",
            folder, pid);
    else
        complain(complaint,
                 "the store in %s is in use by another tokenbrokerd: stop that one first, or give "
                 "this one another state folder",
                 folder);
    return STORE_LOCKED;
}

/* The pid is for the complaint of a second daemon only: with a full disk it may be missing. */
static void sign_lock(int lock_fd)
{
    char pid[PID_TEXT_SIZE];
    int length = snprintf(pid, sizeof pid, "%ld\n", (long)getpid());

    if (ftruncate(lock_fd, 0) < 0 || pwrite(lock_fd, pid, (size_t)length, 0) < 0)
        return;
}

int store_lock_folder(const char *folder, int *ret_fd, struct complaint *complaint)
{
    CLEANUP(cleanup_fd) int folder_fd = -1;
    int r = open_folder(folder, &folder_fd, complaint);
    if (r < 0)
        return r;

    CLEANUP(cleanup_fd)
    int fd = openat(folder_fd, lock_name, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0) {
        r = -errno;
        complain(complaint, "cannot open %s/%s: %s", folder, lock_name, strerror(-r));
        return r;
    }
    if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
        if (errno == EWOULDBLOCK)
            return locked_by_another(folder, fd, complaint);
        r = -errno;
        complain(complaint, "cannot lock %s/%s: %s", folder, lock_name, strerror(-r));
        return r;
    }
    sign_lock(fd);
    *ret_fd = steal_fd(&fd);
    return 0;
}

/* SQLite deletes the WAL of an empty file, and everything may be in it: better a person looks. */
static bool emptied(const char *path, const struct stat *st)
{
    char wal[PATH_MAX];
    struct stat wal_st;

    int length = snprintf(wal, sizeof wal, "%s-wal", path);
    if (st->st_size > 0 || length < 0 || (size_t)length >= sizeof wal)
        return false;
    return stat(wal, &wal_st) == 0 && wal_st.st_size > 0;
}

static int check_file(const char *path, int fd, struct complaint *complaint)
{
    struct stat st;

    if (fstat(fd, &st) < 0) {
        complain(complaint, "cannot look at %s: %s", path, strerror(errno));
        return -EIO;
    }
    if (!S_ISREG(st.st_mode) || st.st_uid != geteuid()) {
        complain(complaint, "%s is not a file of uid %u: move it away or chown it", path,
                 geteuid());
        return STORE_FOREIGN;
    }
    if (emptied(path, &st)) {
        complain(
            complaint,
            "%s is missing or empty, but its -wal file is not: put the file back, or restore a "
            "backup of the whole folder",
            path);
        return STORE_FOREIGN;
    }
    if ((st.st_mode & 0777) != 0600 && fchmod(fd, 0600) < 0) {
        complain(complaint, "cannot close %s to others: %s", path, strerror(errno));
        return -EIO;
    }
    return 0;
}

int store_prepare_file(const char *folder, char out[static PATH_MAX], struct complaint *complaint)
{
    int length = snprintf(out, PATH_MAX, "%s/%s", folder, file_name);
    if (length < 0 || length >= PATH_MAX) {
        complain(complaint, "the path of the state folder is too long: %s", folder);
        return -ENAMETOOLONG;
    }

    CLEANUP(cleanup_fd)
    int fd = open(out, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600);
    int r = fd < 0 ? -errno : 0;
    if (r < 0) {
        complain(complaint, "cannot open %s: %s", out, strerror(-r));
        return r;
    }
    r = check_file(out, fd, complaint);
    if (r != 0)
        return r;

    r = folder_sync(folder);
    if (r < 0)
        complain(complaint, "cannot sync the state folder %s: %s", folder, strerror(-r));
    return r;
}

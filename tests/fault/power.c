/*
 * Preloaded: writes down what a program does to the files below $POWER_ROOT, one record for each
 * change and each sync, into $POWER_JOURNAL; disk.py reads it. Syncs are only written down.
 *
 * $POWER_FUSE is a file with two numbers: the process is killed right before so many more
 * operations were done, or so many of checkpoints: on the database itself, not its log; 0 is never.
 * $POWER_LIE: "files" or "folders", whose syncs are not even written down.
 */

/* Both names of each call, that for short offsets too, are to be here, as calls. */
#undef _FILE_OFFSET_BITS
#undef _FORTIFY_SOURCE

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#pragma GCC visibility push(default)

/* Its shape is known to disk.py. */
struct record {
    uint32_t kind;
    uint32_t length; /* of what follows */
    uint64_t inode;
    uint64_t number; /* an offset, a size, a mode */
};

enum kind {
    CREATE = 'C',
    MAKE = 'D',
    WRITE = 'W',
    TRUNCATE = 'T',
    SYNC = 'S',
    RENAME = 'R',
    LINK = 'L',
    UNLINK = 'U',
    MAP = 'M',
};

enum count { ANY, CHECKPOINT, COUNTS };

enum { PERMISSIONS = 07777, LINK_TEXT = 64, TEMPLATE_LETTERS = 6 };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static char root[PATH_MAX];
static int journal = -1;
static int64_t *fuse; /* what is left, by enum count */
static const char *lie = "";

static int open_at(int folder, const char *path, int flags, mode_t mode)
{
    return (int)syscall(SYS_openat, folder, path, flags, mode);
}

static void burst(const char *what)
{
    dprintf(STDERR_FILENO, "power: %s: %s\n", what, strerror(errno));
    _exit(EXIT_FAILURE);
}

__attribute__((constructor)) static void begin(void)
{
    const char *where = getenv("POWER_ROOT");
    const char *book = getenv("POWER_JOURNAL");
    const char *countdown = getenv("POWER_FUSE");
    if (!where || !book || !countdown)
        return;
    snprintf(root, sizeof root, "%s", where);
    lie = getenv("POWER_LIE") ? getenv("POWER_LIE") : "";
    int fd = open_at(AT_FDCWD, countdown, O_RDWR | O_CLOEXEC, 0);
    void *page = mmap(NULL, COUNTS * sizeof *fuse, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    journal = open_at(AT_FDCWD, book, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (fd < 0 || page == MAP_FAILED || journal < 0)
        burst("cannot begin");
    fuse = page;
    close(fd);
}

/* --- what is followed --- */

/* The root itself too. */
static bool is_below(const char *path)
{
    size_t length = strlen(root);
    return journal >= 0 && strncmp(path, root, length) == 0 &&
           (path[length] == '/' || path[length] == '\0');
}

static bool path_of(int fd, char out[static PATH_MAX])
{
    char name[LINK_TEXT];
    snprintf(name, sizeof name, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(name, out, PATH_MAX - 1);
    out[length > 0 ? length : 0] = '\0';
    return length > 0;
}

static bool is_followed(int fd)
{
    char path[PATH_MAX];
    struct stat status;
    if (journal < 0 || fstat(fd, &status) < 0)
        return false;
    if (!S_ISREG(status.st_mode) && !S_ISDIR(status.st_mode))
        return false;
    return path_of(fd, path) && is_below(path);
}

static uint64_t inode_of(int fd)
{
    struct stat status;
    return fstat(fd, &status) < 0 ? 0 : status.st_ino;
}

/* The path from the root of all; false where it is too long. */
static bool whole_path(int folder, const char *path, char out[static PATH_MAX])
{
    char base[PATH_MAX] = "";
    if (path[0] != '/' &&
        (folder == AT_FDCWD ? !getcwd(base, sizeof base) : !path_of(folder, base)))
        return false;
    int length = snprintf(out, PATH_MAX, "%s%s%s", base, base[0] ? "/" : "", path);
    return length > 0 && length < PATH_MAX;
}

/* --- records --- */

static void count_down(enum count which)
{
    if (fuse[which] > 0 && --fuse[which] == 0) {
        kill(getpid(), SIGKILL);
        pause();
    }
}

/* Right before an operation: may be the end. Records and operations are in the same order. */
static void enter(void)
{
    pthread_mutex_lock(&lock);
    count_down(ANY);
}

/* The same for one on a file. */
static void enter_file(int fd)
{
    static const char database[] = ".sqlite";
    char path[PATH_MAX];
    enter();
    if (fuse[CHECKPOINT] == 0 || !path_of(fd, path))
        return;
    const char *ending = strrchr(path, '.');
    if (ending && strcmp(ending, database) == 0)
        count_down(CHECKPOINT);
}

static void leave(void)
{
    pthread_mutex_unlock(&lock);
}

static void note(enum kind kind, uint64_t inode, uint64_t number, const void *bytes, size_t length)
{
    struct record record = { kind, (uint32_t)length, inode, number };
    const struct iovec parts[] = { { &record, sizeof record }, { (void *)bytes, length } };
    if (syscall(SYS_writev, journal, parts, 2) != (long)(sizeof record + length))
        burst("the journal cannot be written");
}

static void note_path(enum kind kind, uint64_t inode, uint64_t number, const char *path)
{
    note(kind, inode, number, path, strlen(path));
}

static void note_paths(enum kind kind, const char *from, const char *to)
{
    char both[2 * PATH_MAX];
    int length = snprintf(both, sizeof both, "%s%c%s", from, '\0', to);
    note(kind, 0, 0, both, (size_t)length);
}

/* --- files --- */

static int follow_open(int folder, const char *path, const char *whole, int flags, mode_t mode)
{
    struct stat status;
    enter();
    bool is_there = fstatat(folder, path, &status, AT_SYMLINK_NOFOLLOW) == 0;
    int fd = open_at(folder, path, flags, mode);
    if (fd >= 0 && fstat(fd, &status) == 0) {
        if (!is_there)
            note_path(CREATE, status.st_ino, status.st_mode & PERMISSIONS, whole);
        else if (flags & O_TRUNC)
            note(TRUNCATE, status.st_ino, 0, NULL, 0);
    }
    leave();
    return fd;
}

static int any_open(int folder, const char *path, int flags, mode_t mode)
{
    char whole[PATH_MAX];
    if (!(flags & (O_CREAT | O_TRUNC)) || !whole_path(folder, path, whole) || !is_below(whole))
        return open_at(folder, path, flags, mode);
    return follow_open(folder, path, whole, flags, mode);
}

#define MODE_OF(flags, arguments)                                                                  \
    __extension__({                                                                                \
        mode_t given = 0;                                                                          \
        va_list arguments;                                                                         \
        va_start(arguments, flags);                                                                \
        if ((flags) & (O_CREAT | __O_TMPFILE))                                                     \
            given = va_arg(arguments, mode_t);                                                     \
        va_end(arguments);                                                                         \
        given;                                                                                     \
    })

int open(const char *path, int flags, ...)
{
    return any_open(AT_FDCWD, path, flags, MODE_OF(flags, more));
}

int open64(const char *path, int flags, ...)
{
    return any_open(AT_FDCWD, path, flags, MODE_OF(flags, more));
}

int openat(int folder, const char *path, int flags, ...)
{
    return any_open(folder, path, flags, MODE_OF(flags, more));
}

int openat64(int folder, const char *path, int flags, ...)
{
    return any_open(folder, path, flags, MODE_OF(flags, more));
}

static ssize_t follow_write(int fd, const void *bytes, size_t size, off_t offset)
{
    enter_file(fd);
    ssize_t done = offset >= 0 ? syscall(SYS_pwrite64, fd, bytes, size, offset)
                               : syscall(SYS_write, fd, bytes, size);
    if (done > 0)
        note(WRITE, inode_of(fd), (uint64_t)(offset >= 0 ? offset : lseek(fd, 0, SEEK_CUR) - done),
             bytes, (size_t)done);
    leave();
    return done;
}

ssize_t write(int fd, const void *bytes, size_t size)
{
    return is_followed(fd) ? follow_write(fd, bytes, size, -1)
                           : syscall(SYS_write, fd, bytes, size);
}

ssize_t pwrite(int fd, const void *bytes, size_t size, off_t offset)
{
    return is_followed(fd) ? follow_write(fd, bytes, size, offset)
                           : syscall(SYS_pwrite64, fd, bytes, size, offset);
}

ssize_t pwrite64(int fd, const void *bytes, size_t size, off64_t offset)
{
    return pwrite(fd, bytes, size, offset);
}

/* One piece after the other: also to the program that is a short write. */
ssize_t writev(int fd, const struct iovec *parts, int count)
{
    if (count > 0 && is_followed(fd))
        return follow_write(fd, parts[0].iov_base, parts[0].iov_len, -1);
    return syscall(SYS_writev, fd, parts, count);
}

int ftruncate(int fd, off_t size)
{
    if (!is_followed(fd))
        return (int)syscall(SYS_ftruncate, fd, size);
    enter_file(fd);
    int r = (int)syscall(SYS_ftruncate, fd, size);
    if (r == 0)
        note(TRUNCATE, inode_of(fd), (uint64_t)size, NULL, 0);
    leave();
    return r;
}

int ftruncate64(int fd, off64_t size)
{
    return ftruncate(fd, size);
}

static int follow_sync(int fd)
{
    struct stat status;
    enter_file(fd);
    int r = fstat(fd, &status);
    if (r == 0 && strcmp(lie, S_ISDIR(status.st_mode) ? "folders" : "files") != 0)
        note(SYNC, status.st_ino, 0, NULL, 0);
    leave();
    return r;
}

int fsync(int fd)
{
    return is_followed(fd) ? follow_sync(fd) : (int)syscall(SYS_fsync, fd);
}

int fdatasync(int fd)
{
    return is_followed(fd) ? follow_sync(fd) : (int)syscall(SYS_fdatasync, fd);
}

/* What is written this way is not seen here: disk.py refuses it. */
void *mmap(void *where, size_t size, int protection, int flags, int fd, off_t offset)
{
    if (fd >= 0 && (flags & MAP_SHARED) && (protection & PROT_WRITE) && is_followed(fd))
        note(MAP, inode_of(fd), 0, NULL, 0);
    // NOLINTNEXTLINE(performance-no-int-to-ptr): a system call's way
    return (void *)syscall(SYS_mmap, where, size, protection, flags, fd, offset);
}

void *mmap64(void *where, size_t size, int protection, int flags, int fd, off64_t offset)
{
    return mmap(where, size, protection, flags, fd, offset);
}

/* --- names --- */

int renameat2(int from_folder, const char *from, int to_folder, const char *to, unsigned flags)
{
    char whole_from[PATH_MAX];
    char whole_to[PATH_MAX];
    if (!whole_path(from_folder, from, whole_from) || !whole_path(to_folder, to, whole_to) ||
        !is_below(whole_to))
        return (int)syscall(SYS_renameat2, from_folder, from, to_folder, to, flags);
    enter();
    int r = (int)syscall(SYS_renameat2, from_folder, from, to_folder, to, flags);
    if (r == 0)
        note_paths(RENAME, whole_from, whole_to);
    leave();
    return r;
}

int renameat(int from_folder, const char *from, int to_folder, const char *to)
{
    return renameat2(from_folder, from, to_folder, to, 0);
}

int rename(const char *from, const char *to)
{
    return renameat2(AT_FDCWD, from, AT_FDCWD, to, 0);
}

int linkat(int from_folder, const char *from, int to_folder, const char *to, int flags)
{
    char whole_from[PATH_MAX];
    char whole_to[PATH_MAX];
    if (!whole_path(from_folder, from, whole_from) || !whole_path(to_folder, to, whole_to) ||
        !is_below(whole_to))
        return (int)syscall(SYS_linkat, from_folder, from, to_folder, to, flags);
    enter();
    int r = (int)syscall(SYS_linkat, from_folder, from, to_folder, to, flags);
    if (r == 0)
        note_paths(LINK, whole_from, whole_to);
    leave();
    return r;
}

int link(const char *from, const char *to)
{
    return linkat(AT_FDCWD, from, AT_FDCWD, to, 0);
}

int unlinkat(int folder, const char *path, int flags)
{
    char whole[PATH_MAX];
    if (!whole_path(folder, path, whole) || !is_below(whole))
        return (int)syscall(SYS_unlinkat, folder, path, flags);
    enter();
    int r = (int)syscall(SYS_unlinkat, folder, path, flags);
    if (r == 0)
        note_path(UNLINK, 0, 0, whole);
    leave();
    return r;
}

int unlink(const char *path)
{
    return unlinkat(AT_FDCWD, path, 0);
}

int rmdir(const char *path)
{
    return unlinkat(AT_FDCWD, path, AT_REMOVEDIR);
}

int mkdirat(int folder, const char *path, mode_t mode)
{
    char whole[PATH_MAX];
    struct stat status;
    if (!whole_path(folder, path, whole) || !is_below(whole))
        return (int)syscall(SYS_mkdirat, folder, path, mode);
    enter();
    int r = (int)syscall(SYS_mkdirat, folder, path, mode);
    if (r == 0 && stat(whole, &status) == 0)
        note_path(MAKE, status.st_ino, status.st_mode & PERMISSIONS, whole);
    leave();
    return r;
}

int mkdir(const char *path, mode_t mode)
{
    return mkdirat(AT_FDCWD, path, mode);
}

/* --- names that are made up: libc's own functions would not be seen --- */

static bool fill(char *template)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyz";
    size_t length = strlen(template);
    unsigned char chosen[TEMPLATE_LETTERS];
    if (length < sizeof chosen || getrandom(chosen, sizeof chosen, 0) != sizeof chosen)
        return false;
    for (size_t i = 0; i < sizeof chosen; i++)
        template[length - sizeof chosen + i] = letters[chosen[i] % (sizeof letters - 1)];
    return true;
}

char *mkdtemp(char *template)
{
    return fill(template) && mkdir(template, S_IRWXU) == 0 ? template : NULL;
}

int mkostemp(char *template, int flags)
{
    flags |= O_RDWR | O_CREAT | O_EXCL;
    return fill(template) ? any_open(AT_FDCWD, template, flags, S_IRUSR | S_IWUSR) : -1;
}

int mkostemp64(char *template, int flags)
{
    return mkostemp(template, flags);
}

/* Files and descriptors of the kernel's own: see failing.h. */

#include "failing.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <sys/uio.h>
#include <unistd.h>

#define OPEN_ERRORS EMFILE, ENFILE, EIO, EINTR
#define WITH_MODE(flags, mode)                                                                     \
    do {                                                                                           \
        va_list arguments;                                                                         \
        va_start(arguments, flags);                                                                \
        (mode) = (flags) & (O_CREAT | __O_TMPFILE) ? va_arg(arguments, mode_t) : 0;                \
        va_end(arguments);                                                                         \
    } while (0)

int open(const char *path, int flags, ...)
{
    mode_t mode;
    WITH_MODE(flags, mode);
    return IO("open", OPEN_ERRORS) ? -1 : NEXT(open)(path, flags, mode);
}

int open64(const char *path, int flags, ...)
{
    mode_t mode;
    WITH_MODE(flags, mode);
    return IO("open", OPEN_ERRORS) ? -1 : NEXT(open64)(path, flags, mode);
}

int openat(int folder, const char *path, int flags, ...)
{
    mode_t mode;
    WITH_MODE(flags, mode);
    return IO("openat", OPEN_ERRORS) ? -1 : NEXT(openat)(folder, path, flags, mode);
}

int openat64(int folder, const char *path, int flags, ...)
{
    mode_t mode;
    WITH_MODE(flags, mode);
    return IO("openat", OPEN_ERRORS) ? -1 : NEXT(openat64)(folder, path, flags, mode);
}

ssize_t read(int fd, void *to, size_t length)
{
    int how = read_fails("read", fd);
    return how > 0 ? -1 : NEXT(read)(fd, to, LESS(length, how));
}

ssize_t pread(int fd, void *to, size_t length, off_t offset)
{
    int how = read_fails("pread", fd);
    return how > 0 ? -1 : NEXT(pread)(fd, to, LESS(length, how), offset);
}

ssize_t pread64(int fd, void *to, size_t length, off64_t offset)
{
    int how = read_fails("pread", fd);
    return how > 0 ? -1 : NEXT(pread64)(fd, to, LESS(length, how), offset);
}

ssize_t write(int fd, const void *from, size_t length)
{
    int how = write_fails("write", fd);
    return how > 0 ? -1 : NEXT(write)(fd, from, LESS(length, how));
}

ssize_t pwrite(int fd, const void *from, size_t length, off_t offset)
{
    int how = write_fails("pwrite", fd);
    return how > 0 ? -1 : NEXT(pwrite)(fd, from, LESS(length, how), offset);
}

ssize_t pwrite64(int fd, const void *from, size_t length, off64_t offset)
{
    int how = write_fails("pwrite", fd);
    return how > 0 ? -1 : NEXT(pwrite64)(fd, from, LESS(length, how), offset);
}

ssize_t writev(int fd, const struct iovec *parts, int count)
{
    int how = write_fails("writev", fd);
    if (how == PART)
        return NEXT(writev)(fd, parts, 1);
    return how > 0 ? -1 : NEXT(writev)(fd, parts, count);
}

int fsync(int fd)
{
    return IO("fsync", EIO, ENOSPC) ? -1 : NEXT(fsync)(fd);
}

int fdatasync(int fd)
{
    return IO("fdatasync", EIO, ENOSPC) ? -1 : NEXT(fdatasync)(fd);
}

int ftruncate(int fd, off_t length)
{
    return IO("ftruncate", EIO, ENOSPC) ? -1 : NEXT(ftruncate)(fd, length);
}

int ftruncate64(int fd, off64_t length)
{
    return IO("ftruncate", EIO, ENOSPC) ? -1 : NEXT(ftruncate64)(fd, length);
}

int unlink(const char *path)
{
    return IO("unlink", EIO, EACCES) ? -1 : NEXT(unlink)(path);
}

int rename(const char *from, const char *to)
{
    return IO("rename", ENOSPC, EIO) ? -1 : NEXT(rename)(from, to);
}

int mkdir(const char *path, mode_t mode)
{
    return IO("mkdir", ENOSPC, EIO) ? -1 : NEXT(mkdir)(path, mode);
}

int stat(const char *path, struct stat *ret)
{
    return IO("stat", EIO, ENOMEM) ? -1 : NEXT(stat)(path, ret);
}

int stat64(const char *path, struct stat64 *ret)
{
    return IO("stat", EIO, ENOMEM) ? -1 : NEXT(stat64)(path, ret);
}

int lstat(const char *path, struct stat *ret)
{
    return IO("lstat", EIO, ENOMEM) ? -1 : NEXT(lstat)(path, ret);
}

int lstat64(const char *path, struct stat64 *ret)
{
    return IO("lstat", EIO, ENOMEM) ? -1 : NEXT(lstat64)(path, ret);
}

int fstat(int fd, struct stat *ret)
{
    return IO("fstat", EIO, ENOMEM) ? -1 : NEXT(fstat)(fd, ret);
}

int fstat64(int fd, struct stat64 *ret)
{
    return IO("fstat", EIO, ENOMEM) ? -1 : NEXT(fstat64)(fd, ret);
}

int epoll_create1(int flags)
{
    return IO("epoll_create1", NO_DESCRIPTOR) ? -1 : NEXT(epoll_create1)(flags);
}

/* To change or to leave takes nothing that could be short. */
int epoll_ctl(int fd, int operation, int of, struct epoll_event *event)
{
    return operation == EPOLL_CTL_ADD && IO("epoll_ctl", ENOMEM, ENOSPC)
               ? -1
               : NEXT(epoll_ctl)(fd, operation, of, event);
}

int epoll_wait(int fd, struct epoll_event *events, int count, int timeout)
{
    return IO("epoll_wait", EINTR) ? -1 : NEXT(epoll_wait)(fd, events, count, timeout);
}

int eventfd(unsigned count, int flags)
{
    return IO("eventfd", NO_DESCRIPTOR) ? -1 : NEXT(eventfd)(count, flags);
}

int timerfd_create(int clock, int flags)
{
    return IO("timerfd_create", NO_DESCRIPTOR) ? -1 : NEXT(timerfd_create)(clock, flags);
}

int memfd_create(const char *name, unsigned flags)
{
    return IO("memfd_create", NO_DESCRIPTOR) ? -1 : NEXT(memfd_create)(name, flags);
}

int pipe(int ret[2])
{
    return IO("pipe", NO_DESCRIPTOR) ? -1 : NEXT(pipe)(ret);
}

int pipe2(int ret[2], int flags)
{
    return IO("pipe2", NO_DESCRIPTOR) ? -1 : NEXT(pipe2)(ret, flags);
}

int dup(int fd)
{
    return IO("dup", EMFILE) ? -1 : NEXT(dup)(fd);
}

/* The commands that can fail: a new descriptor, and a lock. */
#define FCNTL(name)                                                                                \
    int name(int fd, int command, ...)                                                             \
    {                                                                                              \
        va_list arguments;                                                                         \
        va_start(arguments, command);                                                              \
        void *argument = va_arg(arguments, void *);                                                \
        va_end(arguments);                                                                         \
        if ((command == F_DUPFD || command == F_DUPFD_CLOEXEC) && IO("fcntl", EMFILE))             \
            return -1;                                                                             \
        if ((command == F_SETLK || command == F_OFD_SETLK) && IO("fcntl", ENOLCK, EAGAIN))         \
            return -1;                                                                             \
        return NEXT(name)(fd, command, argument);                                                  \
    }

FCNTL(fcntl)
FCNTL(fcntl64)

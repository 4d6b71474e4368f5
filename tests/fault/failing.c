/* What fails, and when: see failing.h. */

#include "failing.h"

#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <unwind.h>

enum { FRAMES_MAX = 24, FRAMES_OWN = 3, CONNECTED_MAX = 4096, BLOCKS_LEFT = 8, BLOCK_SIZE = 4321 };

static struct failing *shared;
static atomic_bool connected[CONNECTED_MAX]; /* sockets that called; others were accepted */
static bool leaks;                           /* $FAILING_LEAKS: the bench itself is tried */
static _Thread_local bool inside __attribute__((tls_model("initial-exec")));

void *next_called(const char *name)
{
    bool before = inside;
    inside = true;
    void *found = dlsym(RTLD_NEXT, name);
    inside = before;
    return found;
}

__attribute__((constructor)) static void begin(void)
{
    const char *path = getenv("FAILING");
    if (!path)
        return;
    inside = true;
    leaks = getenv("FAILING_LEAKS") != NULL;
    int fd = (int)syscall(SYS_openat, AT_FDCWD, path, O_RDWR | O_CLOEXEC);
    void *at = fd < 0 ? MAP_FAILED
                      : (void *)syscall(SYS_mmap, NULL, sizeof *shared, PROT_READ | PROT_WRITE,
                                        MAP_SHARED, fd, 0);
    if (fd >= 0)
        syscall(SYS_close, fd);
    shared = at == MAP_FAILED ? NULL : at;
    inside = false;
}

static void note_frame(size_t *length, void *frame)
{
    Dl_info info = { 0 };
    char *to = shared->trace + *length;
    size_t left = sizeof shared->trace - *length;
    if (!dladdr(frame, &info) || !info.dli_fname)
        return;
    const char *file = strrchr(info.dli_fname, '/');
    int n = snprintf(to, left, "%s %s %#tx\n", file ? file + 1 : info.dli_fname,
                     info.dli_sname ? info.dli_sname : "-", (char *)frame - (char *)info.dli_fbase);
    if (n > 0 && (size_t)n < left)
        *length += (size_t)n;
}

struct trace {
    int frames;
    size_t length;
};

/* Not backtrace(3): that one loads a library, which counts as leaked. */
static _Unwind_Reason_Code note_caller_of(struct _Unwind_Context *context, void *userdata)
{
    struct trace *trace = userdata;
    if (++trace->frames > FRAMES_OWN)
        note_frame(&trace->length, (void *)_Unwind_GetIP(context));
    return trace->frames < FRAMES_MAX ? _URC_NO_REASON : _URC_END_OF_STACK;
}

static void note(const char *what, int error)
{
    struct trace trace = { 0 };
    (void)snprintf(shared->what, sizeof shared->what, "%s", what);
    (void)_Unwind_Backtrace(note_caller_of, &trace);
    __atomic_store_n(&shared->failed, 1 + (uint64_t)(error < 0 ? 0 : error), __ATOMIC_RELEASE);
}

/* True when it is this call's turn. */
static bool turn(enum failing_kind kind)
{
    if (!shared || inside || !(__atomic_load_n(&shared->kinds, __ATOMIC_ACQUIRE) & kind))
        return false;
    return __atomic_add_fetch(&shared->seen, 1, __ATOMIC_RELAXED) == shared->wanted;
}

/* As somebody does who forgets a pointer where a call fails. */
static void leave_behind(void)
{
    for (int i = 0; i < BLOCKS_LEFT; i++) {
        void *volatile block = malloc(BLOCK_SIZE);
        (void)block;
    }
}

__attribute__((noinline)) int fails(enum failing_kind kind, const char *what, const int *errors)
{
    size_t count = 0;
    if (!turn(kind))
        return 0;
    while (errors[count])
        count++;
    int error = errors[shared->manner % count];
    inside = true;
    note(what, error);
    if (leaks)
        leave_behind();
    inside = false;
    if (error > 0)
        errno = error;
    return error;
}

enum what { OTHER, FILE_ON_DISK, SOCKET, CALLING_SOCKET };

/* Descriptors of the kernel's own (events, timers) never fail: they are left alone. A socket that
 * was accepted is not cut short: with edge-triggered events a part means that there is no more. */
static enum what kind_of(int fd)
{
    struct stat status;
    int before = errno;
    int r = (int)syscall(SYS_fstat, fd, &status);
    errno = before;
    if (r < 0)
        return OTHER;
    if (S_ISREG(status.st_mode) || S_ISFIFO(status.st_mode))
        return FILE_ON_DISK;
    if (!S_ISSOCK(status.st_mode))
        return OTHER;
    return fd < CONNECTED_MAX && connected[fd] ? CALLING_SOCKET : SOCKET;
}

int read_fails(const char *what, int fd)
{
    if (!shared || inside || !shared->kinds)
        return 0;
    switch (kind_of(fd)) {
    case FILE_ON_DISK:
        return IO(what, EIO, PART, EINTR);
    case SOCKET:
        return IO(what, ECONNRESET, EINTR);
    case CALLING_SOCKET:
        return IO(what, ECONNRESET, PART, EINTR);
    default:
        return 0;
    }
}

int write_fails(const char *what, int fd)
{
    if (!shared || inside || !shared->kinds || fd == STDERR_FILENO)
        return 0;
    switch (kind_of(fd)) {
    case FILE_ON_DISK:
        return IO(what, ENOSPC, EIO, PART, EINTR);
    case SOCKET:
        return IO(what, ECONNRESET, EPIPE, ENOBUFS, EINTR);
    case CALLING_SOCKET:
        return IO(what, ECONNRESET, PART, EPIPE, EINTR);
    default:
        return 0;
    }
}

void note_caller(int fd, bool calls)
{
    if (fd >= 0 && fd < CONNECTED_MAX)
        connected[fd] = calls;
}

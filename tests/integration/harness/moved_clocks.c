/*
 * Preloaded: the clocks of a machine that a test moves while the program runs. The file
 * $MOVED_CLOCKS, which is mapped, says by how much; $MOVED_CLOCKS.boot_id is read in place of the
 * kernel's own. The monotonic clock stays, as it does over a suspend.
 */

#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

enum { NS_PER_S = 1000000000, NS_PER_MS = 1000000, FDS_MAX = 1024, LOOK_MS = 5, PATH_SIZE = 512 };

/* Written by tests/integration/harness/clocks.py. */
struct moved {
    _Atomic int64_t wall_ms;
    _Atomic int64_t boot_ms;
};

/* A timer of the boot clock, as the program set it. */
struct timer {
    int known;
    struct itimerspec until;
};

static struct moved still; /* where no file is given */
static struct moved *moved = &still;
static char boot_id_path[PATH_SIZE];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct timer timers[FDS_MAX];
static int looks;

__attribute__((constructor)) static void map_file(void)
{
    const char *path = getenv("MOVED_CLOCKS");
    const int fd = path ? (int)syscall(SYS_openat, AT_FDCWD, path, O_RDWR | O_CLOEXEC, 0) : -1;
    if (fd < 0)
        return;
    void *mapped = mmap(NULL, sizeof *moved, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    (void)close(fd);
    if (mapped == MAP_FAILED)
        abort(); /* a test that moved nothing would pass */
    moved = mapped;
    (void)snprintf(boot_id_path, sizeof boot_id_path, "%s.boot_id", path);
}

static struct timespec plus_ms(struct timespec time, int64_t ms)
{
    const int64_t ns = time.tv_nsec + ms % 1000 * NS_PER_MS;
    const int64_t whole = ns < 0 ? -1 : ns / NS_PER_S;
    return (struct timespec){ time.tv_sec + ms / 1000 + whole, ns - whole * NS_PER_S };
}

int clock_gettime(clockid_t clock, struct timespec *ret)
{
    const int r = (int)syscall(SYS_clock_gettime, clock, ret);
    if (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)
        *ret = plus_ms(*ret, moved->wall_ms);
    else if (clock == CLOCK_BOOTTIME)
        *ret = plus_ms(*ret, moved->boot_ms);
    return r;
}

int gettimeofday(struct timeval *restrict ret, void *restrict zone)
{
    struct timespec now;
    (void)zone;
    (void)clock_gettime(CLOCK_REALTIME, &now);
    *ret = (struct timeval){ now.tv_sec, now.tv_nsec / 1000 };
    return 0;
}

time_t time(time_t *ret)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_REALTIME, &now);
    if (ret)
        *ret = now.tv_sec;
    return now.tv_sec;
}

/* --- timers: the kernel knows nothing of the moved clock --- */

/* What is due by the moved clock is due at once. The lock is held. */
static int arm(int fd)
{
    struct itimerspec until = timers[fd].until;
    if (until.it_value.tv_sec != 0 || until.it_value.tv_nsec != 0) {
        until.it_value = plus_ms(until.it_value, -moved->boot_ms);
        if (until.it_value.tv_sec < 0 || (until.it_value.tv_sec == 0 && until.it_value.tv_nsec < 1))
            until.it_value = (struct timespec){ 0, 1 };
    }
    return (int)syscall(SYS_timerfd_settime, fd, TFD_TIMER_ABSTIME, &until, NULL);
}

static void *look(void *unused)
{
    int64_t seen = moved->boot_ms;
    for (;;) {
        (void)usleep(LOOK_MS * 1000);
        const int64_t now = moved->boot_ms;
        if (now == seen)
            continue;
        seen = now;
        (void)pthread_mutex_lock(&lock);
        for (int fd = 0; fd < FDS_MAX; fd++)
            if (timers[fd].known)
                (void)arm(fd);
        (void)pthread_mutex_unlock(&lock);
    }
    return unused;
}

/* Its thread takes no signals: they are the program's. The lock is held. */
static void begin_to_look(void)
{
    pthread_t thread;
    sigset_t all, before;
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    looks = pthread_create(&thread, NULL, look, NULL) == 0;
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (!looks)
        abort();
}

int timerfd_create(clockid_t clock, int flags)
{
    const int fd = (int)syscall(SYS_timerfd_create, clock, flags);
    if (fd < 0 || fd >= FDS_MAX)
        return fd;
    (void)pthread_mutex_lock(&lock);
    memset(&timers[fd], 0, sizeof timers[fd]);
    timers[fd].known = clock == CLOCK_BOOTTIME && boot_id_path[0];
    if (timers[fd].known && !looks)
        begin_to_look();
    (void)pthread_mutex_unlock(&lock);
    return fd;
}

int timerfd_settime(int fd, int flags, const struct itimerspec *until, struct itimerspec *old)
{
    if (fd < 0 || fd >= FDS_MAX || !timers[fd].known || !(flags & TFD_TIMER_ABSTIME))
        return (int)syscall(SYS_timerfd_settime, fd, flags, until, old);
    (void)pthread_mutex_lock(&lock);
    timers[fd].until = *until;
    const int r = arm(fd);
    (void)pthread_mutex_unlock(&lock);
    return r;
}

/* --- the boot id --- */

/* Another preloaded library may want to see it too. */
static int next_open(const char *path, int flags, mode_t mode)
{
    int (*next)(const char *, int, ...) = NULL;
    *(void **)&next = dlsym(RTLD_NEXT, "open64");
    return next(path, flags, mode);
}

/* Compiled for large files, as the daemon is: its name is open64 for both. */
int open(const char *path, int flags, ...)
{
    const int made = (flags & O_CREAT) || (flags & O_TMPFILE) == O_TMPFILE;
    va_list arguments;
    va_start(arguments, flags);
    const mode_t mode = made ? va_arg(arguments, mode_t) : 0;
    va_end(arguments);
    if (boot_id_path[0] && strcmp(path, "/proc/sys/kernel/random/boot_id") == 0 &&
        access(boot_id_path, R_OK) == 0)
        path = boot_id_path;
    return next_open(path, flags, mode);
}

/*
 * kill-at PID [THREAD CALL NTH SIDE]: follows every thread of a running process through the moments
 * right before (SIDE 0) and right after (1) each system call. At the moment that is given the whole
 * process is killed: the NTH time, from 0, that the THREADth thread, by age, comes to CALL. Without
 * one it only looks on.
 *
 * Says "ready" when it follows; at the end "killed" or "ended", and a line "THREAD CALL SIDE" for
 * each moment there was.
 */

#include <dirent.h>
#include <elf.h>
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/types.h>
#include <sys/wait.h>

enum { SYSCALL_STOP = SIGTRAP | 0x80, PATH_SIZE = 64, DECIMAL = 10 };
enum { THREADS_MAX = 64, CALLS_MAX = 1024, SIDES = 2, MOMENTS_MAX = 100 * 1000 };

struct moment {
    size_t thread, call;
    unsigned nth, side;
};

static pid_t threads[THREADS_MAX];
static size_t thread_count;
static unsigned seen[THREADS_MAX][CALLS_MAX][SIDES];
static size_t within[THREADS_MAX]; /* the call that a thread has entered */
static struct moment moments[MOMENTS_MAX];
static size_t moment_count;

static int fail(const char *what)
{
    fprintf(stderr, "kill-at: %s: %s\n", what, strerror(errno));
    return EXIT_FAILURE;
}

/* A thread that ended meanwhile is none of ours. */
static bool seize(pid_t thread)
{
    const long options = PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACECLONE;
    return ptrace(PTRACE_SEIZE, thread, NULL, options) == 0 &&
           ptrace(PTRACE_INTERRUPT, thread, NULL, NULL) == 0;
}

static size_t index_of(pid_t thread)
{
    for (size_t i = 0; i < thread_count; i++) {
        if (threads[i] == thread)
            return i;
    }
    if (thread_count == THREADS_MAX)
        exit(EXIT_FAILURE);
    threads[thread_count] = thread;
    return thread_count++;
}

static int by_age(const void *one, const void *other)
{
    return *(const pid_t *)one - *(const pid_t *)other;
}

/* Returns how many threads are followed; each of them stops soon. */
static int seize_all(pid_t process)
{
    char path[PATH_SIZE];
    snprintf(path, sizeof path, "/proc/%d/task", (int)process);
    DIR *folder = opendir(path);
    if (!folder)
        return 0;
    for (const struct dirent *entry; (entry = readdir(folder));) {
        pid_t thread = (pid_t)strtol(entry->d_name, NULL, DECIMAL);
        if (thread > 0 && seize(thread))
            (void)index_of(thread);
    }
    closedir(folder);
    qsort(threads, thread_count, sizeof threads[0], by_age);
    return (int)thread_count;
}

/* The first stop of each thread, which seizing made. */
static void let_go(int count)
{
    int status = 0;
    for (int i = 0; i < count; i++) {
        pid_t thread = waitpid(-1, &status, __WALL);
        if (thread > 0 && WIFSTOPPED(status))
            ptrace(PTRACE_SYSCALL, thread, NULL, NULL);
    }
}

/* The moment at which the thread is; false: at none. */
static bool take_moment(pid_t thread, struct moment *ret)
{
    struct __ptrace_syscall_info info = { 0 };
    const size_t at = index_of(thread);
    if (ptrace(PTRACE_GET_SYSCALL_INFO, thread, sizeof info, &info) <= 0)
        return false;
    const unsigned side = info.op == PTRACE_SYSCALL_INFO_EXIT;
    if (!side)
        within[at] = info.entry.nr < CALLS_MAX ? info.entry.nr : CALLS_MAX - 1;
    const size_t call = within[at];
    *ret = (struct moment){ at, call, seen[at][call][side]++, side };
    return true;
}

/* A signal is handed on; what ptrace made of its own accord is not one. */
static long signal_of(int status)
{
    bool event = status >> 16 != 0;
    return event || WSTOPSIG(status) == SIGTRAP ? 0 : WSTOPSIG(status);
}

static bool is_same(const struct moment *one, const struct moment *other)
{
    return one->thread == other->thread && one->call == other->call && one->nth == other->nth &&
           one->side == other->side;
}

/* Until the process is gone; returns whether the wanted moment came. NULL: none is. */
static bool follow(pid_t process, const struct moment *wanted)
{
    struct moment now;
    bool killed = false;
    int status = 0;
    for (pid_t thread; (thread = waitpid(-1, &status, __WALL)) > 0;) {
        if (!WIFSTOPPED(status) || killed)
            continue;
        bool between = WSTOPSIG(status) != SYSCALL_STOP;
        if (!between && take_moment(thread, &now) && moment_count < MOMENTS_MAX) {
            moments[moment_count++] = now;
            killed = wanted && is_same(wanted, &now);
        }
        if (killed)
            kill(process, SIGKILL);
        else
            ptrace(PTRACE_SYSCALL, thread, NULL, between ? signal_of(status) : 0);
    }
    return killed;
}

static unsigned number(const char *text)
{
    return (unsigned)strtoul(text, NULL, DECIMAL);
}

int main(int argc, char **argv)
{
    struct moment wanted;
    if (argc != 2 && argc != 6) {
        fprintf(stderr, "Usage: kill-at PID [THREAD CALL NTH SIDE]\n");
        return EXIT_FAILURE;
    }
    if (argc == 6)
        wanted =
            (struct moment){ number(argv[2]), number(argv[3]), number(argv[4]), number(argv[5]) };
    pid_t process = (pid_t)number(argv[1]);
    int stops = seize_all(process);
    if (stops == 0)
        return fail("cannot follow the process");
    let_go(stops);
    puts("ready");
    fflush(stdout);
    puts(follow(process, argc == 6 ? &wanted : NULL) ? "killed" : "ended");
    for (size_t i = 0; i < moment_count; i++)
        printf("%zu %zu %u\n", moments[i].thread, moments[i].call, moments[i].side);
    return EXIT_SUCCESS;
}

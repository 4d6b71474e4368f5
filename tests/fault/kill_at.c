/*
 * kill-at N PID: follows every thread of a running process and counts the moments right before and
 * right after each system call; at the Nth the whole process is killed. With 0 it only counts.
 *
 * Says "ready" when it counts, and at the end "killed N CALL" or "ended N": so many moments there
 * were, and the last system call's number.
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

/* Returns how many threads are followed; each of them stops soon. */
static int seize_all(pid_t process)
{
    char path[PATH_SIZE];
    int count = 0;
    snprintf(path, sizeof path, "/proc/%d/task", (int)process);
    DIR *threads = opendir(path);
    if (!threads)
        return 0;
    for (const struct dirent *entry; (entry = readdir(threads));) {
        pid_t thread = (pid_t)strtol(entry->d_name, NULL, DECIMAL);
        if (thread > 0 && seize(thread))
            count++;
    }
    closedir(threads);
    return count;
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

static unsigned long long call_number(pid_t thread)
{
    static unsigned long long last;
    struct __ptrace_syscall_info info = { 0 };
    if (ptrace(PTRACE_GET_SYSCALL_INFO, thread, sizeof info, &info) > 0 &&
        info.op == PTRACE_SYSCALL_INFO_ENTRY)
        last = info.entry.nr;
    return last;
}

/* A signal is handed on; what ptrace made of its own accord is not one. */
static long signal_of(int status)
{
    bool event = status >> 16 != 0;
    return event || WSTOPSIG(status) == SIGTRAP ? 0 : WSTOPSIG(status);
}

/* Until the process is gone; returns how many moments there were. */
static long count_until(pid_t process, long wanted, unsigned long long *ret_call)
{
    long count = 0;
    int status = 0;
    for (pid_t thread; (thread = waitpid(-1, &status, __WALL)) > 0;) {
        if (!WIFSTOPPED(status))
            continue;
        if (WSTOPSIG(status) != SYSCALL_STOP) {
            ptrace(PTRACE_SYSCALL, thread, NULL, signal_of(status));
            continue;
        }
        if (count == wanted && wanted > 0)
            continue; /* it is being killed */
        *ret_call = call_number(thread);
        if (++count == wanted)
            kill(process, SIGKILL);
        else
            ptrace(PTRACE_SYSCALL, thread, NULL, NULL);
    }
    return count;
}

int main(int argc, char **argv)
{
    if (argc != 3) {
        fprintf(stderr, "Usage: kill-at N PID\n");
        return EXIT_FAILURE;
    }
    long wanted = strtol(argv[1], NULL, DECIMAL);
    pid_t process = (pid_t)strtol(argv[2], NULL, DECIMAL);
    int threads = seize_all(process);
    if (threads == 0)
        return fail("cannot follow the process");
    let_go(threads);
    puts("ready");
    fflush(stdout);
    unsigned long long call = 0;
    long count = count_until(process, wanted, &call);
    printf(count == wanted ? "killed %ld %llu\n" : "ended %ld %llu\n", count, call);
    return EXIT_SUCCESS;
}

/*
 * follow PID: follows every thread of a running process, and says in the order in which they
 * happen:
 *
 *   ready       once it follows
 *   in HEX      what was received on a socket
 *   out HEX     what is about to be sent on a socket
 *   sync PATH   a file's data has reached the disk; the thread rests until a byte comes on standard
 *               input, so that the file can be looked at as it lies there
 */

#include <dirent.h>
#include <elf.h>
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

enum { SYSCALL_STOP = SIGTRAP | 0x80, PATH_SIZE = 512, DECIMAL = 10 };
enum { THREADS_MAX = 64, PIECES_MAX = 16, BYTES_MAX = 64 * 1024 };

/* A thread's system call while it is within. */
struct call {
    pid_t thread;
    uint64_t number, args[6];
};

static pid_t process;
static struct call calls[THREADS_MAX];

static struct call *call_of(pid_t thread)
{
    for (size_t i = 0; i < THREADS_MAX; i++) {
        if (calls[i].thread == thread || calls[i].thread == 0) {
            calls[i].thread = thread;
            return &calls[i];
        }
    }
    fputs("follow: too many threads\n", stderr);
    exit(EXIT_FAILURE);
}

static bool seize(pid_t thread)
{
    const long options = PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACECLONE;
    return ptrace(PTRACE_SEIZE, thread, NULL, options) == 0 &&
           ptrace(PTRACE_INTERRUPT, thread, NULL, NULL) == 0;
}

static int seize_all(void)
{
    char path[PATH_SIZE];
    int count = 0;
    (void)snprintf(path, sizeof path, "/proc/%d/task", (int)process);
    DIR *threads = opendir(path);
    if (!threads)
        return 0;
    for (const struct dirent *entry; (entry = readdir(threads));) {
        pid_t thread = (pid_t)strtol(entry->d_name, NULL, DECIMAL);
        if (thread > 0 && seize(thread))
            count++;
    }
    (void)closedir(threads);
    return count;
}

static bool peek(uint64_t address, void *out, size_t size)
{
    const struct iovec here = { out, size }, there = { (void *)(uintptr_t)address, size };
    return size == 0 || process_vm_readv(process, &here, 1, &there, 1, 0) == (ssize_t)size;
}

/* What the descriptor is, such as "socket:[123]" or a path. */
static const char *name_of(uint64_t fd)
{
    static char name[PATH_SIZE];
    char path[PATH_SIZE];
    (void)snprintf(path, sizeof path, "/proc/%d/fd/%d", (int)process, (int)fd);
    ssize_t length = readlink(path, name, sizeof name - 1);
    name[length > 0 ? length : 0] = '\0';
    return name;
}

static bool is_socket(uint64_t fd)
{
    return strncmp(name_of(fd), "socket:", strlen("socket:")) == 0;
}

static void say_bytes(const char *what, const unsigned char *bytes, size_t length)
{
    printf("%s ", what);
    for (size_t i = 0; i < length; i++)
        printf("%02x", bytes[i]);
    putchar('\n');
    (void)fflush(stdout);
}

/* Says the first bytes of the pieces, at most `length` of them. */
static void say_pieces(const char *what, const struct iovec *pieces, size_t count, size_t length)
{
    static unsigned char bytes[BYTES_MAX];
    size_t got = 0;
    if (length > BYTES_MAX)
        length = BYTES_MAX;
    for (size_t i = 0; i < count && got < length; i++) {
        size_t size = pieces[i].iov_len < length - got ? pieces[i].iov_len : length - got;
        if (!peek((uint64_t)(uintptr_t)pieces[i].iov_base, bytes + got, size))
            return;
        got += size;
    }
    if (got > 0)
        say_bytes(what, bytes, got);
}

static void say_vector(const char *what, uint64_t address, uint64_t count, size_t length)
{
    struct iovec pieces[PIECES_MAX];
    if (count > PIECES_MAX)
        count = PIECES_MAX;
    if (peek(address, pieces, count * sizeof pieces[0]))
        say_pieces(what, pieces, count, length);
}

/* The bytes of a call of the read or write family. */
static void say_call(const char *what, const struct call *call, size_t length)
{
    struct msghdr message;
    struct iovec piece;
    if (!is_socket(call->args[0]))
        return;
    switch (call->number) {
    case SYS_writev:
    case SYS_readv:
        say_vector(what, call->args[1], call->args[2], length);
        return;
    case SYS_sendmsg:
    case SYS_recvmsg:
        if (peek(call->args[1], &message, sizeof message))
            say_vector(what, (uint64_t)(uintptr_t)message.msg_iov, message.msg_iovlen, length);
        return;
    default:
        piece = (struct iovec){ (void *)(uintptr_t)call->args[1], call->args[2] };
        say_pieces(what, &piece, 1, length);
    }
}

static void say_sync(const struct call *call)
{
    char byte;
    printf("sync %s\n", name_of(call->args[0]));
    (void)fflush(stdout);
    if (read(STDIN_FILENO, &byte, 1) < 0)
        exit(EXIT_FAILURE);
}

static void entered(const struct call *call)
{
    static const uint64_t sending[] = { SYS_write, SYS_writev, SYS_sendto, SYS_sendmsg };
    for (size_t i = 0; i < sizeof sending / sizeof sending[0]; i++) {
        if (call->number == sending[i])
            say_call("out", call, SIZE_MAX);
    }
}

static void left(const struct call *call, int64_t result)
{
    static const uint64_t receiving[] = { SYS_read, SYS_readv, SYS_recvfrom, SYS_recvmsg };
    if ((call->number == SYS_fdatasync || call->number == SYS_fsync) && result == 0)
        say_sync(call);
    for (size_t i = 0; i < sizeof receiving / sizeof receiving[0]; i++) {
        if (call->number == receiving[i] && result > 0)
            say_call("in", call, (size_t)result);
    }
}

static void look(pid_t thread)
{
    struct __ptrace_syscall_info info = { 0 };
    struct call *call = call_of(thread);
    if (ptrace(PTRACE_GET_SYSCALL_INFO, thread, sizeof info, &info) <= 0)
        return;
    if (info.op == PTRACE_SYSCALL_INFO_ENTRY) {
        call->number = info.entry.nr;
        memcpy(call->args, info.entry.args, sizeof call->args);
        entered(call);
    } else if (info.op == PTRACE_SYSCALL_INFO_EXIT) {
        left(call, info.exit.rval);
    }
}

/* A signal is handed on; what ptrace made of its own accord is not one. */
static long signal_of(int status)
{
    bool event = status >> 16 != 0;
    return event || WSTOPSIG(status) == SIGTRAP ? 0 : WSTOPSIG(status);
}

int main(int argc, char **argv)
{
    int status = 0;
    process = argc == 2 ? (pid_t)strtol(argv[1], NULL, DECIMAL) : 0;
    int stops = process > 0 ? seize_all() : 0; /* each thread's first, which seizing made */
    if (stops == 0) {
        fprintf(stderr, "follow: cannot follow %s: %s\n", argc == 2 ? argv[1] : "?",
                strerror(errno));
        return EXIT_FAILURE;
    }
    for (pid_t thread; (thread = waitpid(-1, &status, __WALL)) > 0;) {
        if (!WIFSTOPPED(status))
            continue;
        if (WSTOPSIG(status) == SYSCALL_STOP)
            look(thread);
        ptrace(PTRACE_SYSCALL, thread, NULL,
               WSTOPSIG(status) == SYSCALL_STOP ? 0 : signal_of(status));
        if (stops > 0 && --stops == 0) {
            puts("ready");
            (void)fflush(stdout);
        }
    }
    return EXIT_SUCCESS;
}

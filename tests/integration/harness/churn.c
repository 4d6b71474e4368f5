/*
 * Asks for a token many times as somebody who may not have it. Each time another process connects
 * and is gone before the rest of the request comes; with a CGROUP its number is taken meanwhile by
 * a process in there, which may have tokens.
 *
 *     churn SOCKET ACCOUNT UID COUNT [CGROUP]
 *
 * Prints "asked N, refused N, tokens N, numbers N": the last is how often the number was taken.
 */

#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

struct tally {
    unsigned long asked, refused, tokens, numbers;
};

struct aim {
    struct sockaddr_un address;
    char request[512];
    uid_t uid;
    const char *cgroup;
};

static void give_up(const char *what)
{
    perror(what);
    exit(EXIT_FAILURE);
}

/* The process that connects, on a socket that the caller has too. */
static pid_t connect_as(const struct aim *aim, int fd)
{
    pid_t pid = fork();

    if (pid < 0)
        give_up("fork");
    if (pid == 0)
        _exit(setresgid(aim->uid, aim->uid, aim->uid) < 0 ||
              setresuid(aim->uid, aim->uid, aim->uid) < 0 ||
              connect(fd, (const struct sockaddr *)&aim->address, sizeof aim->address) < 0);
    return pid;
}

static void wait_in(const char *cgroup)
{
    char path[512];
    int fd;

    (void)snprintf(path, sizeof path, "%s/cgroup.procs", cgroup);
    fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0 || write(fd, "0", 1) != 1)
        _exit(EXIT_FAILURE);
}

/* A process with exactly that number; 0 when somebody else has it. It is in the cgroup once ready
 * has a byte. */
static pid_t take_number(pid_t number, const char *cgroup)
{
    int ready[2];
    char byte;

    if (pipe2(ready, O_CLOEXEC) < 0)
        give_up("pipe2");
    struct clone_args arguments = { .exit_signal = SIGCHLD,
                                    .set_tid = (uintptr_t)&number,
                                    .set_tid_size = 1 };
    pid_t pid = (pid_t)syscall(SYS_clone3, &arguments, sizeof arguments);
    if (pid == 0) {
        wait_in(cgroup);
        if (write(ready[1], "", 1) != 1)
            _exit(EXIT_FAILURE);
        for (;;)
            (void)pause();
    }
    (void)close(ready[1]);
    bool there = pid > 0 && read(ready[0], &byte, 1) == 1;
    (void)close(ready[0]);
    if (pid < 0 && errno != EEXIST)
        give_up("clone3");
    return there ? pid : 0;
}

static int ask(const struct aim *aim, int fd)
{
    const struct timeval patience = { .tv_sec = 20 };
    char answer[64] = "";
    int status = 0;

    (void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    if (send(fd, aim->request, strlen(aim->request), MSG_NOSIGNAL) < 0 ||
        recv(fd, answer, sizeof answer - 1, MSG_WAITALL) < 0)
        return 0;
    return sscanf(answer, "HTTP/1.1 %d", &status) == 1 ? status : 0;
}

static void once(const struct aim *aim, struct tally *tally)
{
    int status, fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    pid_t number = fd < 0 ? -1 : connect_as(aim, fd);

    if (number < 0 || waitpid(number, &status, 0) < 0 || status != 0)
        give_up("connect");
    pid_t taker = aim->cgroup ? take_number(number, aim->cgroup) : 0;
    status = ask(aim, fd);
    tally->asked++;
    tally->refused += status == 403;
    tally->tokens += status == 200;
    tally->numbers += taker > 0;
    (void)close(fd);
    if (taker > 0 && (kill(taker, SIGKILL) < 0 || waitpid(taker, &status, 0) < 0))
        give_up("kill");
}

int main(int argc, char **argv)
{
    struct aim aim = { .address.sun_family = AF_UNIX };
    struct tally tally = { 0 };

    if (argc < 5)
        return 2;
    (void)snprintf(aim.address.sun_path, sizeof aim.address.sun_path, "%s", argv[1]);
    (void)snprintf(aim.request, sizeof aim.request,
                   "GET /v1/token/%s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", argv[2]);
    aim.uid = (uid_t)strtoul(argv[3], NULL, 10);
    aim.cgroup = argv[5];
    for (unsigned long left = strtoul(argv[4], NULL, 10); left > 0; left--)
        once(&aim, &tally);
    printf("asked %lu, refused %lu, tokens %lu, numbers %lu\n", tally.asked, tally.refused,
           tally.tokens, tally.numbers);
    return 0;
}

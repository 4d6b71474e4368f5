#include "client/cli/interrupt.h"

#include <signal.h>
#include <stddef.h>
#include <sys/signalfd.h>
#include <unistd.h>

/* These calls cannot fail with these signals. */
static void make_set(sigset_t *set)
{
    (void)sigemptyset(set);
    (void)sigaddset(set, SIGINT);
    (void)sigaddset(set, SIGTERM);
    (void)sigaddset(set, SIGHUP);
}

int interrupt_take(void)
{
    sigset_t set;

    make_set(&set);
    int fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    if (fd >= 0)
        (void)sigprocmask(SIG_BLOCK, &set, NULL);
    return fd;
}

void interrupt_die(int fd)
{
    struct signalfd_siginfo info;
    sigset_t set;

    if (read(fd, &info, sizeof info) != sizeof info)
        return;
    make_set(&set);
    (void)signal((int)info.ssi_signo, SIG_DFL);
    (void)raise((int)info.ssi_signo);
    (void)sigprocmask(SIG_UNBLOCK, &set, NULL);
}

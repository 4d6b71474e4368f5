#include "client/cli/hardening.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

static struct rlimit before;

/* What is opened first takes the number of a standard stream that is closed: a backup or the socket
 * would get what we print. This fails where it is used, and a command that we become finds them
 * closed as before. */
static void hold_standard_streams(void)
{
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
        const int wrong_way = fd == STDIN_FILENO ? O_WRONLY : O_RDONLY;
        if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", wrong_way | O_CLOEXEC) != fd)
            _exit(EXIT_FAILURE);
    }
}

void hardening_apply(void)
{
    hold_standard_streams();
    /* Neither fails with these arguments, and each alone is enough to keep cores away. */
    (void)getrlimit(RLIMIT_CORE, &before);
    (void)setrlimit(RLIMIT_CORE, &(struct rlimit){ 0, before.rlim_max });
    (void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
}

void hardening_undo(void)
{
    /* The kernel makes a process dumpable again when it executes a program. */
    (void)setrlimit(RLIMIT_CORE, &before);
}

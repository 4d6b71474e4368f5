#include "client/cli/hardening.h"

#include <sys/prctl.h>
#include <sys/resource.h>

static struct rlimit before;

void hardening_apply(void)
{
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

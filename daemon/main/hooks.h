#pragma once

/*
 * The program that is called for events (`on_event`): it gets one JSON object on its standard input
 * and an environment of PATH alone. It is never waited for, and ended, with all that it started in
 * its process group, when it runs too long.
 */

#include "base/mailbox.h"
#include "io/loop.h"

enum {
    HOOKS_AT_ONCE = 4,
    HOOK_TIME_MS = 30 * 1000,
    EVENTS_WAITING_MAX = 256,
};

struct hooks;

/* program NULL: events are dropped. SIGCHLD has to be blocked. Returns 0 or -errno. */
int hooks_new(struct loop *loop, const char *program, struct hooks **ret);

/* Ends what still runs. NULL is fine; returns NULL. */
struct hooks *hooks_free(struct hooks *hooks);

/* Where EVENT letters go. Owned by hooks. */
struct mailbox *hooks_mailbox(struct hooks *hooks);

/* Another program from now on. Returns 0 or -ENOMEM. */
int hooks_configure(struct hooks *hooks, const char *program);

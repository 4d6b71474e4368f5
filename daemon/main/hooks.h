#pragma once

/*
 * The programs that are called for events: `on_event`, and for callers that nobody has approved
 * `on_caller`, whose exit code 0 approves. They get one JSON object on their standard input and an
 * environment of PATH alone. They are never waited for, and ended, with all that they started in
 * their process group, when they run too long.
 */

#include "base/mailbox.h"
#include "io/loop.h"
#include "messages.h"

enum {
    HOOKS_AT_ONCE = 4,
    HOOK_TIME_MS = 30 * 1000,
    EVENTS_WAITING_MAX = 256,
};

struct hooks;

/* Which programs; NULL: none. */
struct hook_programs {
    const char *on_event;
    const char *on_caller; /* without it on_event hears of callers too */
};

/* Tells of each that could not be started now; whoever needs it may come too late. */
void hooks_check(const struct hook_programs *programs);

/* Events without a program are dropped. SIGCHLD has to be blocked. Returns 0 or -errno. */
int hooks_new(struct loop *loop, const struct hook_programs *programs, struct hooks **ret);

/* Who is told from now on what on_caller says of a caller, and, with the letter of an event that
 * has an id, which is given up, that the event was heard. */
struct hook_listeners {
    void (*decided)(void *userdata, int64_t caller_id, bool approved);
    void (*heard)(void *userdata, struct message *letter);
    void *userdata;
};
void hooks_set_listeners(struct hooks *hooks, const struct hook_listeners *listeners);

/* Ends what still runs. NULL is fine; returns NULL. */
struct hooks *hooks_free(struct hooks *hooks);

/* Where EVENT letters go. Owned by hooks. */
struct mailbox *hooks_mailbox(struct hooks *hooks);

/* Other programs from now on; they are checked. Returns 0 or -ENOMEM. */
int hooks_configure(struct hooks *hooks, const struct hook_programs *programs);

#pragma once

/*
 * Group commit: all writes that come up in one turn of the loop go into one transaction, and what
 * comes up while that is syncing goes into the next. Nothing may become visible before its done()
 * was called with 0: that is the promise "durable before visible".
 */

#include "io/loop.h"
#include "io/store.h"

struct commits;
struct commit;

enum commit_kind {
    COMMIT_MAY,  /* a failed commit ends it: done() gets the error */
    COMMIT_MUST, /* a rotated token hangs on it: tried again until the disk takes it, but where
                    what it works on is damaged itself */
};

enum { COMMIT_RETRY_MS = 1000 }; /* also the interval at which a failing store is probed */

/*
 * Runs inside a transaction and reads what it changes there, since other writes may stand before it
 * in the same transaction; it may run again after a failed commit. Returns 0, a positive value of
 * its own (the others go on), or -errno when the store failed; after -EBADMSG, damage, the others
 * go on without it.
 */
typedef int (*commit_apply)(void *userdata, struct store *store);

/* result: what apply() returned, once that is durable; -EBADMSG: what it works on is damaged; or
 * another -errno (COMMIT_MAY, or the end). */
typedef void (*commit_done)(void *userdata, int result);

/* The store is the caller's and must outlive this. Returns 0 or -errno. */
int commits_new(struct loop *loop, struct store *store, struct commits **ret);

/* What goes into each transaction last, and is told once that is durable. Copied. */
struct commit_stamp {
    int (*write)(void *userdata, struct store *store);
    void (*written)(void *userdata);
    void *userdata;
};
void commits_set_stamp(struct commits *commits, const struct commit_stamp *stamp);

/* The end: writes what is pending once more; what the store still refuses is told -ECANCELED. */
void commits_finish(struct commits *commits);

/* After commits_finish(). NULL is fine; returns NULL. */
struct commits *commits_free(struct commits *commits);

/* done() is called later, never from inside. Returns 0 or -ENOMEM. */
int commits_add(struct commits *commits, enum commit_kind kind, commit_apply apply,
                commit_done done, void *userdata);

/* The memory of one commit, taken before that exists which must not be lost for want of memory.
 * NULL when it is short. commit_free() is for one that was not used; NULL is fine. */
struct commit *commit_new(void);
struct commit *commit_free(struct commit *commit);

/* As commits_add(), in memory that was taken before, and cannot fail. Takes commit over. */
void commits_add_prepared(struct commits *commits, struct commit *commit, enum commit_kind kind,
                          commit_apply apply, commit_done done, void *userdata);

/* In apply(): a warning for the log, which is written when that is durable; until then it is
 * forgotten whenever the transaction is rolled back, as apply() runs again. */
void commits_say(struct commits *commits, const char *format, ...) PRINTF_LIKE(2, 3);

/* Commits what is pending now, without waiting for the end of the turn. */
void commits_flush(struct commits *commits);

/* True while something waits to become durable. */
bool commits_pending(const struct commits *commits);

/* How many transactions were written since the start, and how many tries the store refused. */
void commits_count(const struct commits *commits, uint64_t *ret_groups, uint64_t *ret_failures);

/* NULL while writes succeed, else what the store last said. */
const char *commits_problem(const struct commits *commits);

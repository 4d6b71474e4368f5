#pragma once

/*
 * A copy of the store for a person to keep, or to move to another machine. It is made in steps
 * while the broker serves, and waits to be fetched in pieces; it is deleted at its end, or when
 * nobody has looked at it for a while.
 *
 * A move lets end what is under way, copies, and writes down the fence (restored.h) before the
 * first piece can be fetched: whatever interrupts it, the copy and the store are never both in use.
 */

#include "back/keeper.h"

enum {
    BACKUP_STEP_MS = 5,             /* so long one step may take, */
    BACKUP_REST_MS = 5,             /* and then the others have their turn */
    BACKUP_IDLE_MS = 10 * 1000,     /* without a look, until it is deleted */
    BACKUP_PATIENCE_MS = 60 * 1000, /* for what is under way when a move begins */
    BACKUP_CHECK_MS = 20,
};

struct backup;

/* Returns 0 or -errno. */
int backup_new(struct keeper *keeper, struct backup **ret);

/* After commits_finish(), before the store is closed. NULL is fine; returns NULL. */
struct backup *backup_free(struct backup *backup);

/* ASK_BACKUP: begins one, unless one is there. */
void backup_ask(struct keeper *keeper, struct message *question);

/* ASK_BACKUP_PIECE: how far it is, and a piece of it. */
void backup_look(struct keeper *keeper, struct message *question);

/* ASK_BACKUP_END: it has been fetched, or nobody wants it. */
void backup_end(struct keeper *keeper, struct message *question);

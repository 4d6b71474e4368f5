#pragma once

/*
 * Sealing the whole store anew, with another key, while it serves. Both keys are known until the
 * last row has been sealed anew: the facts `key_proof` and `key_proof_next` say by which keys that
 * is, and `rekey` how far it has come. A crash at any moment is gone on from at the next start.
 */

#include "back/keeper.h"

enum {
    REKEY_STEP_MS = 5,    /* so long one step may take … */
    REKEY_STEP_ROWS = 64, /* … and so much it may write, */
    REKEY_REST_MS = 5,    /* and then the others have their turn */
    REKEY_RETRY_MS = 1000,
};

struct rekey;

/* folder: of the files of key = "auto"; NULL: none can be made. Goes on with what a crash has
 * interrupted; keeper->key has the older key with it then. Returns 0 or -errno. */
int rekey_new(struct keeper *keeper, const char *folder, struct rekey **ret);

/* Another key_next is configured, or none (NULL); it is taken over. */
void rekey_configure(struct rekey *rekey, struct seal_key *next);

/* After commits_finish(). NULL is fine; returns NULL. */
struct rekey *rekey_free(struct rekey *rekey);

/* ASK_REKEY: answers how far it is; begins when question->accept says so. */
void rekey_ask(struct keeper *keeper, struct message *question);

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

/* True until the last row is sealed anew and the older key is gone. */
bool rekey_runs(const struct rekey *rekey);

/* The file of key = "auto" that holds the key in use, the caller's; NULL: the key comes from
 * outside, or memory is short. */
char *rekey_own_file(const struct rekey *rekey);

/* Where the configuration says that the key in use comes from; borrowed from the settings. NULL: a
 * file of the broker's own, or it names by now a file that does not hold it. */
const char *rekey_source(const struct rekey *rekey);

/* ASK_REKEY: answers how far it is; begins when question->accept says so. */
void rekey_ask(struct keeper *keeper, struct message *question);

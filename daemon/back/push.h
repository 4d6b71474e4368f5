#pragma once

/* An authorization request goes to the provider before the browser does (RFC 9126): sent once,
 * nothing of it is stored. */

#include "back/keeper.h"

/* Returns 0 or -ENOMEM. */
int pushes_new(struct keeper *keeper, struct pushes **ret);
/* Ends what is on the wire; whoever waits is told. NULL is fine; returns NULL. */
struct pushes *pushes_free(struct pushes *pushes);

/* True while one is under way. */
bool pushes_busy(const struct pushes *pushes);

/* Takes an ASK_PUSH over and answers it, later. */
void push_begin(struct keeper *keeper, struct message *question);

/* Ends the one with this question's id, and answers it; false: there is none. */
bool push_cancel(struct keeper *keeper, uint64_t id);

#pragma once

/* An authorization request goes to the provider before the browser does (RFC 9126): sent once,
 * nothing of it is stored. */

#include "back/keeper.h"

/* Takes an ASK_PUSH over and answers it, later. */
void push_begin(struct keeper *keeper, struct message *question);

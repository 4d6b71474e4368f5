#pragma once

/* A device login begins (RFC 8628 3.1, 3.2): the codes are asked for once, and nothing is stored.
 */

#include "back/keeper.h"

/* Takes an ASK_DEVICE over and answers it, later. */
void device_begin(struct keeper *keeper, struct message *question);

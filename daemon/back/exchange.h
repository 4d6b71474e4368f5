#pragma once

/* An authorization code becomes a grant (RFC 6749 4.1.3): sent once, durable, then answered. Again
 * only where it was not sent, or the provider said that it had not looked at it. */

#include "back/keeper.h"

enum {
    EXCHANGES_MAX = 256,
    EXCHANGE_TRIES = 3,
    EXCHANGE_RETRY_MS = 1000,
    EXCHANGE_ROOM_TRIES = 10
};

/* Returns 0 or -ENOMEM. */
int exchanges_new(struct keeper *keeper, struct exchanges **ret);
/* Ends what is on the wire. NULL is fine; returns NULL. */
struct exchanges *exchanges_free(struct exchanges *exchanges);

/* Takes an ASK_EXCHANGE over and answers it, later. */
void exchange_begin(struct keeper *keeper, struct message *question);

/* True while any code waits to be sent, is on its way, or its grant is not durable yet. */
bool exchanges_busy(const struct exchanges *exchanges);

/* True while any code was sent whose reply has not come. */
bool exchanges_on_wire(const struct exchanges *exchanges);

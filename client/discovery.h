#pragma once

#include <stddef.h>

#include "client/connection.h"

enum { PLACES_MAX = 3 };

/* The sockets to try, in order. */
struct places {
    char path[PLACES_MAX][SOCKET_PATH_SIZE]; /* cut where it is too long: connecting refuses it */
    size_t count;
};

/* With a path that one alone; with NULL where brokers live: $TOKENBROKER_SOCKET, the user's, the
 * system's. */
void places_find(const char *path, struct places *ret);

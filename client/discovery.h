#pragma once

#include <stddef.h>

/* Longer than any socket's path may be, so that a cut path is refused and never taken for another.
 */
enum { PLACES_MAX = 3, PLACE_SIZE = 512 };

/* The sockets to try, in order. */
struct places {
    char path[PLACES_MAX][PLACE_SIZE];
    size_t count;
};

/* With a path that one alone; with NULL where brokers live: $TOKENBROKER_SOCKET, the user's, the
 * system's. */
void places_find(const char *path, struct places *ret);

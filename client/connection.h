#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/un.h>

/*
 * Bytes over a Unix stream socket, with absolute deadlines. Functions return a negative errno:
 * -ETIMEDOUT when the deadline passed, -ECANCELED when the caller's interrupt came.
 */

enum { SOCKET_PATH_SIZE = sizeof((struct sockaddr_un *)0)->sun_path };

/* Until when, in milliseconds of connection_now(), and a descriptor that ends it when it is
 * readable
 * (-1: none). */
struct patience {
    int64_t deadline_ms;
    int interrupt_fd;
};

/* Milliseconds of a clock that never jumps. */
int64_t connection_now(void);

/* Connects; the caller closes *ret_fd. -ENAMETOOLONG for a path that no socket can have,
 * connect()'s errors, -ETIMEDOUT when the backlog stayed full. */
int connection_open(const char *path, const struct patience *patience, int *ret_fd);

/* Sends all of it. */
int connection_send(int fd, const void *data, size_t length, const struct patience *patience);

/* Receives something: a number of bytes, 0 when the other end closed. */
ssize_t connection_receive(int fd, void *buffer, size_t size, const struct patience *patience);

/* Whether an idle connection can be used again: nothing has come, and it is not closed. */
bool connection_alive(int fd);

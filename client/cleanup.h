#pragma once

/* Ownership by scope, as in the daemon: CLEANUP(f) releases a variable when its scope ends. */

#include <stdlib.h>
#include <unistd.h>

#include "client/tokenbroker.h"

#define CLEANUP(function) __attribute__((cleanup(function)))
#define PRINTF_LIKE(position, first) __attribute__((format(printf, position, first)))

#define DEFINE_CLEANUP(type, name, destroy)                                                        \
    static inline void cleanup_##name(type *variable)                                              \
    {                                                                                              \
        destroy(*variable);                                                                        \
    }

DEFINE_CLEANUP(char *, string, free)
DEFINE_CLEANUP(struct tb_broker *, broker, tb_close)
DEFINE_CLEANUP(struct tb_error *, error, tb_error_free)
DEFINE_CLEANUP(struct tb_reply *, reply, tb_reply_free)
DEFINE_CLEANUP(struct tb_token *, token, tb_token_free)

static inline void cleanup_fd(int *fd)
{
    /* A socket or a pipe has nothing left to report here. */
    if (*fd >= 0)
        (void)close(*fd);
}

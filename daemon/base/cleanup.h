#pragma once

/*
 * Ownership by scope: a variable marked CLEANUP(f) is released by f when its scope ends, unless it
 * was handed on with steal(). Every destructor takes NULL.
 */

#include <stdlib.h>
#include <unistd.h>

#define CLEANUP(function) __attribute__((cleanup(function)))

/* Defines cleanup_NAME(type *), for CLEANUP(cleanup_NAME), around a destructor that takes NULL. */
#define DEFINE_CLEANUP(type, name, destroy)                                                        \
    static inline void cleanup_##name(type *variable)                                              \
    {                                                                                              \
        destroy(*variable);                                                                        \
    }

/* Hands a pointer on: evaluates to its value and leaves NULL behind. */
#define steal(pointer)                                                                             \
    ({                                                                                             \
        __typeof__(pointer) *steal_from_ = &(pointer);                                             \
        __typeof__(pointer) stolen_ = *steal_from_;                                                \
        *steal_from_ = NULL;                                                                       \
        stolen_;                                                                                   \
    })

DEFINE_CLEANUP(char *, string, free)

static inline void cleanup_fd(int *fd)
{
    /* close() of a descriptor that was only read or never shared has nothing to report. */
    if (*fd >= 0)
        (void)close(*fd);
}

/* Hands a descriptor on: evaluates to it and leaves -1 behind. */
static inline int steal_fd(int *fd)
{
    int stolen = *fd;
    *fd = -1;
    return stolen;
}

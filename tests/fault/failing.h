#pragma once

/*
 * What failing.c, and the files beside it with one call after the other, have in common. All are
 * loaded into a program (LD_PRELOAD): the Nth of its allocations, or of its calls that reach files,
 * sockets or descriptors, fails once. $FAILING names the file by which it is told, and tells.
 */

#undef _FILE_OFFSET_BITS /* each call under its own name, and under the one for large files */
#undef _FORTIFY_SOURCE

#include <dlfcn.h>
#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

enum failing_kind {
    FAIL_ALLOCATIONS = 1, /* memory, threads */
    FAIL_IO = 2,          /* files, sockets, descriptors */
};

enum { FAILING_WHAT = 32, FAILING_TRACE = 4096 };

/* The file. All zero to begin with; fault/failing.py knows where each member lies. */
struct failing {
    uint64_t kinds;  /* 0: nothing is counted; set last */
    uint64_t wanted; /* which of them fails; 0: none */
    uint64_t manner; /* which of the errors that fit it */
    uint64_t seen;   /* so many there were */
    uint64_t failed; /* 1 + errno once it has failed */
    char what[FAILING_WHAT];
    char trace[FAILING_TRACE]; /* who called, a line each, the innermost first */
};

enum { PART = -1 }; /* in place of an error: less than was asked for */

#define PRIVATE __attribute__((visibility("hidden")))

/* The function behind ours. */
#define NEXT(name)                                                                                 \
    ({                                                                                             \
        static __typeof__(&(name)) next_one;                                                       \
        if (!next_one)                                                                             \
            next_one = (__typeof__(&(name)))next_called(#name);                                    \
        next_one;                                                                                  \
    })

#define ERRORS(...) ((const int[]){ __VA_ARGS__, 0 })
#define MEMORY(name) fails(FAIL_ALLOCATIONS, name, ERRORS(ENOMEM))
#define IO(name, ...) fails(FAIL_IO, name, ERRORS(__VA_ARGS__))
#define NO_DESCRIPTOR EMFILE, ENFILE, ENOMEM
#define LESS(length, how) ((how) == PART && (length) > 1 ? (length) / 2 : (length))

PRIVATE void *next_called(const char *name);

/* The error that a call fails with now (in errno too); 0: it goes on. errors end with 0. */
PRIVATE int fails(enum failing_kind kind, const char *what, const int *errors);

/* The same for a read or write of fd, by what lies behind it. */
PRIVATE int read_fails(const char *what, int fd);
PRIVATE int write_fails(const char *what, int fd);

/* A socket that called, rather than one that was accepted. */
PRIVATE void note_caller(int fd, bool calls);

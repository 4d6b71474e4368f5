#pragma once

#include <stddef.h>
#include <stdint.h>

#include "client/account.h"
#include "client/cleanup.h"

/* Which line of a file names which account, to find those that several lines name. */

enum { NAMED_MAX = 1000 * 1000 }; /* some 100 MB */

struct named_line {
    char account[ACCOUNT_SIZE];
    int64_t line;
};

/* All zero bytes: none yet. */
struct named {
    struct named_line *lines;
    size_t count;
    size_t capacity;
};

/* Adds a line. 0, -E2BIG: there are NAMED_MAX already, or -ENOMEM. */
int named_add(struct named *named, const char *account, int64_t line);

/* Once after the last was added, before the first question. */
void named_sort(struct named *named);

/* The first other line that names the account; 0: there is none. */
int64_t named_elsewhere(const struct named *named, const char *account, int64_t line);

/* Frees the lines; NULL is nothing. */
void named_release(struct named *named);

static inline void cleanup_named(struct named *named)
{
    named_release(named);
}

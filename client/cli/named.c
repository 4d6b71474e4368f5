#include "client/cli/named.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NAMED_CAPACITY_FIRST = 64 };

static bool grow(struct named *named)
{
    size_t capacity = named->capacity > 0 ? named->capacity * 2 : NAMED_CAPACITY_FIRST;
    struct named_line *lines = reallocarray(named->lines, capacity, sizeof *lines);

    if (!lines)
        return false;
    named->lines = lines;
    named->capacity = capacity;
    return true;
}

int named_add(struct named *named, const char *account, int64_t line)
{
    if (named->count == NAMED_MAX)
        return -E2BIG;
    if (named->count == named->capacity && !grow(named))
        return -ENOMEM;
    struct named_line *added = &named->lines[named->count++];
    (void)snprintf(added->account, sizeof added->account, "%s", account);
    added->line = line;
    return 0;
}

static int by_account_and_line(const void *a, const void *b)
{
    const struct named_line *left = a;
    const struct named_line *right = b;
    const int order = strcmp(left->account, right->account);

    if (order != 0)
        return order;
    return (left->line > right->line) - (left->line < right->line);
}

void named_sort(struct named *named)
{
    if (named->count > 0)
        qsort(named->lines, named->count, sizeof *named->lines, by_account_and_line);
}

/* Where the account's lines begin, or those after it. */
static size_t first_of(const struct named *named, const char *account)
{
    size_t low = 0;
    size_t high = named->count;

    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        if (strcmp(named->lines[middle].account, account) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

int64_t named_elsewhere(const struct named *named, const char *account, int64_t line)
{
    for (size_t i = first_of(named, account); i < named->count; i++) {
        if (strcmp(named->lines[i].account, account) != 0)
            break;
        if (named->lines[i].line != line)
            return named->lines[i].line;
    }
    return 0;
}

void named_release(struct named *named)
{
    if (!named)
        return;
    free(named->lines);
    *named = (struct named){ .lines = NULL };
}

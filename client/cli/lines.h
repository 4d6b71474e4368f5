#pragma once

#include "client/text.h"

/* Reads a file line by line; what was read is overwritten, since lines may hold tokens. */

enum { LINES_LINE_MAX = 128 * 1024, LINES_PIECE_SIZE = 16 * 1024 };

struct lines {
    int fd; /* the caller's */
    struct text line;
    size_t at, length; /* of what lies in piece */
    bool ended;
    char piece[LINES_PIECE_SIZE];
};

#define LINES_OF(descriptor)                                                                       \
    {                                                                                              \
        .fd = (descriptor), .line = TEXT_WITH_MAXIMUM(LINES_LINE_MAX)                              \
    }

/* The next line, without its end, into lines->line. 1; 0: there is none; -EMSGSIZE: it is too long,
 * and was passed over; or read()'s error. */
int lines_next(struct lines *lines);

/* Overwrites what was read. */
void lines_release(struct lines *lines);

static inline void cleanup_lines(struct lines *lines)
{
    lines_release(lines);
}

#include "client/cli/lines.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

/* More of the file into the piece. */
static int fill(struct lines *lines)
{
    ssize_t length;

    do
        length = read(lines->fd, lines->piece, sizeof lines->piece);
    while (length < 0 && errno == EINTR);
    if (length < 0)
        return -errno;
    lines->at = 0;
    lines->length = (size_t)length;
    lines->ended = length == 0;
    return 0;
}

/* Takes from the piece up to the line's end; true when that was in it. */
static bool take(struct lines *lines)
{
    const char *from = lines->piece + lines->at;
    size_t left = lines->length - lines->at;
    const char *end = memchr(from, '\n', left);
    size_t length = end ? (size_t)(end - from) : left;

    text_append(&lines->line, from, length);
    lines->at += length + (end ? 1 : 0);
    return end;
}

int lines_next(struct lines *lines)
{
    bool whole = false;
    bool began = false;

    text_release(&lines->line);
    lines->line.failed = false;
    while (!whole && !lines->ended) {
        if (lines->at == lines->length) {
            int r = fill(lines);
            if (r < 0)
                return r;
            continue;
        }
        began = true;
        whole = take(lines);
    }
    if (!began)
        return 0;
    return lines->line.failed ? -EMSGSIZE : 1;
}

void lines_release(struct lines *lines)
{
    text_release(&lines->line);
    explicit_bzero(lines->piece, sizeof lines->piece);
}

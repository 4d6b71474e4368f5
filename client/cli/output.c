#include "client/cli/output.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "client/cli/cli.h"
#include "client/decode_string.h"

enum { WIDTH_DEFAULT = 80, WIDTH_MIN = 40, JSON_ESCAPE_SIZE = 6 };

bool output_bytes(int fd, const void *bytes, size_t length)
{
    const char *next = bytes;

    while (length > 0) {
        ssize_t written = write(fd, next, length);
        /* Whoever shares a pipe or terminal may have made it non-blocking. */
        if (written < 0 && errno == EAGAIN)
            (void)poll(&(struct pollfd){ .fd = fd, .events = POLLOUT }, 1, -1);
        else if (written < 0 && errno != EINTR)
            return false;
        if (written > 0) {
            next += written;
            length -= (size_t)written;
        }
    }
    return true;
}

int output_text(const struct text *text)
{
    if (text->failed) {
        cli_complain("out of memory");
        return TB_FAILED;
    }
    if (output_bytes(STDOUT_FILENO, text->data, text->length))
        return TB_OK;
    cli_complain("cannot write the output: %s", strerrordesc_np(errno));
    return TB_FAILED;
}

/* C0, DEL and, in UTF-8, C1. */
static bool is_control(const char *c, size_t size)
{
    unsigned char first = (unsigned char)c[0];

    if (size == 1)
        return first < ' ' || first == 0x7f;
    return size == 2 && first == 0xc2 && (unsigned char)c[1] < 0xa0;
}

int output_json(const struct text *text)
{
    CLEANUP(cleanup_text) struct text out = TEXT_WITH_MAXIMUM(text->length * JSON_ESCAPE_SIZE + 1);
    const char *next = text_string(text);

    for (size_t left = text->length; left > 0;) {
        size_t size = utf8_size(next, left);
        if (size == 0)
            text_append_string(&out, "\\ufffd");
        else if ((unsigned char)*next >= ' ' && is_control(next, size))
            text_append_format(&out, "\\u%04x", (unsigned)(unsigned char)next[size - 1]);
        else
            text_append(&out, next, size);
        next += size ? size : 1;
        left -= size ? size : 1;
    }
    out.failed = out.failed || text->failed;
    return output_text(&out);
}

void output_harmless(struct text *out, const char *string)
{
    size_t left = strlen(string);

    while (left > 0) {
        size_t size = utf8_size(string, left);
        if (size == 0 || is_control(string, size))
            text_append_string(out, "?");
        else
            text_append(out, string, size);
        string += size ? size : 1;
        left -= size ? size : 1;
    }
}

size_t output_columns(const char *string)
{
    size_t columns = 0;

    for (; *string; string++)
        columns += ((unsigned char)*string & 0xc0) != 0x80;
    return columns;
}

size_t output_width(void)
{
    size_t columns = output_columns_of(STDOUT_FILENO);

    return columns > 0 && columns < WIDTH_MIN ? WIDTH_MIN : columns;
}

size_t output_columns_of(int fd)
{
    struct winsize size = { 0 };

    if (!isatty(fd))
        return 0;
    if (ioctl(fd, TIOCGWINSZ, &size) < 0 || size.ws_col == 0)
        return WIDTH_DEFAULT;
    return size.ws_col;
}

bool output_coloured(int fd)
{
    const char *no_color = getenv("NO_COLOR");
    const char *terminal = getenv("TERM");

    return isatty(fd) && !(no_color && *no_color) && terminal && strcmp(terminal, "dumb") != 0;
}

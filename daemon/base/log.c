#include "base/log.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/utf8.h"

/* What stands before a line: sd-daemon(3)'s prefix for the journal, a word for a person. */
static const struct {
    const char *journal;
    const char *person;
} prefixes[] = {
    [LOG_LEVEL_ERROR] = { "<3>", "error: " },
    [LOG_LEVEL_WARNING] = { "<4>", "warning: " },
    [LOG_LEVEL_INFO] = { "<6>", "" },
    [LOG_LEVEL_DEBUG] = { "<7>", "debug: " },
};

static const char cut_mark[] = "...";

/* Both are written before any thread starts, and only read after. */
static enum log_level verbosity = LOG_LEVEL_INFO;
static bool to_journal;

/* systemd names the journal's stream as DEVICE:INODE (systemd.exec(5)); stderr may be elsewhere. */
static bool stderr_is_journal(void)
{
    const char *stream = getenv("JOURNAL_STREAM");
    uintmax_t device, inode;
    struct stat status;

    if (!stream || sscanf(stream, "%" SCNuMAX ":%" SCNuMAX, &device, &inode) != 2)
        return false;
    return fstat(STDERR_FILENO, &status) == 0 && status.st_dev == device && status.st_ino == inode;
}

void log_start(enum log_level most_verbose)
{
    verbosity = most_verbose;
    to_journal = stderr_is_journal();
}

struct line {
    char text[LOG_LINE_MAX];
    size_t length;
};

/* Leaves room for the mark of a cut and the newline. */
static bool put(struct line *line, const char *bytes, size_t length)
{
    if (length > sizeof(line->text) - sizeof(cut_mark) - line->length)
        return false;
    memcpy(line->text + line->length, bytes, length);
    line->length += length;
    return true;
}

/* The length of the character to show as it is; 0 when its first byte is to be escaped: controls
 * (also U+0080 to U+009F, which some terminals obey) and what is not UTF-8. */
static size_t printable(const char *text, size_t available)
{
    size_t length = utf8_character(text, available);
    unsigned char first = (unsigned char)text[0];

    if (length == 1 && (first < 0x20 || first == 0x7f))
        return 0;
    if (length == 2 && first == 0xc2 && (unsigned char)text[1] < 0xa0)
        return 0;
    return length;
}

static bool put_escaped(struct line *line, const char *text, size_t length)
{
    size_t step;

    for (size_t i = 0; i < length; i += step) {
        char escape[sizeof("\\xNN")];
        size_t shown = printable(text + i, length - i);

        step = shown ? shown : 1;
        (void)snprintf(escape, sizeof(escape), "\\x%02x", (unsigned char)text[i]);
        if (!put(line, shown ? text + i : escape, shown ? shown : sizeof(escape) - 1))
            return false;
    }
    return true;
}

static void write_line(enum log_level level, const char *text, bool complete)
{
    struct line line = { .length = 0 };
    const char *prefix = to_journal ? prefixes[level].journal : prefixes[level].person;

    complete =
        put(&line, prefix, strlen(prefix)) && put_escaped(&line, text, strlen(text)) && complete;
    if (!complete) {
        memcpy(line.text + line.length, cut_mark, sizeof(cut_mark) - 1);
        line.length += sizeof(cut_mark) - 1;
    }
    line.text[line.length++] = '\n';
    /* One call for a line, so that threads need no lock; a failing log has nowhere to say so. */
    if (write(STDERR_FILENO, line.text, line.length) < 0)
        return;
}

static void log_line(enum log_level level, const char *format, va_list arguments) PRINTF_LIKE(2, 0);

static void log_line(enum log_level level, const char *format, va_list arguments)
{
    char text[LOG_LINE_MAX];
    int saved_errno = errno;
    int length;

    if (level > verbosity)
        return;
    length = vsnprintf(text, sizeof(text), format, arguments);
    if (length >= 0)
        write_line(level, text, (size_t)length < sizeof(text));
    errno = saved_errno;
}

void log_error(const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    log_line(LOG_LEVEL_ERROR, format, arguments);
    va_end(arguments);
}

void log_warning(const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    log_line(LOG_LEVEL_WARNING, format, arguments);
    va_end(arguments);
}

void log_info(const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    log_line(LOG_LEVEL_INFO, format, arguments);
    va_end(arguments);
}

void log_debug(const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    log_line(LOG_LEVEL_DEBUG, format, arguments);
    va_end(arguments);
}

#pragma once

/*
 * Two classes of error, told apart by their sign:
 *
 *   0         done
 *   negative  fatal: -errno, passed up unchanged; the caller cannot mend it
 *   positive  handled: a value of the module's own small enum; the caller must decide
 *
 * Results go to parameters named ret_* and are untouched on failure.
 */

#include <stdarg.h>

#define PRINTF_LIKE(format_index, first_argument)                                                  \
    __attribute__((format(printf, format_index, first_argument)))

enum { COMPLAINT_MAX = 512 };

/* One line for a person: what happened, to which thing, what to do. Never holds a secret, nor what
 * would steer a terminal, whatever a file or a provider said. */
struct complaint {
    char text[COMPLAINT_MAX];
};

/* Replaces the text by one printable line (printable_line()), cut at COMPLAINT_MAX - 1 bytes.
 * complaint may be NULL. */
void complain(struct complaint *complaint, const char *format, ...) PRINTF_LIKE(2, 3);

#pragma once

/*
 * Lines to stderr, with the journal's priority prefix when stderr is the journal's. Control
 * characters are shown as \xNN, a line is cut at LOG_LINE_MAX: nothing from outside can forge one.
 * Libraries' rooms (base, oauth, io) do not log; their callers do, once.
 */

#include <stdbool.h>

#include "base/error.h"

enum { LOG_LINE_MAX = 1024 };

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARNING, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };

/* Call before any thread starts. */
void log_start(enum log_level most_verbose);

/* One line each, in one write(2), from any thread; errno is kept. */
void log_error(const char *format, ...) PRINTF_LIKE(1, 2);
void log_warning(const char *format, ...) PRINTF_LIKE(1, 2);
void log_info(const char *format, ...) PRINTF_LIKE(1, 2);
void log_debug(const char *format, ...) PRINTF_LIKE(1, 2);

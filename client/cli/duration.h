#pragma once

#include <stdbool.h>
#include <stdint.h>

/* Reads a number of seconds: "90", "90s", "5min", "2h", "14d", "1w". False, and *ret untouched, for
 * anything else and for more than DURATION_MAX_S. */
bool duration_parse(const char *text, int64_t *ret_s);

enum { DURATION_MAX_S = 366 * 24 * 3600 };

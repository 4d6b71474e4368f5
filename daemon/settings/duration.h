#pragma once

/* Durations as the configuration writes them: a number and its unit. */

#include <stdbool.h>
#include <stdint.h>

/* A hundred years: above any lifetime that a provider means, far below what overflows. */
#define DURATION_MAX_MS (INT64_C(100) * 365 * 24 * 3600 * 1000)

/* "90s", "5min", "2h", "14d", "1w", "1y" (365 days), "500ms" → milliseconds, above 0. On failure
 * *ret_problem is a static sentence's rest ("has no unit: …"). */
bool duration_parse(const char *text, int64_t *ret_ms, const char **ret_problem);

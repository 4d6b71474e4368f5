#pragma once

#include <stddef.h>
#include <stdint.h>

/* Facts in words. */

enum { WORDS_SIZE = 48 };

/* A moment, "in 29 min", "3 h ago", "now"; both in Unix seconds. Returns out. */
const char *words_moment(int64_t at, int64_t now, char out[static WORDS_SIZE]);

/* A length of time in seconds: "29 min". Returns out. */
const char *words_span(int64_t seconds, char out[static WORDS_SIZE]);

/* The present in Unix seconds. */
int64_t words_now(void);

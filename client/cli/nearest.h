#pragma once

#include <stddef.h>

/* How many letters to add, take away or change make one word of the other; words longer than
 * NEAREST_WORD_MAX are far from everything. */
size_t nearest_distance(const char *a, const char *b);

/* The best of two candidates for a mistyped word, where one may be NULL: the nearer one, when it is
 * near enough to be meant; else NULL. */
const char *nearest_of(const char *word, const char *best, const char *candidate);

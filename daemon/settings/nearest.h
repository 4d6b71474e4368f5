#pragma once

/* The known word that a mistyped one most likely meant. */

enum { NEAREST_WORD_MAX = 64, NEAREST_HINT_SIZE = NEAREST_WORD_MAX + 32 };

/* Start with word set and the rest zero. */
struct nearest {
    const char *word;
    const char *best; /* NULL: nothing is near; borrowed from whoever offered it */
    unsigned distance;
};

/* Considers one known word. */
void nearest_offer(struct nearest *nearest, const char *known);

/* `: did you mean "…"?`, or "" when nothing is near. Returns out. */
const char *nearest_hint(const struct nearest *nearest, char out[static NEAREST_HINT_SIZE]);

/* Edits (insert, drop, replace, swap neighbours) between two words, case and '-' for '_' for free;
 * above NEAREST_WORD_MAX when one of them is longer than that. */
unsigned word_distance(const char *a, const char *b);

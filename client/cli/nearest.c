#include "client/cli/nearest.h"

#include <stdint.h>
#include <string.h>

enum { NEAREST_WORD_MAX = 40, NEAREST_DISTANCE_MAX = 3 };

static size_t least(size_t a, size_t b, size_t c)
{
    size_t ab = a < b ? a : b;
    return ab < c ? ab : c;
}

size_t nearest_distance(const char *a, const char *b)
{
    size_t row[NEAREST_WORD_MAX + 1];
    size_t a_length = strlen(a);
    size_t b_length = strlen(b);

    if (a_length > NEAREST_WORD_MAX || b_length > NEAREST_WORD_MAX)
        return SIZE_MAX;
    for (size_t j = 0; j <= b_length; j++)
        row[j] = j;
    for (size_t i = 1; i <= a_length; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= b_length; j++) {
            size_t above = row[j];
            row[j] = least(above + 1, row[j - 1] + 1, diagonal + (a[i - 1] != b[j - 1]));
            diagonal = above;
        }
    }
    return row[b_length];
}

/* A word that was cut short is near too. */
static size_t distance(const char *word, const char *candidate)
{
    size_t length = strlen(word);

    if (length >= 3 && strncmp(word, candidate, length) == 0)
        return 1;
    return nearest_distance(word, candidate);
}

const char *nearest_of(const char *word, const char *best, const char *candidate)
{
    size_t found = distance(word, candidate);

    if (found > NEAREST_DISTANCE_MAX || found * 2 > strlen(candidate))
        return best;
    return !best || found < distance(word, best) ? candidate : best;
}

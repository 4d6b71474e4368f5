#include "settings/nearest.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

static int folded(char c)
{
    return c == '-' ? '_' : tolower((unsigned char)c);
}

static bool same(char a, char b)
{
    return folded(a) == folded(b);
}

static unsigned least(unsigned a, unsigned b)
{
    return a < b ? a : b;
}

/* One row of the table of edits: the distances of a's first i letters to each beginning of b. */
struct row {
    unsigned cell[NEAREST_WORD_MAX + 1];
};

static void fill_row(const char *a, size_t i, const char *b, const struct row *before_last,
                     const struct row *last, struct row *row)
{
    row->cell[0] = (unsigned)i;
    for (size_t j = 1; b[j - 1] != '\0'; j++) {
        unsigned replace = last->cell[j - 1] + (same(a[i - 1], b[j - 1]) ? 0 : 1);
        unsigned best = least(replace, 1 + least(last->cell[j], row->cell[j - 1]));
        if (i > 1 && j > 1 && same(a[i - 1], b[j - 2]) && same(a[i - 2], b[j - 1]))
            best = least(best, before_last->cell[j - 2] + 1);
        row->cell[j] = best;
    }
}

unsigned word_distance(const char *a, const char *b)
{
    size_t a_length = strlen(a), b_length = strlen(b);
    if (a_length > NEAREST_WORD_MAX || b_length > NEAREST_WORD_MAX)
        return NEAREST_WORD_MAX + 1;
    struct row rows[3] = { 0 };
    for (size_t j = 0; j <= b_length; j++)
        rows[0].cell[j] = (unsigned)j;
    for (size_t i = 1; i <= a_length; i++)
        fill_row(a, i, b, &rows[(i + 1) % 3], &rows[(i + 2) % 3], &rows[i % 3]);
    return rows[a_length % 3].cell[b_length];
}

/* One edit in three letters is still the same word; two edits for short ones would fit anything. */
static unsigned most_edits(const char *word)
{
    size_t length = strlen(word);
    if (length <= 3)
        return 1;
    return length < 9 ? 2 : 3;
}

void nearest_offer(struct nearest *nearest, const char *known)
{
    unsigned distance = word_distance(nearest->word, known);
    if (distance > most_edits(nearest->word) || distance >= strlen(known))
        return;
    if (nearest->best != NULL && distance >= nearest->distance)
        return;
    nearest->best = known;
    nearest->distance = distance;
}

const char *nearest_hint(const struct nearest *nearest, char out[static NEAREST_HINT_SIZE])
{
    out[0] = '\0';
    if (nearest->best != NULL)
        (void)snprintf(out, NEAREST_HINT_SIZE, ": did you mean \"%s\"?", nearest->best);
    return out;
}

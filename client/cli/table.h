#pragma once

#include "client/text.h"

/* Rows of aligned columns. */

enum { TABLE_COLUMNS_MAX = 8 };

/* What a cell means, for its colour on a terminal. */
enum tint { TINT_NONE, TINT_GOOD, TINT_WARNING, TINT_BAD };

struct cell {
    char *text; /* harmless for a terminal */
    enum tint tint;
};

struct table {
    size_t columns;
    size_t flexible; /* the column that is cut first where a row is too wide; then the widest is */
    struct cell *cells;
    size_t count;
    size_t capacity;
    bool failed; /* no memory; lasts */
};

/* Adds a cell; columns after the last of a row begin a new row. The text is copied and made
 * harmless; NULL is "". */
void table_add(struct table *table, const char *text, enum tint tint);

/* Appends all rows. width: columns that they have to fit in, 0 for any; coloured: tints are shown.
 */
void table_put(const struct table *table, size_t width, bool coloured, struct text *out);

/* Appends a text in a colour. */
void table_put_tinted(struct text *out, const char *text, enum tint tint, bool coloured);

/* Frees the cells. */
void table_release(struct table *table);

static inline void cleanup_table(struct table *table)
{
    table_release(table);
}

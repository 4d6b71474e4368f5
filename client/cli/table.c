#include "client/cli/table.h"

#include <string.h>

#include "client/cli/output.h"

enum {
    TABLE_CELLS_MAX = 4 * 1024 * 1024,
    TABLE_CELLS_FIRST = 64,
    CELL_MAX = 4096,
    COLUMN_GAP = 2,
    COLUMN_MIN = 8,
};

static bool make_room(struct table *table)
{
    size_t capacity = table->capacity ? table->capacity * 2 : TABLE_CELLS_FIRST;

    if (table->count < table->capacity)
        return true;
    struct cell *cells =
        capacity <= TABLE_CELLS_MAX ? reallocarray(table->cells, capacity, sizeof *cells) : NULL;
    if (!cells)
        return false;
    table->cells = cells;
    table->capacity = capacity;
    return true;
}

void table_add(struct table *table, const char *text, enum tint tint)
{
    CLEANUP(cleanup_text) struct text harmless = TEXT_WITH_MAXIMUM(CELL_MAX);

    output_harmless(&harmless, text ? text : "");
    char *copy = strdup(text_string(&harmless));
    if (!copy || !make_room(table)) {
        free(copy);
        table->failed = true;
        return;
    }
    table->cells[table->count++] = (struct cell){ .text = copy, .tint = tint };
}

static void measure(const struct table *table, size_t widths[static TABLE_COLUMNS_MAX])
{
    for (size_t i = 0; i < table->count; i++) {
        size_t columns = output_columns(table->cells[i].text);
        if (columns > widths[i % table->columns])
            widths[i % table->columns] = columns;
    }
}

static size_t widest_of(const struct table *table, const size_t widths[static TABLE_COLUMNS_MAX])
{
    size_t widest = 0;

    for (size_t i = 1; i < table->columns; i++) {
        if (widths[i] > widths[widest])
            widest = i;
    }
    return widest;
}

/* Takes what is too wide from the flexible column, then from whichever is the widest. */
static void fit(const struct table *table, size_t widths[static TABLE_COLUMNS_MAX], size_t width)
{
    size_t sum = COLUMN_GAP * (table->columns - 1);

    for (size_t i = 0; i < table->columns; i++)
        sum += widths[i];
    for (; width > 0 && sum > width; sum--) {
        size_t at =
            widths[table->flexible] > COLUMN_MIN ? table->flexible : widest_of(table, widths);
        if (widths[at] <= COLUMN_MIN)
            return;
        widths[at]--;
    }
}

/* Bytes of the first columns of a text. */
static size_t bytes_of(const char *text, size_t columns)
{
    const char *c = text;

    for (; *c; c++) {
        bool begins = ((unsigned char)*c & 0xc0) != 0x80;
        if (begins && columns-- == 0)
            break;
    }
    return (size_t)(c - text);
}

void table_put_tinted(struct text *out, const char *text, enum tint tint, bool coloured)
{
    static const char *const codes[] = { NULL, "\033[32m", "\033[33m", "\033[31m" };
    const char *code = coloured ? codes[tint] : NULL;

    if (code)
        text_append_string(out, code);
    text_append_string(out, text);
    if (code)
        text_append_string(out, "\033[0m");
}

static void put_cell(struct text *out, const struct cell *cell, size_t width, bool last,
                     bool coloured)
{
    size_t columns = output_columns(cell->text);

    if (columns > width) {
        text_append(out, cell->text, bytes_of(cell->text, width - 1));
        text_append_string(out, "…");
        columns = width;
    } else {
        table_put_tinted(out, cell->text, cell->tint, coloured);
    }
    if (!last)
        text_append_format(out, "%*s", (int)(width - columns + COLUMN_GAP), "");
}

/* The index of the last cell of a row that says something. */
static size_t last_filled(const struct table *table, size_t row)
{
    size_t last = table->columns - 1;

    while (last > 0 && !*table->cells[row + last].text)
        last--;
    return last;
}

void table_put(const struct table *table, size_t width, bool coloured, struct text *out)
{
    size_t widths[TABLE_COLUMNS_MAX] = { 0 };

    measure(table, widths);
    fit(table, widths, width);
    for (size_t row = 0; row + table->columns <= table->count; row += table->columns) {
        size_t last = last_filled(table, row);
        for (size_t i = 0; i <= last; i++)
            put_cell(out, &table->cells[row + i], widths[i], i == last, coloured);
        text_append_string(out, "\n");
    }
}

void table_release(struct table *table)
{
    for (size_t i = 0; i < table->count; i++)
        free(table->cells[i].text);
    free(table->cells);
    *table = (struct table){ .columns = table->columns, .flexible = table->flexible };
}

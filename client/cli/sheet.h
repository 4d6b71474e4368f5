#pragma once

#include "client/cli/table.h"

/* Labels with values behind them, wrapped to the terminal's width. */
struct sheet {
    struct text out;
    size_t width; /* columns; 0: any */
    bool coloured;
};

enum { SHEET_MAX = 64 * 1024 * 1024 };

#define SHEET_FOR_STDOUT()                                                                         \
    {                                                                                              \
        .out = TEXT_WITH_MAXIMUM(SHEET_MAX), .width = output_width(),                              \
        .coloured = output_coloured(STDOUT_FILENO)                                                 \
    }

/* Adds a line; what would be printed is made harmless and wrapped at spaces. */
void sheet_put(struct sheet *sheet, const char *label, const char *format, ...) PRINTF_LIKE(3, 4);

/* Adds a line with one short word in a colour. */
void sheet_put_tinted(struct sheet *sheet, const char *label, const char *word, enum tint tint);

/* Frees the lines. */
void sheet_release(struct sheet *sheet);

static inline void cleanup_sheet(struct sheet *sheet)
{
    sheet_release(sheet);
}

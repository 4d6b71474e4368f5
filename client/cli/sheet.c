#include "client/cli/sheet.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "client/cli/output.h"

enum { LABEL_COLUMN = 15, VALUE_MAX = 16 * 1024 };

static void put_label(struct sheet *sheet, const char *label)
{
    text_append_format(&sheet->out, "%-*s", LABEL_COLUMN, label);
}

/* Words, with line breaks where the next would not fit; a word longer than a line stays whole, so
 * that it can be copied. */
static void put_wrapped(struct sheet *sheet, char *value)
{
    size_t column = LABEL_COLUMN;
    char *rest = NULL;

    for (char *word = strtok_r(value, " ", &rest); word; word = strtok_r(NULL, " ", &rest)) {
        size_t columns = output_columns(word);
        bool first = column == LABEL_COLUMN;
        if (!first && sheet->width > 0 && column + 1 + columns > sheet->width) {
            text_append_format(&sheet->out, "\n%-*s", LABEL_COLUMN, "");
            column = LABEL_COLUMN;
            first = true;
        }
        text_append_format(&sheet->out, "%s%s", first ? "" : " ", word);
        column += columns + !first;
    }
    text_append_string(&sheet->out, "\n");
}

void sheet_put(struct sheet *sheet, const char *label, const char *format, ...)
{
    CLEANUP(cleanup_text) struct text value = TEXT_WITH_MAXIMUM(VALUE_MAX);
    CLEANUP(cleanup_string) char *raw = NULL;
    va_list arguments;

    va_start(arguments, format);
    if (vasprintf(&raw, format, arguments) < 0)
        raw = NULL;
    va_end(arguments);
    output_harmless(&value, raw ? raw : "out of memory");
    put_label(sheet, label);
    if (value.data)
        put_wrapped(sheet, value.data);
    else
        text_append_string(&sheet->out, "\n");
}

void sheet_put_tinted(struct sheet *sheet, const char *label, const char *word, enum tint tint)
{
    CLEANUP(cleanup_text) struct text value = TEXT_WITH_MAXIMUM(VALUE_MAX);

    output_harmless(&value, word);
    put_label(sheet, label);
    table_put_tinted(&sheet->out, text_string(&value), tint, sheet->coloured);
    text_append_string(&sheet->out, "\n");
}

void sheet_release(struct sheet *sheet)
{
    text_release(&sheet->out);
}

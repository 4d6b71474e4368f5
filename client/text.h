#pragma once

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

#include "client/cleanup.h"

/*
 * Text that grows up to a maximum, in memory that is overwritten before it is given back: requests
 * and answers hold tokens. A failure (no memory, over the maximum) lasts: look at failed once, at
 * the end; the content is the empty text then.
 */
struct text {
    char *data;      /* NULL or ended by a NUL that is not counted */
    size_t length;   /* bytes */
    size_t capacity; /* bytes, the NUL's included */
    size_t maximum;  /* of length */
    bool failed;
};

#define TEXT_WITH_MAXIMUM(bytes)                                                                   \
    {                                                                                              \
        .maximum = (bytes)                                                                         \
    }

/* Appends bytes, a text, or what printf would write. */
void text_append(struct text *text, const void *bytes, size_t length);
void text_append_string(struct text *text, const char *string);
void text_append_format(struct text *text, const char *format, ...) PRINTF_LIKE(2, 3);

/* Appends a string as JSON, with its quotes (RFC 8259 7); it is UTF-8 and passed on as it is. */
void text_append_json(struct text *text, const char *string);

/* Appends percent-encoded, for a parameter's value: all but letters, digits and '/'. */
void text_append_percent(struct text *text, const char *string);

/* The text, "" when there is none; valid until the next change. */
const char *text_string(const struct text *text);

/* Cuts the text to a length that is not above its own, and overwrites the rest. */
void text_cut(struct text *text, size_t length);

/* Overwrites and frees the content; the text can be used again. NULL is nothing. */
void text_release(struct text *text);

static inline void cleanup_text(struct text *text)
{
    text_release(text);
}

#include "client/text.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

#define PLAIN "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789/"

enum { TEXT_CAPACITY_FIRST = 256 };

static void fail(struct text *text)
{
    text_release(text);
    text->failed = true;
}

/* realloc() would leave the old bytes behind. */
static bool grow(struct text *text, size_t capacity)
{
    char *data = malloc(capacity);

    if (!data)
        return false;
    if (text->data) {
        memcpy(data, text->data, text->length + 1);
        explicit_bzero(text->data, text->capacity);
        free(text->data);
    }
    text->data = data;
    text->capacity = capacity;
    return true;
}

static bool make_room(struct text *text, size_t length)
{
    size_t capacity = text->capacity ? text->capacity : TEXT_CAPACITY_FIRST;

    if (text->failed)
        return false;
    if (length > text->maximum - text->length || text->maximum >= SIZE_MAX / 2) {
        fail(text);
        return false;
    }
    while (capacity < text->length + length + 1)
        capacity *= 2;
    if (capacity != text->capacity && !grow(text, capacity)) {
        fail(text);
        return false;
    }
    return true;
}

void text_append(struct text *text, const void *bytes, size_t length)
{
    if (length == 0 || !make_room(text, length))
        return;
    memcpy(text->data + text->length, bytes, length);
    text->length += length;
    text->data[text->length] = '\0';
}

void text_append_string(struct text *text, const char *string)
{
    text_append(text, string, strlen(string));
}

void text_append_format(struct text *text, const char *format, ...)
{
    va_list arguments;
    va_list again;

    va_start(arguments, format);
    va_copy(again, arguments);
    int length = vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);
    if (length > 0 && make_room(text, (size_t)length)) {
        (void)vsnprintf(text->data + text->length, (size_t)length + 1, format, again);
        text->length += (size_t)length;
    } else if (length < 0) {
        fail(text);
    }
    va_end(again);
}

void text_append_json(struct text *text, const char *string)
{
    text_append(text, "\"", 1);
    for (const char *c = string; *c; c++) {
        if (*c == '"' || *c == '\\')
            text_append_format(text, "\\%c", *c);
        else if ((unsigned char)*c < ' ' || *c == 0x7f)
            text_append_format(text, "\\u%04x", (unsigned)(unsigned char)*c);
        else
            text_append(text, c, 1);
    }
    text_append(text, "\"", 1);
}

void text_append_percent(struct text *text, const char *string)
{
    for (const char *c = string; *c; c++)
        text_append_format(text, strchr(PLAIN, *c) ? "%c" : "%%%02X", (unsigned char)*c);
}

const char *text_string(const struct text *text)
{
    return text->data ? text->data : "";
}

void text_cut(struct text *text, size_t length)
{
    if (length >= text->length)
        return;
    explicit_bzero(text->data + length, text->length - length);
    text->length = length;
}

void text_release(struct text *text)
{
    if (!text)
        return;
    if (text->data)
        explicit_bzero(text->data, text->capacity);
    free(text->data);
    *text = (struct text){ .maximum = text->maximum };
}

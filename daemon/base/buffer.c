#include "base/buffer.h"

#include <stdio.h>
#include <string.h>

enum { FIRST_ALLOCATION = 64 };

/* The bytes to allocate for `needed` (which counts the NUL): doubling, but not past the maximum. */
static size_t next_allocation(const struct buffer *buffer, size_t needed)
{
    size_t limit = buffer->maximum == SIZE_MAX ? SIZE_MAX : buffer->maximum + 1;
    size_t size = buffer->allocated > limit / 2 ? limit : buffer->allocated * 2;

    if (size < FIRST_ALLOCATION)
        size = FIRST_ALLOCATION;
    if (size < needed)
        size = needed;
    return size < limit ? size : limit;
}

/* realloc() would leave the outgrown bytes behind. */
static bool grow(struct buffer *buffer, size_t needed)
{
    size_t size = next_allocation(buffer, needed);
    char *data = malloc(size);

    if (!data)
        return false;
    if (buffer->data) {
        memcpy(data, buffer->data, buffer->length + 1);
        explicit_bzero(buffer->data, buffer->allocated);
        free(buffer->data);
    }
    buffer->data = data;
    buffer->allocated = size;
    return true;
}

/* Room for more bytes and the NUL; false marks the buffer failed. */
static bool reserve(struct buffer *buffer, size_t more)
{
    if (buffer->failed)
        return false;
    if (more > buffer->maximum - buffer->length || more >= SIZE_MAX - buffer->length)
        buffer->failed = true;
    else if (buffer->length + more + 1 > buffer->allocated)
        buffer->failed = !grow(buffer, buffer->length + more + 1);
    return !buffer->failed;
}

void buffer_reserve(struct buffer *buffer, size_t more)
{
    if (reserve(buffer, more))
        buffer->data[buffer->length] = '\0';
}

void buffer_append(struct buffer *buffer, const void *bytes, size_t length)
{
    if (length == 0 || !reserve(buffer, length))
        return;
    memcpy(buffer->data + buffer->length, bytes, length);
    buffer->length += length;
    buffer->data[buffer->length] = '\0';
}

void buffer_append_text(struct buffer *buffer, const char *text)
{
    buffer_append(buffer, text, strlen(text));
}

void buffer_append_char(struct buffer *buffer, char c)
{
    buffer_append(buffer, &c, 1);
}

void buffer_append_format(struct buffer *buffer, const char *format, ...)
{
    va_list arguments, again;
    int length;

    va_start(arguments, format);
    va_copy(again, arguments);
    length = vsnprintf(NULL, 0, format, arguments);
    if (length < 0) {
        buffer->failed = true;
    } else if (length > 0 && reserve(buffer, (size_t)length)) {
        (void)vsnprintf(buffer->data + buffer->length, (size_t)length + 1, format, again);
        buffer->length += (size_t)length;
    }
    va_end(again);
    va_end(arguments);
}

static bool is_unreserved(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '.' || c == '_' || c == '~';
}

static void append_encoded(struct buffer *buffer, const char *bytes, size_t length, bool plus)
{
    static const char digits[] = "0123456789ABCDEF";

    for (size_t i = 0; i < length; i++) {
        unsigned char byte = (unsigned char)bytes[i];

        if (is_unreserved(bytes[i])) {
            buffer_append_char(buffer, bytes[i]);
        } else if (plus && byte == ' ') {
            buffer_append_char(buffer, '+');
        } else {
            char encoded[3] = { '%', digits[byte >> 4], digits[byte & 15] };
            buffer_append(buffer, encoded, sizeof(encoded));
        }
    }
}

void buffer_append_percent(struct buffer *buffer, const char *bytes, size_t length)
{
    append_encoded(buffer, bytes, length, false);
}

void buffer_append_form(struct buffer *buffer, const char *bytes, size_t length)
{
    append_encoded(buffer, bytes, length, true);
}

const char *buffer_text(const struct buffer *buffer)
{
    return buffer->data ? buffer->data : "";
}

void buffer_drop(struct buffer *buffer, size_t length)
{
    size_t dropped = length < buffer->length ? length : buffer->length;

    if (dropped == 0)
        return;
    buffer->length -= dropped;
    memmove(buffer->data, buffer->data + dropped, buffer->length);
    explicit_bzero(buffer->data + buffer->length, dropped);
}

void buffer_clear(struct buffer *buffer)
{
    if (buffer->data)
        explicit_bzero(buffer->data, buffer->allocated);
    buffer->length = 0;
    buffer->failed = false;
}

void buffer_release(struct buffer *buffer)
{
    if (!buffer)
        return;
    buffer_clear(buffer);
    free(buffer->data);
    buffer->data = NULL;
    buffer->allocated = 0;
}

char *buffer_steal_text(struct buffer *buffer)
{
    char *text = NULL;

    if (!buffer->failed)
        text = buffer->data ? steal(buffer->data) : calloc(1, 1);
    buffer_release(buffer);
    return text;
}

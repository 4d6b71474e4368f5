#pragma once

/*
 * A byte buffer that is born with a maximum. Appending past it, or running out of memory, marks the
 * buffer failed and drops the append; later appends do nothing. So a writer appends freely and
 * checks once at its end. The bytes are always followed by a NUL that does not count.
 *
 * Every byte is wiped when it is freed or outgrown: a buffer may hold a secret.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "base/error.h"

struct buffer {
    char *data; /* NULL until the first append */
    size_t length;
    size_t allocated;
    size_t maximum;
    bool failed;
};

#define BUFFER_WITH_MAXIMUM(bytes)                                                                 \
    (struct buffer)                                                                                \
    {                                                                                              \
        .maximum = (bytes)                                                                         \
    }

/* Takes the memory for that many bytes more, so that appending them cannot fail for want of it. */
void buffer_reserve(struct buffer *buffer, size_t more);

/* Each appends as it is: bytes, a text without its NUL, one byte, a printf-like text. */
void buffer_append(struct buffer *buffer, const void *bytes, size_t length);
void buffer_append_text(struct buffer *buffer, const char *text);
void buffer_append_char(struct buffer *buffer, char c);
void buffer_append_format(struct buffer *buffer, const char *format, ...) PRINTF_LIKE(2, 3);

/* Appends percent-encoded: all but RFC 3986's unreserved characters. */
void buffer_append_percent(struct buffer *buffer, const char *bytes, size_t length);

/* Appends as application/x-www-form-urlencoded (a space becomes '+'). */
void buffer_append_form(struct buffer *buffer, const char *bytes, size_t length);

/* The bytes as a NUL-ended text, "" when nothing was appended. Owned by the buffer. */
const char *buffer_text(const struct buffer *buffer);

/* Drops that many bytes at the front, at most all, and wipes what they leave. */
void buffer_drop(struct buffer *buffer, size_t length);

/* Wipes and empties; the maximum stays, failed is cleared. */
void buffer_clear(struct buffer *buffer);

/* Wipes and frees what the buffer holds; it can be used again. NULL is fine. */
void buffer_release(struct buffer *buffer);

/* Hands the text to the caller, who frees it; the buffer is empty then. NULL when it had failed. */
char *buffer_steal_text(struct buffer *buffer);

static inline void cleanup_buffer(struct buffer *buffer)
{
    buffer_release(buffer);
}

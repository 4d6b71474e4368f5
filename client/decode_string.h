#pragma once

#include <stdbool.h>
#include <stddef.h>

/*
 * Decodes the JSON string that begins with the quote at *next (RFC 8259 7) into out, which has room
 * for as many bytes as the string has with its quotes; a NUL ends it. Moves *next behind the
 * closing quote. False: no string, bad UTF-8 or escape, half of a surrogate pair, a control
 * character or U+0000.
 */
bool decode_string(const char **next, const char *end, char *out, size_t *ret_length);

/* How many bytes the UTF-8 character (RFC 3629) has that begins at text, with length bytes left; 0:
 * none does. */
size_t utf8_size(const char *text, size_t length);

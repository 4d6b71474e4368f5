#pragma once

/* Characters of UTF-8 (RFC 3629). */

#include <stddef.h>

/* The length, 1 to 4, of the UTF-8 character (RFC 3629) that begins at bytes; 0 when none of at
 * most `available` bytes does: a stray, overlong or cut sequence, a surrogate, or past U+10FFFF. */
size_t utf8_character(const char *bytes, size_t available);

#pragma once

/* Private to base: RFC 8259's grammar to the letter. */

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"

/*
 * Checks the whole text: the grammar, JSON_DEPTH_MAX, UTF-8, and that no string holds a NUL or half
 * a surrogate pair. Keys that occur twice are not its business; *ret_values is the number of all
 * values, containers included. False: complaint says what is wrong and at which byte.
 */
bool json_scan(const char *text, size_t length, size_t *ret_values, struct complaint *complaint);

#pragma once

/* Private to base: RFC 8259's grammar to the letter, because json-c reads more than JSON. */

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"

/*
 * Checks the whole text: the grammar, JSON_DEPTH_MAX, UTF-8, and that no string holds a NUL or half
 * a surrogate pair. Keys that occur twice are not its business; *ret_members is the number of all
 * members of all objects. False: complaint says what is wrong and at which byte.
 */
bool json_scan(const char *text, size_t length, size_t *ret_members, struct complaint *complaint);

/* Finds the next number of a text that json_scan() accepted, from *at on, and moves *at behind it.
 * False when there is none. */
bool json_scan_number(const char **at, const char *end, const char **ret, size_t *ret_length);

#pragma once

/* Private to base. */

#include <stdbool.h>
#include <stdint.h>

/* The value of a JSON number's text when it is integral and fits, exactly: no way over double, so
 * 9007199254740993 stays what it is. False otherwise. */
bool json_number_integer(const char *text, int64_t *ret);

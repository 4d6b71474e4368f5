#pragma once

/* What every unit test begins with: cmocka wants these before it. */

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define LENGTH_OF(array) (sizeof(array) / sizeof((array)[0]))

/* Ends the test with the row of a table that failed. */
#define fail_row(index, text) fail_msg("row %zu: %s", (size_t)(index), (text))

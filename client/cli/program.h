#pragma once

#include <stdbool.h>

#include "client/text.h"

/* Other programs that a command needs. */

enum { PROGRAM_MISSING = 127, PROGRAM_FAILED = -1 };

/* Runs it (found in $PATH) and waits for its end: its exit code, PROGRAM_MISSING, or PROGRAM_FAILED
 * when it was killed or could not be run. input goes to its stdin, NULL: nothing; what it writes is
 * dropped with quiet, else it goes to stderr. */
int program_run(const char *const *argv, const struct text *input, bool quiet);

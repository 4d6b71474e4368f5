#pragma once

#include <limits.h>
#include <stdbool.h>

#include "client/text.h"

/* Other programs that a command needs. */

enum { PROGRAM_MISSING = 127, PROGRAM_FAILED = -1 };

/* Where a program is by $PATH, of which absolute folders alone count; false when it is nowhere. */
bool program_find(const char *name, char ret[static PATH_MAX]);

/* Runs it (found in $PATH) and waits for its end: its exit code, PROGRAM_MISSING, or PROGRAM_FAILED
 * when it was killed or could not be run. input goes to its stdin, NULL: nothing; what it writes is
 * dropped with quiet, else it goes to stderr. */
int program_run(const char *const *argv, const struct text *input, bool quiet);

/* Runs the program at the path argv[0] with an empty environment; what it writes to stdout and
 * stderr is appended to output. The same returns; PROGRAM_FAILED also when it writes too much. */
int program_ask(const char *const *argv, const struct text *input, struct text *output);

#pragma once

#include "client/text.h"

/* Text for other programs' syntaxes. */

/* Appends a value as one word of a POSIX shell. */
void quote_shell(struct text *out, const char *value);

/* Appends a value within double quotes, as curl's configuration files have it. */
void quote_curl(struct text *out, const char *value);

/* Whether a value can stand in a header line or on a line alone: it has no control characters. */
bool quote_one_line(const char *value);

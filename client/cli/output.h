#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "client/text.h"

/* What goes to a terminal or a pipe. */

/* Writes all bytes to a descriptor; false, and errno, when that fails. */
bool output_bytes(int fd, const void *bytes, size_t length);

/* Writes the text to stdout at once, so that no buffer of stdio keeps a copy; says when it fails.
 * Returns the exit code. */
int output_text(const struct text *text);

/* The same for JSON text: what a terminal could take for a command (DEL, C1) is escaped, and a byte
 * that is no UTF-8, from a file's name say, becomes U+FFFD. */
int output_json(const struct text *text);

/* A copy in which control characters are "?", so that no text of others steers the terminal. */
void output_harmless(struct text *out, const char *string);

/* How many columns a text takes, if each character takes one. */
size_t output_columns(const char *string);

/* Columns of the terminal on stdout; 0: it is none, nothing needs to fit. */
size_t output_width(void);

/* Columns of the terminal on a descriptor as it says; 0: it is none. */
size_t output_columns_of(int fd);

/* Whether a descriptor may have colours: a terminal, not dumb, without $NO_COLOR. */
bool output_coloured(int fd);

#pragma once

/* What the tests of this floor share: a folder of configuration files, and parsing it. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "settings/settings.h"

#define LENGTH_OF(array) (sizeof(array) / sizeof((array)[0]))
#define fail_row(index, text) fail_msg("row %zu: %s", (size_t)(index), (text))

/* A folder of one test's own; set up and removed with these. */
int make_folder(void **state);
int remove_folder(void **state);

/* "FOLDER/name"; valid for seven more calls. */
const char *path_of(const char *name);

/* Writes FOLDER/name with that mode; folders in between are made. */
void write_file(const char *name, const char *text, unsigned mode);

/* Reads FOLDER/tokenbroker.conf and what is beside it, and parses. NULL with a complaint. */
struct settings *parse_folder(bool with_secrets, struct complaint *complaint);

/* The same for one main file with this text. */
struct settings *parse_text(const char *text, struct complaint *complaint);

/* The text must be taken; the settings are the caller's. */
struct settings *parsed(const char *text);

/* Provider "p" of a text whose provider section holds keys and what every provider needs. */
struct settings *parsed_provider(const char *keys);

/* The text must be refused with a complaint that is FOLDER/tokenbroker.conf, then tail. */
void assert_refused(const char *text, const char *tail);

/* A table's row: refused with this, or, where refused is NULL, taken. */
void check_row(size_t index, const char *text, const char *refused);

/* Both may be NULL. */
void assert_text(const char *found, const char *wanted);

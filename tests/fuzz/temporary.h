#pragma once

#include <stddef.h>

/* Writes a private file that is there until the process ends, always the same one; returns its
 * path. */
const char *temporary_file(const void *bytes, size_t length);

/* The folder of that file, for what else is to be written. */
const char *temporary_folder(void);

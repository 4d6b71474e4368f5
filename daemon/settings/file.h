#pragma once

/* Reading a file that we are going to trust. */

#include <stdbool.h>
#include <stddef.h>

#include "base/buffer.h"
#include "settings/settings.h"

enum { FILE_MISSING = SETTINGS_NO_CREDENTIALS + 1, FILE_ADVICE_SIZE = 384 };

/*
 * Appends the whole file to out, whose maximum is the cap. Refused: what is no regular file, a file
 * that others than its owner can write, or whose owner is neither root nor us or holds a NUL,
 * or is larger. *ret_others_read: others than the owner can read it; a file of root's that our own
 * group can read does not count. Returns 0, FILE_MISSING or SETTINGS_INVALID; complaint starts with
 * the path.
 */
int file_read(const char *path, struct buffer *out, bool *ret_others_read,
              struct complaint *complaint);

/* The command that keeps others from reading a file that we have to read: a file of root's is left
 * to the service's group. */
void file_advise(const char *path, char out[static FILE_ADVICE_SIZE]);

/* Refuses a folder that others than root and us can add files to. Returns 0 or SETTINGS_INVALID. */
int folder_check(int fd, const char *path, struct complaint *complaint);

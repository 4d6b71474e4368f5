#pragma once

#include <sys/types.h>

/* So that what was made, renamed or removed in the folder is so after a power cut too. Returns 0 or
 * -errno. */
int folder_sync(const char *path);

/* The same for the folder that holds the path. */
int folder_sync_above(const char *path);

/* Makes a folder of that mode and its missing parents, for certain: a store in it is lost with its
 * name. Returns 0, also when it is there, or -errno. */
int folder_make(const char *path, mode_t mode);

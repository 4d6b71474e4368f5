#pragma once

/* A backup becomes the store of this broker. */

#include "base/error.h"
#include "main/options.h"
#include "settings/settings.h"

/*
 * Makes the store in the state folder of the backup's bytes, where there is none yet: nothing is
 * ever replaced. It is looked through first, with the configured key, in a folder of its own;
 * nothing is left of it when anything is wrong. Says on stdout what became of it. Returns 0 or
 * -errno.
 */
int restore_backup(const struct places *places, const struct settings *settings, const char *path,
                   struct complaint *complaint);

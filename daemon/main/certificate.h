#pragma once

/* The callback's certificate where the configuration names its files. */

#include "base/error.h"
#include "messages.h"
#include "settings/settings.h"

/* Reads both files into a CERTIFICATE letter, the caller's; *ret stays as it is where the
 * configuration names none, or nothing is served by https. This may block. Returns 0 or
 * SETTINGS_INVALID with a complaint. */
int certificate_read(const struct settings *settings, struct message **ret,
                     struct complaint *complaint);

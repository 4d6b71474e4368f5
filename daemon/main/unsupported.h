#pragma once

/* What the configuration can say and this kernel cannot do: refused, rather than ignored. */

#include "base/error.h"
#include "settings/settings.h"

/* Returns 0, or SETTINGS_INVALID with a complaint that names the first such thing. */
int refuse_unsupported(const struct settings *settings, struct complaint *complaint);

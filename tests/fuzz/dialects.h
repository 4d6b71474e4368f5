#pragma once

/* The providers whose replies are read: every preset, and some that are odder still. */

#include "oauth/provider.h"

/* Once, after start_secrets(). Returns 0 or -1. */
int dialects_start(void);

size_t dialects_count(void);
const struct provider *dialect(size_t index);

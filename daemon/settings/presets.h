#pragma once

/* The presets of config/providers, which the build turns into a table. */

#include <stddef.h>

struct preset {
    const char *name;
    const char *text;
};

extern const struct preset presets[];
extern const size_t preset_count;

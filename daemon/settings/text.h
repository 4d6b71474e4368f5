#pragma once

/* What lies behind struct settings_text. */

#include "settings/settings.h"
#include "settings/syntax.h"

struct settings_text {
    struct config_file **files; /* the main file first */
    size_t file_count;
    struct config_file **presets; /* those that some provider names; path is that name */
    size_t preset_count;
};

/* NULL when it was not among the presets that were read. */
const struct section *text_preset(const struct settings_text *text, const char *name);

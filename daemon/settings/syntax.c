#include "settings/syntax.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/buffer.h"
#include "settings/settings.h"

int complain_at(struct complaint *complaint, const char *file, unsigned line, const char *format,
                ...)
{
    char text[COMPLAINT_MAX];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    complain(complaint, "%s:%u: %s", file, line, text);
    return SETTINGS_INVALID;
}

int complain_section(struct complaint *complaint, const struct section *section, const char *format,
                     ...)
{
    char text[COMPLAINT_MAX];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    return complain_at(complaint, section->file->path, section->line, "%s%s%s%s %s",
                       section->kind->name != NULL ? section->kind->name : "the preset",
                       section->title != NULL ? " \"" : "",
                       section->title != NULL ? section->title : "",
                       section->title != NULL ? "\"" : "", text);
}

int complain_setting(struct complaint *complaint, const struct setting *setting, const char *format,
                     ...)
{
    char text[COMPLAINT_MAX];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    return complain_at(complaint, setting->file, setting->line, "%s %s", setting->key->name, text);
}

static void setting_release(struct setting *setting)
{
    for (size_t i = 0; i < setting->count; i++) {
        /* Any value may be a secret, put where it does not belong. */
        explicit_bzero(setting->values[i], strlen(setting->values[i]));
        free(setting->values[i]);
    }
    free(setting->values);
}

static void section_free(struct section *section)
{
    for (size_t i = 0; i < section->count; i++)
        setting_release(&section->settings[i]);
    free(section->settings);
    free(section->title);
    free(section);
}

struct config_file *config_file_free(struct config_file *file)
{
    if (file == NULL)
        return NULL;
    for (size_t i = 0; i < file->count; i++)
        section_free(file->sections[i]);
    free(file->sections);
    free(file->path);
    free(file);
    return NULL;
}

const struct setting *section_find(const struct section *section, const char *key)
{
    for (size_t i = 0; i < section->count; i++)
        if (strcmp(section->settings[i].key->name, key) == 0)
            return &section->settings[i];
    return NULL;
}

int section_take(const struct section *section, const struct section *except, void *into,
                 struct complaint *complaint)
{
    int r = 0;
    for (size_t i = 0; i < section->count && r == 0; i++) {
        const struct setting *setting = &section->settings[i];
        if (except != NULL && section_find(except, setting->key->name) != NULL)
            continue;
        if (setting->key->take != NULL)
            r = setting->key->take(setting->key, setting, into, complaint);
    }
    return r;
}

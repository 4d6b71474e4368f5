#include "settings/text.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "settings/file.h"
#include "settings/nearest.h"
#include "settings/presets.h"
#include "settings/sections.h"

enum { PATH_TEXT_MAX = 4096 };

static const char folder_name[] = "providers.d";
static const char suffix[] = ".conf";

static struct config_file *file_list_free(struct config_file **files, size_t count)
{
    for (size_t i = 0; i < count; i++)
        (void)config_file_free(files[i]);
    free(files);
    return NULL;
}

struct settings_text *settings_text_free(struct settings_text *text)
{
    if (text == NULL)
        return NULL;
    (void)file_list_free(text->files, text->file_count);
    (void)file_list_free(text->presets, text->preset_count);
    free(text);
    return NULL;
}

const struct section *text_preset(const struct settings_text *text, const char *name)
{
    for (size_t i = 0; i < text->preset_count; i++)
        if (strcmp(text->presets[i]->path, name) == 0)
            return text->presets[i]->sections[0];
    return NULL;
}

/* A new file at the list's end; the list owns it. Returns 0 or -ENOMEM. */
static int add_file(struct config_file ***files, size_t *count, const char *path,
                    struct config_file **ret)
{
    struct config_file **grown = reallocarray(*files, *count + 1, sizeof(*grown));
    if (grown == NULL)
        return -ENOMEM;
    *files = grown;
    struct config_file *file = calloc(1, sizeof *file);
    if (file == NULL)
        return -ENOMEM;
    grown[(*count)++] = file;
    file->path = strdup(path);
    *ret = file;
    return file->path != NULL ? 0 : -ENOMEM;
}

static int load_file(struct settings_text *text, const char *path, bool must_exist,
                     struct complaint *complaint)
{
    CLEANUP(cleanup_buffer) struct buffer bytes = BUFFER_WITH_MAXIMUM(SETTINGS_FILE_MAX);
    struct config_file *file = NULL;
    int r = add_file(&text->files, &text->file_count, path, &file);
    if (r == 0)
        r = file_read(file->path, &bytes, &file->readable_by_others, complaint);
    if (r == 0)
        r = syntax_parse(buffer_text(&bytes), &grammar_of_files, file, complaint);
    if (r == FILE_MISSING)
        r = must_exist ? SETTINGS_INVALID : 0;
    return r;
}

/* The names in a folder, sorted. */
struct names {
    char **items;
    size_t count;
};

static void cleanup_names(struct names *names)
{
    for (size_t i = 0; i < names->count; i++)
        free(names->items[i]);
    free(names->items);
}

static bool is_wanted(const char *name)
{
    size_t length = strlen(name), end = sizeof suffix - 1;
    return name[0] != '.' && length > end && strcmp(name + length - end, suffix) == 0;
}

static int add_name(struct names *names, const char *name)
{
    char **grown = reallocarray(names->items, names->count + 1, sizeof(*grown));
    if (grown == NULL)
        return -ENOMEM;
    names->items = grown;
    grown[names->count] = strdup(name);
    if (grown[names->count] == NULL)
        return -ENOMEM;
    names->count++;
    return 0;
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static int list_folder(DIR *folder, const char *path, struct names *ret,
                       struct complaint *complaint)
{
    for (;;) {
        errno = 0;
        struct dirent *entry = readdir(folder);
        if (entry == NULL && errno != 0) {
            complain(complaint, "%s cannot be read", path);
            return SETTINGS_INVALID;
        }
        if (entry == NULL)
            break;
        if (!is_wanted(entry->d_name))
            continue;
        if (ret->count == SETTINGS_PROVIDERS_MAX) {
            complain(complaint, "%s holds more than %d files", path, SETTINGS_PROVIDERS_MAX);
            return SETTINGS_INVALID;
        }
        int r = add_name(ret, entry->d_name);
        if (r < 0)
            return r;
    }
    if (ret->count > 1)
        qsort(ret->items, ret->count, sizeof(*ret->items), compare_names);
    return 0;
}

static int load_listed(struct settings_text *text, const char *folder, const struct names *names,
                       struct complaint *complaint)
{
    int r = 0;
    for (size_t i = 0; i < names->count && r == 0; i++) {
        CLEANUP(cleanup_buffer) struct buffer path = BUFFER_WITH_MAXIMUM(PATH_TEXT_MAX);
        buffer_append_format(&path, "%s/%s", folder, names->items[i]);
        r = path.failed ? -ENOMEM : load_file(text, buffer_text(&path), true, complaint);
    }
    return r;
}

static int load_folder(struct settings_text *text, const char *path, struct complaint *complaint)
{
    DIR *folder = opendir(path);
    if (folder == NULL && errno == ENOENT)
        return 0;
    if (folder == NULL) {
        complain(complaint, "%s cannot be opened: %s", path, strerrordesc_np(errno));
        return SETTINGS_INVALID;
    }
    CLEANUP(cleanup_names) struct names names = { 0 };
    int r = folder_check(dirfd(folder), path, complaint);
    if (r == 0)
        r = list_folder(folder, path, &names, complaint);
    (void)closedir(folder); /* it was only read */
    return r == 0 ? load_listed(text, path, &names, complaint) : r;
}

/* The folder beside the main file. */
static int load_beside(struct settings_text *text, const char *main_file,
                       struct complaint *complaint)
{
    CLEANUP(cleanup_buffer) struct buffer path = BUFFER_WITH_MAXIMUM(PATH_TEXT_MAX);
    const char *slash = strrchr(main_file, '/');
    if (slash != NULL)
        buffer_append(&path, main_file, (size_t)(slash + 1 - main_file));
    buffer_append_text(&path, folder_name);
    if (path.failed) {
        complain(complaint, "the configuration file's path is too long");
        return SETTINGS_INVALID;
    }
    return load_folder(text, buffer_text(&path), complaint);
}

static int refuse_preset(const struct setting *setting, const char *name,
                         struct complaint *complaint)
{
    struct nearest nearest = { .word = name };
    char hint[NEAREST_HINT_SIZE];
    for (size_t i = 0; i < preset_count; i++)
        nearest_offer(&nearest, presets[i].name);
    return complain_setting(complaint, setting, "\"%s\" is not known%s", name,
                            nearest_hint(&nearest, hint));
}

static int load_built_in(struct config_file *file, const struct setting *setting,
                         struct complaint *complaint)
{
    for (size_t i = 0; i < preset_count; i++)
        if (strcmp(presets[i].name, file->path) == 0)
            return syntax_parse(presets[i].text, &grammar_of_presets, file, complaint);
    return refuse_preset(setting, file->path, complaint);
}

/* One that cannot be read is missed where it is asked for. */
static int load_own(struct config_file *file, const struct setting *setting,
                    struct complaint *complaint)
{
    CLEANUP(cleanup_buffer) struct buffer bytes = BUFFER_WITH_MAXIMUM(SETTINGS_FILE_MAX);
    struct complaint problem = { "" };
    if (file_read(file->path, &bytes, &file->readable_by_others, &problem) != 0)
        return complain_at(complaint, setting->file, setting->line, "preset: %s", problem.text);
    return syntax_parse(buffer_text(&bytes), &grammar_of_presets, file, complaint);
}

static int load_preset(struct settings_text *text, const struct setting *setting,
                       struct complaint *complaint)
{
    const char *name = setting->values[0];
    struct config_file *file = NULL;
    if (text_preset(text, name) != NULL)
        return 0;
    int r = add_file(&text->presets, &text->preset_count, name, &file);
    if (r < 0)
        return r;
    return name[0] == '/' ? load_own(file, setting, complaint)
                          : load_built_in(file, setting, complaint);
}

static int load_presets_of(struct settings_text *text, const struct config_file *file,
                           struct complaint *complaint)
{
    int r = 0;
    for (size_t i = 0; i < file->count && r == 0; i++) {
        const struct setting *setting = section_find(file->sections[i], "preset");
        if (setting != NULL)
            r = load_preset(text, setting, complaint);
    }
    return r;
}

static int load_all(struct settings_text *text, const char *file, bool must_exist,
                    struct complaint *complaint)
{
    int r = load_file(text, file, must_exist, complaint);
    if (r == 0)
        r = load_beside(text, file, complaint);
    for (size_t i = 0; i < text->file_count && r == 0; i++)
        r = load_presets_of(text, text->files[i], complaint);
    return r;
}

int settings_read(const char *file, bool must_exist, struct settings_text **ret,
                  struct complaint *complaint)
{
    CLEANUP(cleanup_settings_text) struct settings_text *text = calloc(1, sizeof *text);
    int r = text != NULL ? load_all(text, file, must_exist, complaint) : -ENOMEM;
    if (r == 0)
        *ret = steal(text);
    if (r < 0) {
        complain(complaint, "out of memory");
        r = SETTINGS_INVALID;
    }
    return r;
}

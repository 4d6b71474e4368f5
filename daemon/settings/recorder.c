/* libconfuse at work. It hands values over one by one and takes no user data, so what is being
 * parsed lies in one variable of the thread. */

#include <confuse.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "settings/nearest.h"
#include "settings/scan.h"
#include "settings/settings.h"
#include "settings/syntax.h"

enum { KINDS_MAX = 8 };

struct recorder {
    const struct grammar *grammar;
    struct config_file *file;
    struct complaint *complaint;
    const struct scan_result *scan;
    struct section *open; /* owned by the file */
    size_t opened;        /* sections so far */
    unsigned secret_line; /* of the last value that is a secret; 0: none yet */
    int result;           /* the first failure */
};

static _Thread_local struct recorder *recording;

static int stop(int result)
{
    if (recording->result == 0)
        recording->result = result;
    return -1;
}

static const struct section_kind *kind_named(const struct grammar *grammar, const char *name)
{
    for (size_t i = 0; i < grammar->kind_count; i++) {
        const char *known = grammar->kinds[i]->name;
        if (known == NULL || strcmp(known, name) == 0)
            return grammar->kinds[i];
    }
    return NULL;
}

static const struct key *key_named(const struct section_kind *kind, const char *name)
{
    for (size_t i = 0; i < kind->key_count; i++)
        if (strcmp(kind->keys[i].name, name) == 0)
            return &kind->keys[i];
    return NULL;
}

static unsigned next_section_line(void)
{
    size_t index = recording->opened++;
    return index < recording->scan->section_count ? recording->scan->section_lines[index] : 1;
}

/* Adds a section to the file. Returns 0 or -ENOMEM. */
static int open_section(const struct section_kind *kind, const char *title)
{
    struct config_file *file = recording->file;
    struct section **grown = reallocarray(file->sections, file->count + 1, sizeof(*grown));
    if (grown == NULL)
        return -ENOMEM;
    file->sections = grown;
    struct section *section = calloc(1, sizeof *section);
    if (section == NULL)
        return -ENOMEM;
    file->sections[file->count++] = section;
    *section = (struct section){ .kind = kind, .file = file, .line = next_section_line() };
    recording->open = section;
    section->title = title != NULL ? strdup(title) : NULL;
    return title != NULL && section->title == NULL ? -ENOMEM : 0;
}

/* The new setting, NULL when memory is short. */
static struct setting *add_setting(struct section *section, const struct key *key, unsigned line)
{
    struct setting *grown =
        reallocarray(section->settings, section->count + 1, sizeof(*section->settings));
    if (grown == NULL)
        return NULL;
    section->settings = grown;
    grown[section->count] =
        (struct setting){ .key = key, .file = section->file->path, .line = line };
    return &grown[section->count++];
}

static int add_value(struct setting *setting, const char *value)
{
    char **grown = reallocarray(setting->values, setting->count + 1, sizeof(*grown));
    if (grown == NULL)
        return -ENOMEM;
    setting->values = grown;
    grown[setting->count] = strdup(value);
    if (grown[setting->count] == NULL)
        return -ENOMEM;
    setting->count++;
    return 0;
}

/* The setting that opt's next value goes to; first: a new assignment begins. *ret is NULL where it
 * cannot be. */
static int setting_for(const struct section *section, const struct key *key, bool first,
                       unsigned line, struct setting **ret)
{
    struct setting *setting = (struct setting *)section_find(section, key->name);
    if (setting != NULL && first)
        return complain_at(recording->complaint, section->file->path, line,
                           "%s is set twice (first in line %u)", key->name, setting->line);
    if (setting == NULL)
        setting = add_setting(recording->open, key, line);
    *ret = setting;
    return setting != NULL ? 0 : -ENOMEM;
}

static int check_value(const struct setting *setting, unsigned line, const char *value)
{
    size_t length = 0;
    for (; value[length] != '\0'; length++)
        if ((unsigned char)value[length] < ' ' || value[length] == 0x7f)
            return complain_at(recording->complaint, setting->file, line,
                               "%s holds a line end or another control character",
                               setting->key->name);
    if (length > VALUE_MAX)
        return complain_at(recording->complaint, setting->file, line, "%s is longer than %d bytes",
                           setting->key->name, VALUE_MAX);
    return 0;
}

/* A section of the grammar, or the nameless one of a preset: what cfg stands for. */
static int section_for(cfg_t *cfg, struct section **ret)
{
    bool nameless = recording->grammar->kinds[0]->name == NULL;
    /* libconfuse takes "broker|key = x" outside of any section; we do not. */
    if (!nameless && strcmp(cfg->name, "root") == 0)
        return complain_at(recording->complaint, recording->file->path, (unsigned)cfg->line,
                           "keys stand in sections");
    int r = 0;
    if (recording->open == NULL)
        r = open_section(kind_named(recording->grammar, cfg->name), cfg->title);
    *ret = recording->open;
    return r;
}

static int record(cfg_t *cfg, cfg_opt_t *opt, const char *value)
{
    struct section *section = NULL;
    int r = section_for(cfg, &section);
    if (r != 0)
        return r;
    const struct key *key = key_named(section->kind, opt->name);
    unsigned line = (unsigned)cfg->line;
    struct setting *setting = NULL;
    r = setting_for(section, key, opt->nvalues == 1, line, &setting);
    if (r != 0)
        return r;
    if (key->secret)
        recording->secret_line = line;
    r = check_value(setting, line, value);
    return r == 0 ? add_value(setting, value) : r;
}

static int on_value(cfg_t *cfg, cfg_opt_t *opt, const char *value, void *result)
{
    int r = record(cfg, opt, value);
    /* Our copy is the one that gets wiped; libconfuse keeps none. */
    *(const char **)result = "";
    return r == 0 ? 0 : stop(r);
}

/* libconfuse says nothing about `key = {}` but that it was set. Such a setting has its section's
 * line. Returns 0 or -ENOMEM. */
static int record_empty_lists(const cfg_t *cfg, struct section *section)
{
    for (const cfg_opt_t *opt = cfg->opts; opt->name != NULL; opt++) {
        if ((opt->flags & CFGF_MODIFIED) == 0 || section_find(section, opt->name) != NULL)
            continue;
        if (add_setting(section, key_named(section->kind, opt->name), section->line) == NULL)
            return -ENOMEM;
    }
    return 0;
}

static int on_section_end(cfg_t *cfg, cfg_opt_t *opt)
{
    cfg_t *section = cfg_opt_getnsec(opt, cfg_opt_size(opt) - 1);
    int r = 0;
    if (recording->open == NULL)
        r = open_section(kind_named(recording->grammar, opt->name), section->title);
    if (r == 0)
        r = record_empty_lists(section, recording->open);
    recording->open = NULL;
    return r == 0 ? 0 : stop(r);
}

static void offer_sections(struct nearest *nearest)
{
    for (size_t i = 0; i < recording->grammar->kind_count; i++)
        nearest_offer(nearest, recording->grammar->kinds[i]->name);
}

static void offer_keys(const struct section_kind *kind, struct nearest *nearest)
{
    for (size_t i = 0; i < kind->key_count; i++)
        nearest_offer(nearest, kind->keys[i].name);
}

static int complain_unknown(cfg_t *cfg, const char *word)
{
    const char *path = recording->file->path;
    unsigned line = (unsigned)cfg->line;
    struct nearest nearest = { .word = word };
    char hint[NEAREST_HINT_SIZE];

    if (recording->secret_line == line)
        return complain_at(recording->complaint, path, line,
                           "something follows the secret's value: put all of it in quotes");
    const struct section_kind *kind = kind_named(recording->grammar, cfg->name);
    if (kind == NULL) {
        offer_sections(&nearest);
        return complain_at(recording->complaint, path, line, "unknown section \"%s\"%s", word,
                           nearest_hint(&nearest, hint));
    }
    offer_keys(kind, &nearest);
    if (kind->name == NULL)
        return complain_at(recording->complaint, path, line, "unknown key \"%s\"%s", word,
                           nearest_hint(&nearest, hint));
    if (cfg->title == NULL)
        return complain_at(recording->complaint, path, line, "unknown key \"%s\" in %s%s", word,
                           kind->name, nearest_hint(&nearest, hint));
    return complain_at(recording->complaint, path, line, "unknown key \"%s\" in %s \"%s\"%s", word,
                       kind->name, cfg->title, nearest_hint(&nearest, hint));
}

static void PRINTF_LIKE(2, 0) on_error(cfg_t *cfg, const char *format, va_list arguments)
{
    if (recording->result != 0)
        return;
    char text[COMPLAINT_MAX];
    if (strcmp(format, "no such option '%s'") == 0) {
        recording->result = complain_unknown(cfg, va_arg(arguments, const char *));
        return;
    }
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    (void)vsnprintf(text, sizeof text, format, arguments);
#pragma GCC diagnostic pop
    recording->result =
        complain_at(recording->complaint, recording->file->path, (unsigned)cfg->line, "%s", text);
}

/* libconfuse's table of one kind's keys, to be freed. NULL when memory is short. */
static cfg_opt_t *key_options(const struct section_kind *kind)
{
    cfg_opt_t *options = calloc(kind->key_count + 1, sizeof(*options));
    if (options == NULL)
        return NULL;
    for (size_t i = 0; i < kind->key_count; i++) {
        const char *name = kind->keys[i].name;
        cfg_opt_t single = CFG_STR_CB(name, NULL, CFGF_NODEFAULT, on_value);
        cfg_opt_t list = CFG_STR_LIST_CB(name, NULL, CFGF_NODEFAULT, on_value);
        options[i] = kind->keys[i].list ? list : single;
    }
    cfg_opt_t end = CFG_END();
    options[kind->key_count] = end;
    return options;
}

static int parse_with(cfg_opt_t *options, const char *text)
{
    cfg_t *cfg = cfg_init(options, CFGF_NONE);
    if (cfg == NULL)
        return -ENOMEM;
    (void)cfg_set_error_function(cfg, on_error);
    int r = cfg_parse_buf(cfg, text);
    if (r == CFG_SUCCESS && recording->open != NULL && /* a preset's one section never ends */
        record_empty_lists(cfg, recording->open) < 0)
        recording->result = -ENOMEM;
    (void)cfg_free(cfg);
    if (recording->result == 0 && r != CFG_SUCCESS)
        recording->result = complain_at(recording->complaint, recording->file->path, 1,
                                        "libconfuse cannot read this file");
    return recording->result;
}

static int parse_sections(const struct grammar *grammar, const char *text)
{
    cfg_opt_t sections[KINDS_MAX + 1] = { CFG_END() };
    cfg_opt_t *keys[KINDS_MAX] = { NULL };
    int r = 0;
    for (size_t i = 0; i < grammar->kind_count && r == 0; i++) {
        const struct section_kind *kind = grammar->kinds[i];
        keys[i] = key_options(kind);
        cfg_opt_t section =
            CFG_SEC(kind->name, keys[i],
                    CFGF_MULTI | (kind->titled ? CFGF_TITLE | CFGF_NO_TITLE_DUPES : CFGF_NONE));
        cfg_opt_t end = CFG_END();
        sections[i] = section;
        sections[i].validcb = on_section_end;
        sections[i + 1] = end;
        r = keys[i] != NULL ? 0 : -ENOMEM;
    }
    if (r == 0)
        r = parse_with(sections, text);
    for (size_t i = 0; i < grammar->kind_count; i++)
        free(keys[i]);
    return r;
}

static int parse_keys(const struct section_kind *kind, const char *text)
{
    cfg_opt_t *keys = key_options(kind);
    int r = keys != NULL ? open_section(kind, NULL) : -ENOMEM;
    if (r == 0)
        r = parse_with(keys, text);
    free(keys);
    return r;
}

int syntax_parse(const char *text, const struct grammar *grammar, struct config_file *file,
                 struct complaint *complaint)
{
    CLEANUP(cleanup_scan_result)
    struct scan_result scan = { .text = BUFFER_WITH_MAXIMUM(SETTINGS_FILE_MAX + 1) };
    struct complaint problem = { "" };
    unsigned line = 1;
    int r = scan_text(text, &scan, &line, &problem);
    if (r == SCAN_INVALID)
        return complain_at(complaint, file->path, line, "%s", problem.text);
    if (r < 0)
        return r;

    struct recorder recorder = {
        .grammar = grammar, .file = file, .complaint = complaint, .scan = &scan
    };
    recording = &recorder;
    if (grammar->kinds[0]->name == NULL)
        r = parse_keys(grammar->kinds[0], buffer_text(&scan.text));
    else
        r = parse_sections(grammar, buffer_text(&scan.text));
    recording = NULL;
    return r;
}

/* From tokens to sections of settings of values. */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "settings/nearest.h"
#include "settings/scan.h"
#include "settings/settings.h"
#include "settings/syntax.h"

struct reader {
    const struct grammar *grammar;
    struct config_file *file;
    struct complaint *complaint;
    const struct token *next;   /* never behind TOKEN_END: whoever meets it refuses */
    const struct token *secret; /* the last value that is, or may hold, one; NULL: none yet */
};

/* One `key = value`, `key = {values}` or `key += …`. */
struct assignment {
    struct section *section;
    const struct key *key;
    bool appends;
    struct setting *setting; /* NULL before the first value */
};

static int refuse(const struct reader *reader, const struct token *at, const char *problem,
                  const char *what)
{
    if (at->mark == TOKEN_END)
        return complain_at(reader->complaint, reader->file->path, at->line,
                           "premature end of file");
    return complain_at(reader->complaint, reader->file->path, at->line, "%s '%s'", problem, what);
}

static int refuse_token(const struct reader *reader, const struct token *token)
{
    return refuse(reader, token, "unexpected token", token->text);
}

/* A part of the secret before it, most likely: it stands in its line, or sets nothing. */
static bool belongs_to_secret(const struct reader *reader, const struct token *word)
{
    const struct token *secret = reader->secret;
    if (secret == NULL)
        return false;
    const bool sets = word[1].mark == '=' || word[1].mark == TOKEN_APPEND;
    return word->line == secret->line || (word == secret + 1 && !sets);
}

/* No known section, or no known key of that section. */
static int refuse_word(const struct reader *reader, const struct token *word,
                       const struct section *section)
{
    const char *path = reader->file->path;
    const struct section_kind *kind = section != NULL ? section->kind : NULL;
    const char *title = section != NULL ? section->title : NULL;
    struct nearest nearest = { .word = word->text };
    char hint[NEAREST_HINT_SIZE];

    if (belongs_to_secret(reader, word))
        return complain_at(reader->complaint, path, word->line,
                           "something follows the value here: put all of it in quotes");
    for (size_t i = 0; kind == NULL && i < reader->grammar->kind_count; i++)
        nearest_offer(&nearest, reader->grammar->kinds[i]->name);
    for (size_t i = 0; kind != NULL && i < kind->key_count; i++)
        nearest_offer(&nearest, kind->keys[i].name);
    bool named = kind != NULL && kind->name != NULL;
    return complain_at(reader->complaint, path, word->line, "unknown %s \"%s\"%s%s%s%s%s%s",
                       kind != NULL ? "key" : "section", word->text, named ? " in " : "",
                       named ? kind->name : "", title != NULL ? " \"" : "",
                       title != NULL ? title : "", title != NULL ? "\"" : "",
                       nearest_hint(&nearest, hint));
}

static const struct section_kind *kind_named(const struct grammar *grammar, const char *name)
{
    for (size_t i = 0; i < grammar->kind_count; i++)
        if (strcmp(grammar->kinds[i]->name, name) == 0)
            return grammar->kinds[i];
    return NULL;
}

static const struct key *key_named(const struct section_kind *kind, const char *name)
{
    for (size_t i = 0; i < kind->key_count; i++)
        if (strcmp(kind->keys[i].name, name) == 0)
            return &kind->keys[i];
    return NULL;
}

static bool has_section(const struct config_file *file, const struct section_kind *kind,
                        const char *title)
{
    for (size_t i = 0; i < file->count; i++)
        if (file->sections[i]->kind == kind && strcmp(file->sections[i]->title, title) == 0)
            return true;
    return false;
}

/* Adds a section to the file, which owns it. Returns 0 or -ENOMEM. */
static int add_section(struct config_file *file, const struct section_kind *kind, const char *title,
                       unsigned line, struct section **ret)
{
    struct section **grown = reallocarray(file->sections, file->count + 1, sizeof(*grown));
    if (grown == NULL)
        return -ENOMEM;
    file->sections = grown;
    struct section *section = calloc(1, sizeof *section);
    if (section == NULL)
        return -ENOMEM;
    file->sections[file->count++] = section;
    *section = (struct section){ .kind = kind, .file = file, .line = line };
    section->title = title != NULL ? strdup(title) : NULL;
    *ret = section;
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

static int check_value(const struct reader *reader, const struct key *key,
                       const struct token *value)
{
    const char *path = reader->file->path;
    for (const char *c = value->text; *c != '\0'; c++)
        if ((unsigned char)*c < ' ' || *c == 0x7f)
            return complain_at(reader->complaint, path, value->line,
                               "%s holds a line end or another control character", key->name);
    if (strlen(value->text) > VALUE_MAX)
        return complain_at(reader->complaint, path, value->line, "%s is longer than %d bytes",
                           key->name, VALUE_MAX);
    return 0;
}

/* Finds or adds what the assignment's first value, or the end of its empty list, goes to. */
static int begin_setting(const struct reader *reader, struct assignment *to, unsigned line)
{
    struct section *section = to->section;
    struct setting *setting = (struct setting *)section_find(section, to->key->name);
    if (setting != NULL && !to->appends)
        return complain_at(reader->complaint, reader->file->path, line,
                           "%s is set twice (first in line %u)", to->key->name, setting->line);
    if (setting == NULL && to->appends)
        return complain_at(reader->complaint, reader->file->path, line,
                           "%s += adds to nothing: a preset's list is replaced, so write all of it",
                           to->key->name);
    to->setting = setting != NULL ? setting : add_setting(section, to->key, line);
    return to->setting != NULL ? 0 : -ENOMEM;
}

static int read_value(struct reader *reader, struct assignment *to)
{
    const struct token *value = reader->next++;
    if (value->mark != TOKEN_WORD)
        return refuse_token(reader, value);
    int r = to->setting == NULL ? begin_setting(reader, to, value->line) : 0;
    if (r == 0 && to->key->secret)
        reader->secret = value;
    if (r == 0)
        r = check_value(reader, to->key, value);
    return r == 0 ? add_value(to->setting, value->text) : r;
}

/* Behind the opening brace. A comma may stand behind the last value, too. */
static int read_list(struct reader *reader, struct assignment *to)
{
    while (reader->next->mark != '}') {
        int r = read_value(reader, to);
        if (r != 0)
            return r;
        if (reader->next->mark == ',')
            reader->next++;
        else if (reader->next->mark == TOKEN_WORD) /* it may be a secret */
            return complain_at(reader->complaint, reader->file->path, reader->next->line,
                               "a comma is missing between two values of %s", to->key->name);
        else if (reader->next->mark != '}')
            return refuse_token(reader, reader->next);
    }
    unsigned line = reader->next++->line;
    return to->setting == NULL ? begin_setting(reader, to, line) : 0;
}

static int read_setting(struct reader *reader, struct section *section)
{
    const struct token *name = reader->next++;
    if (name->mark != TOKEN_WORD)
        return refuse_token(reader, name);
    const struct key *key = key_named(section->kind, name->text);
    if (key == NULL)
        return refuse_word(reader, name, section);
    const struct token *sign = reader->next++;
    if (sign->mark != '=' && sign->mark != TOKEN_APPEND)
        return refuse(reader, sign, "missing equal sign after option", key->name);
    if (sign->mark == TOKEN_APPEND && !key->list)
        return refuse(reader, sign, "attempt to append to non-list option", key->name);

    struct assignment to = { section, key, sign->mark == TOKEN_APPEND, NULL };
    if (!key->list || reader->next->mark != '{')
        return read_value(reader, &to);
    reader->next++;
    return read_list(reader, &to);
}

static int read_settings(struct reader *reader, struct section *section, char end)
{
    int r = 0;
    while (r == 0 && reader->next->mark != end)
        r = read_setting(reader, section);
    return r;
}

static int read_section(struct reader *reader)
{
    const struct token *name = reader->next++;
    if (name->mark != TOKEN_WORD)
        return refuse_token(reader, name);
    const struct section_kind *kind = kind_named(reader->grammar, name->text);
    if (kind == NULL)
        return refuse_word(reader, name, NULL);
    const struct token *title = kind->titled ? reader->next++ : NULL;
    if (title != NULL && title->mark != TOKEN_WORD)
        return refuse(reader, title, "missing title for section", kind->name);
    const struct token *brace = reader->next++;
    if (brace->mark != '{')
        return refuse(reader, brace, "missing opening brace for section", kind->name);
    if (title != NULL && has_section(reader->file, kind, title->text))
        return refuse(reader, brace, "found duplicate title", title->text);

    struct section *section = NULL;
    int r =
        add_section(reader->file, kind, title != NULL ? title->text : NULL, brace->line, &section);
    if (r == 0)
        r = read_settings(reader, section, '}');
    reader->next += r == 0;
    return r;
}

static int read_all(struct reader *reader)
{
    const struct section_kind *first = reader->grammar->kinds[0];
    struct section *section = NULL;
    int r = first->name == NULL ? add_section(reader->file, first, NULL, 1, &section) : 0;
    if (r == 0 && section != NULL)
        return read_settings(reader, section, TOKEN_END);
    while (r == 0 && reader->next->mark != TOKEN_END)
        r = read_section(reader);
    return r;
}

int syntax_parse(const char *text, const struct grammar *grammar, struct config_file *file,
                 struct complaint *complaint)
{
    CLEANUP(cleanup_scan_result) struct scan_result scan = { 0 };
    struct complaint problem = { "" };
    unsigned line = 1;
    int r = scan_text(text, &scan, &line, &problem);
    if (r == SCAN_INVALID)
        return complain_at(complaint, file->path, line, "%s", problem.text);
    if (r < 0)
        return r;
    struct reader reader = {
        .grammar = grammar, .file = file, .complaint = complaint, .next = scan_tokens(&scan)
    };
    return read_all(&reader);
}

/* Access rules: who may do what with which accounts. */

#include <ctype.h>
#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>

#include "base/account.h"
#include "settings/nearest.h"
#include "settings/sections.h"
#include "settings/values.h"

enum { UNIT_NAME_MAX = 255, NAME_BUFFER_SIZE = 64 * 1024 };

static const struct word may_words[] = {
    { "token", MAY_TOKEN },   { "reject", MAY_REJECT },
    { "list", MAY_LIST },     { "login", MAY_LOGIN },
    { "link", MAY_LINK },     { "import", MAY_IMPORT },
    { "logout", MAY_LOGOUT }, { "monitor", MAY_MONITOR },
    { "admin", MAY_ADMIN },   { NULL, 0 },
};

const char *may_name(enum may may)
{
    for (const struct word *word = may_words; word->text != NULL; word++)
        if (word->value == (int)may)
            return word->text;
    return "nothing";
}

static bool glob_part_valid(const char *part, size_t length, size_t most)
{
    if (length == 0 || length > most)
        return false;
    for (size_t i = 0; i < length; i++)
        if (!isalnum((unsigned char)part[i]) && strchr("._@+-*?", part[i]) == NULL)
            return false;
    return true;
}

static bool glob_valid(const char *glob)
{
    const char *slash = strchr(glob, '/');
    return slash != NULL && glob_part_valid(glob, (size_t)(slash - glob), PROVIDER_NAME_MAX) &&
           glob_part_valid(slash + 1, strlen(slash + 1), LABEL_MAX);
}

int take_globs(const struct key *key, const struct setting *setting, void *into,
               struct complaint *complaint)
{
    struct access_rule *rule = into;
    rule->accounts = calloc(setting->count + 1, sizeof(*rule->accounts));
    if (rule->accounts == NULL)
        return -ENOMEM;
    for (size_t i = 0; i < setting->count; i++) {
        if (!glob_valid(setting->values[i]))
            return complain_setting(
                complaint, setting,
                "wants provider/label, with * and ? (\"*/*\" is every account), not \"%s\"",
                setting->values[i]);
        rule->accounts[i] = strdup(setting->values[i]);
        if (rule->accounts[i] == NULL)
            return -ENOMEM;
    }
    return 0;
}

/* All digits, and below the id that means "none". */
static bool read_id(const char *text, unsigned *ret)
{
    unsigned long long id = 0;
    if (*text == '\0' || strspn(text, "0123456789") != strlen(text) || strlen(text) > 10)
        return false;
    id = strtoull(text, NULL, 10);
    if (id >= UINT32_MAX)
        return false;
    *ret = (unsigned)id;
    return true;
}

static int name_unknown(const struct setting *setting, const char *what, const char *name,
                        struct complaint *complaint)
{
    return complain_setting(complaint, setting, "names %s \"%s\", whom this machine does not know",
                            what, name);
}

static int take_user(const struct setting *setting, const char *name, struct access_who *who,
                     struct complaint *complaint)
{
    struct passwd entry, *found = NULL;
    if (who->has_user)
        return complain_setting(complaint, setting, "asks for two users at once");
    who->has_user = true;
    if (read_id(name, &who->user))
        return 0;
    CLEANUP(cleanup_string) char *space = malloc(NAME_BUFFER_SIZE);
    if (space == NULL)
        return -ENOMEM;
    /* A look-up that failed and a name that is unknown come to the same: nobody to let in. */
    (void)getpwnam_r(name, &entry, space, NAME_BUFFER_SIZE, &found);
    if (found == NULL)
        return name_unknown(setting, "user", name, complaint);
    who->user = entry.pw_uid;
    return 0;
}

static int take_group(const struct setting *setting, const char *name, struct access_who *who,
                      struct complaint *complaint)
{
    struct group entry, *found = NULL;
    if (who->has_group)
        return complain_setting(complaint, setting, "asks for two groups at once");
    who->has_group = true;
    if (read_id(name, &who->group))
        return 0;
    CLEANUP(cleanup_string) char *space = malloc(NAME_BUFFER_SIZE);
    if (space == NULL)
        return -ENOMEM;
    (void)getgrnam_r(name, &entry, space, NAME_BUFFER_SIZE, &found);
    if (found == NULL)
        return name_unknown(setting, "group", name, complaint);
    who->group = entry.gr_gid;
    return 0;
}

static bool unit_valid(const char *name)
{
    size_t length = strlen(name);
    if (length == 0 || length > UNIT_NAME_MAX)
        return false;
    for (size_t i = 0; i < length; i++)
        if (!isalnum((unsigned char)name[i]) && strchr(":-_.\\@*?", name[i]) == NULL)
            return false;
    return strchr(name, '.') != NULL;
}

static int take_unit(const struct setting *setting, const char *name, struct access_who *who,
                     struct complaint *complaint)
{
    if (who->unit != NULL)
        return complain_setting(complaint, setting, "asks for two units at once");
    if (!unit_valid(name))
        return complain_setting(complaint, setting,
                                "wants a unit's whole name, such as \"%s.service\"",
                                strchr(name, '.') == NULL && *name != '\0' ? name : "sync");
    who->unit = strdup(name);
    return who->unit != NULL ? 0 : -ENOMEM;
}

/* What may stand before the colon. */
static const struct part {
    const char *name;
    int (*take)(const struct setting *, const char *name, struct access_who *, struct complaint *);
} parts[] = {
    { "user", take_user },
    { "group", take_group },
    { "unit", take_unit },
};

static int take_part(const struct setting *setting, char *text, struct access_who *who,
                     struct complaint *complaint)
{
    char *name = text;
    const char *kind = strsep(&name, ":");
    struct nearest nearest = { .word = kind };
    char hint[NEAREST_HINT_SIZE];
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        if (name != NULL && strcmp(parts[i].name, kind) == 0)
            return parts[i].take(setting, name, who, complaint);
        nearest_offer(&nearest, parts[i].name);
    }
    return complain_setting(complaint, setting,
                            "wants \"user:NAME\", \"group:NAME\" or \"unit:NAME\", joined by "
                            "\"+\"%s",
                            nearest_hint(&nearest, hint));
}

static int take_one_who(const struct setting *setting, const char *text, struct access_who *who,
                        struct complaint *complaint)
{
    CLEANUP(cleanup_string) char *copy = strdup(text);
    if (copy == NULL)
        return -ENOMEM;
    int r = 0;
    char *rest = copy;
    while (r == 0 && rest != NULL)
        r = take_part(setting, strsep(&rest, "+"), who, complaint);
    return r;
}

int take_who(const struct key *key, const struct setting *setting, void *into,
             struct complaint *complaint)
{
    struct access_rule *rule = into;
    rule->who = calloc(setting->count + 1, sizeof(*rule->who));
    if (rule->who == NULL)
        return -ENOMEM;
    int r = 0;
    for (size_t i = 0; i < setting->count && r == 0; i++) {
        rule->who_count++;
        r = take_one_who(setting, setting->values[i], &rule->who[i], complaint);
    }
    return r;
}

int take_may(const struct key *key, const struct setting *setting, void *into,
             struct complaint *complaint)
{
    struct access_rule *rule = into;
    int r = 0;
    for (size_t i = 0; i < setting->count && r == 0; i++) {
        int bit = 0;
        r = word_value(setting, may_words, setting->values[i], &bit, complaint);
        rule->may |= (unsigned)bit;
    }
    return r;
}

int access_rule_take(const struct section *section, struct access_rule *rule, void *into,
                     struct complaint *complaint)
{
    rule->name = strdup(section->title);
    if (rule->name == NULL)
        return -ENOMEM;
    int r = section_take(section, NULL, into, complaint);
    if (r != 0)
        return r;
    if (rule->accounts == NULL || rule->accounts[0] == NULL)
        return complain_section(complaint, section, "needs accounts, such as {\"zenegy/*\"}");
    if (rule->may == 0)
        return complain_section(complaint, section, "needs may, such as {\"token\"}");
    return 0;
}

int access_rule_build(const struct section *section, struct access_rule *rule,
                      struct complaint *complaint)
{
    int r = access_rule_take(section, rule, rule, complaint);
    if (r != 0)
        return r;
    if (rule->who_count == 0)
        return complain_section(complaint, section, "needs who, such as {\"user:payroll\"}");
    return 0;
}

void access_rule_release(struct access_rule *rule)
{
    for (size_t i = 0; rule->accounts != NULL && rule->accounts[i] != NULL; i++)
        free(rule->accounts[i]);
    for (size_t i = 0; i < rule->who_count; i++)
        free(rule->who[i].unit);
    free(rule->accounts);
    free(rule->who);
    free(rule->name);
}

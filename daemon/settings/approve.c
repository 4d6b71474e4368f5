/* Access rules that want their callers approved. */

#include <ctype.h>
#include <string.h>

#include "settings/sections.h"

/* Approvals are kept under the rule's name: another rule must not inherit them. */
static bool is_there_twice(const struct settings *settings, const struct access_rule *rule)
{
    for (size_t i = 0; i < settings->rule_count; i++)
        if (&settings->rules[i] != rule && strcmp(settings->rules[i].name, rule->name) == 0)
            return true;
    return false;
}

static bool covers_all(const struct access_rule *rule)
{
    for (size_t i = 0; rule->accounts[i] != NULL; i++)
        if (strcmp(rule->accounts[i], "*/*") == 0)
            return true;
    return false;
}

static bool somebody_approves(const struct settings *settings)
{
    if (settings->on_caller != NULL)
        return true;
    for (size_t i = 0; i < settings->rule_count; i++) {
        const struct access_rule *rule = &settings->rules[i];
        if (!rule->approve && (rule->may & MAY_ADMIN) && covers_all(rule))
            return true;
    }
    return false;
}

/* It is shown on terminals, and bounds what a list of callers may take. */
static bool name_valid(const char *name)
{
    size_t length = strlen(name);
    for (size_t i = 0; i < length; i++)
        if (!isalnum((unsigned char)name[i]) && strchr("-_.@", name[i]) == NULL)
            return false;
    return length > 0 && length <= RULE_NAME_MAX;
}

static int check(const struct settings *settings, const struct access_rule *rule,
                 const struct section *section, struct complaint *complaint)
{
    if (!name_valid(rule->name))
        return complain_section(complaint, section,
                                "has approve, and wants a name of 1 to %d letters, digits and "
                                "\"-_.@\"",
                                RULE_NAME_MAX);
    if (is_there_twice(settings, rule))
        return complain_section(complaint, section,
                                "has approve, and there is another rule of that name");
    if (!somebody_approves(settings))
        return complain_section(
            complaint, section,
            "has approve, but nobody may: add a rule without it that has "
            "accounts = {\"*/*\"} and may = {\"admin\"}, or broker { on_caller = \"/PROGRAM\" }");
    return 0;
}

int approve_check(const struct settings_text *text, const struct settings *settings,
                  struct complaint *complaint)
{
    int r = 0;
    for (size_t i = 0; i < settings->rule_count && r == 0; i++) {
        const struct access_rule *rule = &settings->rules[i];
        if (rule->approve)
            r = check(settings, rule, text_titled(text, &access_section, rule->name), complaint);
    }
    return r;
}

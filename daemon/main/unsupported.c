#include "main/unsupported.h"

static bool asks_for_a_unit(const struct access_rule *rule)
{
    for (size_t i = 0; i < rule->who_count; i++)
        if (rule->who[i].unit)
            return true;
    return false;
}

int refuse_unsupported(const struct settings *settings, struct complaint *complaint)
{
    for (size_t i = 0; i < settings->rule_count; i++) {
        if (!asks_for_a_unit(&settings->rules[i]))
            continue;
        complain(complaint,
                 "access \"%s\": unit: is not supported by this version; use user: or group:",
                 settings->rules[i].name);
        return SETTINGS_INVALID;
    }
    return 0;
}

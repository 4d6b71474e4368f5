#include "main/unsupported.h"

static const char *unsupported_in(const struct provider *provider)
{
    if (provider->grant == GRANT_DEVICE_CODE)
        return "grant = device_code";
    return NULL;
}

static bool asks_for_a_unit(const struct access_rule *rule)
{
    for (size_t i = 0; i < rule->who_count; i++)
        if (rule->who[i].unit)
            return true;
    return false;
}

int refuse_unsupported(const struct settings *settings, struct complaint *complaint)
{
    for (size_t i = 0; i < settings->provider_count; i++) {
        const char *what = unsupported_in(settings->providers[i]);
        if (!what)
            continue;
        complain(complaint, "provider \"%s\": %s is not supported by this version",
                 settings->providers[i]->name, what);
        return SETTINGS_INVALID;
    }
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

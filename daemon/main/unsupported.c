#include "main/unsupported.h"

#include "io/peer.h"

/* Before Linux 6.5 a unit may be that of another process, so it only narrows a user or group. */
static bool trusts_a_unit_alone(const struct access_rule *rule)
{
    for (size_t i = 0; i < rule->who_count; i++)
        if (rule->who[i].unit && !rule->who[i].has_user && !rule->who[i].has_group)
            return true;
    return false;
}

int refuse_unsupported(const struct settings *settings, struct complaint *complaint)
{
    if (!settings->units_named || peer_units_can_be_proven())
        return 0;
    for (size_t i = 0; i < settings->rule_count; i++) {
        if (!trusts_a_unit_alone(&settings->rules[i]))
            continue;
        complain(
            complaint,
            "access \"%s\": unit: needs user: or group: beside it (joined by \"+\"), since this "
            "kernel cannot prove which process asks (Linux 6.5 can)",
            settings->rules[i].name);
        return SETTINGS_INVALID;
    }
    return 0;
}

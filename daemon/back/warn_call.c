#include "back/warn_call.h"

#include <stdio.h>
#include <string.h>

#include "back/lanes.h"
#include "back/links.h"
#include "back/warn.h"
#include "row_forecast.h"

unsigned warn_told(const struct account_row *row, enum warn_subject subject)
{
    switch (subject) {
    case WARN_HELD:
        return row->held_warned_days;
    case WARN_IDENTITY:
        return 0; /* the mark goes when it was told */
    default:
        return row->warned_days;
    }
}

/* Who consented meanwhile, or decided, may have made it the former one again. */
static bool is_anothers(const struct account_row *row)
{
    return row->identity_changed_at != 0 && row->identity && row->identity_before &&
           strcmp(row->identity, row->identity_before) != 0;
}

/* What is to be told, in the same words. A row without an error never had a grant that could have
 * died; where its provider is not configured, nobody could consent. */
static unsigned level_of(const struct keeper *keeper, const struct account_row *row,
                         enum warn_subject subject)
{
    struct lane *lane = lanes_find(keeper->lanes, row->name.provider);
    const struct provider *provider = lane ? lane_setup(lane)->provider : NULL;
    const bool held = subject == WARN_HELD;
    const bool consent_required = !held && row->state == ACCOUNT_CONSENT_REQUIRED;
    const unsigned told = warn_told(row, subject);
    if (subject == WARN_IDENTITY)
        return is_anothers(row) ? WARNED_IDENTITY : 0;
    if (consent_required && !provider)
        return told;
    if (consent_required)
        return row->last_error ? WARNED_NEEDS_CONSENT : 0;
    const unsigned days = (held ? forecast_of_held : forecast_of_account)(row, provider).days;
    /* That it is held comes first. */
    return held && (told == 0 || days == 0) ? WARNED_HELD : days;
}

/* Of a grant's coming end the level says enough. */
static int64_t since(const struct account_row *row, enum warn_subject subject, unsigned level)
{
    if (subject == WARN_HELD)
        return row->held_at;
    if (subject == WARN_IDENTITY)
        return row->identity_changed_at;
    return level == WARNED_NEEDS_CONSENT ? row->last_error_at : 0;
}

struct warning warn_of(const struct keeper *keeper, const struct account_row *row,
                       enum warn_subject subject)
{
    const unsigned level = level_of(keeper, row, subject);
    return (struct warning){
        .subject = subject, .name = row->name, .level = level, .since = since(row, subject, level)
    };
}

bool warn_is_same(const struct warning *one, const struct warning *other)
{
    return one->subject == other->subject && one->level == other->level &&
           one->since == other->since && account_name_equal(&one->name, &other->name);
}

bool warn_is_still(const struct keeper *keeper, const struct account_row *row,
                   const struct warning *warning)
{
    const struct warning now = warn_of(keeper, row, warning->subject);
    return warn_is_same(&now, warning);
}

bool warn_is_news(unsigned level, unsigned told)
{
    return level == WARNED_NEEDS_CONSENT || (level > 0 && (told == 0 || level < told));
}

/* Whose link says whose consent it is for has got somebody else's. */
static bool is_mismatch(const struct keeper *keeper, const struct account_row *row)
{
    CLEANUP(cleanup_link_row) struct link_row link = { 0 };
    return row->identity || (store_open_link(keeper->store, &row->name, &link) == 0 && link.expect);
}

static int call_of_held(struct keeper *keeper, const struct hook_call *call,
                        const struct account_row *row)
{
    const char *identity = row->held_identity ? row->held_identity : "not known";
    if (is_mismatch(keeper, row) && !row->held_identity)
        return keeper_call_hook(keeper, &row->name, "consent_held", call, WARN_UNTOLD_TEXT);
    if (is_mismatch(keeper, row))
        return keeper_call_hook(keeper, &row->name, "identity_mismatch", call, WARN_MISMATCH_TEXT,
                                identity);
    return keeper_call_hook(keeper, &row->name, "consent_held", call, WARN_HELD_TEXT, identity);
}

static int call_of_days(struct keeper *keeper, const struct hook_call *call,
                        const struct warning *warning)
{
    char text[sizeof(struct event)];
    (void)snprintf(text, sizeof text,
                   warning->subject == WARN_HELD
                       ? "the consent that is held dies in less than %u days: accept or discard it"
                       : "it dies in less than %u days: log in again before",
                   warning->level);
    int r = keeper_call_hook(keeper, &warning->name, "grant_dies_soon", call, "%s", text);
    if (r == 0)
        keeper_remark(keeper, &warning->name, "grant_dies_soon", "%s", text);
    return r;
}

int warn_call(struct keeper *keeper, const struct warning *warning, const struct account_row *row)
{
    const struct hook_call call = { .receipt = warning->receipt };
    switch (warning->level) {
    case WARNED_NEEDS_CONSENT:
        return links_call_hook(keeper, &row->name, warning->receipt, row->last_error);
    case WARNED_HELD:
        return call_of_held(keeper, &call, row);
    case WARNED_IDENTITY:
        return keeper_call_hook(keeper, &row->name, "identity_changed", &call, WARN_IDENTITY_TEXT,
                                row->identity, row->identity_before);
    default:
        return call_of_days(keeper, &call, warning);
    }
}

int warn_call_pause(struct keeper *keeper, const struct warning *warning,
                    const struct pause_row *row)
{
    const struct hook_call call = { .receipt = warning->receipt };
    return keeper_call_hook(keeper, &warning->name, "provider_paused", &call, "%s", row->reason);
}

#include "front/access.h"

#include <stdio.h>
#include <string.h>

#include "base/secret.h"

/* Where a glob goes on after its last star, when what follows the star did not fit. */
bool access_glob_matches(const char *glob, const char *text)
{
    const char *after_star = NULL;
    const char *retry = NULL;

    while (*text) {
        if (*glob == '*') {
            after_star = ++glob;
            retry = text;
        } else if ((*glob == '?' && *text != '*') || *glob == *text) {
            glob++;
            text++;
        } else if (after_star) {
            glob = after_star;
            text = ++retry;
        } else {
            return false;
        }
    }
    while (*glob == '*')
        glob++;
    return *glob == '\0';
}

static bool covers(const struct access_rule *rule, const struct account_name *account)
{
    char text[ACCOUNT_TEXT_SIZE];

    if (!account)
        return true;
    account_text(account, text);
    for (char **glob = rule->accounts; glob && *glob; glob++) {
        if (access_glob_matches(*glob, text))
            return true;
    }
    return false;
}

/* A unit that the kernel does not vouch for says too little by itself. */
static bool unit_fits(const struct access_who *who, const struct peer *peer)
{
    return peer->unit[0] && access_glob_matches(who->unit, peer->unit) &&
           (peer->unit_proven || who->has_user || who->has_group);
}

static bool fits(const struct access_who *who, const struct peer *peer)
{
    if (!who->unit && !who->has_user && !who->has_group)
        return false;
    if (who->has_user && who->user != peer->uid)
        return false;
    if (who->has_group && !peer_in_group(peer, who->group))
        return false;
    return !who->unit || unit_fits(who, peer);
}

static bool names(const struct access_rule *rule, const struct peer *peer)
{
    for (size_t i = 0; i < rule->who_count; i++) {
        if (fits(&rule->who[i], peer))
            return true;
    }
    return false;
}

static bool rule_lets(const struct access_rule *rule, enum may may,
                      const struct account_name *account)
{
    return (rule->may & ((unsigned)may | MAY_ADMIN)) && covers(rule, account);
}

/* It may have been taken out of the configuration since it showed its key, or have another one. */
static bool consumer_allowed(const struct settings *settings, const struct asker *asker,
                             enum may may, const struct account_name *account)
{
    const struct consumer *consumer = settings_consumer(settings, asker->consumer);
    return consumer && digests_equal(consumer->key_digest, asker->key_digest) &&
           rule_lets(&consumer->rule, may, account);
}

/* A service is better named than the user it runs as; a login session's scope says nothing. */
static bool unit_says_who(const struct peer *peer)
{
    size_t length = strlen(peer->unit), end = strlen(".service");
    return peer->unit_proven && length > end &&
           strcmp(peer->unit + length - end, ".service") == 0 &&
           strncmp(peer->unit, "user@", strlen("user@")) != 0;
}

const char *access_caller_unit(const struct peer *peer)
{
    return unit_says_who(peer) ? peer->unit : "";
}

static bool holds(const struct access_rule *rule, const struct access_default *otherwise,
                  const struct peer *peer)
{
    return !rule->approve ||
           approvals_have(&otherwise->approved, rule->name, peer->uid, access_caller_unit(peer));
}

/* A later rule may let in whom an earlier one would keep waiting. */
static enum access judge_peer(const struct settings *settings,
                              const struct access_default *otherwise, const struct peer *peer,
                              enum may may, const struct account_name *account,
                              const struct access_rule **ret_rule)
{
    const struct access_rule *awaited = NULL;

    if (settings->rule_count == 0)
        return peer->uid == (otherwise->system_service ? 0 : otherwise->own_uid) ? ACCESS_ALLOWED
                                                                                 : ACCESS_DENIED;
    for (size_t i = 0; i < settings->rule_count; i++) {
        const struct access_rule *rule = &settings->rules[i];
        if (!names(rule, peer) || !rule_lets(rule, may, account))
            continue;
        if (holds(rule, otherwise, peer))
            return ACCESS_ALLOWED;
        awaited = awaited ? awaited : rule;
    }
    if (awaited && ret_rule)
        *ret_rule = awaited;
    return awaited ? ACCESS_AWAITS : ACCESS_DENIED;
}

enum access access_judge(const struct settings *settings, const struct access_default *otherwise,
                         const struct asker *asker, enum may may,
                         const struct account_name *account, const struct access_rule **ret_rule)
{
    if (asker->kind == ASKER_CONSUMER)
        return consumer_allowed(settings, asker, may, account) ? ACCESS_ALLOWED : ACCESS_DENIED;
    return judge_peer(settings, otherwise, &asker->peer, may, account, ret_rule);
}

bool access_allowed(const struct settings *settings, const struct access_default *otherwise,
                    const struct asker *asker, enum may may, const struct account_name *account)
{
    return access_judge(settings, otherwise, asker, may, account, NULL) == ACCESS_ALLOWED;
}

static bool covers_some(const struct access_rule *rule, const char *provider)
{
    char part[ACCOUNT_TEXT_SIZE];

    for (char **glob = rule->accounts; glob && *glob; glob++) {
        (void)snprintf(part, sizeof(part), "%.*s", (int)strcspn(*glob, "/"), *glob);
        if (access_glob_matches(part, provider))
            return true;
    }
    return false;
}

bool access_allowed_some(const struct settings *settings, const struct access_default *otherwise,
                         const struct asker *asker, enum may may, const char *provider)
{
    if (settings->rule_count == 0 || asker->kind == ASKER_CONSUMER)
        return access_allowed(settings, otherwise, asker, may, NULL);
    for (size_t i = 0; i < settings->rule_count; i++) {
        const struct access_rule *rule = &settings->rules[i];
        if (names(rule, &asker->peer) && rule_lets(rule, may, NULL) &&
            covers_some(rule, provider) && holds(rule, otherwise, &asker->peer))
            return true;
    }
    return false;
}

bool access_allowed_all(const struct settings *settings, const struct access_default *otherwise,
                        const struct asker *asker, enum may may)
{
    /* A name that no account has and that only a star covers. */
    static const struct account_name whole = { .provider = "*", .label = "*" };
    return access_allowed(settings, otherwise, asker, may, &whole);
}

bool access_asks_for_units(const struct settings *settings, const struct access_default *otherwise)
{
    return settings->units_named || settings->approves || otherwise->system_service;
}

static void append_who(struct buffer *out, const struct peer *peer)
{
    if (unit_says_who(peer))
        buffer_append_format(out, "'unit:%s'", peer->unit); /* an escape of systemd's stays one */
    else
        buffer_append_format(out, "\"user:%u\"", (unsigned)peer->uid);
}

void access_append_advice(struct buffer *out, const struct asker *asker, enum may may,
                          const struct account_name *account)
{
    char text[ACCOUNT_TEXT_SIZE] = "*/*";

    if (account)
        account_text(account, text);
    if (asker->kind == ASKER_CONSUMER) {
        buffer_append_format(out, "consumer %s { accounts = {\"%s\"} may = {\"%s\"} }",
                             asker->consumer, text, may_name(may));
        return;
    }
    buffer_append_format(out, "access uid-%u { accounts = {\"%s\"} who = {",
                         (unsigned)asker->peer.uid, text);
    append_who(out, &asker->peer);
    buffer_append_format(out, "} may = {\"%s\"} }", may_name(may));
}

#include "back/plan.h"

#include "oauth/lifetime.h"

static int64_t earlier(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static int64_t later(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

/* An imported refresh token was last used when it came, for all that is known. */
static int64_t keepalive_at(const struct account_row *row, const struct circumstances *c)
{
    const int64_t used_at = row->refreshed_at > 0 ? row->refreshed_at : row->granted_at;
    return used_at > 0 ? lifetime_keepalive_at(c->provider, used_at) : INT64_MAX;
}

/* What has no access token is refreshed by whoever asks for one. */
static int64_t fresh_until(const struct account_row *row, const struct circumstances *c)
{
    if (row->expires_at == 0)
        return INT64_MAX;
    return lifetime_refresh_at(row->refreshed_at, row->lifetime_ms, c->random);
}

int64_t plan_if_asked(const struct account_row *row, const struct circumstances *c, int64_t at)
{
    const int64_t keepalive = keepalive_at(row, c);
    const bool is_probe = row->state == ACCOUNT_CONSENT_REQUIRED;
    if (is_probe || row->lost_at > 0 || at >= keepalive ||
        !lifetime_rests(c->provider, row->asked_at, at))
        return at;
    return keepalive == INT64_MAX ? 0 : keepalive;
}

static bool is_refreshed(const struct account_row *row, const struct circumstances *c)
{
    return account_is_renewable(row, c->provider) && c->provider->grant != GRANT_STATIC;
}

int64_t plan_next(const struct account_row *row, const struct circumstances *c)
{
    const int64_t at = earlier(fresh_until(row, c), keepalive_at(row, c));
    return is_refreshed(row, c) && at != INT64_MAX ? plan_if_asked(row, c, at) : 0;
}

/* Not for its jitter alone: each look would bring it a little nearer. */
static bool comes_too_late(const struct account_row *row, const struct circumstances *c)
{
    struct circumstances latest = *c;
    latest.random = 0;
    const int64_t at = plan_next(row, &latest);
    return at > 0 && (row->refresh_at == 0 || row->refresh_at > at);
}

/* A try after a failure has a time of its own, unless it rests as nobody asked. */
static bool try_rests(const struct account_row *row, const struct circumstances *c)
{
    return row->refresh_at == 0 || row->refresh_at > c->now + PLAN_RETRY_MAX_MS;
}

/* The row's own time where that is early enough, else that of now. */
static int64_t plan_in_time(const struct account_row *row, const struct circumstances *c)
{
    const bool failed = row->failures > 0 || row->state == ACCOUNT_SUSPECT;
    if (row->state == ACCOUNT_CONSENT_REQUIRED || !is_refreshed(row, c))
        return row->refresh_at;
    if (failed)
        return try_rests(row, c) ? plan_if_asked(row, c, c->now) : row->refresh_at;
    /* What is overdue does not go before those that are due. */
    return comes_too_late(row, c) ? later(plan_next(row, c), c->now) : row->refresh_at;
}

static bool replan(struct account_row *row, const struct circumstances *c)
{
    const int64_t at = plan_in_time(row, c);
    if (at == 0 || (row->refresh_at > 0 && at >= row->refresh_at))
        return false;
    row->refresh_at = at;
    return true;
}

/* An access token whose lifetime no reply said ends no later than the section says now. */
static bool shorten(struct account_row *row, const struct circumstances *c)
{
    const int64_t lifetime_ms = lifetime_assumed_ms(c->provider);
    if (!row->lifetime_assumed || row->expires_at == 0 || lifetime_ms >= row->lifetime_ms)
        return false;
    row->lifetime_ms = lifetime_ms;
    row->expires_at = row->refreshed_at + lifetime_ms;
    return true;
}

/* Older versions noted the end that the section says in the place of one that a reply says. */
static bool forget_configured_end(struct account_row *row, const struct circumstances *c)
{
    const int64_t life_ms = c->provider->refresh_token_lifetime_ms;
    if (life_ms == 0 || row->refresh_token_life_ms != life_ms ||
        row->refresh_token_expires_at != row->granted_at + life_ms)
        return false;
    row->refresh_token_expires_at = row->refresh_token_life_ms = 0;
    return true;
}

bool plan_anew(struct account_row *row, const struct circumstances *c)
{
    const bool shortened = shorten(row, c);
    const bool forgotten = forget_configured_end(row, c);
    return replan(row, c) || shortened || forgotten;
}

bool plan_asked(struct account_row *row, const struct circumstances *c)
{
    if (c->now - row->asked_at < ASKED_GRAIN_MS)
        return false;
    row->asked_at = c->now;
    if (c->provider->keep == KEEP_ASKED)
        (void)replan(row, c);
    return true;
}

bool plan_rests(struct account_row *row, const struct circumstances *c)
{
    const int64_t at = plan_if_asked(row, c, c->now);
    if (at == c->now)
        return false;
    row->refresh_at = at;
    return true;
}

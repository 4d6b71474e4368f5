#include "oauth/forecast.h"

#include <stddef.h>

/* Both are at least 0. */
static int64_t sum_of(int64_t a, int64_t b)
{
    return a > INT64_MAX - b ? INT64_MAX : a + b;
}

static void warn(struct forecast *forecast, int64_t left_ms, int64_t life_ms)
{
    static const unsigned levels[] = { 30, 14, 7, 3, 1 };
    if (left_ms >= FORECAST_SOON_MS || left_ms >= life_ms / FORECAST_LIFE_PARTS)
        return;
    forecast->warning = left_ms < FORECAST_URGENT_MS ? FORECAST_URGENT : FORECAST_SOON;
    for (size_t i = 0; i < sizeof levels / sizeof levels[0]; i++)
        if (left_ms < levels[i] * FORECAST_DAY_MS)
            forecast->days = levels[i];
}

/* What the provider said of this refresh token counts before what its section says of all. */
static int64_t refresh_token_end(const struct forecast_facts *facts,
                                 const struct provider *provider)
{
    if (!facts->has_refresh_token)
        return 0;
    if (facts->refresh_token_expires_at > 0)
        return facts->refresh_token_expires_at;
    if (!provider || provider->refresh_token_lifetime_ms <= 0 || facts->granted_at == 0)
        return 0;
    return sum_of(facts->granted_at, provider->refresh_token_lifetime_ms);
}

/* The life that an end was set to; where that was not noted, what the provider promises, or else
 * all the time since the grant came. */
static int64_t absolute_life(const struct forecast_facts *facts, const struct provider *provider)
{
    if (facts->refresh_token_life_ms > 0)
        return facts->refresh_token_life_ms;
    if (provider && provider->refresh_token_lifetime_ms > 0)
        return provider->refresh_token_lifetime_ms;
    return facts->refresh_token_expires_at - facts->granted_at;
}

static void forecast_without_refresh_token(struct forecast *forecast,
                                           const struct forecast_facts *facts,
                                           const struct provider *provider, int64_t now)
{
    const bool renewed = provider && provider->grant == GRANT_CLIENT_CREDENTIALS;
    if (renewed || facts->expires_at == 0)
        return;
    forecast->reason = FORECAST_NO_REFRESH_TOKEN;
    forecast->dies_at = facts->expires_at;
    warn(forecast, facts->expires_at - now, INT64_MAX);
}

/* The sooner of the two ends of a refresh token. */
static void forecast_with_refresh_token(struct forecast *forecast,
                                        const struct forecast_facts *facts,
                                        const struct provider *provider, int64_t now)
{
    const int64_t used_at = facts->refreshed_at > 0 ? facts->refreshed_at : facts->granted_at;
    const int64_t idle_ms = provider ? provider->refresh_token_idle_lifetime_ms : 0;
    int64_t life_ms = 0;
    if (forecast->refresh_token_end > 0) {
        forecast->reason = FORECAST_ABSOLUTE;
        forecast->dies_at = forecast->refresh_token_end;
        life_ms = absolute_life(facts, provider);
    }
    if (idle_ms > 0 && (forecast->dies_at == 0 || sum_of(used_at, idle_ms) < forecast->dies_at)) {
        forecast->reason = FORECAST_IDLE;
        forecast->dies_at = sum_of(used_at, idle_ms);
        life_ms = idle_ms;
    }
    if (forecast->reason != FORECAST_LIVES)
        warn(forecast, forecast->dies_at - now, life_ms);
}

struct forecast forecast_of(const struct forecast_facts *facts, const struct provider *provider,
                            int64_t now)
{
    struct forecast forecast = { .refresh_token_end = refresh_token_end(facts, provider) };
    if (facts->consent_required) {
        forecast.dies_at = facts->expires_at;
        forecast.reason = FORECAST_CONSENT_REQUIRED;
        forecast.warning = FORECAST_URGENT;
    } else if (facts->has_refresh_token) {
        forecast_with_refresh_token(&forecast, facts, provider, now);
    } else {
        forecast_without_refresh_token(&forecast, facts, provider, now);
    }
    return forecast;
}

const char *forecast_reason_name(enum forecast_reason reason)
{
    static const char *const names[] = {
        [FORECAST_LIVES] = NULL,
        [FORECAST_IDLE] = "idle",
        [FORECAST_ABSOLUTE] = "absolute",
        [FORECAST_CONSENT_REQUIRED] = "consent_required",
        [FORECAST_NO_REFRESH_TOKEN] = "no_refresh_token",
    };
    return names[reason];
}

const char *forecast_warning_name(enum forecast_warning warning)
{
    static const char *const names[] = {
        [FORECAST_CALM] = "none",
        [FORECAST_SOON] = "soon",
        [FORECAST_URGENT] = "urgent",
    };
    return names[warning];
}

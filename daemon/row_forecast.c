#include "row_forecast.h"

#include "base/clock.h"

struct forecast forecast_of_account(const struct account_row *row, const struct provider *provider)
{
    const struct forecast_facts facts = {
        .consent_required = row->state == ACCOUNT_CONSENT_REQUIRED,
        .has_refresh_token = row->has_refresh_token,
        .granted_at = row->granted_at,
        .refreshed_at = row->refreshed_at,
        .expires_at = row->expires_at,
        .refresh_token_expires_at = row->refresh_token_expires_at,
        .refresh_token_life_ms = row->refresh_token_life_ms,
    };
    return forecast_of(&facts, provider, clock_now());
}

struct forecast forecast_of_held(const struct account_row *row, const struct provider *provider)
{
    const struct forecast_facts facts = {
        .has_refresh_token = true,
        .granted_at = row->held_at,
        .refreshed_at = row->held_refreshed_at,
        .refresh_token_expires_at = row->held_refresh_token_expires_at,
        .refresh_token_life_ms = row->held_refresh_token_life_ms,
    };
    return forecast_of(&facts, provider, clock_now());
}

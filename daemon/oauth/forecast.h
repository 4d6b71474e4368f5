#pragma once

/* When a grant will die if nobody does anything about it, and how much that matters now. Pure; all
 * times are broker time in milliseconds, 0 where there is none. */

#include <stdbool.h>
#include <stdint.h>

#include "oauth/provider.h"

/* A warning begins when less than this is left, and less than a third of the life. */
#define FORECAST_DAY_MS (INT64_C(24) * 60 * 60 * 1000)
#define FORECAST_SOON_MS (30 * FORECAST_DAY_MS)
#define FORECAST_URGENT_MS (7 * FORECAST_DAY_MS)
enum { FORECAST_LIFE_PARTS = 3 };

enum forecast_reason {
    FORECAST_LIVES,    /* no end is known */
    FORECAST_IDLE,     /* the refresh token dies unused; the broker's refreshes move that away */
    FORECAST_ABSOLUTE, /* the refresh token dies, used or not */
    FORECAST_CONSENT_REQUIRED, /* it is dead; what is left is the access token, if anything */
    FORECAST_NO_REFRESH_TOKEN, /* the access token is all there is */
};

enum forecast_warning { FORECAST_CALM, FORECAST_SOON, FORECAST_URGENT };

/* What is known of an account. */
struct forecast_facts {
    bool consent_required;
    bool has_refresh_token;
    int64_t granted_at;               /* when a person consented, or the grant was imported */
    int64_t refreshed_at;             /* when the refresh token was last used */
    int64_t expires_at;               /* of the access token */
    int64_t refresh_token_expires_at; /* as the provider said */
    int64_t refresh_token_life_ms;    /* what was left when that end was set */
};

struct forecast {
    int64_t dies_at;           /* 0: not known */
    int64_t refresh_token_end; /* used or not, as the provider or its section says; 0: not known */
    enum forecast_reason reason;
    enum forecast_warning warning;
    unsigned days; /* the level that was reached last: 30, 14, 7, 3 or 1 days before; 0: none */
};

/* provider may be NULL: it is not configured. A grant without a refresh token is urgent when less
 * than FORECAST_URGENT_MS is left, however short its life; one that needs a consent always is. */
struct forecast forecast_of(const struct forecast_facts *facts, const struct provider *provider,
                            int64_t now);

/* "idle", "absolute", …; NULL for FORECAST_LIVES. "none", "soon" or "urgent". */
const char *forecast_reason_name(enum forecast_reason reason);
const char *forecast_warning_name(enum forecast_warning warning);

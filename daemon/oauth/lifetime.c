#include "oauth/lifetime.h"

enum {
    SECOND_MS = 1000,
    MINUTE_MS = 60 * SECOND_MS,
    HOUR_MS = 60 * MINUTE_MS,

    REFRESH_MARGIN_MS = MINUTE_MS,
    GRACE_MARGIN_MS = MINUTE_MS,
    FIRST_TRY_MIN_MS = 2 * SECOND_MS,
    MIN_TTL_DEFAULT_MS = 30 * SECOND_MS,
    RETRY_TOP_MS = 15 * MINUTE_MS,
    SUSPECT_FIRST_MS = 10 * MINUTE_MS,
    SUSPECT_TOP_MS = 6 * HOUR_MS,
    CANARY_FIRST_MS = HOUR_MS,
    CANARY_TOP_MS = 24 * HOUR_MS,

    RANDOM_END = 1000,
    JITTER_PERMILLE = 200, /* each way */
};

static int64_t at_most(int64_t value, int64_t top)
{
    return value < top ? value : top;
}

static int64_t at_least(int64_t value, int64_t bottom)
{
    return value > bottom ? value : bottom;
}

/* Both are at least 0. */
static int64_t sum_of(int64_t a, int64_t b)
{
    return a > INT64_MAX - b ? INT64_MAX : a + b;
}

int64_t lifetime_assumed_ms(const struct provider *provider)
{
    return provider->default_lifetime_ms > 0 ? provider->default_lifetime_ms : LIFETIME_FALLBACK_MS;
}

int64_t lifetime_refresh_at(int64_t obtained_ms, int64_t lifetime_ms, unsigned random)
{
    int64_t lifetime = at_least(lifetime_ms, 0);
    int64_t jitter = lifetime / (10 * RANDOM_END) * (int64_t)(random % RANDOM_END);
    int64_t after = at_most(lifetime - lifetime / 5, lifetime - REFRESH_MARGIN_MS) - jitter;
    return sum_of(obtained_ms, at_least(after, lifetime / 2));
}

int64_t lifetime_keepalive_at(const struct provider *provider, int64_t refreshed_ms)
{
    if (provider->refresh_token_idle_lifetime_ms <= 0)
        return INT64_MAX;
    return sum_of(refreshed_ms, provider->refresh_token_idle_lifetime_ms / 2);
}

bool lifetime_rests(const struct provider *provider, int64_t asked_ms, int64_t now_ms)
{
    return provider && provider->keep == KEEP_ASKED &&
           (asked_ms == 0 || now_ms - asked_ms > LIFETIME_ASKED_MS);
}

int64_t lifetime_grace_ends_at(const struct provider *provider, int64_t lost_ms)
{
    if (lost_ms == 0 || !provider || provider->retry_grace_ms <= 0)
        return 0;
    return sum_of(lost_ms, provider->retry_grace_ms);
}

int64_t lifetime_last_in_grace_at(const struct provider *provider, int64_t lost_ms)
{
    const int64_t end = lifetime_grace_ends_at(provider, lost_ms);
    return end > 0 ? end - at_most(GRACE_MARGIN_MS, provider->retry_grace_ms / 10) : 0;
}

int64_t lifetime_first_try_ms(const struct provider *provider)
{
    if (!provider || provider->retry_grace_ms <= 0)
        return INT64_MAX;
    return at_least(provider->retry_grace_ms / 2, FIRST_TRY_MIN_MS);
}

int64_t lifetime_default_min_ttl(int64_t lifetime_ms)
{
    return at_most(MIN_TTL_DEFAULT_MS, at_least(lifetime_ms, 0) / 10);
}

int64_t lifetime_max_min_ttl(int64_t lifetime_ms)
{
    return at_least(lifetime_ms, 0) / 2;
}

static int64_t with_jitter(int64_t wait_ms, unsigned random)
{
    int64_t spread = 2 * JITTER_PERMILLE * (int64_t)(random % RANDOM_END) / RANDOM_END;
    return wait_ms * (1000 - JITTER_PERMILLE + spread) / 1000;
}

/* first, doubled times times, at most top. */
static int64_t doubled(int64_t first_ms, unsigned times, int64_t top_ms)
{
    int64_t wait = first_ms;
    for (unsigned i = 0; i < times && wait < top_ms; i++)
        wait *= 2;
    return at_most(wait, top_ms);
}

static unsigned tries_before(unsigned attempt)
{
    return attempt > 0 ? attempt - 1 : 0;
}

int64_t backoff_ms(unsigned attempt, unsigned random)
{
    static const int64_t first_waits[] = { SECOND_MS, 3 * SECOND_MS, 8 * SECOND_MS };
    enum { FIRST_WAITS = sizeof(first_waits) / sizeof(first_waits[0]) };
    unsigned before = tries_before(attempt);
    if (before < FIRST_WAITS)
        return with_jitter(first_waits[before], random);
    unsigned times = before - (FIRST_WAITS - 1);
    return with_jitter(doubled(first_waits[FIRST_WAITS - 1], times, RETRY_TOP_MS), random);
}

int64_t backoff_suspect_ms(unsigned attempt, unsigned random)
{
    return with_jitter(doubled(SUSPECT_FIRST_MS, tries_before(attempt), SUSPECT_TOP_MS), random);
}

int64_t backoff_canary_ms(unsigned probe, unsigned random)
{
    return with_jitter(doubled(CANARY_FIRST_MS, tries_before(probe), CANARY_TOP_MS), random);
}

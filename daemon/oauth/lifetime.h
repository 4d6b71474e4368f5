#pragma once

/* How long tokens live, when to refresh, how long a token may be asked to live, when to try again.
 * Pure; all times are broker time in milliseconds; random is in [0, 1000) and spreads the work. */

#include <stdbool.h>
#include <stdint.h>

#include "oauth/provider.h"

enum { LIFETIME_FALLBACK_MS = 5 * 60 * 1000 };

/* Of an access token whose reply does not say it. */
int64_t lifetime_assumed_ms(const struct provider *provider);

/* An access token of lifetime_ms obtained at obtained_ms is refreshed at min(80%, lifetime − 60 s),
 * never before half of it, minus up to 10% of the lifetime as jitter (still never before half). */
int64_t lifetime_refresh_at(int64_t obtained_ms, int64_t lifetime_ms, unsigned random);

/* The latest time for a keep-alive refresh of a grant whose refresh token dies unused: half of the
 * idle lifetime after last use. INT64_MAX when the provider has no idle limit. */
int64_t lifetime_keepalive_at(const struct provider *provider, int64_t refreshed_ms);

/* With KEEP_ASKED an account is kept fresh for so long after the last request for a token. */
#define LIFETIME_ASKED_MS (INT64_C(24) * 60 * 60 * 1000)

/* True while nobody has asked for so long (asked_ms 0: never) that the account is refreshed on
 * request alone, and to keep its refresh token alive. provider NULL: it is not configured. */
bool lifetime_rests(const struct provider *provider, int64_t asked_ms, int64_t now_ms);

/* When the provider stops to take a spent refresh token again that was first sent at lost_ms,
 * without a usable answer. 0: lost_ms is 0, or no such time is known; provider may be NULL. */
int64_t lifetime_grace_ends_at(const struct provider *provider, int64_t lost_ms);

/* The latest time for the last try within that grace: a minute before its end, or a tenth of it. */
int64_t lifetime_last_in_grace_at(const struct provider *provider, int64_t lost_ms);

/* For how long the answer to the first try is waited for: half of that grace, so that a second one
 * fits when the answer hangs; at least 2 s. INT64_MAX: there is no such reason; provider may be
 * NULL. */
int64_t lifetime_first_try_ms(const struct provider *provider);

/* min(30 s, 10% of the lifetime). */
int64_t lifetime_default_min_ttl(int64_t lifetime_ms);

/* Half of the last issued lifetime: the most that may be asked. */
int64_t lifetime_max_min_ttl(int64_t lifetime_ms);

/*
 * How long to wait before try number attempt (1 = the first retry) after no usable answer: about
 * 1, 3, 8 s, then doubling to at most 15 min, with ±20% jitter.
 */
int64_t backoff_ms(unsigned attempt, unsigned random);

/* Suspect accounts: slow retries, 10 min doubling to 6 h. */
int64_t backoff_suspect_ms(unsigned attempt, unsigned random);

/* A paused provider's canary: hourly, then 2, 4, 8 h and so on to at most a day. */
int64_t backoff_canary_ms(unsigned probe, unsigned random);

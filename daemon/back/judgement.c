#include "back/judgement.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "back/plan.h"
#include "base/text.h"
#include "oauth/lifetime.h"

#define REJECTED_ERROR "token_rejected"
#define REJECTED_AGAIN_ERROR "rejected_token_again"

static int64_t earlier(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static int64_t later(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

void judge_needs_no_consent(struct account_row *row, enum account_state state)
{
    if (row->state == ACCOUNT_CONSENT_REQUIRED)
        row->warned_days = 0;
    row->state = state;
}

void judge_tried_again(struct account_row *row)
{
    judge_needs_no_consent(row, ACCOUNT_ACTIVE);
    row->refusals = REFUSAL_NONE;
    row->refused_at = 0;
    row->suspect_since = 0;
    row->suspect_tries = 0;
    row->failures = 0;
    row->failed_alone = 0;
}

void judge_troubles_over(struct account_row *row)
{
    judge_tried_again(row);
    row->rejected = false;
    row->lost_at = 0;
}

/* An end that comes nearer with each reply is the same end; one that moves out begins a new life.
 */
static void set_refresh_token_end(struct account_row *row, int64_t life_ms, int64_t now)
{
    enum { ROUNDING_MS = 60 * 1000 };
    const int64_t end = now + life_ms;
    if (row->refresh_token_expires_at == 0 || row->refresh_token_life_ms == 0 ||
        end > row->refresh_token_expires_at + ROUNDING_MS)
        row->refresh_token_life_ms = life_ms;
    row->refresh_token_expires_at = end;
}

static bool needs_nobody(const struct provider *provider)
{
    return provider && provider->grant == GRANT_CLIENT_CREDENTIALS;
}

bool account_is_renewable(const struct account_row *row, const struct provider *provider)
{
    return row->has_refresh_token || needs_nobody(provider);
}

bool account_needs_consent(const struct account_row *row, const struct provider *provider)
{
    return !needs_nobody(provider) &&
           (row->state == ACCOUNT_CONSENT_REQUIRED || !row->has_refresh_token);
}

/* The next try, moved before the grace's end where it would be the first after it. */
static int64_t within_grace(const struct account_row *row, const struct circumstances *c,
                            int64_t at)
{
    const int64_t last = lifetime_last_in_grace_at(c->provider, row->lost_at);
    return c->now < last ? earlier(at, last) : at;
}

static void plan_retry(struct account_row *row, const struct circumstances *c, int64_t rest_ms)
{
    const int64_t at = within_grace(row, c, c->now + rest_ms);
    row->refresh_at = plan_if_asked(row, c, later(at, c->now + c->retry_after_ms));
}

int judge_granted(struct account_row *row, const struct token_grant *grant, int64_t sent_at,
                  const struct circumstances *c)
{
    int r = grant->scope ? text_replace(&row->scope, grant->scope) : 0;
    if (r == 0 && grant->identity) /* another one than before where a grant was imported */
        r = text_replace(&row->identity, grant->identity);
    if (r != 0)
        return r;
    row->generation++;
    row->refreshed_at = sent_at;
    row->lifetime_ms = grant->lifetime_ms;
    row->lifetime_assumed = grant->lifetime_assumed;
    row->expires_at = sent_at + grant->lifetime_ms;
    if (grant->refresh_token_lifetime_ms > 0)
        set_refresh_token_end(row, grant->refresh_token_lifetime_ms, c->now);
    if (grant->refresh_token)
        row->has_refresh_token = true;
    judge_troubles_over(row);
    row->refresh_at = plan_next(row, c);
    return 0;
}

static void count(unsigned *counter)
{
    if (*counter < 1000000)
        ++*counter;
}

static bool others_succeeded_since(int64_t since, const struct circumstances *c)
{
    return since > 0 && c->others_succeeded_at > since;
}

/* True when the token came in place of a rejected one, a moment ago; not one of those after it. */
static bool came_for_a_rejected(const struct account_row *row, int64_t now)
{
    return row->last_error &&
           (strcmp(row->last_error, REJECTED_ERROR) == 0 ||
            strcmp(row->last_error, REJECTED_AGAIN_ERROR) == 0) &&
           row->refreshed_at >= row->last_error_at &&
           row->refreshed_at - row->last_error_at < REJECTED_AGAIN_MS + REJECTED_YOUNG_MS &&
           now - row->refreshed_at < REJECTED_YOUNG_MS;
}

int judge_rejected(struct account_row *row, const struct provider *provider, int64_t now)
{
    const bool again = came_for_a_rejected(row, now);
    row->rejected = true;
    if (!account_needs_consent(row, provider))
        row->refresh_at = again ? now + REJECTED_AGAIN_MS : now;
    if (again && row->state == ACCOUNT_ACTIVE) {
        row->state = ACCOUNT_SUSPECT;
        count(&row->failures);
    }
    return judge_note_error(row, REJECTED_ERROR,
                            again ? "an API rejected the access token, and the next one too"
                                  : "an API rejected the access token",
                            now);
}

int judge_rejected_again(struct account_row *row, int64_t now)
{
    row->rejected = true;
    row->state = ACCOUNT_SUSPECT;
    count(&row->failures);
    return judge_note_error(row, REJECTED_AGAIN_ERROR,
                            "the provider gave the access token again that an API rejected", now);
}

/* The time by which a try began late, as while the computer slept, says nothing of the account. */
static void note_suspicion(struct account_row *row, const struct circumstances *c)
{
    const int64_t began = c->lost_at > 0 ? c->lost_at : c->now;
    if (row->suspect_since == 0)
        row->suspect_since = c->now;
    else if (row->refresh_at > 0 && began > row->refresh_at)
        row->suspect_since += began - row->refresh_at;
}

/* A suspect of which hours were an outage that all shared has had few tries of its own. */
static bool is_given_up(const struct account_row *row, const struct circumstances *c,
                        int64_t given_up_at)
{
    if (row->state == ACCOUNT_CONSENT_REQUIRED)
        return true;
    return c->now >= given_up_at && row->suspect_tries >= SUSPECT_TRIES && !c->provider_paused;
}

static void suspect(struct account_row *row, const struct circumstances *c)
{
    note_suspicion(row, c);
    count(&row->suspect_tries);
    const int64_t given_up_at = later(row->expires_at, row->suspect_since) + SUSPECT_GIVEN_UP_MS;
    if (is_given_up(row, c, given_up_at) && !needs_nobody(c->provider)) {
        row->state = ACCOUNT_CONSENT_REQUIRED;
        row->refresh_at = c->now + SUSPECT_PROBE_MS;
        return;
    }
    judge_needs_no_consent(row, ACCOUNT_SUSPECT);
    const int64_t rest_ms = backoff_suspect_ms(row->suspect_tries, c->random);
    /* One try is made when the time is up, so that the verdict falls then and not hours later. */
    plan_retry(row, c, c->now < given_up_at ? earlier(rest_ms, given_up_at - c->now) : rest_ms);
}

void judge_suspect(struct account_row *row, const struct circumstances *c)
{
    count(&row->failures);
    suspect(row, c);
}

/* It was refused for good before, under another set-up, and was is tried once more. */
static bool is_last_try(const struct account_row *row)
{
    return row->state == ACCOUNT_CONSENT_REQUIRED && row->refusals == REFUSAL_TWICE;
}

bool judge_lost(struct account_row *row, int64_t lost_at)
{
    if (row->lost_at > 0 || lost_at == 0 || lost_at < later(row->refreshed_at, row->granted_at))
        return false;
    row->lost_at = lost_at;
    return true;
}

/* After an outage that all shared its long row of failures says nothing of this account: only those
 * do that it alone went on with. */
void judge_unanswered(struct account_row *row, const struct circumstances *c)
{
    const bool alone = row->failures > 0 && others_succeeded_since(row->last_error_at, c);
    count(&row->failures);
    if (alone)
        count(&row->failed_alone);
    (void)judge_lost(row, c->lost_at);
    if (alone && row->failures >= FAILURES_BEFORE_SUSPECT && row->failed_alone >= FAILURES_ALONE)
        suspect(row, c);
    else if (row->state == ACCOUNT_CONSENT_REQUIRED && !is_last_try(row))
        plan_retry(row, c, SUSPECT_PROBE_MS);
    else
        plan_retry(row, c, backoff_ms(row->failures + SHORT_RETRIES, c->random));
}

bool refusal_is_its_own(const struct account_row *row, const struct circumstances *c)
{
    return others_succeeded_since(row->refused_at, c);
}

bool suspicion_is_its_own(const struct account_row *row, const struct circumstances *c)
{
    return others_succeeded_since(row->suspect_since, c);
}

static void send_no_more(struct account_row *row)
{
    row->state = ACCOUNT_CONSENT_REQUIRED;
    row->refresh_at = 0;
}

void judge_tried_once_more(struct account_row *row, const char *set_up, int64_t now)
{
    (void)snprintf(row->refused_under, sizeof row->refused_under, "%s", set_up);
    if (row->refusals != REFUSAL_NONE)
        row->refusals = REFUSAL_TWICE; /* its predecessor went once: so this is the last try */
    row->refresh_at = now;
}

enum next_step judge_refused_as_another(struct account_row *row, int64_t now)
{
    if (row->state != ACCOUNT_CONSENT_REQUIRED)
        row->refusals = REFUSAL_NONE;
    row->refresh_at = now;
    return STEP_SAME_TOKEN;
}

enum next_step judge_refused(struct account_row *row, const struct circumstances *c)
{
    count(&row->failures);
    if (row->refused_at == 0)
        row->refused_at = c->now;
    if (is_last_try(row)) {
        send_no_more(row);
        return STEP_REST;
    }
    if (c->provider_paused) {
        row->state = ACCOUNT_SUSPECT;
        row->refusals = REFUSAL_NONE;
        row->refresh_at = c->now + REFUSAL_PAUSE_MS;
        return STEP_REST;
    }
    switch (row->refusals) {
    case REFUSAL_NONE:
        row->refusals = REFUSAL_ONCE;
        row->state = ACCOUNT_SUSPECT;
        row->refresh_at = c->now + REFUSAL_PAUSE_MS;
        return STEP_SAME_TOKEN;
    case REFUSAL_ONCE:
        row->refusals = REFUSAL_TWICE;
        if (c->has_predecessor) {
            row->refusals = REFUSAL_PREDECESSOR;
            row->refresh_at = c->now;
            return STEP_PREDECESSOR;
        }
        break;
    case REFUSAL_TWICE:
    case REFUSAL_PREDECESSOR:
        break;
    }
    send_no_more(row);
    return STEP_REST;
}

/* NULL is fine. */
static bool is_of_our_set_up(const char *error)
{
    static const char *const words[] = { "invalid_client", "unauthorized_client",
                                         "unsupported_grant_type", "invalid_scope" };
    for (size_t i = 0; error && i < sizeof words / sizeof words[0]; i++)
        if (strcasecmp(error, words[i]) == 0)
            return true;
    return false;
}

bool judge_provider_refused(struct account_row *row, const struct circumstances *c)
{
    /* What was found to be its own matter stays so, whatever else happens at the provider. */
    const bool its_own = row->suspect_since > 0 || others_succeeded_since(row->last_error_at, c);
    if (row->failures > 0 && is_of_our_set_up(row->last_error) && its_own) {
        judge_suspect(row, c);
        return false;
    }
    count(&row->failures);
    row->refresh_at = c->now + REFUSAL_PAUSE_MS;
    return true;
}

void judge_pardoned(struct account_row *row, const struct circumstances *c)
{
    if (row->refused_at == 0)
        return;
    row->refusals = REFUSAL_NONE;
    if (row->state != ACCOUNT_CONSENT_REQUIRED)
        return;
    judge_needs_no_consent(row, ACCOUNT_SUSPECT);
    row->refresh_at = c->now + REFUSAL_PAUSE_MS;
}

/* A set-up that is refused for this account alone is known by these words: an outage that comes
 * between would make it look like the provider's matter again, and everybody would have to wait. */
static bool keeps_its_words(const struct account_row *row, const char *error)
{
    return row->suspect_since > 0 && is_of_our_set_up(row->last_error) &&
           !is_of_our_set_up(error) && strcasecmp(error, "invalid_grant") != 0;
}

int judge_note_error(struct account_row *row, const char *error, const char *description,
                     int64_t now)
{
    if (keeps_its_words(row, error)) {
        row->last_error_at = now;
        return 0;
    }
    int r = text_replace(&row->last_error, error);
    if (r == 0)
        r = text_replace(&row->last_error_description, description);
    if (r == 0)
        row->last_error_at = now;
    return r;
}

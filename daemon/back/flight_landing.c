#include "back/flight_private.h"

#include <errno.h>
#include <stdio.h>

#include "back/lane.h"
#include "back/links.h"
#include "back/revoke.h"
#include "back/waiters.h"
#include "back/warn.h"
#include "base/clock.h"
#include "base/log.h"
#include "oauth/lifetime.h"

static void land_with_token(struct flight *flight)
{
    waiters_answer(&flight->waiters, flight->keeper, flight->outcome.issued, &flight->outcome.row);
    lane_landed(flight->lane, flight);
}

void flight_land_with_failure(struct flight *flight, const struct failure *failure)
{
    flight_refuse(flight, failure);
    lane_landed(flight->lane, flight);
}

/* The provider still gives the token that an API rejected. */
static void land_with_rejected(struct flight *flight)
{
    char name[ACCOUNT_TEXT_SIZE];
    const struct failure failure =
        failure_make(WIRE_PROVIDER_REJECTED, 1,
                     "the provider gave the access token of %s again that was rejected",
                     account_text(&flight->name, name));
    log_warning("%s", failure.description);
    keeper_notify(flight->keeper, &flight->name, flight->outcome.row.generation, NULL);
    flight_land_with_failure(flight, &failure);
}

/* The provider may have spent the token that was sent for one that cannot be read. */
static void warn_of_kept(const struct flight *flight)
{
    char name[ACCOUNT_TEXT_SIZE];
    if (flight->outcome.kept)
        log_warning(
            "%s: a refresh token came that cannot be read: the reply is kept sealed in the "
            "store, and the earlier token goes on; if that is refused: tokenbroker login %s",
            account_text(&flight->name, name), name);
}

static void tell_identity(struct flight *flight)
{
    const struct account_row *row = &flight->outcome.row;
    if (row->identity_changed_at != flight->outcome.circumstances.now)
        return;
    keeper_remark(flight->keeper, &flight->name, "identity_changed", WARN_IDENTITY_TEXT,
                  row->identity, row->identity_before);
    warn_look(flight->keeper, &flight->name);
}

static void tell_granted(struct flight *flight)
{
    struct outcome *outcome = &flight->outcome;
    struct issued_token *notice = NULL;
    char name[ACCOUNT_TEXT_SIZE];
    if (outcome->reply.grant.expires_in_odd)
        log_warning("%s: the provider sent no usable expires_in: taken as %lld s",
                    account_text(&flight->name, name),
                    (long long)(outcome->row.lifetime_ms / 1000));
    warn_of_kept(flight);
    tell_identity(flight);
    log_info("%s: refreshed, generation %llu, next in %lld s", account_text(&flight->name, name),
             (unsigned long long)outcome->row.generation,
             (long long)((outcome->row.refresh_at - clock_now()) / 1000));
    lane_succeeded(flight->lane, &flight->name);
    if (outcome->row.rejected) {
        land_with_rejected(flight);
        return;
    }
    (void)issued_token_copy(outcome->issued, &notice); /* without a copy: "forget" */
    keeper_notify_refreshed(flight->keeper, &flight->name, outcome->row.generation, notice);
    land_with_token(flight);
}

/* Of the grace that its row knows of. */
static int64_t grace_left_ms(const struct flight *flight)
{
    const struct outcome *outcome = &flight->outcome;
    return lifetime_grace_ends_at(outcome->setup->provider, outcome->row.lost_at) - clock_now();
}

static struct failure why_not(const struct flight *flight)
{
    const struct outcome *outcome = &flight->outcome;
    const struct account_row *row = &outcome->row;
    char name[ACCOUNT_TEXT_SIZE];
    account_text(&flight->name, name);
    const int64_t wait_s = (row->refresh_at - clock_now() + 999) / 1000;
    const int64_t retry_after_s = wait_s > 1 ? wait_s : 1;
    if (row->state == ACCOUNT_CONSENT_REQUIRED) {
        struct failure failure = failure_consent_required(row);
        links_token(flight->keeper, &flight->name, failure.link);
        return failure;
    }
    if (lane_paused(flight->lane))
        return lane_pause_failure(flight->lane);
    char grace[64] = "";
    const int64_t grace_ms = grace_left_ms(flight);
    if (grace_ms > 0)
        (void)snprintf(grace, sizeof grace, ", soon: its provider's grace ends in %lld s",
                       (long long)(grace_ms / 1000));
    return failure_make(
        flight_is_unanswered(flight) ? WIRE_PROVIDER_UNAVAILABLE : WIRE_PROVIDER_REJECTED,
        retry_after_s, "%s cannot be refreshed now (%s: %.100s); it is tried again%s", name,
        outcome->reply.error, outcome->reply.description, grace);
}

static bool may_retry_shortly(const struct flight *flight)
{
    switch (flight->way) {
    case FLIGHT_IN_TURN:
        return flight->tries < SHORT_RETRIES;
    case FLIGHT_CANARY:
        return false;
    case FLIGHT_IN_GRACE:
        return grace_left_ms(flight) >= LAST_RETRY_LEFT_MS;
    }
    return false;
}

bool flight_short_retry_fits(const struct flight *flight)
{
    return flight_is_unanswered(flight) && !flight->keeper->stopping && may_retry_shortly(flight) &&
           flight->outcome.circumstances.retry_after_ms <= SHORT_RETRY_AFTER_MAX_MS;
}

static int64_t earlier(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* A grace of a few seconds may end within the usual rest; and so may what is left of a long one. */
static int64_t short_rest_ms(const struct flight *flight)
{
    const struct provider *provider = flight->outcome.setup->provider;
    const unsigned attempt = flight->tries < SHORT_RETRIES ? flight->tries : SHORT_RETRIES;
    const int64_t rest_ms = backoff_ms(attempt, random_below(1000));
    if (flight->way == FLIGHT_IN_GRACE)
        return earlier(rest_ms, grace_left_ms(flight) / 2);
    const int64_t left_ms = lifetime_last_in_grace_at(provider, flight->lost_at) - clock_now();
    return left_ms > 0 ? earlier(rest_ms, left_ms) : rest_ms;
}

void flight_retry_shortly(struct flight *flight)
{
    const int64_t asked_ms = flight->outcome.circumstances.retry_after_ms;
    flight->tries++;
    const int64_t rest_ms = short_rest_ms(flight);
    lane_wait_again(flight->lane, flight, rest_ms > asked_ms ? rest_ms : asked_ms);
}

static void tell_failed(struct flight *flight)
{
    const struct outcome *outcome = &flight->outcome;
    char name[ACCOUNT_TEXT_SIZE];
    log_warning("%s: refresh failed: %s: %s (%s)", account_text(&flight->name, name),
                outcome->reply.error, outcome->reply.description,
                verdict_name(outcome->reply.verdict));
    const bool may_go_on =
        flight->way == FLIGHT_IN_TURN && !flight->keeper->stopping && !lane_paused(flight->lane);
    if (flight_short_retry_fits(flight)) {
        flight_retry_shortly(flight);
        return;
    }
    if (outcome->step != STEP_REST && may_go_on) {
        lane_wait_again(flight->lane, flight,
                        outcome->step == STEP_SAME_TOKEN ? REFUSAL_PAUSE_MS : 0);
        return;
    }
    if (outcome->row.state == ACCOUNT_CONSENT_REQUIRED) {
        log_warning("%s: a person has to consent again: tokenbroker login %s", name, name);
        warn_needs_consent(flight->keeper, &outcome->row);
    } else {
        keeper_remark(flight->keeper, &flight->name, "refresh_failed", "%s", outcome->reply.error);
    }
    const struct failure failure = why_not(flight);
    flight_land_with_failure(flight, &failure);
}

void flight_set_aside(struct flight *flight, int why)
{
    char name[ACCOUNT_TEXT_SIZE];
    const bool damaged = why == OUTCOME_UNREADABLE;
    account_text(&flight->name, name);
    const struct failure failure =
        damaged ? failure_make(WIRE_INTERNAL, 0,
                               "the row of %s in the store is damaged: restore a backup, or log "
                               "it out and in again",
                               name)
                : failure_make(WIRE_BUSY, FLIGHT_READ_AGAIN_MS / 1000,
                               "%s cannot be read from the store now (%s): it is tried again", name,
                               store_message(flight->keeper->store));
    log_error("%s", failure.description);
    flight_refuse(flight, &failure);
    flight->set_aside = true;
    lane_wait_again(flight->lane, flight, damaged ? FLIGHT_SET_ASIDE_MS : FLIGHT_READ_AGAIN_MS);
}

void flight_durable(void *userdata, int result)
{
    struct flight *flight = userdata;
    if (result == OUTCOME_UNREADABLE || result == -EBADMSG) {
        flight_lost_its_place(flight);
        return;
    }
    if (result == OUTCOME_GONE || result == OUTCOME_OVERTAKEN) {
        const struct failure failure =
            failure_make(WIRE_BUSY, 1, "the account was changed meanwhile: ask again");
        revocations_pump(flight->keeper->revocations);
        warn_of_kept(flight);
        flight_land_with_failure(flight, &failure);
        return;
    }
    if (result != 0) {
        const struct failure failure = failure_make(
            WIRE_BUSY, LANE_STORE_CHECK_MS / 1000,
            "the broker's store refuses writes (%s): free space, it goes on by itself",
            commits_problem(flight->keeper->commits) ? commits_problem(flight->keeper->commits)
                                                     : "failed");
        lane_lost(flight->lane, flight);
        flight_land_with_failure(flight, &failure);
        return;
    }
    if (flight->outcome.reply.verdict == VERDICT_GRANTED)
        tell_granted(flight);
    else
        tell_failed(flight);
}

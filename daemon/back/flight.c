#include "back/flight.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "back/client_call.h"
#include "back/flight_outcome.h"
#include "back/lane.h"
#include "back/links.h"
#include "back/vault.h"
#include "back/waiters.h"
#include "base/clock.h"
#include "base/log.h"
#include "oauth/lifetime.h"

struct flight {
    struct keeper *keeper;
    struct lane *lane;
    struct account_name name;
    struct flight *next;
    enum flight_stage stage;
    bool canary;
    bool set_aside;
    int64_t lost_at; /* when the first try was sent that had no usable answer; 0: none had none */
    unsigned tries;  /* without a usable answer, since the last rest that the row knows of */
    struct waiter *waiters;
    struct loop_source *rest;

    struct http_transfer *transfer;
    struct outcome outcome; /* of the try that is under way */
};

static void rested(void *userdata)
{
    struct flight *flight = userdata;
    lane_ready(flight->lane, flight);
}

int flight_new(struct keeper *keeper, struct lane *lane, const struct account_name *name,
               struct flight **ret)
{
    struct flight *flight = calloc(1, sizeof *flight);
    if (!flight)
        return -ENOMEM;
    flight->keeper = keeper;
    flight->lane = lane;
    flight->name = *name;
    int r = loop_add_timer(keeper->loop, rested, flight, &flight->rest);
    if (r < 0) {
        free(flight);
        return r;
    }
    *ret = flight;
    return 0;
}

void flight_refuse(struct flight *flight, const struct failure *failure)
{
    waiters_refuse(&flight->waiters, flight->keeper, failure);
}

struct flight *flight_free(struct flight *flight)
{
    if (!flight)
        return NULL;
    const struct failure failure =
        failure_make(WIRE_BUSY, 1, "the broker is stopping: ask again in a second");
    flight_refuse(flight, &failure);
    http_cancel(flight->transfer);
    loop_source_free(flight->rest);
    outcome_release(&flight->outcome);
    free(flight);
    return NULL;
}

const struct account_name *flight_account(const struct flight *flight)
{
    return &flight->name;
}

enum flight_stage flight_stage(const struct flight *flight)
{
    return flight->stage;
}

bool flight_is_canary(const struct flight *flight)
{
    return flight->canary;
}

struct flight *flight_next(const struct flight *flight)
{
    return flight->next;
}

void flight_set_next(struct flight *flight, struct flight *next)
{
    flight->next = next;
}

void flight_queued(struct flight *flight)
{
    flight->stage = FLIGHT_QUEUED;
    loop_timer_stop(flight->rest);
}

void flight_join(struct flight *flight, uint64_t id, bool with_rows)
{
    waiters_add(&flight->waiters, flight->keeper, id, with_rows);
    if (flight->set_aside && flight->stage == FLIGHT_RESTING)
        flight_rest(flight, 0); /* whoever asks has read the row: it is mended */
}

void flight_rest(struct flight *flight, int64_t rest_ms)
{
    flight->stage = FLIGHT_RESTING;
    (void)loop_timer_set(flight->rest, rest_ms);
}

static void land_with_token(struct flight *flight)
{
    waiters_answer(&flight->waiters, flight->keeper, flight->outcome.issued, &flight->outcome.row);
    lane_landed(flight->lane, flight);
}

static void land_with_failure(struct flight *flight, const struct failure *failure)
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
    land_with_failure(flight, &failure);
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
    const bool unanswered =
        outcome->reply.verdict == VERDICT_NOT_SENT || outcome->reply.verdict == VERDICT_NO_ANSWER;
    char grace[64] = "";
    const int64_t grace_ms =
        lifetime_grace_ends_at(outcome->setup->provider, row->lost_at) - clock_now();
    if (grace_ms > 0)
        (void)snprintf(grace, sizeof grace, ", soon: its provider's grace ends in %lld s",
                       (long long)(grace_ms / 1000));
    return failure_make(unanswered ? WIRE_PROVIDER_UNAVAILABLE : WIRE_PROVIDER_REJECTED,
                        retry_after_s,
                        "%s cannot be refreshed now (%s: %.100s); it is tried again%s", name,
                        outcome->reply.error, outcome->reply.description, grace);
}

static bool short_retry_fits(const struct flight *flight)
{
    const struct outcome *outcome = &flight->outcome;
    return (outcome->reply.verdict == VERDICT_NOT_SENT ||
            outcome->reply.verdict == VERDICT_NO_ANSWER) &&
           !flight->canary && !flight->keeper->stopping && flight->tries < SHORT_RETRIES &&
           outcome->circumstances.retry_after_ms <= SHORT_RETRY_AFTER_MAX_MS;
}

/* A grace of a few seconds may end within these. */
static int64_t within_grace(const struct flight *flight, int64_t rest_ms)
{
    const struct provider *provider = flight->outcome.setup->provider;
    const int64_t left_ms = lifetime_last_in_grace_at(provider, flight->lost_at) - clock_now();
    return left_ms > 0 && left_ms < rest_ms ? left_ms : rest_ms;
}

static void retry_shortly(struct flight *flight)
{
    const int64_t asked_ms = flight->outcome.circumstances.retry_after_ms;
    flight->tries++;
    const int64_t rest_ms = within_grace(flight, backoff_ms(flight->tries, random_below(1000)));
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
        !flight->canary && !flight->keeper->stopping && !lane_paused(flight->lane);
    if (short_retry_fits(flight)) {
        retry_shortly(flight);
        return;
    }
    if (outcome->step != STEP_REST && may_go_on) {
        lane_wait_again(flight->lane, flight,
                        outcome->step == STEP_SAME_TOKEN ? REFUSAL_PAUSE_MS : 0);
        return;
    }
    if (outcome->row.state == ACCOUNT_CONSENT_REQUIRED) {
        log_warning("%s: a person has to consent again: tokenbroker login %s", name, name);
        links_event(flight->keeper, &flight->name, outcome->reply.error);
    } else {
        keeper_remark(flight->keeper, &flight->name, "refresh_failed", "%s", outcome->reply.error);
    }
    const struct failure failure = why_not(flight);
    land_with_failure(flight, &failure);
}

/* Its row cannot be read: it stays out of the way for a while, so that it is not due at once. */
static void set_aside(struct flight *flight)
{
    char name[ACCOUNT_TEXT_SIZE];
    const struct failure failure =
        failure_make(WIRE_INTERNAL, 0,
                     "the row of %s in the store is damaged: restore a backup, or log it out "
                     "and in again",
                     account_text(&flight->name, name));
    log_error("%s", failure.description);
    flight_refuse(flight, &failure);
    flight->set_aside = true;
    lane_wait_again(flight->lane, flight, FLIGHT_SET_ASIDE_MS);
}

static void durable(void *userdata, int result)
{
    struct flight *flight = userdata;
    if (result == OUTCOME_UNREADABLE) {
        set_aside(flight);
        return;
    }
    if (result == OUTCOME_GONE || result == OUTCOME_OVERTAKEN) {
        const struct failure failure =
            failure_make(WIRE_BUSY, 1, "the account was changed meanwhile: ask again");
        land_with_failure(flight, &failure);
        return;
    }
    if (result != 0) {
        const struct failure failure = failure_make(
            WIRE_BUSY, LANE_STORE_CHECK_MS / 1000,
            "the broker's store refuses writes (%s): free space, it goes on by itself",
            commits_problem(flight->keeper->commits) ? commits_problem(flight->keeper->commits)
                                                     : "failed");
        land_with_failure(flight, &failure);
        return;
    }
    if (flight->outcome.reply.verdict == VERDICT_GRANTED)
        tell_granted(flight);
    else
        tell_failed(flight);
}

static int apply(void *userdata, struct store *store)
{
    struct flight *flight = userdata;
    struct outcome *outcome = &flight->outcome;
    outcome->circumstances.provider_paused = lane_paused(flight->lane);
    outcome->circumstances.others_succeeded_at =
        lane_others_succeeded_at(flight->lane, &flight->name);
    int r = outcome_apply(outcome, flight->keeper->key, store);
    if (r == 0 && outcome->row.state == ACCOUNT_CONSENT_REQUIRED)
        r = links_offer(flight->keeper, store, &outcome->row);
    return r;
}

/* The lane hears of refusals before the row does: it may pause, and then no verdict falls. */
static void report_to_lane(struct flight *flight)
{
    struct outcome *outcome = &flight->outcome;
    struct circumstances *c = &outcome->circumstances;
    lane_count_attempt(flight->lane, outcome->reply.verdict);
    c->others_succeeded_at = lane_others_succeeded_at(flight->lane, &flight->name);
    c->provider_paused = lane_paused(flight->lane);
    switch (outcome->reply.verdict) {
    case VERDICT_ACCOUNT_REFUSED:
        lane_refused(flight->lane, &flight->name, refusal_is_its_own(&outcome->row, c));
        break;
    case VERDICT_PROVIDER_REFUSED:
        if (outcome_blames_provider(outcome) && lane_setup(flight->lane) == outcome->setup)
            lane_credentials_refused(flight->lane, outcome->reply.error);
        break;
    case VERDICT_NOT_SENT:
    case VERDICT_NO_ANSWER:
        lane_unanswered(flight->lane, c->retry_after_ms);
        break;
    case VERDICT_GRANTED:
    case VERDICT_ACCOUNT_SUSPECT:
        break;
    }
}

/* True when what was refused is not the set-up in force, but a client secret that is only tried, or
 * what was configured before: it goes again at once, and its row hears nothing of it. */
static bool refused_as_another(const struct flight *flight)
{
    const struct outcome *outcome = &flight->outcome;
    (void)lane_judge_trial(flight->lane, outcome->setup, &outcome->reply);
    return outcome->reply.verdict == VERDICT_PROVIDER_REFUSED && !flight->canary &&
           lane_setup(flight->lane) != outcome->setup;
}

static void replied(void *userdata, const struct http_reply *http)
{
    struct flight *flight = userdata;
    struct outcome *outcome = &flight->outcome;
    flight->transfer = NULL;
    int r = outcome_judge(outcome, http);
    outcome->circumstances.now = clock_now();
    outcome->circumstances.random = random_below(1000);
    if (outcome->reply.verdict == VERDICT_NO_ANSWER && flight->lost_at == 0)
        flight->lost_at = outcome->sent_at;
    outcome->circumstances.lost_at = flight->lost_at;
    if (r == 0 && refused_as_another(flight)) {
        lane_wait_again(flight->lane, flight, 0);
        return;
    }
    report_to_lane(flight);
    if (r == 0 && short_retry_fits(flight) && !outcome_must_be_kept(outcome)) {
        retry_shortly(flight);
        return;
    }
    const enum commit_kind kind = outcome_must_be_kept(outcome) ? COMMIT_MUST : COMMIT_MAY;
    if (r == 0)
        r = commits_add(flight->keeper->commits, kind, apply, durable, flight);
    if (r != 0)
        durable(flight, r);
}

static int write_request(const struct outcome *outcome, struct token_request *ret)
{
    const struct provider *provider = outcome->setup->provider;
    CLEANUP(cleanup_secret) struct secret *proof = NULL;
    int r = client_proof(outcome->setup, &proof);
    if (r != 0)
        return r;
    if (provider->grant == GRANT_CLIENT_CREDENTIALS)
        return token_request_client_credentials(provider, proof, ret);
    return token_request_refresh(provider, proof, outcome->spent, ret);
}

static int send_request(struct flight *flight)
{
    struct outcome *outcome = &flight->outcome;
    struct token_request request = { 0 };
    int r = write_request(outcome, &request);
    if (r != 0)
        return r;
    const int64_t patience_ms = lifetime_first_try_ms(outcome->setup->provider);
    if (flight->tries == 0 && patience_ms < HTTP_WHOLE_TIMEOUT_MS)
        request.timeout_ms = (int)patience_ms;
    outcome->sent_at = clock_now();
    if (outcome->setup->provider->refresh_kills_access)
        keeper_notify(flight->keeper, &flight->name, outcome->generation, NULL);
    return client_send(flight->keeper, outcome->setup, &request, replied, flight,
                       &flight->transfer);
}

/* It cannot even be sent: the row has to know, or it would be due again at once. */
static void cannot_send(struct flight *flight, int error)
{
    struct outcome *outcome = &flight->outcome;
    outcome_set_unsendable(outcome, error);
    outcome->circumstances.now = clock_now();
    outcome->circumstances.random = random_below(1000);
    if (error == STORE_NOT_FOUND) {
        char name[ACCOUNT_TEXT_SIZE];
        const struct failure failure =
            failure_make(WIRE_UNKNOWN_ACCOUNT, 0, "there is no account %s: run `tokenbroker login`",
                         account_text(&flight->name, name));
        land_with_failure(flight, &failure);
        return;
    }
    int r = commits_add(flight->keeper->commits, COMMIT_MAY, apply, durable, flight);
    if (r != 0)
        durable(flight, r);
}

static int apply_rest(void *userdata, struct store *store)
{
    struct flight *flight = userdata;
    CLEANUP(cleanup_account_row) struct account_row row = { 0 };
    int r = store_read(store, &flight->name, &row);
    if (r == 0 && judge_due(&row, &flight->outcome.circumstances))
        r = store_put_facts(store, &row);
    return r;
}

static void rests_now(void *userdata, int result)
{
    struct flight *flight = userdata;
    (void)result; /* it is due again, then */
    if (flight->waiters)
        lane_wait_again(flight->lane, flight, 0); /* somebody asked meanwhile */
    else
        lane_landed(flight->lane, flight);
}

/* True when nobody wants the refresh that is due, and its row is on the way to say so. */
static bool nobody_wants(struct flight *flight)
{
    struct outcome *outcome = &flight->outcome;
    outcome->circumstances.now = clock_now();
    return !flight->canary && !flight->waiters &&
           judge_due(&outcome->row, &outcome->circumstances) &&
           commits_add(flight->keeper->commits, COMMIT_MAY, apply_rest, rests_now, flight) == 0;
}

static void send_now(struct flight *flight, int r)
{
    if (r == 0)
        r = send_request(flight);
    if (r != 0)
        cannot_send(flight, r);
}

static int apply_due(void *userdata, struct store *store)
{
    struct flight *flight = userdata;
    return outcome_mark_due(&flight->outcome, store);
}

static void marked_due(void *userdata, int result)
{
    struct flight *flight = userdata;
    if (result != 0 || flight->keeper->stopping)
        durable(flight, result != 0 ? result : -ECANCELED);
    else
        send_now(flight, 0);
}

void flight_start(struct flight *flight, bool canary)
{
    struct outcome *outcome = &flight->outcome;
    flight->stage = FLIGHT_IN_AIR;
    flight->set_aside = false;
    flight->canary = canary;
    outcome_release(outcome);
    int r = outcome_begin(outcome, flight->keeper, lane_choose_setup(flight->lane, &flight->name),
                          &flight->name);
    if (r == OUTCOME_UNREADABLE) {
        set_aside(flight);
        return;
    }
    if (r == 0 && nobody_wants(flight))
        return;
    if (r == 0 && outcome_is_early(outcome, clock_now())) {
        r = commits_add(flight->keeper->commits, COMMIT_MAY, apply_due, marked_due, flight);
        if (r == 0)
            return;
    }
    send_now(flight, r);
}

#include "back/flight.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "back/client_call.h"
#include "back/flight_private.h"
#include "back/lane.h"
#include "back/links.h"
#include "back/plan.h"
#include "back/revoke.h"
#include "back/vault.h"
#include "back/waiters.h"
#include "base/clock.h"
#include "base/log.h"
#include "oauth/lifetime.h"

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
    commit_free(flight->commit);
    loop_source_free(flight->rest);
    outcome_release(&flight->outcome);
    secret_room_free(flight->room);
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

enum flight_way flight_way(const struct flight *flight)
{
    return flight->way;
}

bool flight_is_on_wire(const struct flight *flight)
{
    return flight->transfer != NULL;
}

bool flight_is_unanswered(const struct flight *flight)
{
    const enum verdict verdict = flight->outcome.reply.verdict;
    return verdict == VERDICT_NOT_SENT || verdict == VERDICT_NO_ANSWER;
}

bool flight_is_tried_unasked(const struct flight *flight)
{
    const bool rests_unanswered = flight->stage == FLIGHT_RESTING && flight->tries > 0;
    return !flight->waiters && (flight->stage == FLIGHT_IN_AIR || rests_unanswered);
}

int64_t flight_lost_at(const struct flight *flight)
{
    return flight->lost_at;
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
    outcome_release(&flight->outcome);
    flight->room = secret_room_free(flight->room);
    flight->stage = FLIGHT_RESTING;
    (void)loop_timer_set(flight->rest, rest_ms);
}

/* The account was logged out meanwhile, with a refresh token that was spent already: what came in
 * its place is the grant that has to end. */
static int revoke_what_came(const struct flight *flight, struct store *store)
{
    const struct outcome *outcome = &flight->outcome;
    CLEANUP(cleanup_grant) struct grant came = { 0 };
    int r = secret_copy(outcome_refresh_token(outcome), &came.refresh_token);
    if (r == 0)
        r = secret_copy(outcome->reply.grant.access_token, &came.access_token);
    if (r == 0 && (came.refresh_token || came.access_token))
        r = revocation_write(flight->keeper, store, &flight->name, outcome->row.identity, &came);
    return r < 0 ? r : OUTCOME_GONE;
}

static int apply(void *userdata, struct store *store)
{
    struct flight *flight = userdata;
    struct outcome *outcome = &flight->outcome;
    outcome->circumstances.provider_paused = lane_paused(flight->lane);
    outcome->circumstances.others_succeeded_at =
        lane_others_succeeded_at(flight->lane, &flight->name);
    secret_room_enter(flight->room);
    int r = outcome_apply(outcome, flight->keeper->key, store);
    secret_room_leave();
    if (r == OUTCOME_GONE)
        return revoke_what_came(flight, store);
    if (r == 0 && outcome->row.state == ACCOUNT_CONSENT_REQUIRED)
        r = links_offer(flight->keeper, store, &outcome->row);
    return r;
}

/* Not with what is configured now, but with what was before, or a secret that is only tried. */
static bool went_out_as_another(const struct flight *flight)
{
    const struct setup *in_force = lane_setup(flight->lane);
    char used[FINGERPRINT_SIZE], now[FINGERPRINT_SIZE];
    if (flight->outcome.setup == in_force)
        return false;
    setup_fingerprint(flight->outcome.setup, used);
    setup_fingerprint(in_force, now);
    return strcmp(used, now) != 0;
}

/* How the others will fare cannot be told from that, nor from one that was given up before. */
static bool tells_of_others(const struct flight *flight)
{
    return flight->outcome.row.state != ACCOUNT_CONSENT_REQUIRED && !went_out_as_another(flight);
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
        if (tells_of_others(flight))
            lane_refused(flight->lane, &flight->name, refusal_is_its_own(&outcome->row, c));
        break;
    case VERDICT_PROVIDER_REFUSED:
        if (outcome_blames_provider(outcome) && !went_out_as_another(flight))
            lane_credentials_refused(flight->lane, &flight->name, outcome->reply.error);
        break;
    case VERDICT_ACCOUNT_SUSPECT:
        if (tells_of_others(flight))
            lane_refused(flight->lane, &flight->name, suspicion_is_its_own(&outcome->row, c));
        break;
    case VERDICT_NOT_SENT:
    case VERDICT_NO_ANSWER:
        lane_unanswered(flight->lane, c->retry_after_ms);
        break;
    case VERDICT_GRANTED:
        break;
    }
}

/* True when what was refused is not the set-up in force: it goes again at once under that, and its
 * row hears nothing of it, but where the steps that it notes have to be taken back. */
static bool refused_as_another(const struct flight *flight)
{
    const struct outcome *outcome = &flight->outcome;
    (void)lane_judge_trial(flight->lane, outcome->setup, &outcome->reply);
    return verdict_is_refusal(outcome->reply.verdict) && flight->way == FLIGHT_IN_TURN &&
           went_out_as_another(flight);
}

static void replied(void *userdata, const struct http_reply *http)
{
    struct flight *flight = userdata;
    struct outcome *outcome = &flight->outcome;
    flight->transfer = NULL;
    secret_room_enter(flight->room);
    int r = outcome_judge(outcome, http);
    secret_room_leave();
    outcome->circumstances.now = clock_now();
    outcome->circumstances.random = random_below(1000);
    if (outcome->reply.verdict == VERDICT_NO_ANSWER && flight->lost_at == 0)
        flight->lost_at = outcome->sent_at;
    outcome->circumstances.lost_at = flight->lost_at;
    const bool as_another = r == 0 && refused_as_another(flight);
    outcome->circumstances.as_another = as_another;
    if (as_another && !outcome_must_be_kept(outcome) && outcome->row.refusals == REFUSAL_NONE) {
        lane_wait_again(flight->lane, flight, 0);
        return;
    }
    report_to_lane(flight);
    if (r == 0 && flight_short_retry_fits(flight) && !outcome_must_be_kept(outcome)) {
        flight_retry_shortly(flight);
        return;
    }
    const enum commit_kind kind = outcome_must_be_kept(outcome) ? COMMIT_MUST : COMMIT_MAY;
    if (r == 0)
        commits_add_prepared(flight->keeper->commits, steal(flight->commit), kind, apply,
                             flight_durable, flight);
    else
        flight_durable(flight, r);
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
    if (!flight->commit)
        flight->commit = commit_new();
    int r = flight->commit ? write_request(outcome, &request) : -ENOMEM;
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
        flight_land_with_failure(flight, &failure);
        return;
    }
    int r = commits_add(flight->keeper->commits, COMMIT_MAY, apply, flight_durable, flight);
    if (r != 0)
        flight_durable(flight, r);
}

static int apply_rest(void *userdata, struct store *store)
{
    struct flight *flight = userdata;
    CLEANUP(cleanup_account_row) struct account_row row = { 0 };
    int r = store_read(store, &flight->name, &row);
    if (r == 0 && plan_rests(&row, &flight->outcome.circumstances))
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
    return flight->way == FLIGHT_IN_TURN && !flight->waiters &&
           plan_rests(&outcome->row, &outcome->circumstances) &&
           commits_add(flight->keeper->commits, COMMIT_MAY, apply_rest, rests_now, flight) == 0;
}

/* Memory that is short is nothing that its row should hear of. */
static void wait_for_room(struct flight *flight)
{
    outcome_set_unsendable(&flight->outcome, -ENOMEM);
    lane_cramped(flight->lane, flight);
}

static void send_now(struct flight *flight, int r)
{
    if (r == 0)
        r = send_request(flight);
    if (r == -ENOMEM)
        wait_for_room(flight);
    else if (r != 0)
        cannot_send(flight, r);
}

/* Tokens that come are about as long as those before. */
static size_t length_to_expect(const struct grant *grant)
{
    const struct secret *before[] = { grant->access_token, grant->refresh_token };
    size_t length = grant->access_token ? FLIGHT_TOKEN_USUAL : KEEPER_FIRST_TOKEN_ROOM;
    for (size_t i = 0; i < sizeof before / sizeof *before; i++)
        if (before[i] && secret_length(before[i]) > length)
            length = secret_length(before[i]);
    length += length / 4;
    return length < SECRET_MAX ? length : SECRET_MAX;
}

/* A token that finds no room when it comes is lost, and the one that was sent for it is spent. */
static int take_room(struct flight *flight)
{
    const size_t free_beside =
        lane_has_others_in_air(flight->lane) ? SECRET_FREE_BESIDE_ROOMS : SECRET_FREE_BESIDE_FIRST;
    if (flight->room)
        return 0;
    return secret_room_new(length_to_expect(&flight->outcome.grant), free_beside, &flight->room);
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
        flight_durable(flight, result != 0 ? result : -ECANCELED);
    else
        send_now(flight, 0);
}

/* A last try is none for a secret that is not known to be good. */
static struct setup *setup_for(const struct flight *flight)
{
    return flight->way == FLIGHT_IN_GRACE ? lane_setup(flight->lane)
                                          : lane_choose_setup(flight->lane, &flight->name);
}

void flight_start(struct flight *flight, enum flight_way way)
{
    struct outcome *outcome = &flight->outcome;
    flight->stage = FLIGHT_IN_AIR;
    flight->set_aside = false;
    flight->way = way;
    outcome_release(outcome);
    int r = outcome_begin(outcome, flight->keeper, setup_for(flight), &flight->name);
    if (r == OUTCOME_UNREADABLE || r == OUTCOME_NOT_READ) {
        flight_set_aside(flight, r);
        return;
    }
    if (r == 0 && nobody_wants(flight))
        return;
    if (r == 0)
        r = take_room(flight);
    if (r == 0 && flight_has_kept(flight)) {
        flight_take_kept(flight);
        return;
    }
    if (r == 0 && outcome_is_early(outcome, clock_now())) {
        r = commits_add(flight->keeper->commits, COMMIT_MAY, apply_due, marked_due, flight);
        if (r == 0)
            return;
    }
    send_now(flight, r);
}

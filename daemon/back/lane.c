#include "back/lane_private.h"

#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"

struct failure lane_pause_failure(const struct lane *lane)
{
    const int64_t wait_s = (lane->pause.row.probe_at - clock_now()) / 1000;
    return failure_make(WIRE_PROVIDER_REJECTED, wait_s > 1 ? wait_s : 1,
                        "provider %s is paused (%s): mend its configuration, then run "
                        "`tokenbroker retry`",
                        lane->setup->provider->name, lane->pause.row.reason);
}

bool lane_is_static(const struct lane *lane)
{
    return lane->setup->provider->grant == GRANT_STATIC;
}

struct failure lane_static_failure(const struct account_name *name)
{
    enum { MENDED_BY_HAND_S = 60 };
    return failure_make(WIRE_PROVIDER_REJECTED, MENDED_BY_HAND_S,
                        "%s/%s has a refresh token, but its provider's section says grant = "
                        "\"static\" now: put it back, or `tokenbroker import` an access token",
                        name->provider, name->label);
}

void lane_demand(struct lane *lane, const struct account_name *name, uint64_t id, bool with_rows)
{
    if (lane_paused(lane))
        lane_pump(lane); /* a canary that is due goes first: it may be this account */
    struct flight *flight = lane_find_flight(lane, name);
    if (flight) {
        flight_join(flight, id, with_rows);
        return;
    }
    struct failure failure = failure_make(WIRE_BUSY, 1, "too many refreshes wait: ask again");
    if (lane_paused(lane))
        failure = lane_pause_failure(lane);
    else if (lane->flight_count < LANE_QUEUE_MAX && lane_add_flight(lane, name, &flight) == 0) {
        flight_join(flight, id, with_rows);
        lane_enqueue(lane, flight);
        lane_pump_soon(lane);
        return;
    }
    keeper_refuse(lane->keeper, id, &failure);
}

bool lane_flies(struct lane *lane, const struct account_name *name)
{
    return lane_find_flight(lane, name) != NULL;
}

/* As a reload does: whose endpoints moved says so there, and nowhere else. */
static void discover_again(struct lane *lane)
{
    const struct client_secrets secrets = { .now = lane->credentials.now,
                                            .next = lane->credentials.next };
    if (lane->section->issuer && lane->setup->resolved &&
        lane_configure(lane, lane->section, secrets) != 0)
        log_warning("provider %s keeps the endpoints that it had: memory is short",
                    lane->section->name);
}

void lane_retry(struct lane *lane)
{
    discover_again(lane);
    lane->asked_to_rest_until = 0;
    lane->undiscovered_until = 0;
    credentials_retry(&lane->credentials, lane->keeper);
    pause_probe_now(&lane->pause, lane->keeper);
    lane->probes_anew = true;
    lane_end_rests(lane);
    lane_pump_soon(lane);
}

/* Also where its section is missing, or has another grant, just now. */
void lane_resume(struct lane *lane)
{
    struct account_name canary;
    if (store_canary(lane->keeper->store, lane->setup->provider->name, "", "", &canary) !=
        STORE_NOT_FOUND)
        pause_copied(&lane->pause, lane->keeper);
    lane_pump_soon(lane);
}

void lane_take_over(struct lane *lane, const char *from)
{
    pause_carried(&lane->pause, lane->keeper, from);
    lane_pump_soon(lane);
}

struct setup *lane_setup(const struct lane *lane)
{
    return lane->setup;
}

struct setup *lane_choose_setup(struct lane *lane, const struct account_name *name)
{
    return credentials_choose(&lane->credentials, lane->setup, name);
}

/* With the provider as it is configured now: it may have been reloaded since the trial began. */
static void take_passed(struct lane *lane, struct setup *used)
{
    struct setup *setup = NULL;
    if (credentials_setup(&lane->credentials, lane->setup->provider, &setup) == 0)
        setup->resolved = lane->setup->resolved;
    else
        setup = setup_ref(used);
    setup_unref(lane->setup);
    lane->setup = setup;
    lane_resolve_anew(lane);
}

enum trial_result lane_judge_trial(struct lane *lane, struct setup *used,
                                   const struct token_reply *reply)
{
    const enum trial_result result =
        credentials_judge(&lane->credentials, lane->keeper, used, reply);
    if (result == TRIAL_PASSED)
        take_passed(lane, used);
    return result;
}

/* Where nothing is refreshed, nothing waits for a probe. */
bool lane_paused(const struct lane *lane)
{
    return pause_holds(&lane->pause) && !lane_is_static(lane);
}

const struct pause_row *lane_pause_row(const struct lane *lane)
{
    return &lane->pause.row;
}

void lane_health(const struct lane *lane, struct provider_health *ret)
{
    *ret = (struct provider_health){ .paused = lane_paused(lane),
                                     .probe_at = lane->pause.row.probe_at,
                                     .next_secret = credentials_next_secret(&lane->credentials),
                                     .in_air = lane->in_air };
    memcpy(ret->attempts, lane->attempts, sizeof ret->attempts);
    memcpy(ret->provider, lane->setup->provider->name, sizeof ret->provider);
    memcpy(ret->reason, lane->pause.row.reason, sizeof ret->reason);
}

void lane_count_attempt(struct lane *lane, enum verdict verdict)
{
    lane->attempts[verdict]++;
}

int64_t lane_others_succeeded_at(const struct lane *lane, const struct account_name *name)
{
    return account_name_equal(&lane->latest.name, name) ? lane->before.at : lane->latest.at;
}

static unsigned window_max(const struct lane *lane)
{
    const unsigned most = lane->setup->provider->concurrency;
    return most > 0 ? most : LANE_WINDOW_MAX;
}

void lane_succeeded(struct lane *lane, const struct account_name *name)
{
    if (!account_name_equal(&lane->latest.name, name))
        lane->before = lane->latest;
    lane->latest = (struct success){ *name, clock_now() };
    if (pause_succeeded(&lane->pause, lane->keeper))
        lane->window = 1;
    else if (lane->window < window_max(lane))
        lane->window *= 2;
    lane_pump_soon(lane);
}

void lane_consented(struct lane *lane, const struct setup *used, bool brought)
{
    if (pause_consented(&lane->pause, lane->keeper, used == lane->setup, brought))
        lane->window = 1;
    lane_pump_soon(lane);
}

void lane_unanswered(struct lane *lane, int64_t retry_after_ms)
{
    if (lane->window > 1)
        lane->window /= 2;
    lane_asked_to_rest(lane, retry_after_ms);
}

void lane_refused(struct lane *lane, const struct account_name *name, bool its_own)
{
    lane->window = 1;
    pause_account_refused(&lane->pause, name);
    if (!its_own && pause_add_refusal(&lane->pause, lane->keeper, name))
        lane_end_rests(lane); /* a kill must not find what only a flight knows */
}

void lane_credentials_refused(struct lane *lane, const struct account_name *name, const char *error)
{
    lane->window = 1;
    if (pause_credentials_refused(&lane->pause, lane->keeper, name, error))
        lane_end_rests(lane);
    credentials_needed(&lane->credentials);
    if (credentials_wants_trial(&lane->credentials, NULL))
        pause_probe_now(&lane->pause, lane->keeper);
}

static void out_of_air(struct lane *lane, const struct flight *flight)
{
    if (flight_stage(flight) == FLIGHT_IN_AIR)
        lane->in_air--;
}

static void note_probe(struct lane *lane, const struct flight *flight)
{
    if (flight_way(flight) == FLIGHT_IN_TURN || !pause_holds(&lane->pause) || lane->probes_anew)
        return;
    if (flight_is_unanswered(flight))
        pause_probe_unanswered(&lane->pause);
    else
        pause_probe_failed(&lane->pause, lane->keeper);
}

static void try_ended(struct lane *lane, const struct flight *flight)
{
    out_of_air(lane, flight);
    note_probe(lane, flight);
    credentials_landed(&lane->credentials, flight_account(flight));
}

void lane_wait_again(struct lane *lane, struct flight *flight, int64_t rest_ms)
{
    try_ended(lane, flight);
    flight_rest(flight, rest_ms);
    lane_pump_soon(lane);
}

bool lane_has_others_in_air(const struct lane *lane)
{
    return lane->in_air > 1;
}

/* Whoever waits hears of it once it lasts. */
static void refuse_cramped(struct lane *lane, struct flight *flight)
{
    const struct failure failure =
        failure_make(WIRE_BUSY, 1,
                     "the memory for secrets is full: nothing is sent to provider %s until "
                     "there is room for its reply",
                     lane->setup->provider->name);
    if (!lane->cramped_told)
        log_warning("%s", failure.description);
    lane->cramped_told = true;
    flight_refuse(flight, &failure);
    lane_refuse_waiters(lane, &failure);
}

void lane_cramped(struct lane *lane, struct flight *flight)
{
    const int64_t now = clock_now();
    if (lane->cramped_since == 0)
        lane->cramped_since = now;
    if (now - lane->cramped_since > LANE_ROOM_WAITED_MS)
        refuse_cramped(lane, flight);
    lane->cramped_until = now + LANE_ROOM_MS;
    lane_unpace(lane);
    /* No try has ended: a canary that did not go shows nothing, and the next turn has another. */
    out_of_air(lane, flight);
    credentials_landed(&lane->credentials, flight_account(flight));
    flight_rest(flight, LANE_ROOM_MS);
    lane_pump_soon(lane);
}

void lane_ready(struct lane *lane, struct flight *flight)
{
    lane_enqueue(lane, flight);
    lane_pump_soon(lane);
}

void lane_landed(struct lane *lane, struct flight *flight)
{
    try_ended(lane, flight);
    lane_drop_flight(lane, flight);
    lane_pump_soon(lane);
}

/* Takes provider and secrets, both or none. */
static int take_setup(struct lane *lane, const struct provider *provider,
                      struct client_secrets secrets)
{
    struct credentials credentials = { 0 };
    CLEANUP(cleanup_provider) struct provider *section = NULL;
    CLEANUP(cleanup_provider) struct provider *found = NULL;
    struct setup *setup = NULL;
    int r = provider_copy(provider, &section);
    if (r == 0)
        r = lane_copy_found(lane, provider, &found);
    if (r == 0)
        r = credentials_load(&credentials, lane->keeper, provider->name, secrets);
    if (r != 0)
        return r;
    credentials_carry(&lane->credentials, &credentials);
    r = credentials_setup(&credentials, provider, &setup);
    if (r != 0) {
        credentials_carry(&credentials, &lane->credentials);
        credentials_release(&credentials);
        return r;
    }
    setup->resolved = !resolve_is_needed(setup);
    credentials_release(&lane->credentials);
    setup_unref(lane->setup);
    lane->credentials = credentials;
    lane->setup = setup;
    provider_free(lane->section);
    lane->section = steal(section);
    provider_free(lane->found);
    lane->found = steal(found);
    return 0;
}

int lane_configure(struct lane *lane, const struct provider *provider,
                   struct client_secrets secrets)
{
    const bool as_before = provider_is_at_same_server(lane->section, provider);
    int r = take_setup(lane, provider, secrets);
    if (r != 0)
        return r;
    lane->removed = false;
    lane->undiscovered_until = 0;
    if (!as_before)
        lane->asked_to_rest_until = 0;
    lane_pace_anew(lane);
    lane_resolve_anew(lane);
    if (pause_setup_changed(&lane->pause, lane->keeper, lane->setup)) {
        lane->window = 1; /* it may be wrong: one account goes first */
        lane->probes_anew = true;
    }
    if (credentials_wants_trial(&lane->credentials, NULL))
        pause_probe_now(&lane->pause, lane->keeper);
    lane_look_again(lane);
    return 0;
}

int lane_new(struct keeper *keeper, const struct provider *provider, struct client_secrets secrets,
             struct lane **ret)
{
    struct lane *lane = calloc(1, sizeof *lane);
    if (!lane)
        return -ENOMEM;
    lane->keeper = keeper;
    lane->window = 1;
    int r = loop_add_timer(keeper->loop, lane_turn, lane, &lane->timer);
    if (r == 0)
        r = loop_add_timer(keeper->loop, lane_turn, lane, &lane->door);
    if (r == 0)
        r = take_setup(lane, provider, secrets);
    if (r == 0)
        r = pause_load(&lane->pause, keeper, lane->setup);
    if (r != 0) {
        lane_free(lane);
        return r;
    }
    lane_look_again(lane);
    *ret = lane;
    return 0;
}

void lane_give_up(struct lane *lane)
{
    lane_give_up_discovery(lane);
    lane_tell_rows(lane);
}

struct lane *lane_free(struct lane *lane)
{
    if (!lane)
        return NULL;
    lane_drop_all(lane);
    lane_end_discovery(lane);
    loop_source_free(lane->timer);
    credentials_release(&lane->credentials);
    loop_source_free(lane->door);
    setup_unref(lane->setup);
    provider_free(lane->section);
    provider_free(lane->found);
    free(lane);
    return NULL;
}

void lane_remove(struct lane *lane)
{
    lane->removed = true;
    lane_end_rests(lane);
    lane_pump(lane);
}

bool lane_removed(const struct lane *lane)
{
    return lane->removed;
}

bool lane_busy(const struct lane *lane)
{
    return lane->in_air > 0;
}

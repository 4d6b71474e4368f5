#include "back/lane_private.h"

#include <string.h>

#include "back/restored.h"
#include "base/clock.h"

void lane_pump_soon(struct lane *lane)
{
    (void)loop_timer_set(lane->timer, 0);
}

/* A provider's rate limit is kept by pace: no burst can pass it, whatever its window is, not even
 * where one that was late on its way begins that window. */
void lane_pace(struct lane *lane)
{
    lane->paced_from = clock_now();
    lane_pace_anew(lane);
}

void lane_unpace(struct lane *lane)
{
    lane->paced_from = 0;
    lane->paced_until = 0;
}

void lane_pace_anew(struct lane *lane)
{
    const struct provider *provider = lane->setup->provider;
    const int64_t requests = provider->rate_limit_requests;
    lane->paced_until = 0;
    if (requests > 0 && lane->paced_from > 0)
        lane->paced_until =
            lane->paced_from +
            (provider->rate_limit_period_ms + LANE_LATE_MS + requests - 1) / requests;
}

static int64_t later(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

static int64_t earlier(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

int64_t lane_rests_until(const struct lane *lane)
{
    return later(lane->asked_to_rest_until, lane->undiscovered_until);
}

static void launch(struct lane *lane, struct flight *flight, enum flight_way way)
{
    lane_pace(lane);
    lane->flights_turn = false;
    lane->in_air++;
    flight_start(flight, way);
    if (clock_now() >= lane->cramped_until) {
        lane->cramped_since = 0;
        lane->cramped_told = false;
    }
}

/* The next due account that has no flight yet. */
struct due_search {
    const struct lane *lane;
    struct account_name name;
    bool found;
};

static bool consider_due(void *userdata, const struct account_name *name)
{
    struct due_search *search = userdata;
    if (lane_find_flight(search->lane, name))
        return true;
    search->name = *name;
    search->found = true;
    return false;
}

/* A provider that does not answer is not met with all that is due, over and over. */
static struct flight *next_due(struct lane *lane)
{
    struct due_search search = { .lane = lane };
    if (lane_count_unasked(lane) >= LANE_RESTING_MAX)
        return NULL;
    int r = store_due(lane->keeper->store, lane->setup->provider->name, clock_now(),
                      lane->flight_count + 1, consider_due, &search);
    struct flight *flight = NULL;
    if (r == 0 && search.found && lane_add_flight(lane, &search.name, &flight) == 0)
        return flight;
    return NULL;
}

static bool take_name(void *userdata, const struct account_row *row)
{
    *(struct account_name *)userdata = row->name;
    return false;
}

/* Without refresh tokens any account will do: all stand on the same credentials. */
static int find_any(const struct lane *lane, struct account_name *ret)
{
    const struct provider *provider = lane->setup->provider;
    struct account_name first = { "", "" };
    memcpy(first.provider, provider->name, sizeof first.provider);
    int r = store_list(lane->keeper->store, &first, 1, take_name, ret);
    if (r == 0 && strcmp(ret->provider, provider->name) != 0)
        r = STORE_NOT_FOUND;
    return r;
}

/* The account that last succeeded, none of the first `count` whose tokens may be lost already. */
static int find_last_succeeded(const struct lane *lane, size_t count, struct account_name *ret)
{
    const struct account_name *risked = lane->pause.risked;
    return store_canary(lane->keeper->store, lane->setup->provider->name,
                        count > 0 ? risked[0].label : "", count > 1 ? risked[1].label : "", ret);
}

/* Whether such an account can still probe. */
static bool may_probe(const struct lane *lane, const struct account_name *name)
{
    CLEANUP(cleanup_account_row) struct account_row row = { 0 };
    return store_read(lane->keeper->store, name, &row) == 0 &&
           !account_needs_consent(&row, lane->setup->provider);
}

/* Every other probe is another account's: the one that succeeded last may be the broken one. */
static int find_canary(struct lane *lane, struct account_name *ret)
{
    const struct pause *pause = &lane->pause;
    const size_t turn = pause->turn % 2 == 1 ? 0 : 1;
    if (lane->setup->provider->grant == GRANT_CLIENT_CREDENTIALS)
        return find_any(lane, ret);
    if (pause->moves_on && find_last_succeeded(lane, pause->risked_count, ret) == 0)
        return 0;
    if (turn < pause->risked_count && may_probe(lane, &pause->risked[turn])) {
        *ret = pause->risked[turn];
        return 0;
    }
    int r = find_last_succeeded(lane, pause->risked_count > 0 ? 1 : 0, ret);
    return r == STORE_NOT_FOUND ? find_last_succeeded(lane, 0, ret) : r;
}

/* The one account that may try client_secret_next, when it is to be tried and can be. */
static bool trial_canary(struct lane *lane, struct account_name *ret)
{
    struct credentials *credentials = &lane->credentials;
    CLEANUP(cleanup_account_row) struct account_row row = { 0 };
    if (!credentials->canary.label[0] || !credentials_wants_trial(credentials, NULL) ||
        lane_find_flight(lane, &credentials->canary))
        return false;
    int r = store_read(lane->keeper->store, &credentials->canary, &row);
    if (r == STORE_NOT_FOUND)
        credentials->canary.label[0] = '\0'; /* it was logged out: another may try */
    if (r != 0 || account_needs_consent(&row, lane->setup->provider))
        return false;
    *ret = credentials->canary;
    return true;
}

static struct flight *canary(struct lane *lane)
{
    struct account_name name = { "", "" };
    struct flight *flight = NULL;
    if (trial_canary(lane, &name))
        return lane_add_flight(lane, &name, &flight) == 0 ? flight : NULL;
    if (lane->pause.turn % 2 == 1 && lane->pause.risked_count == 0) {
        flight = next_due(lane);
        if (flight)
            return flight;
    }
    int r = find_canary(lane, &name);
    if (r == STORE_NOT_FOUND)
        return next_due(lane); /* a consent is wanted of all: who is tried once more */
    if (r != 0)
        return NULL;
    if (lane_find_flight(lane, &name))
        return NULL;
    lane->pause.moves_on = false;
    return lane_add_flight(lane, &name, &flight) == 0 ? flight : NULL;
}

static void wake_at(struct lane *lane, int64_t at)
{
    const int64_t now = clock_now();
    (void)loop_timer_set(lane->timer, at > now ? at - now : 0);
}

/* For the earliest account that is not due yet. What is due by now has a flight, whose end pumps.
 * A schedule that cannot be read is read again: nothing else may ever pump. */
static void wake_for_next_due(struct lane *lane)
{
    int64_t at = 0;
    if (store_next_due(lane->keeper->store, lane->setup->provider->name, &at) != 0)
        (void)loop_timer_set(lane->timer, LANE_STORE_CHECK_MS);
    else if (at != 0)
        wake_at(lane, at > clock_now() ? at : clock_now() + LANE_RECHECK_MS);
}

/* When the next may go, by the rate limit and the room that there is for its reply. */
static int64_t free_at(const struct lane *lane)
{
    return later(lane->cramped_until, lane->paced_until);
}

/* False: what is to be sent needs them, and they are asked for; the answer pumps. */
static bool knows_endpoints(struct lane *lane)
{
    if (!lane->setup->resolved && lane_start_resolve(lane) != 0)
        (void)loop_timer_set(lane->timer, LANE_STORE_CHECK_MS);
    return lane->setup->resolved;
}

/* What becomes of it does not move the pause's own probes. Those that had no answer go first. */
static void try_last_in_grace(struct lane *lane, const struct account_name *name)
{
    struct flight *flight = lane_dequeue(lane);
    if (!flight && lane_add_flight(lane, name, &flight) != 0) {
        (void)loop_timer_set(lane->timer, LANE_RECHECK_MS);
        return;
    }
    lane->probes_anew = true;
    launch(lane, flight, FLIGHT_IN_GRACE);
}

static void probe(struct lane *lane)
{
    lane->probes_anew = false;
    struct flight *flight = canary(lane);
    if (flight) {
        launch(lane, flight, FLIGHT_CANARY);
        return;
    }
    if (lane->flight_count > 0 || lane->again.marks) {
        /* It rests between two tries that began before the pause, or is only becoming due. */
        (void)loop_timer_set(lane->timer, LANE_RECHECK_MS);
        return;
    }
    pause_probe_failed(&lane->pause, lane->keeper);
    wake_at(lane, lane->pause.row.probe_at);
}

static void pump_paused(struct lane *lane)
{
    const struct failure failure = lane_pause_failure(lane);
    struct account_name lost = { "", "" };
    if (pause_spares_others(&lane->pause))
        lane_refuse_queue(lane, &failure);
    else
        lane_refuse_all_but_last_tries(lane, &failure);
    if (lane->in_air > 0 || !lane_has_room(lane))
        return;
    const int64_t now = clock_now(), probe_at = lane->pause.row.probe_at;
    const int64_t last_at = lane->queue_first ? now : lane_last_in_grace_at(lane, &lost);
    const int64_t at = later(earlier(probe_at, last_at), free_at(lane));
    if (now < at)
        wake_at(lane, at);
    else if (!knows_endpoints(lane))
        return;
    else if (now >= last_at)
        try_last_in_grace(lane, &lost);
    else
        probe(lane);
}

static bool has_work(struct lane *lane)
{
    int64_t at = 0;
    return lane->queue_first ||
           (store_next_due(lane->keeper->store, lane->setup->provider->name, &at) == 0 && at > 0 &&
            at <= clock_now());
}

/* Visits that wait go first, whatever they wait for, unless one of them has just been. */
static bool is_full(const struct lane *lane)
{
    return lane->in_air >= lane->window || !lane_has_room(lane) ||
           (lane->visits_first && !lane->flights_turn);
}

/* After a lull what worked before says little: one goes first, so that few meet a provider that has
 * gone wrong meanwhile. */
static void start_slowly(struct lane *lane)
{
    if (lane->in_air == 0 && clock_now() - lane->latest.at > LANE_LULL_MS)
        lane->window = 1;
}

static void pump_open(struct lane *lane)
{
    start_slowly(lane);
    while (!is_full(lane) && !pause_holds(&lane->pause) && clock_now() >= free_at(lane)) {
        struct flight *flight = lane_dequeue(lane);
        if (!flight)
            flight = next_due(lane);
        if (!flight)
            break;
        launch(lane, flight, FLIGHT_IN_TURN);
    }
    if (is_full(lane))
        return; /* whatever lands or leaves will pump */
    if (clock_now() < free_at(lane) && has_work(lane))
        wake_at(lane, free_at(lane));
    else
        wake_for_next_due(lane);
}

static void pump_removed(struct lane *lane)
{
    const struct failure failure = failure_make(
        WIRE_UNKNOWN_PROVIDER, 0, "provider %s is not configured", lane->setup->provider->name);
    lane_refuse_queue(lane, &failure);
}

/* What refresh tokens there are stay for the day that the section is put back. */
static void pump_static(struct lane *lane)
{
    for (struct flight *flight = lane_dequeue(lane); flight; flight = lane_dequeue(lane)) {
        const struct failure failure = lane_static_failure(flight_account(flight));
        lane_refuse_flight(lane, flight, &failure);
    }
}

/* A token that cannot be stored must not be asked for. */
static void pump_unstorable(struct lane *lane)
{
    const struct failure failure =
        failure_make(WIRE_BUSY, 1,
                     "the broker's store refuses writes (%s): nothing is "
                     "refreshed until it takes them again",
                     commits_problem(lane->keeper->commits));
    lane_refuse_queue(lane, &failure);
    (void)loop_timer_set(lane->timer, LANE_STORE_CHECK_MS);
}

/* The provider asked for a rest: nobody is kept waiting for the end of a long one. */
static void pump_resting(struct lane *lane)
{
    const int64_t left_ms = lane_rests_until(lane) - clock_now();
    const struct failure failure =
        failure_make(WIRE_PROVIDER_UNAVAILABLE, (left_ms + 999) / 1000,
                     "provider %s asked for a rest, or could not be discovered a moment ago",
                     lane->setup->provider->name);
    if (left_ms > LANE_REST_WAITED_MS)
        lane_refuse_queue(lane, &failure);
    wake_at(lane, lane_rests_until(lane));
}

/* The store is a copy, whose refresh tokens may have been spent since it was made; or its grants
 * are another broker's. */
static void pump_held(struct lane *lane)
{
    const struct failure failure = restored_failure(lane->keeper);
    lane_refuse_queue(lane, &failure);
}

static void pump_flights(struct lane *lane)
{
    if (lane->keeper->stopping)
        return;
    if (lane->removed) {
        pump_removed(lane);
        return;
    }
    if (lane_is_static(lane)) {
        pump_static(lane);
        return;
    }
    if (restored_holds(lane->keeper)) {
        pump_held(lane);
        return;
    }
    if (commits_problem(lane->keeper->commits)) {
        pump_unstorable(lane);
        return;
    }
    if (clock_now() < lane_rests_until(lane)) {
        pump_resting(lane);
        return;
    }
    if (pause_holds(&lane->pause))
        pump_paused(lane);
    else if (!lane->setup->resolved && !has_work(lane))
        wake_for_next_due(lane);
    else if (knows_endpoints(lane))
        pump_open(lane);
}

void lane_pump(struct lane *lane)
{
    lane_admit(lane); /* also at the end: nobody may have to consent again for nothing */
    lane_look_on(lane);
    pump_flights(lane);
    if (lane_has_room(lane) && clock_now() >= lane->paced_until)
        lane->flights_turn = false; /* none wanted it */
    lane_admit(lane);
}

void lane_turn(void *userdata)
{
    lane_pump(userdata);
}

#include "back/lane.h"

#include <errno.h>
#include <search.h>
#include <stdio.h>
#include <string.h>

#include "back/pause.h"
#include "back/resolve.h"
#include "base/clock.h"
#include "base/log.h"

struct resolve_waiter {
    struct resolve_waiter *next;
    void (*resolved)(void *userdata, const struct failure *why);
    void *userdata;
};

struct success {
    struct account_name name;
    int64_t at; /* 0: none yet */
};

struct lane {
    struct keeper *keeper;
    struct setup *setup;
    bool removed; /* not configured any more: what is in the air ends, nothing begins */
    struct pause pause;
    struct loop_source *timer; /* the next turn: a due account, a probe, the end of a rest */

    void *flights; /* a tree (tsearch) of all flights, by account */
    size_t flight_count;
    struct flight *queue_first;
    struct flight *queue_last;
    unsigned in_air;
    unsigned window;
    int64_t rests_until;           /* the provider asked for it (Retry-After) */
    struct success latest, before; /* of two different accounts */

    struct resolve *resolve; /* discovery under way */
    struct resolve_waiter *resolve_waiters;
};

static int by_account(const void *a, const void *b)
{
    return strcmp(flight_account(a)->label, flight_account(b)->label);
}

/* The tree compares flights, so a name is looked up by walking with a comparison of its own. */
static int name_to_flight(const void *name, const void *flight)
{
    return strcmp(((const struct account_name *)name)->label, flight_account(flight)->label);
}

static struct flight *find(const struct lane *lane, const struct account_name *name)
{
    struct flight *const *node = tfind(name, &lane->flights, name_to_flight);
    return node ? *node : NULL;
}

static void enqueue(struct lane *lane, struct flight *flight)
{
    flight_set_next(flight, NULL);
    if (lane->queue_last)
        flight_set_next(lane->queue_last, flight);
    else
        lane->queue_first = flight;
    lane->queue_last = flight;
}

static struct flight *dequeue(struct lane *lane)
{
    struct flight *flight = lane->queue_first;
    if (!flight)
        return NULL;
    lane->queue_first = flight_next(flight);
    if (!lane->queue_first)
        lane->queue_last = NULL;
    return flight;
}

static int add_flight(struct lane *lane, const struct account_name *name, struct flight **ret)
{
    struct flight *flight = NULL;
    int r = flight_new(lane->keeper, lane, name, &flight);
    if (r != 0)
        return r;
    if (!tsearch(flight, &lane->flights, by_account)) {
        flight_free(flight);
        return -ENOMEM;
    }
    lane->flight_count++;
    *ret = flight;
    return 0;
}

static void drop_flight(struct lane *lane, struct flight *flight)
{
    (void)tdelete(flight, &lane->flights, by_account);
    lane->flight_count--;
    flight_free(flight);
}

static void pump_soon(struct lane *lane)
{
    (void)loop_timer_set(lane->timer, 0);
}

static void refuse_queue(struct lane *lane, const struct failure *failure)
{
    for (struct flight *flight = dequeue(lane); flight; flight = dequeue(lane)) {
        flight_refuse(flight, failure);
        drop_flight(lane, flight);
    }
}

static void launch(struct lane *lane, struct flight *flight, bool canary)
{
    lane->in_air++;
    flight_start(flight, canary);
}

/* The next due account that has no flight yet. */
struct due_search {
    const struct lane *lane;
    struct account_name name;
    bool found;
};

static bool consider_due(void *userdata, const struct account_row *row)
{
    struct due_search *search = userdata;
    if (find(search->lane, &row->name))
        return true;
    search->name = row->name;
    search->found = true;
    return false;
}

static struct flight *next_due(struct lane *lane)
{
    struct due_search search = { .lane = lane };
    int r = store_due(lane->keeper->store, lane->setup->provider->name, clock_now(),
                      lane->flight_count + 1, consider_due, &search);
    struct flight *flight = NULL;
    if (r == 0 && search.found && add_flight(lane, &search.name, &flight) == 0)
        return flight;
    return NULL;
}

static struct flight *canary(struct lane *lane)
{
    struct account_name name;
    struct flight *flight = NULL;
    /* Every other probe is another account's: the one that succeeded last may be the broken one. */
    if (lane->pause.row.probes % 2 == 1) {
        flight = next_due(lane);
        if (flight)
            return flight;
    }
    if (store_canary(lane->keeper->store, lane->setup->provider->name, &name) != 0)
        return NULL;
    if (find(lane, &name))
        return NULL;
    return add_flight(lane, &name, &flight) == 0 ? flight : NULL;
}

static void wake_at(struct lane *lane, int64_t at)
{
    const int64_t now = clock_now();
    (void)loop_timer_set(lane->timer, at > now ? at - now : 0);
}

/* For the earliest account that is not due yet. What is due by now has a flight, whose end pumps.
 */
static void wake_for_next_due(struct lane *lane)
{
    int64_t at = 0;
    if (store_next_due(lane->keeper->store, lane->setup->provider->name, &at) != 0 || at == 0)
        return;
    wake_at(lane, at > clock_now() ? at : clock_now() + LANE_RECHECK_MS);
}

static void pump_paused(struct lane *lane)
{
    const struct failure failure = lane_pause_failure(lane);
    refuse_queue(lane, &failure);
    if (lane->in_air > 0)
        return;
    if (clock_now() < lane->pause.row.probe_at) {
        wake_at(lane, lane->pause.row.probe_at);
        return;
    }
    struct flight *flight = canary(lane);
    if (flight) {
        launch(lane, flight, true);
        return;
    }
    pause_probe_failed(&lane->pause, lane->keeper);
    wake_at(lane, lane->pause.row.probe_at);
}

static void pump_open(struct lane *lane)
{
    while (lane->in_air < lane->window && !pause_holds(&lane->pause)) {
        struct flight *flight = dequeue(lane);
        if (!flight)
            flight = next_due(lane);
        if (!flight)
            break;
        launch(lane, flight, false);
    }
    if (lane->in_air < lane->window)
        wake_for_next_due(lane);
}

static void resolved(void *userdata, const struct failure *why)
{
    struct lane *lane = userdata;
    lane->resolve = NULL;
    if (why) {
        log_warning("%s", why->description);
        lane->rests_until = clock_now() + why->retry_after_s * 1000;
        refuse_queue(lane, why);
    }
    struct resolve_waiter *waiters = steal(lane->resolve_waiters);
    while (waiters) {
        struct resolve_waiter *waiter = waiters;
        waiters = waiter->next;
        waiter->resolved(waiter->userdata, why);
        free(waiter);
    }
    pump_soon(lane);
}

static int start_resolve(struct lane *lane)
{
    if (lane->resolve)
        return 0;
    return resolve_start(lane->keeper, lane->setup, resolved, lane, &lane->resolve);
}

void lane_resolve(struct lane *lane, void (*call_back)(void *userdata, const struct failure *why),
                  void *userdata)
{
    if (lane->setup->resolved) {
        call_back(userdata, NULL);
        return;
    }
    struct resolve_waiter *waiter = calloc(1, sizeof *waiter);
    if (!waiter || start_resolve(lane) != 0) {
        free(waiter);
        const struct failure failure =
            failure_make(WIRE_BUSY, 1, "discovery of provider %s cannot start: try again",
                         lane->setup->provider->name);
        call_back(userdata, &failure);
        return;
    }
    *waiter = (struct resolve_waiter){ lane->resolve_waiters, call_back, userdata };
    lane->resolve_waiters = waiter;
}

static bool has_work(struct lane *lane)
{
    int64_t at = 0;
    return lane->queue_first ||
           (store_next_due(lane->keeper->store, lane->setup->provider->name, &at) == 0 && at > 0 &&
            at <= clock_now());
}

void lane_pump(struct lane *lane)
{
    if (lane->keeper->stopping || lane->removed)
        return;
    if (commits_problem(lane->keeper->commits)) {
        /* A token that cannot be stored must not be asked for. */
        const struct failure failure =
            failure_make(WIRE_BUSY, 1,
                         "the broker's store refuses writes (%s): nothing is "
                         "refreshed until it takes them again",
                         commits_problem(lane->keeper->commits));
        refuse_queue(lane, &failure);
        (void)loop_timer_set(lane->timer, LANE_STORE_CHECK_MS);
        return;
    }
    if (clock_now() < lane->rests_until) {
        wake_at(lane, lane->rests_until);
        return;
    }
    if (!lane->setup->resolved) {
        if (!has_work(lane))
            wake_for_next_due(lane);
        else if (start_resolve(lane) != 0)
            (void)loop_timer_set(lane->timer, LANE_STORE_CHECK_MS);
        return;
    }
    if (pause_holds(&lane->pause))
        pump_paused(lane);
    else
        pump_open(lane);
}

static void pump(void *userdata)
{
    lane_pump(userdata);
}

struct failure lane_pause_failure(const struct lane *lane)
{
    const int64_t wait_s = (lane->pause.row.probe_at - clock_now()) / 1000;
    return failure_make(WIRE_PROVIDER_REJECTED, wait_s > 1 ? wait_s : 1,
                        "provider %s is paused (%s): mend its configuration, then run "
                        "`tokenbroker retry`",
                        lane->setup->provider->name, lane->pause.row.reason);
}

void lane_demand(struct lane *lane, const struct account_name *name, uint64_t id, bool with_rows)
{
    struct flight *flight = find(lane, name);
    if (flight) {
        flight_join(flight, id, with_rows);
        return;
    }
    struct failure failure = failure_make(WIRE_BUSY, 1, "too many refreshes wait: ask again");
    if (pause_holds(&lane->pause))
        failure = lane_pause_failure(lane);
    else if (lane->flight_count < LANE_QUEUE_MAX && add_flight(lane, name, &flight) == 0) {
        flight_join(flight, id, with_rows);
        enqueue(lane, flight);
        pump_soon(lane);
        return;
    }
    keeper_refuse(lane->keeper, id, &failure);
}

bool lane_flies(struct lane *lane, const struct account_name *name)
{
    return find(lane, name) != NULL;
}

void lane_retry(struct lane *lane)
{
    lane->rests_until = 0;
    pause_probe_now(&lane->pause, lane->keeper);
    pump_soon(lane);
}

struct setup *lane_setup(struct lane *lane)
{
    return lane->setup;
}

bool lane_paused(const struct lane *lane)
{
    return pause_holds(&lane->pause);
}

void lane_health(const struct lane *lane, struct provider_health *ret)
{
    *ret = (struct provider_health){ .paused = pause_holds(&lane->pause),
                                     .probe_at = lane->pause.row.probe_at };
    memcpy(ret->provider, lane->setup->provider->name, sizeof ret->provider);
    memcpy(ret->reason, lane->pause.row.reason, sizeof ret->reason);
}

int64_t lane_others_succeeded_at(const struct lane *lane, const struct account_name *name)
{
    return account_name_equal(&lane->latest.name, name) ? lane->before.at : lane->latest.at;
}

void lane_succeeded(struct lane *lane, const struct account_name *name)
{
    if (!account_name_equal(&lane->latest.name, name))
        lane->before = lane->latest;
    lane->latest = (struct success){ *name, clock_now() };
    if (pause_succeeded(&lane->pause, lane->keeper))
        lane->window = 1;
    else if (lane->window < LANE_WINDOW_MAX)
        lane->window *= 2;
    pump_soon(lane);
}

void lane_unanswered(struct lane *lane, int64_t retry_after_ms)
{
    if (lane->window > 1)
        lane->window /= 2;
    const int64_t until = clock_now() + retry_after_ms;
    if (retry_after_ms > 0 && until > lane->rests_until)
        lane->rests_until = until;
}

void lane_refused(struct lane *lane, const struct account_name *name, bool its_own)
{
    lane->window = 1;
    if (!its_own)
        (void)pause_add_refusal(&lane->pause, lane->keeper, name);
}

void lane_credentials_refused(struct lane *lane, const char *error)
{
    lane->window = 1;
    pause_credentials_refused(&lane->pause, lane->keeper, error);
}

static void out_of_air(struct lane *lane, const struct flight *flight)
{
    if (flight_stage(flight) == FLIGHT_IN_AIR)
        lane->in_air--;
}

void lane_wait_again(struct lane *lane, struct flight *flight, int64_t rest_ms)
{
    out_of_air(lane, flight);
    flight_rest(flight, rest_ms);
    pump_soon(lane);
}

void lane_ready(struct lane *lane, struct flight *flight)
{
    enqueue(lane, flight);
    pump_soon(lane);
}

void lane_landed(struct lane *lane, struct flight *flight)
{
    out_of_air(lane, flight);
    if (flight_is_canary(flight) && pause_holds(&lane->pause))
        pause_probe_failed(&lane->pause, lane->keeper);
    drop_flight(lane, flight);
    pump_soon(lane);
}

static void end_resolve(struct lane *lane)
{
    if (!lane->resolve)
        return;
    lane->resolve = resolve_cancel(lane->resolve);
    const struct failure failure =
        failure_make(WIRE_BUSY, 1, "the configuration of provider %s has changed: try again",
                     lane->setup->provider->name);
    resolved(lane, &failure);
}

int lane_configure(struct lane *lane, const struct provider *provider,
                   const struct secret *client_secret)
{
    struct setup *setup = NULL;
    int r = setup_new(provider, client_secret, &setup);
    if (r != 0)
        return r;
    setup->resolved = !resolve_is_needed(setup);
    end_resolve(lane);
    setup_unref(lane->setup);
    lane->setup = setup;
    lane->removed = false;
    lane->rests_until = 0;
    pause_setup_changed(&lane->pause, lane->keeper, setup);
    pump_soon(lane);
    return 0;
}

int lane_new(struct keeper *keeper, const struct provider *provider,
             const struct secret *client_secret, struct lane **ret)
{
    struct lane *lane = calloc(1, sizeof *lane);
    if (!lane)
        return -ENOMEM;
    lane->keeper = keeper;
    lane->window = 1;
    int r = loop_add_timer(keeper->loop, pump, lane, &lane->timer);
    if (r == 0)
        r = setup_new(provider, client_secret, &lane->setup);
    if (r == 0) {
        lane->setup->resolved = !resolve_is_needed(lane->setup);
        r = pause_load(&lane->pause, keeper, lane->setup);
    }
    if (r != 0) {
        lane_free(lane);
        return r;
    }
    pump_soon(lane);
    *ret = lane;
    return 0;
}

static void free_flight(void *flight)
{
    flight_free(flight);
}

struct lane *lane_free(struct lane *lane)
{
    if (!lane)
        return NULL;
    tdestroy(lane->flights, free_flight);
    resolve_cancel(lane->resolve);
    for (struct resolve_waiter *w = lane->resolve_waiters; w; w = lane->resolve_waiters) {
        lane->resolve_waiters = w->next;
        free(w);
    }
    loop_source_free(lane->timer);
    setup_unref(lane->setup);
    free(lane);
    return NULL;
}

void lane_remove(struct lane *lane)
{
    const struct failure failure = failure_make(
        WIRE_UNKNOWN_PROVIDER, 0, "provider %s is not configured", lane->setup->provider->name);
    lane->removed = true;
    refuse_queue(lane, &failure);
}

bool lane_removed(const struct lane *lane)
{
    return lane->removed;
}

bool lane_busy(const struct lane *lane)
{
    return lane->in_air > 0;
}

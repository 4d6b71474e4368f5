#include "back/lane_private.h"

#include "base/clock.h"
#include "base/log.h"

static void resolved(void *userdata, const struct failure *why)
{
    struct lane *lane = userdata;
    lane->resolve = NULL;
    if (why) {
        log_warning("%s", why->description);
        lane->undiscovered_until = clock_now() + why->retry_after_s * 1000;
        lane_refuse_queue(lane, why);
    } else {
        lane->undiscovered_until = 0;
    }
    struct resolve_waiter *waiters = steal(lane->resolve_waiters);
    while (waiters) {
        struct resolve_waiter *waiter = waiters;
        waiters = waiter->next;
        waiter->resolved(waiter->userdata, why);
        free(waiter);
    }
    lane_pump_soon(lane);
}

/* True where what the same server told before a reload completes the set-up. */
static bool take_found(struct lane *lane)
{
    struct setup *setup = lane->setup;
    if (!lane->found || provider_take_discovered(setup->provider, lane->found) != 0)
        return false;
    setup->resolved = !resolve_is_needed(setup);
    return setup->resolved;
}

static void discovered(void *userdata, const struct failure *why)
{
    struct lane *lane = userdata;
    const bool kept = why && take_found(lane);
    if (kept)
        log_warning("%s: the endpoints that it had before stay in use", why->description);
    lane->found = provider_free(lane->found);
    resolved(lane, kept ? NULL : why);
}

int lane_start_resolve(struct lane *lane)
{
    if (lane->resolve)
        return 0;
    return resolve_start(lane->keeper, lane->setup, discovered, lane, &lane->resolve);
}

void lane_resolve(struct lane *lane, void (*call_back)(void *userdata, const struct failure *why),
                  void *userdata)
{
    if (lane->setup->resolved) {
        call_back(userdata, NULL);
        return;
    }
    struct resolve_waiter *waiter = calloc(1, sizeof *waiter);
    if (!waiter || lane_start_resolve(lane) != 0) {
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

void lane_unresolve(struct lane *lane, const void *userdata)
{
    struct resolve_waiter **link = &lane->resolve_waiters;
    while (*link && (*link)->userdata != userdata)
        link = &(*link)->next;
    struct resolve_waiter *found = *link;
    if (!found)
        return;
    *link = found->next;
    free(found);
}

void lane_resolve_anew(struct lane *lane)
{
    if (!lane->resolve)
        return;
    lane->resolve = resolve_cancel(lane->resolve);
    if (lane->setup->resolved) {
        resolved(lane, NULL);
        return;
    }
    const struct failure failure =
        failure_make(WIRE_BUSY, 1, "discovery of provider %s cannot start: try again",
                     lane->setup->provider->name);
    if (lane_start_resolve(lane) != 0)
        resolved(lane, &failure);
}

int lane_copy_found(const struct lane *lane, const struct provider *section, struct provider **ret)
{
    const bool known = lane->setup && lane->setup->resolved;
    const struct provider *found = known ? lane->setup->provider : lane->found;
    if (!found || !provider_is_at_same_server(lane->section, section))
        return 0;
    return provider_copy(found, ret);
}

void lane_give_up_discovery(struct lane *lane)
{
    if (!lane->resolve)
        return;
    lane->resolve = resolve_cancel(lane->resolve);
    const struct failure failure = failure_make(WIRE_BUSY, 1, "the broker is stopping: try again");
    resolved(lane, &failure);
}

void lane_end_discovery(struct lane *lane)
{
    lane->resolve = resolve_cancel(lane->resolve);
    for (struct resolve_waiter *w = lane->resolve_waiters; w; w = lane->resolve_waiters) {
        lane->resolve_waiters = w->next;
        free(w);
    }
}

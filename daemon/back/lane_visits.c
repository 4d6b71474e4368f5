/* What goes to a provider besides refreshes: codes, device logins, pushed requests, revocations.
 * They take places and pace from the same account. Most have a person behind them and come first;
 * where there is little room, a refresh that waits has the next turn. */

#include "back/lane_private.h"

#include "base/clock.h"

bool lane_has_room(const struct lane *lane)
{
    const unsigned most = lane->setup->provider->concurrency;
    return most == 0 || lane->in_air + lane->visitors < most;
}

static bool has_little_room(const struct lane *lane)
{
    const struct provider *provider = lane->setup->provider;
    return provider->rate_limit_requests > 0 || provider->concurrency > 0;
}

static struct lane_visit *take_first(struct lane *lane, enum lane_visit_stage stage)
{
    struct lane_visit *visit = lane->visits_first;
    lane->visits_first = visit->next;
    visit->next = NULL;
    visit->stage = stage;
    return visit;
}

static void turn_away_first(struct lane *lane, int64_t rest_ms)
{
    struct lane_visit *visit = take_first(lane, LANE_VISIT_NONE);
    const struct failure failure =
        failure_make(WIRE_PROVIDER_UNAVAILABLE, (rest_ms + 999) / 1000,
                     "provider %s asked for a rest of %lld s: try again after it",
                     lane->setup->provider->name, (long long)((rest_ms + 999) / 1000));
    visit->admitted(visit->userdata, &failure);
}

static void admit_first(struct lane *lane)
{
    struct lane_visit *visit = take_first(lane, LANE_VISIT_INSIDE);
    lane->visitors++;
    lane_pace(lane);
    lane->flights_turn = has_little_room(lane);
    visit->admitted(visit->userdata, NULL);
}

void lane_admit(struct lane *lane)
{
    /* Whoever is called may leave, or come again at the end of the queue. */
    while (lane->visits_first) {
        const int64_t now = clock_now();
        const int64_t rests_until = lane_rests_until(lane);
        const int64_t rest_ms = rests_until - now;
        const int64_t free_at = rests_until > lane->paced_until ? rests_until : lane->paced_until;
        if (rest_ms > LANE_REST_WAITED_MS) {
            turn_away_first(lane, rest_ms);
        } else if (now < free_at) {
            (void)loop_timer_set(lane->door, free_at - now);
            return;
        } else if (!lane_has_room(lane)) {
            return; /* whoever leaves or lands opens */
        } else if (lane->flights_turn) {
            lane_pump_soon(lane);
            return;
        } else {
            admit_first(lane);
        }
    }
}

void lane_visit(struct lane *lane, struct lane_visit *visit, lane_admitted admitted, void *userdata)
{
    struct lane_visit **end = &lane->visits_first;
    while (*end)
        end = &(*end)->next;
    *visit = (struct lane_visit){
        .lane = lane, .stage = LANE_VISIT_WAITING, .admitted = admitted, .userdata = userdata
    };
    *end = visit;
    lane_admit(lane);
}

void lane_leave(struct lane_visit *visit)
{
    struct lane *lane = visit->lane;
    if (visit->stage == LANE_VISIT_NONE)
        return;
    if (visit->stage == LANE_VISIT_INSIDE) {
        lane->visitors--;
    } else {
        struct lane_visit **link = &lane->visits_first;
        while (*link != visit)
            link = &(*link)->next;
        *link = visit->next;
    }
    visit->stage = LANE_VISIT_NONE;
    lane_pump_soon(lane);
}

void lane_leave_unsent(struct lane_visit *visit)
{
    lane_unpace(visit->lane);
    lane_leave(visit);
}

void lane_asked_to_rest(struct lane *lane, int64_t rest_ms)
{
    const int64_t until = clock_now() + rest_ms;
    if (rest_ms > 0 && until > lane->asked_to_rest_until)
        lane->asked_to_rest_until = until;
}

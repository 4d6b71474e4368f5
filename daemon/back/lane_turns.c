#include "back/lane_private.h"

#include "base/clock.h"

/*
 * Requests that are not refreshes keep to the provider's rate limit too. Where it leaves room for
 * one request only, a turn and a flight go by turns: neither can starve the other.
 */

static bool is_limited(const struct lane *lane)
{
    return lane->setup->provider->rate_limit_requests > 0;
}

bool lane_turn_goes_first(const struct lane *lane)
{
    return is_limited(lane) && lane->turns && !lane->turn_was_last;
}

static void give_one(struct lane *lane)
{
    struct lane_turn *turn = lane->turns;
    lane->turns = turn->next;
    turn->waits = false;
    lane_pace(lane);
    lane->turn_was_last = is_limited(lane);
    lane_pump_soon(lane);
    turn->go(turn->userdata);
}

void lane_give_turns(void *userdata)
{
    struct lane *lane = userdata;
    while (lane->turns) {
        const int64_t from =
            lane->paced_until > lane->rests_until ? lane->paced_until : lane->rests_until;
        const int64_t left = from - clock_now();
        if (left > 0) {
            (void)loop_timer_set(lane->turn_timer, left);
            return;
        }
        if (!lane->turn_was_last) {
            give_one(lane);
            continue;
        }
        lane_pump(lane); /* a flight's turn, if one wants it */
        lane->turn_was_last = false;
    }
}

void lane_ask_turn(struct lane *lane, struct lane_turn *turn)
{
    struct lane_turn **link = &lane->turns;
    while (*link)
        link = &(*link)->next;
    turn->next = NULL;
    turn->waits = true;
    *link = turn;
    (void)loop_timer_set(lane->turn_timer, 0);
}

void lane_drop_turn(struct lane *lane, struct lane_turn *turn)
{
    struct lane_turn **link = &lane->turns;
    if (!turn->waits)
        return;
    while (*link != turn)
        link = &(*link)->next;
    *link = turn->next;
    turn->waits = false;
    lane_pump_soon(lane);
}

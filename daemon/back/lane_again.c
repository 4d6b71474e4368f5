#include "back/lane_private.h"

#include <errno.h>
#include <string.h>

#include "back/judgement.h"
#include "back/restored.h"
#include "base/clock.h"

/*
 * A consent may be wanted only because the set-up was wrong: servers say invalid_grant to a client
 * that a refresh token was not given to. Under another set-up each such account is tried once more,
 * with its current token alone, as its predecessor is spent. They go one by one, each when the one
 * before has landed; so that a provider that is still wrong is met with one. One that has a consent
 * held is left out: its old token may cost that newer grant, where a person has one at a time.
 */

/* Longer than any rest between two tries without an answer. */
enum { AGAIN_SOON_MS = 20 * 60 * 1000 };

static int mark(void *userdata, struct store *store)
{
    struct lane *lane = userdata;
    const struct again *again = &lane->again;
    CLEANUP(cleanup_account_row) struct account_row row = { 0 };
    int r = store_read(store, &again->last, &row);
    if (r != 0)
        return r; /* it is damaged, or was logged out meanwhile: the next one, then */
    if (row.state != ACCOUNT_CONSENT_REQUIRED || !row.has_refresh_token || row.held_at > 0)
        return 0;
    judge_tried_once_more(&row, again->set_up, clock_now());
    return store_put_facts(store, &row);
}

static void marked(void *userdata, int result)
{
    struct lane *lane = userdata;
    lane->again.marks = false;
    lane->again.undone = result < 0 && result != -EBADMSG;
    lane_pump_soon(lane);
}

/* An outage that all share is waited for, but no longer than it takes to give a suspect up. */
static int64_t soon(const struct lane *lane)
{
    const int64_t now = clock_now();
    const bool is_patient = now - lane->again.marked_at < SUSPECT_GIVEN_UP_MS;
    return now + (is_patient ? AGAIN_SOON_MS : REFUSAL_PAUSE_MS);
}

/* The one that was marked last has not landed, or goes again soon. */
static bool last_is_under_way(struct lane *lane)
{
    const struct account_name *last = &lane->again.last;
    CLEANUP(cleanup_account_row) struct account_row row = { 0 };
    if (!last->label[0])
        return false;
    if (lane_find_flight(lane, last))
        return true;
    return store_read(lane->keeper->store, last, &row) == 0 &&
           row.state == ACCOUNT_CONSENT_REQUIRED && row.refresh_at > 0 &&
           row.refresh_at <= soon(lane);
}

/* Others that can probe go before them. */
static bool others_probe(struct lane *lane)
{
    struct account_name canary;
    return lane_paused(lane) && store_canary(lane->keeper->store, lane->setup->provider->name, "",
                                             "", &canary) != STORE_NOT_FOUND;
}

static bool has_to_wait(struct lane *lane)
{
    return lane->again.marks || lane->keeper->stopping || lane->removed || lane_is_static(lane) ||
           restored_holds(lane->keeper) || commits_problem(lane->keeper->commits) ||
           last_is_under_way(lane) || others_probe(lane);
}

static int go_to_next(struct lane *lane)
{
    struct again *again = &lane->again;
    struct account_name next;
    if (again->undone)
        return 0;
    int r = store_refused(lane->keeper->store, lane->setup->provider->name, again->last.label,
                          again->all ? "" : again->set_up, &next);
    if (r == 0)
        again->last = next;
    return r;
}

void lane_look_on(struct lane *lane)
{
    struct again *again = &lane->again;
    if (!again->looks || has_to_wait(lane))
        return;
    int r = go_to_next(lane);
    again->looks = r != STORE_NOT_FOUND;
    if (r != 0)
        return;
    again->marks = commits_add(lane->keeper->commits, COMMIT_MAY, mark, marked, lane) == 0;
    again->undone = !again->marks;
    again->marked_at = clock_now();
}

static void look(struct lane *lane, bool all)
{
    struct again *again = &lane->again;
    again->all = all || (again->looks && again->all);
    again->looks = true;
    again->undone = false;
    again->last = (struct account_name){ "", "" };
    setup_fingerprint(lane->setup, again->set_up);
}

/* One that is under way goes on where the set-up is the same. */
void lane_look_again(struct lane *lane)
{
    char set_up[FINGERPRINT_SIZE];
    setup_fingerprint(lane->setup, set_up);
    if (!lane->again.looks || strcmp(lane->again.set_up, set_up) != 0)
        look(lane, false);
    lane_pump_soon(lane);
}

void lane_try_refused(struct lane *lane)
{
    look(lane, true);
    lane_pump_soon(lane);
}

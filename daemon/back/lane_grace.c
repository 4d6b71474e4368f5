#include "back/lane_private.h"

#include <stdlib.h>

#include "back/judgement.h"
#include "base/clock.h"
#include "oauth/lifetime.h"

/*
 * A refresh token whose reply was lost may be spent, and then its provider takes it again for a
 * while only. A pause that lasts longer would cost the grant, so the account has one more answer
 * shortly before that time ends, whoever is the pause's own canary.
 */

struct lost {
    struct lane *lane;
    struct account_name name;
    int64_t at;
};

static int write_lost(void *userdata, struct store *store)
{
    const struct lost *lost = userdata;
    CLEANUP(cleanup_account_row) struct account_row row = { 0 };
    int r = store_read(store, &lost->name, &row);
    if (r != 0)
        return r; /* it is damaged, or was logged out meanwhile */
    return judge_lost(&row, lost->at) ? store_put_facts(store, &row) : 0;
}

static void written(void *userdata, int result)
{
    struct lost *lost = userdata;
    (void)result; /* where its row cannot be read, nothing is sent for it */
    lane_pump_soon(lost->lane);
    free(lost);
}

void lane_lost(struct lane *lane, const struct flight *flight)
{
    struct lost *lost = flight_lost_at(flight) > 0 ? malloc(sizeof *lost) : NULL;
    if (!lost)
        return;
    *lost = (struct lost){ lane, *flight_account(flight), flight_lost_at(flight) };
    int r = commits_add(lane->keeper->commits, COMMIT_MUST, write_lost, written, lost);
    if (r != 0)
        written(lost, r);
}

struct lost_search {
    const struct lane *lane;
    struct account_name *name;
    int64_t at;
};

/* One that rests between two tries that began before the pause is found once it is dropped. */
static bool consider_lost(void *userdata, const struct account_name *name, int64_t lost_at)
{
    struct lost_search *search = userdata;
    if (lane_find_flight(search->lane, name))
        return true;
    *search->name = *name;
    search->at = lost_at;
    return false;
}

int64_t lane_last_in_grace_at(const struct lane *lane, struct account_name *ret)
{
    const struct provider *provider = lane->setup->provider;
    const int64_t now = clock_now();
    struct lost_search search = { .lane = lane, .name = ret };
    if (provider->retry_grace_ms <= 0 || pause_spares_others(&lane->pause))
        return INT64_MAX;
    const int64_t last_ms = lifetime_last_in_grace_at(provider, now) - now;
    int r = store_lost(lane->keeper->store, provider->name, now - provider->retry_grace_ms, last_ms,
                       consider_lost, &search);
    if (r != 0)
        return now + LANE_STORE_CHECK_MS;
    return search.at > 0 ? lifetime_last_in_grace_at(provider, search.at) : INT64_MAX;
}

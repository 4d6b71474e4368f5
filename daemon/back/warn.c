#include "back/warn.h"

#include <errno.h>

#include "back/lanes.h"
#include "back/restored.h"
#include "base/clock.h"
#include "oauth/forecast.h"

enum { WARN_FIRST_MS = 1000 };

/* One grant whose level is another than the one that was told. */
struct finding {
    struct account_name name;
    unsigned days; /* 0: it lives on */
    bool tell;
    bool held;
};

struct warn {
    struct keeper *keeper;
    struct loop_source *timer;
    struct account_name after; /* provider "": from the start */
    size_t rows;               /* of this turn */
    struct finding findings[2 * WARN_ROWS_PER_TURN];
    size_t count;
};

static void find(struct warn *warn, const struct forecast_facts *facts,
                 const struct account_row *row, bool held)
{
    struct lane *lane = lanes_find(warn->keeper->lanes, row->name.provider);
    const struct forecast forecast =
        forecast_of(facts, lane ? lane_setup(lane)->provider : NULL, clock_now());
    const unsigned told = held ? row->held_warned_days : row->warned_days;
    if (forecast.days != told)
        warn->findings[warn->count++] =
            (struct finding){ .name = row->name,
                              .days = forecast.days,
                              .tell = forecast.days > 0 && (told == 0 || forecast.days < told),
                              .held = held };
}

static bool look_at(void *userdata, const struct account_row *row)
{
    struct warn *warn = userdata;
    const struct forecast_facts facts = {
        .consent_required = row->state == ACCOUNT_CONSENT_REQUIRED,
        .has_refresh_token = row->has_refresh_token,
        .created_at = row->created_at,
        .refreshed_at = row->refreshed_at,
        .expires_at = row->expires_at,
        .refresh_token_expires_at = row->refresh_token_expires_at,
        .refresh_token_life_ms = row->refresh_token_life_ms,
    };
    const struct forecast_facts held = {
        .has_refresh_token = true,
        .created_at = row->held_at,
        .refreshed_at = row->held_refreshed_at,
        .refresh_token_expires_at = row->held_refresh_token_expires_at,
        .refresh_token_life_ms = row->held_refresh_token_life_ms,
    };
    warn->after = row->name;
    warn->rows++;
    find(warn, &facts, row, false);
    if (row->held_at > 0)
        find(warn, &held, row, true);
    return true;
}

static int note_account(struct store *store, const struct finding *finding)
{
    CLEANUP(cleanup_account_row) struct account_row row = { 0 };
    int r = store_read(store, &finding->name, &row);
    row.warned_days = finding->days;
    return r == 0 ? store_put_facts(store, &row) : r;
}

static int note_held(struct store *store, const struct finding *finding)
{
    CLEANUP(cleanup_held_row) struct held_row row = { 0 };
    int r = store_read_held(store, &finding->name, &row);
    row.warned_days = finding->days;
    return r == 0 ? store_put_held(store, &row) : r;
}

static int note(void *userdata, struct store *store)
{
    const struct warn *warn = userdata;
    int r = 0;
    for (size_t i = 0; i < warn->count && r >= 0; i++)
        r = (warn->findings[i].held ? note_held : note_account)(store, &warn->findings[i]);
    return r < 0 ? r : 0;
}

static void go_on(struct warn *warn)
{
    const bool more = warn->rows == WARN_ROWS_PER_TURN;
    if (!more)
        warn->after = (struct account_name){ "", "" };
    (void)loop_timer_set(warn->timer, more ? 0 : WARN_EVERY_MS);
}

static void noted(void *userdata, int result)
{
    struct warn *warn = userdata;
    for (size_t i = 0; i < warn->count && result == 0; i++) {
        const struct finding *finding = &warn->findings[i];
        if (finding->tell)
            keeper_event(warn->keeper, &finding->name, "grant_dies_soon",
                         finding->held ? "the consent that is held dies in less than %u days: "
                                         "accept or discard it"
                                       : "it dies in less than %u days: log in again before",
                         finding->days);
    }
    go_on(warn);
}

static void sweep(void *userdata)
{
    struct warn *warn = userdata;
    struct keeper *keeper = warn->keeper;
    warn->rows = warn->count = 0;
    if (restored_fenced(keeper)) {
        go_on(warn); /* its grants live elsewhere */
        return;
    }
    int r = store_list(keeper->store, warn->after.provider[0] ? &warn->after : NULL,
                       WARN_ROWS_PER_TURN, look_at, warn);
    if (r != 0 || warn->count == 0) {
        go_on(warn);
        return;
    }
    r = commits_add(keeper->commits, COMMIT_MAY, note, noted, warn);
    if (r != 0)
        noted(warn, r);
}

int warn_new(struct keeper *keeper, struct warn **ret)
{
    struct warn *warn = calloc(1, sizeof *warn);
    if (!warn)
        return -ENOMEM;
    warn->keeper = keeper;
    int r = loop_add_timer(keeper->loop, sweep, warn, &warn->timer);
    if (r == 0)
        r = loop_timer_set(warn->timer, WARN_FIRST_MS);
    if (r != 0) {
        warn_free(warn);
        return r;
    }
    *ret = warn;
    return 0;
}

struct warn *warn_free(struct warn *warn)
{
    if (!warn)
        return NULL;
    loop_source_free(warn->timer);
    free(warn);
    return NULL;
}

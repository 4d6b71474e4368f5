#include "back/asked.h"

#include <stdlib.h>

#include "back/lanes.h"
#include "back/plan.h"
#include "base/clock.h"
#include "base/log.h"

/* One account that was asked for. */
struct asked {
    struct keeper *keeper;
    struct account_name name;
    int64_t at;
    bool planned; /* a refresh may be due earlier than it was */
};

static int apply(void *userdata, struct store *store)
{
    struct asked *asked = userdata;
    struct lane *lane = lanes_find(asked->keeper->lanes, asked->name.provider);
    CLEANUP(cleanup_account_row) struct account_row row = { 0 };
    asked->planned = false;
    if (!lane)
        return 0;
    int r = store_read(store, &asked->name, &row);
    if (r != 0)
        return r;
    const struct circumstances c = { .provider = lane_setup(lane)->provider,
                                     .now = asked->at,
                                     .random = random_below(1000) };
    const int64_t refresh_at = row.refresh_at;
    if (!plan_asked(&row, &c))
        return 0;
    asked->planned = row.refresh_at != refresh_at;
    return store_put_facts(store, &row);
}

static void written(void *userdata, int result)
{
    struct asked *asked = userdata;
    struct lane *lane = lanes_find(asked->keeper->lanes, asked->name.provider);
    if (result == 0 && asked->planned && lane && !asked->keeper->stopping)
        lane_pump(lane);
    free(asked);
}

/* In a commit of its own: a row that is damaged meanwhile spoils no other. */
static void note(struct keeper *keeper, const struct account_row *row, int64_t at)
{
    if (at - row->asked_at < ASKED_GRAIN_MS)
        return;
    struct asked *asked = malloc(sizeof *asked);
    if (!asked) {
        log_warning("no memory to note who asked for what");
        return;
    }
    *asked = (struct asked){ .keeper = keeper, .name = row->name, .at = at };
    int r = commits_add(keeper->commits, COMMIT_MAY, apply, written, asked);
    if (r != 0)
        written(asked, r);
}

void asked_note(struct keeper *keeper, const struct account_row *row)
{
    note(keeper, row, clock_now());
}

void asked_note_at(struct keeper *keeper, const struct account_name *name, int64_t at)
{
    CLEANUP(cleanup_account_row) struct account_row row = { 0 };
    if (store_read(keeper->store, name, &row) == 0)
        note(keeper, &row, at);
}

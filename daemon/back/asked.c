#include "back/asked.h"

#include <stdlib.h>

#include "back/judgement.h"
#include "back/lanes.h"
#include "base/clock.h"
#include "base/log.h"

/* One account that was asked for here. */
struct asked {
    struct keeper *keeper;
    struct account_name name;
    bool planned; /* a refresh may be due earlier than it was */
};

/* What cannot be read is no reason to lose what else is in the transaction. */
int asked_write(struct keeper *keeper, struct store *store, const struct account_name *name,
                int64_t at, bool *planned)
{
    struct lane *lane = lanes_find(keeper->lanes, name->provider);
    CLEANUP(cleanup_account_row) struct account_row row = { 0 };
    if (!lane)
        return 0;
    int r = store_read(store, name, &row);
    if (r != 0)
        return r > 0 ? 0 : r;
    const struct circumstances c = { .provider = lane_setup(lane)->provider,
                                     .now = at,
                                     .random = random_below(1000) };
    const int64_t refresh_at = row.refresh_at;
    if (!judge_asked(&row, &c))
        return 0;
    *planned = *planned || row.refresh_at != refresh_at;
    return store_put_facts(store, &row);
}

static int apply(void *userdata, struct store *store)
{
    struct asked *asked = userdata;
    asked->planned = false;
    return asked_write(asked->keeper, store, &asked->name, clock_now(), &asked->planned);
}

static void written(void *userdata, int result)
{
    struct asked *asked = userdata;
    if (result == 0 && asked->planned)
        lanes_pump(asked->keeper->lanes);
    free(asked);
}

void asked_note(struct keeper *keeper, const struct account_row *row)
{
    if (clock_now() - row->asked_at < ASKED_GRAIN_MS)
        return;
    struct asked *asked = malloc(sizeof *asked);
    if (!asked) {
        log_warning("no memory to note who asked for what");
        return;
    }
    *asked = (struct asked){ .keeper = keeper, .name = row->name };
    int r = commits_add(keeper->commits, COMMIT_MAY, apply, written, asked);
    if (r != 0)
        written(asked, r);
}

#include "back/replan.h"

#include <errno.h>
#include <stdlib.h>

#include "back/lanes.h"
#include "back/plan.h"
#include "back/restored.h"
#include "base/clock.h"
#include "base/log.h"

enum { REPLAN_AGAIN_MS = 1000, REPLAN_UNREAD_MS = 60 * 1000 };

/* A row that is to be written, in a commit of its own: damage of one keeps no other's plan. */
struct found {
    struct replan *replan;
    struct account_name name;
    uint64_t generation;
    bool shortened; /* its access token ends sooner than the front knows */
};

struct replan {
    struct keeper *keeper;
    struct loop_source *timer;
    struct account_name after; /* provider "": from the start */
    size_t rows;               /* of this turn */
    struct found found[REPLAN_ROWS_PER_TURN];
    size_t found_count;
    size_t writing; /* of what was found */
    bool refused;   /* one of those */
};

bool replan_row(const struct keeper *keeper, struct account_row *row)
{
    struct lane *lane = lanes_find(keeper->lanes, row->name.provider);
    if (!lane)
        return false;
    const struct circumstances c = { .provider = lane_setup(lane)->provider,
                                     .now = clock_now(),
                                     .random = random_below(1000) };
    return plan_anew(row, &c);
}

static bool look_at(void *userdata, const struct account_row *row)
{
    struct replan *replan = userdata;
    struct account_row copy = *row; /* shallow: only numbers change */
    replan->after = row->name;
    replan->rows++;
    if (replan_row(replan->keeper, &copy))
        replan->found[replan->found_count++] =
            (struct found){ .replan = replan, .name = row->name };
    return true;
}

static int write_one(void *userdata, struct store *store)
{
    struct found *found = userdata;
    CLEANUP(cleanup_account_row) struct account_row row = { 0 };
    found->shortened = false;
    int r = store_read(store, &found->name, &row);
    const int64_t expires_at = row.expires_at;
    if (r != 0 || !replan_row(found->replan->keeper, &row))
        return r < 0 ? r : 0; /* it has changed since */
    found->generation = row.generation;
    found->shortened = row.expires_at != expires_at;
    return store_put_facts(store, &row);
}

static void from_the_start(struct replan *replan, int64_t delay_ms)
{
    replan->after = (struct account_name){ "", "" };
    (void)loop_timer_set(replan->timer, delay_ms);
}

static void end_one(struct replan *replan)
{
    if (--replan->writing > 0)
        return;
    if (replan->refused) {
        from_the_start(replan, REPLAN_AGAIN_MS);
        return;
    }
    lanes_pump(replan->keeper->lanes);
    (void)loop_timer_set(replan->timer, 0);
}

static void one_is_written(void *userdata, int result)
{
    const struct found *found = userdata;
    struct replan *replan = found->replan;
    if (result == 0 && found->shortened)
        keeper_notify(replan->keeper, &found->name, found->generation, NULL);
    replan->refused |= result < 0 && result != -EBADMSG;
    end_one(replan);
}

static void begin_write(struct replan *replan)
{
    replan->refused = false;
    replan->writing = 1; /* this function itself */
    for (size_t i = 0; i < replan->found_count; i++) {
        struct found *found = &replan->found[i];
        replan->writing++;
        int r = commits_add(replan->keeper->commits, COMMIT_MAY, write_one, one_is_written, found);
        if (r != 0)
            one_is_written(found, r);
    }
    end_one(replan);
}

static void rest_unread(struct replan *replan)
{
    log_warning("some accounts cannot be read, and keep the plan that they have meanwhile: %s",
                store_message(replan->keeper->store));
    (void)loop_timer_set(replan->timer, REPLAN_UNREAD_MS);
}

static void turn(void *userdata)
{
    struct replan *replan = userdata;
    struct keeper *keeper = replan->keeper;
    const bool begins = replan->after.provider[0] == '\0';
    if (keeper->stopping || restored_fenced(keeper) || replan->writing > 0)
        return;
    if (commits_problem(keeper->commits)) {
        (void)loop_timer_set(replan->timer, REPLAN_AGAIN_MS);
        return;
    }
    replan->rows = replan->found_count = 0;
    int r = store_list(keeper->store, begins ? NULL : &replan->after, REPLAN_ROWS_PER_TURN, look_at,
                       replan);
    if (replan->found_count > 0)
        begin_write(replan);
    else if (r < 0)
        rest_unread(replan);
    else if (replan->rows == REPLAN_ROWS_PER_TURN)
        (void)loop_timer_set(replan->timer, 0);
}

void replan_again(struct keeper *keeper)
{
    if (keeper->replan)
        from_the_start(keeper->replan, 0);
}

int replan_new(struct keeper *keeper, struct replan **ret)
{
    struct replan *replan = calloc(1, sizeof *replan);
    if (!replan)
        return -ENOMEM;
    replan->keeper = keeper;
    int r = loop_add_timer(keeper->loop, turn, replan, &replan->timer);
    if (r == 0)
        r = loop_timer_set(replan->timer, 0);
    if (r != 0) {
        replan_free(replan);
        return r;
    }
    *ret = replan;
    return 0;
}

struct replan *replan_free(struct replan *replan)
{
    if (!replan)
        return NULL;
    loop_source_free(replan->timer);
    free(replan);
    return NULL;
}

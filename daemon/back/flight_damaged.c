#include "back/flight_private.h"

#include <string.h>

#include "back/lane.h"
#include "back/successor.h"
#include "base/log.h"

static int seal_what_came(struct flight *flight, struct kept_row *row)
{
    CLEANUP(cleanup_grant) struct grant grant = { 0 };
    const struct outcome *outcome = &flight->outcome;
    secret_room_enter(flight->room);
    int r = secret_copy(outcome_refresh_token(outcome), &grant.refresh_token);
    if (r == 0 && outcome->spent)
        r = secret_copy(outcome->spent, &grant.predecessor);
    if (r == 0)
        r = vault_close_kept(flight->keeper->key, row, &grant);
    secret_room_leave();
    return r;
}

static int keep(void *userdata, struct store *store)
{
    struct flight *flight = userdata;
    struct kept_row row = {
        .kind = KEPT_SUCCESSOR,
        .name = flight->name,
        .created_at = flight->outcome.circumstances.now,
    };
    int r = seal_what_came(flight, &row);
    if (r == 0)
        r = store_keep(store, &row);
    kept_row_release(&row);
    return r;
}

static void kept(void *userdata, int result)
{
    struct flight *flight = userdata;
    char name[ACCOUNT_TEXT_SIZE];
    account_text(&flight->name, name);
    if (result == 0)
        log_error("%s: the refresh token that came is kept sealed in the store until the account's "
                  "row can be written",
                  name);
    else
        log_error("%s: the refresh token that came could not be kept: %s", name,
                  result < 0 ? strerror(-result) : "damaged");
    flight_set_aside(flight, OUTCOME_UNREADABLE);
}

void flight_lost_its_place(struct flight *flight)
{
    if (!outcome_refresh_token(&flight->outcome)) {
        flight_set_aside(flight, OUTCOME_UNREADABLE);
        return;
    }
    int r = commits_add(flight->keeper->commits, COMMIT_MUST, keep, kept, flight);
    if (r != 0)
        kept(flight, r);
}

bool flight_has_kept(const struct flight *flight)
{
    return successor_waits(flight->keeper->store, &flight->name) == 0;
}

static int take(const struct flight *flight, const struct successor *successor, struct store *store)
{
    if (successor->opened != 0) /* what no key opens that is known goes */
        return successor->opened == VAULT_BROKEN ? 0 : successor->opened;
    return outcome_take_kept(&flight->outcome, flight->keeper->key, store, &successor->grant);
}

static int apply(void *userdata, struct store *store)
{
    struct flight *flight = userdata;
    struct successor successor;
    secret_room_enter(flight->room);
    int r = successor_find(flight->keeper, store, &flight->name, &successor);
    if (r == 0) /* an index knew of one */
        r = successor.id != 0 ? take(flight, &successor, store) : OUTCOME_UNREADABLE;
    secret_room_leave();
    if (r == 0)
        r = store_drop_kept(store, successor.id);
    grant_release(&successor.grant);
    return r;
}

static void applied(void *userdata, int result)
{
    struct flight *flight = userdata;
    if (result == 0)
        lane_wait_again(flight->lane, flight, 0);
    else
        flight_durable(flight, result);
}

void flight_take_kept(struct flight *flight)
{
    int r = commits_add(flight->keeper->commits, COMMIT_MAY, apply, applied, flight);
    if (r != 0)
        applied(flight, r);
}

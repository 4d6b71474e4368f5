#include "back/flight_private.h"

#include <string.h>

#include "base/log.h"

static int keep(void *userdata, struct store *store)
{
    const struct flight *flight = userdata;
    CLEANUP(cleanup_grant) struct grant grant = { 0 };
    struct kept_row row = {
        .kind = KEPT_UNREADABLE_REPLY,
        .name = flight->name,
        .created_at = flight->outcome.circumstances.now,
    };
    int r = secret_copy(outcome_refresh_token(&flight->outcome), &grant.refresh_token);
    if (r == 0)
        r = vault_close_kept(flight->keeper->key, &row, &grant);
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
        log_error("%s: the refresh token that came is kept sealed in the store, but not as the "
                  "account's",
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

#include "back/first_token.h"

#include <errno.h>

#include "back/lanes.h"
#include "back/restored.h"
#include "back/vault.h"
#include "base/clock.h"
#include "base/log.h"

enum { TOO_MANY = 50 };

struct first_token {
    struct keeper *keeper;
    struct account_name name;
    uint64_t id;
};

static int check_room(const struct first_token *first, struct store *store)
{
    int r = store_has_accounts(store, first->name.provider, FIRST_TOKENS_MAX);
    if (r == STORE_NOT_FOUND)
        return 0;
    return r < 0 ? r : TOO_MANY;
}

/* An account without a token yet. One that is there by now is left as it is. */
static int apply(void *userdata, struct store *store)
{
    const struct first_token *first = userdata;
    const struct grant nothing = { 0 };
    CLEANUP(cleanup_account_row) struct account_row row = { 0 };
    int r = store_read(store, &first->name, &row);
    if (r != STORE_NOT_FOUND)
        return r;
    r = check_room(first, store);
    if (r != 0)
        return r;
    row.name = first->name;
    row.created_at = clock_now();
    r = vault_close(first->keeper->key, &row, &nothing);
    return r == 0 ? store_put(store, &row) : r;
}

static struct failure why_not(const struct first_token *first, int result)
{
    struct keeper *keeper = first->keeper;
    char name[ACCOUNT_TEXT_SIZE];
    account_text(&first->name, name);
    if (result == TOO_MANY)
        return failure_make(WIRE_BUSY, 0,
                            "provider %s has %d accounts, which is the most there can be: log one "
                            "out",
                            first->name.provider, FIRST_TOKENS_MAX);
    if (result > 0)
        return failure_make(WIRE_INTERNAL, 0,
                            "the row of %s in the store is damaged: log it out, then ask again",
                            name);
    return failure_make(WIRE_BUSY, 1, "the broker's store refuses writes (%s): ask again",
                        store_message(keeper->store));
}

static void durable(void *userdata, int result)
{
    struct first_token *first = userdata;
    struct keeper *keeper = first->keeper;
    struct lane *lane = lanes_find(keeper->lanes, first->name.provider);
    struct failure failure;
    if (result == 0 && lane) {
        lane_demand(lane, &first->name, first->id, false);
        free(first);
        return;
    }
    failure = lane ? why_not(first, result)
                   : failure_make(WIRE_UNKNOWN_PROVIDER, 0,
                                  "provider %s is not configured any more", first->name.provider);
    log_warning("%s", failure.description);
    keeper_refuse(keeper, first->id, &failure);
    free(first);
}

void first_token_begin(struct keeper *keeper, const struct account_name *name, uint64_t id)
{
    const bool fenced = restored_fenced(keeper);
    struct first_token *first = fenced ? NULL : malloc(sizeof *first);
    if (!first) {
        const struct failure failure =
            fenced ? restored_failure(keeper)
                   : failure_make(WIRE_BUSY, 1, "memory is short: ask again");
        keeper_refuse(keeper, id, &failure);
        return;
    }
    *first = (struct first_token){ .keeper = keeper, .name = *name, .id = id };
    int r = commits_add(keeper->commits, COMMIT_MAY, apply, durable, first);
    if (r != 0)
        durable(first, r);
}

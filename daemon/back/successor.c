#include "back/successor.h"

#include "back/revoke.h"

struct search {
    const struct account_name *name;
    const struct seal_key *key;
    struct successor *found;
};

int successor_waits(struct store *store, const struct account_name *name)
{
    return store_find_kept(store, KEPT_SUCCESSOR, name, 0);
}

static bool find(void *userdata, const struct kept_row *row)
{
    const struct search *search = userdata;
    if (!account_name_equal(&row->name, search->name))
        return true;
    search->found->id = row->id;
    search->found->opened = vault_open_kept(search->key, row, &search->found->grant);
    return false;
}

int successor_find(struct keeper *keeper, struct store *store, const struct account_name *name,
                   struct successor *ret)
{
    struct search search = { .name = name, .key = keeper->key, .found = ret };
    *ret = (struct successor){ 0 };
    return store_each_kept(store, KEPT_SUCCESSOR, INT64_MAX, SIZE_MAX, find, &search);
}

static int revoke_one(struct keeper *keeper, struct store *store, const struct account_name *name,
                      const char *identity, const struct successor *successor)
{
    int r = successor->opened;
    if (r == 0)
        r = revocation_write(keeper, store, name, identity, &successor->grant);
    return r == 0 || r == VAULT_BROKEN ? store_drop_kept(store, successor->id) : r;
}

int successors_revoke(struct keeper *keeper, struct store *store, const struct account_name *name,
                      const char *identity)
{
    bool found = true;
    int r = 0;
    while (r == 0 && found) {
        struct successor successor;
        r = successor_find(keeper, store, name, &successor);
        found = successor.id != 0;
        if (r == 0 && found)
            r = revoke_one(keeper, store, name, identity, &successor);
        grant_release(&successor.grant);
    }
    return r;
}

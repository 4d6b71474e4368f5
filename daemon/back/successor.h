#pragma once

/* A refresh token that came when its account's row could not be written: it lies sealed beside it,
 * in the same store, until it can take its place there. */

#include "back/keeper.h"
#include "back/vault.h"

struct successor {
    int64_t id;         /* 0: none waits */
    int opened;         /* what vault_open_kept() said */
    struct grant grant; /* with what was spent for it as the predecessor */
};

/* Whether one waits for the account. Returns 0, STORE_NOT_FOUND, -ENOSPC or -EIO. */
int successor_waits(struct store *store, const struct account_name *name);

/* Release ret->grant with grant_release(). Returns 0 or -errno. */
int successor_find(struct keeper *keeper, struct store *store, const struct account_name *name,
                   struct successor *ret);

/* In a transaction: the account, of that identity (NULL: not known), is logged out, and what waits
 * for it is revoked too. What no key opens that is known goes. Returns 0 or -errno. */
int successors_revoke(struct keeper *keeper, struct store *store, const struct account_name *name,
                      const char *identity);

#pragma once

/* Consents for another identity than the account's: held beside its grant until a person accepts or
 * discards them. */

#include "back/keeper.h"
#include "back/vault.h"

/* In a transaction: holds a grant for the account that facts names, with the facts that its row
 * would have. It takes the place of an older one, whose tokens are revoked where both identities
 * are known and differ, and no account has the older one's: many providers end all of a person's
 * grants with one. Returns 0 or -errno. */
int held_put(struct keeper *keeper, struct store *store, const struct account_row *facts,
             const struct grant *grant);

/* In a transaction: what is held for the account is to be revoked, unless another account
 * has that identity, and is forgotten; nothing is fine. Returns 0 or -errno. */
int held_revoke(struct keeper *keeper, struct store *store, const struct account_name *name);

/* In a transaction: what is held for one account is held for another from now on. Returns 0, a
 * positive value when it cannot be read or unsealed, or -errno. */
int held_move(struct keeper *keeper, struct store *store, const struct account_name *from,
              const struct account_name *to);

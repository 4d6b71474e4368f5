#pragma once

/* Consents for another identity than the account's: held beside its grant until a person accepts or
 * discards them. */

#include "back/keeper.h"
#include "back/vault.h"

/* In a transaction: holds a grant for the account that facts names, with the facts that its row
 * would have. It takes the place of an older one, which is done with (back/unused.h). Returns 0 or
 * -errno. */
int held_put(struct keeper *keeper, struct store *store, const struct account_row *facts,
             const struct grant *grant);

/* In a transaction: the account is forgotten, and what is held for it, if anything is, is done with
 * (back/unused.h). Returns 0, STORE_NOT_FOUND or -errno. */
int held_forget(struct keeper *keeper, struct store *store, const struct account_name *name);

/* In a transaction: what is held for one account is held for another from now on. Returns 0, a
 * positive value when it cannot be read or unsealed, or -errno. */
int held_move(struct keeper *keeper, struct store *store, const struct account_name *from,
              const struct account_name *to);

#pragma once

/* The end of a grant that nobody will use: revoked, but where that may end one that stays. */

#include "back/keeper.h"
#include "back/vault.h"

/* In a transaction, when nothing of the grant is in the store any more, so that whatever is there
 * stays: revokes it. At many providers one revocation ends all that a person has granted, so it is
 * left alone, and that is said, where the account (name, whose it was to be) has a grant or a held
 * consent that may be of the same identity, or another account of the provider has one that is.
 * identity NULL: not known. Returns 0 or -errno. */
int unused_revoke(struct keeper *keeper, struct store *store, const struct account_name *name,
                  const char *identity, const struct grant *grant);

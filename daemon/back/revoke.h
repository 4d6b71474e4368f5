#pragma once

/* Tokens of forgotten accounts, revoked at their provider (RFC 7009): the refresh token first, then
 * the access token; tried again through an outage. */

#include "back/keeper.h"
#include "back/vault.h"

enum {
    REVOKE_TRIES_MAX = 60, /* with back-off: about half a day of outage */
};

/* So often it is looked whether a missing section is there again, and so long. */
#define REVOKE_SECTION_LOOK_MS (INT64_C(60) * 60 * 1000)
#define REVOKE_SECTION_WAIT_MS (INT64_C(30) * 24 * 60 * 60 * 1000)

/* Returns 0 or -errno. What the store still holds is sent soon. Free with NULL is fine. */
int revocations_new(struct keeper *keeper, struct revocations **ret);
struct revocations *revocations_free(struct revocations *revocations);

/* In a transaction: keeps what is to be revoked of a grant, of that identity (NULL: not known).
 * Nothing where the provider has no revocation endpoint; where it is not configured it may be for a
 * moment only. Returns 0 or -errno. */
int revocation_write(struct keeper *keeper, struct store *store, const struct account_name *name,
                     const char *identity, const struct grant *grant);

/* In a transaction: a grant of that identity (NULL: not known) has come for the account. What waits
 * to be revoked and may be the same person's is given up, as at many providers it would end the new
 * grant too; what is on its way is not sent again. Returns 0 or -errno. */
int revocations_forgo(struct keeper *keeper, struct store *store, const struct account_name *name,
                      const char *identity);

/* True while one is under way. */
bool revocations_busy(const struct revocations *revocations);

/* Sends what is due now. */
void revocations_pump(struct revocations *revocations);

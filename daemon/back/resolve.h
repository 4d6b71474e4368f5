#pragma once

/* Discovery: asks an issuer for its metadata and completes a set-up with it. */

#include "back/keeper.h"

struct resolve;

/* why is NULL when setup->resolved is true now. The resolve is freed after the call. */
typedef void (*resolve_done)(void *userdata, const struct failure *why);

/* Not for a set-up that is resolved. done is called once, later, unless resolve_cancel() comes
 * before. Returns 0 or -errno. */
int resolve_start(struct keeper *keeper, struct setup *setup, resolve_done done, void *userdata,
                  struct resolve **ret);

/* NULL is fine; returns NULL. */
struct resolve *resolve_cancel(struct resolve *resolve);

/* True when the set-up lacks an endpoint that its issuer could tell. */
bool resolve_is_needed(const struct setup *setup);

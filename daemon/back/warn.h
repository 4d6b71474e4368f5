#pragma once

/* Tells of grants that will die: each hour all accounts are looked at, a few in each turn of the
 * loop, and an event goes out once for each level of their forecasts (30, 14, 7, 3, 1 days). What
 * was told is in the account's row, so that a restart does not repeat it. */

#include "back/keeper.h"

enum { WARN_EVERY_MS = 60 * 60 * 1000, WARN_ROWS_PER_TURN = 50 };

struct warn;

/* Returns 0 or -errno. */
int warn_new(struct keeper *keeper, struct warn **ret);

/* After commits_finish(). NULL is fine; returns NULL. */
struct warn *warn_free(struct warn *warn);

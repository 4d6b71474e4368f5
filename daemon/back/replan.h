#pragma once

/*
 * Brings the configuration to rows that are there already: at the start, and after each reload, all
 * accounts are looked at, a few in each turn of the loop, and those are written that it says
 * another thing of than their rows (plan.h). What becomes due so waits for its lane like all else.
 */

#include "back/keeper.h"

enum { REPLAN_ROWS_PER_TURN = 50 };

struct replan;

/* Returns 0 or -errno. */
int replan_new(struct keeper *keeper, struct replan **ret);

/* After commits_finish(). NULL is fine; returns NULL. */
struct replan *replan_free(struct replan *replan);

/* The configuration is another now. */
void replan_again(struct replan *replan);

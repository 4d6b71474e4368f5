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

/* plan_anew() by the section that the row's name says: not written. Returns true when the row has
 * changed. */
bool replan_row(const struct keeper *keeper, struct account_row *row);

/* The configuration is another now, or a fence (restored.h), behind which nothing is written, is
 * gone. */
void replan_again(struct keeper *keeper);

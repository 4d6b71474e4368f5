#pragma once

/*
 * When an account is refreshed next, as its row and the configuration of now say: pure functions
 * over the row. Tries after a failure are judgement.h's; here stands which of them rest as well.
 *
 * All times are broker time in milliseconds.
 */

#include "back/judgement.h"

enum { PLAN_RETRY_MAX_MS = 24 * 60 * 60 * 1000 }; /* no try after a failure waits longer */

/* Of an account that nothing is wrong with; 0: not by itself. */
int64_t plan_next(const struct account_row *row, const struct circumstances *c);

/* When something that is planned for `at` is sent where only those are kept fresh that are asked
 * for; 0: when somebody asks. A grant of which a reply was lost is at stake, whoever asks; and who
 * asks where a consent is wanted plans nothing: that is probed all the same. */
int64_t plan_if_asked(const struct account_row *row, const struct circumstances *c, int64_t at);

/* The row under the configuration of now, which may be another than the one it was written under:
 * what is planned too late is planned anew, and what that configuration says itself is no fact of
 * the row. A plan that is too early stays. Returns true when the row has changed. */
bool plan_anew(struct account_row *row, const struct circumstances *c);

/* A token of the account was asked for. With KEEP_ASKED its refresh is planned again where it
 * rested. Returns true when the row has changed: it is noted to ASKED_GRAIN_MS. */
bool plan_asked(struct account_row *row, const struct circumstances *c);

/* True when what is due by the schedule is not sent now, since nobody asked for it for too long:
 * row->refresh_at is when it is. A plan gets so old when the machine slept, or `keep` was changed.
 */
bool plan_rests(struct account_row *row, const struct circumstances *c);

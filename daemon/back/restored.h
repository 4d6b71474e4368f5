#pragma once

/*
 * A store that was restored, cloned or moved starts paused: its refresh tokens may have been spent
 * since, and a provider that watches for reuse would revoke the grants. Its live access tokens are
 * served; nothing is refreshed or revoked until somebody resumes.
 */

#include "back/keeper.h"
#include "io/guard.h"

struct restored;

/* Reads what the start found out. machine: what the store is to know as its own from a resume on.
 * Returns 0 or -errno. */
int restored_new(struct keeper *keeper, const char *machine, struct restored **ret);

/* Where it is noted how far the store has come; NULL: nowhere. Takes it over. */
void restored_guard(struct restored *restored, struct guard *guard);

/* Why nothing is refreshed, for a person; NULL: nothing speaks against it. */
const char *restored_why(const struct keeper *keeper);

/* What is told to whoever needs a refresh meanwhile. */
struct failure restored_failure(const struct keeper *keeper);

/* ASK_RESUME: each provider tries one account, then the rest. */
void restored_resume(struct keeper *keeper, struct message *question);

/* After commits_finish(). NULL is fine; returns NULL. */
struct restored *restored_free(struct restored *restored);

#pragma once

/*
 * What holds a whole store back. One that was restored, cloned or moved here starts paused: its
 * refresh tokens may have been spent since, and a provider that watches for reuse would revoke the
 * grants. One that was moved away (`tokenbroker move`) is fenced: its grants are another broker's.
 * Live access tokens are served; nothing is refreshed or revoked until somebody resumes, and with a
 * fence nothing is changed either.
 */

#include "back/keeper.h"
#include "io/guard.h"

struct restored;

/* Reads what the start found out. machine: what the store is to know as its own from a resume on.
 * Returns 0 or -errno. */
int restored_new(struct keeper *keeper, const char *machine, struct restored **ret);

/* Where it is noted how far the store has come; NULL: nowhere. Takes it over. */
void restored_guard(struct restored *restored, struct guard *guard);

/* True while nothing may be refreshed or revoked, for whatever reason. */
bool restored_holds(const struct keeper *keeper);

/* True while no login or change may begin either: it was moved, or is being moved just now. */
bool restored_fenced(const struct keeper *keeper);

/* When it was moved, in seconds of the wall clock; 0: it was not. */
int64_t restored_moved_at(const struct keeper *keeper);

/* Why it is taken for a copy, for a person; NULL: it is not. */
const char *restored_why(const struct keeper *keeper);

/* What is told to whoever needs a refresh meanwhile. */
struct failure restored_failure(const struct keeper *keeper);

/* Holds all back for as long as a move takes, without writing it down. */
void restored_hold(struct keeper *keeper, bool hold);

/* The fence: done() is called with 0 once it is durable, or with what the store said, and then
 * there is none. Returns 0 or -ENOMEM. */
int restored_fence(struct keeper *keeper, commit_done done, void *userdata);

/* ASK_RESUME: each provider tries one account, then the rest. */
void restored_resume(struct keeper *keeper, struct message *question);

/* After commits_finish(). NULL is fine; returns NULL. */
struct restored *restored_free(struct restored *restored);

#pragma once

/*
 * What a person is being called for: one place for each finding, from when the hook was given it
 * until its row says that it was told, so that nobody is told of it twice. Each is noted in a
 * commit of its own, no more at once than the store takes; while it refuses writes none is, as it
 * would share its transaction with a grant's newest token.
 */

#include "back/warn_call.h"

enum {
    FINDINGS_MAX = 64,
    FINDINGS_NOTED_AT_ONCE = 16,
};

struct findings;

/* freed: called when there may be a place again. Returns 0 or -errno. */
int findings_new(struct keeper *keeper, void (*freed)(void *userdata), void *userdata,
                 struct findings **ret);

/* After commits_finish(). NULL is fine; returns NULL. */
struct findings *findings_free(struct findings *findings);

/* True when it is under way: nobody is to be called for it. */
bool findings_have(const struct findings *findings, const struct warning *warning);

/* False where no place is free. */
bool findings_have_room(const struct findings *findings);

/* Whether somebody may be called now: there is a place, not too many calls are under way, and the
 * store would take the note. */
bool findings_may_call(const struct findings *findings, enum warn_subject subject);

/* It takes a place, which must be free. called: the hook says when it has heard it; else it is
 * noted at once. */
void findings_add(struct findings *findings, const struct warning *warning, bool called);

/* The hook has heard what it was given with that receipt, or could not be started. */
void findings_heard(struct findings *findings, uint64_t receipt, bool heard);

/* Whether the store says that the provider's pause of that time was told. */
bool findings_pause_was_told(const struct findings *findings, const struct pause_row *row);

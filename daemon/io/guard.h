#pragma once

/*
 * How far a store had come, noted outside its folder: an older copy of it is known by that. The
 * note lies where backups do not go (a cache folder), and is held by whoever uses the store.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "base/error.h"

struct guard;

/* Opens or makes the note of the store with this uuid in a folder. Returns 0 or -errno with a
 * complaint. */
int guard_open(const char *folder, const char *uuid, struct guard **ret,
               struct complaint *complaint);

/* Holds it, and reads what is noted. False: another process uses a store of the same uuid. */
bool guard_take(struct guard *guard);

/* What was noted when it was taken, or since; 0: nothing. */
uint64_t guard_generation(const struct guard *guard);

/* Notes it, unless there stands a higher one. It is not synced: a note that is lost makes an older
 * copy look new, never the store look old. What cannot be written is told once, in the log. */
void guard_note(struct guard *guard, uint64_t generation);

/* NULL is fine; returns NULL. */
struct guard *guard_close(struct guard *guard);

DEFINE_CLEANUP(struct guard *, guard, guard_close)

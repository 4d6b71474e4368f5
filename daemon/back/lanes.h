#pragma once

/* All lanes, by the name of their provider. */

#include "back/lane.h"

/* Returns 0 or -errno. */
int lanes_new(struct keeper *keeper, const struct settings *settings, struct lanes **ret);
struct lanes *lanes_free(struct lanes *lanes);

/* Takes the providers as they are configured now. Returns 0 or -errno (then what could be taken was
 * taken). */
int lanes_configure(struct lanes *lanes, const struct settings *settings);

/* NULL when no provider of that name is configured. */
struct lane *lanes_find(const struct lanes *lanes, const char *provider);

/* The same, also for one that is not configured any more. */
struct lane *lanes_any(const struct lanes *lanes, const char *provider);

/* True while a flight of that account is in the air, resting or waiting, also where its provider is
 * not configured any more. */
bool lanes_fly(const struct lanes *lanes, const struct account_name *name);

/* Those that are configured, by index; NULL past the last. */
struct lane *lanes_at(const struct lanes *lanes, size_t index);

/* The end: whoever waits for discovery is told so. */
void lanes_give_up(const struct lanes *lanes);

/* True while anything of any lane is on the wire or not durable yet. */
bool lanes_busy(const struct lanes *lanes);

/* True while any lane's refresh was sent and its reply has not come. */
bool lanes_on_wire(const struct lanes *lanes);

/* Nothing is held back any more: every lane with refresh tokens tries one account first. */
void lanes_resume(const struct lanes *lanes);

/* Gives every lane a turn: after the store takes writes again, after a retry of all. */
void lanes_pump(const struct lanes *lanes);

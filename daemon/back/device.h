#pragma once

/* A device login begins (RFC 8628 3.1, 3.2): the provider is asked for the codes. */

#include "back/keeper.h"

struct device_starts;

/* Returns 0 or -ENOMEM. */
int device_starts_new(struct keeper *keeper, struct device_starts **ret);
/* Ends what is on the wire. NULL is fine; returns NULL. */
struct device_starts *device_starts_free(struct device_starts *starts);

/* True while one is under way. */
bool device_starts_busy(const struct device_starts *starts);

/* Takes an ASK_DEVICE over and answers it, later. */
void device_begin(struct keeper *keeper, struct message *question);

/* Ends the one with this question's id, and answers it; false: there is none. */
bool device_cancel(struct keeper *keeper, uint64_t id);

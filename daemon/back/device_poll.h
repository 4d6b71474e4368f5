#pragma once

/*
 * A device login goes on (RFC 8628 3.4, 3.5): the token endpoint is asked again and again, no more
 * often than the provider says, until the person has decided or the codes have expired. What waits
 * here dies with the daemon.
 */

#include "back/keeper.h"

struct device_polls;

/* Returns 0 or -ENOMEM. */
int device_polls_new(struct keeper *keeper, struct device_polls **ret);
/* Ends what is on the wire. NULL is fine; returns NULL. */
struct device_polls *device_polls_free(struct device_polls *polls);

/* Takes an ASK_POLL over and answers it, at its end. */
void device_poll_begin(struct keeper *keeper, struct message *question);

/* A TELL_CANCEL: the poll with this question's id ends, unless its grant is being stored; where its
 * reply is awaited, with that, and what came is revoked. Frees the letter. */
void device_poll_cancel(struct keeper *keeper, struct message *letter);

/* True while a poll is on the wire or its grant is not durable yet. */
bool device_polls_busy(const struct device_polls *polls);

/* The same of this account's polls. */
bool device_polls_have(const struct device_polls *polls, const struct account_name *name);

/* True while a poll was sent whose reply has not come. */
bool device_polls_on_wire(const struct device_polls *polls);

/* Those that are between two polls end with this failure; false: others are left. */
bool device_polls_refuse(struct device_polls *polls, const struct failure *failure);

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

/* A TELL_CANCEL: the login with this question's id ends at once, unless its grant is being stored;
 * a grant that its last poll brings all the same is revoked. Frees the letter. */
void device_poll_cancel(struct keeper *keeper, struct message *letter);

/* True while a poll was sent whose reply has not come. */
bool device_polls_on_wire(const struct device_polls *polls);

/* Those that are not on the wire and have no grant end with this failure; false: others are
 * left. */
bool device_polls_refuse(struct device_polls *polls, const struct failure *failure);

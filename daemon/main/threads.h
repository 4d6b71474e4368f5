#pragma once

/* The two threads and the mailboxes between them. */

#include <stdint.h>

#include "base/mailbox.h"
#include "io/store.h"
#include "main/keys.h"
#include "main/origin.h"
#include "messages.h"
#include "settings/settings.h"

struct threads;

/* What they start with. What a thread took over is NULL (or -1) then, also on failure. */
struct thread_parts {
    int api_fd;
    bool system_service;
    unsigned clients_max; /* connections of the API socket; 0: the front's own cap */
    struct store *store;
    struct keys keys;
    struct origin origin;
    const char *state_dir;      /* the caller's, during the call */
    struct settings *for_front; /* without secrets */
    struct settings *for_back;
    struct message *certificate; /* of the callback; NULL: the configuration names none. It is
                                    taken over (NULL then) also on failure */
    struct mailbox *events;      /* to the main thread; the caller's */
    struct mailbox *pulses;      /* likewise, for threads_ask_pulse() */
};

/* ended is called on a thread that is about to end by itself, which it should not; it must be safe
 * to call from any thread. Returns 0 or -errno. */
int threads_start(struct thread_parts *parts, void (*ended)(void *userdata), void *userdata,
                  struct threads **ret, struct complaint *complaint);

/* Hands both their new settings, the back its key_next (NULL: none), and the front its certificate
 * (NULL: as before); takes them over.
 * Returns 0, or -EAGAIN when a mailbox is full (neither has the settings then). */
int threads_reload(struct threads *threads, struct settings *for_front, struct settings *for_back,
                   struct seal_key *key_next, struct message *certificate);

/* Tells the back what on_caller says of a caller. Returns 0, -ENOMEM, or -EAGAIN when its mailbox
 * is full. */
int threads_tell_decision(struct threads *threads, int64_t caller_id, bool approved);

/* Tells the back what became of an event, with its own letter, a TELL_HEARD by now; takes it over.
 * It always arrives. */
void threads_tell_heard(struct threads *threads, struct message *letter);

/* Asks the front for a sign of life: a PULSE letter with id 0 comes back through parts->pulses. The
 * back is not asked: a disk that hangs must not end a daemon that answers. */
void threads_ask_pulse(struct threads *threads);

/* Asks both: a PULSE with this id comes back from each when it has handled all letters before.
 * Returns how many will come, at most 2. */
int threads_ask_both(struct threads *threads, uint64_t id);

/* Stops the front and closes its sockets, then stops the back, waits for both, and frees. Returns
 * the first error of either, or 0. */
int threads_stop(struct threads *threads);

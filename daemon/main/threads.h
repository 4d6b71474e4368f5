#pragma once

/* The two threads and the mailboxes between them. */

#include "base/mailbox.h"
#include "io/seal.h"
#include "io/store.h"
#include "settings/settings.h"

struct threads;

/* What they start with; everything is taken over on success. */
struct thread_parts {
    int api_fd;
    bool system_service;
    struct store *store;
    struct seal_key *key;
    struct settings *for_front; /* without secrets */
    struct settings *for_back;
    struct mailbox *events; /* to the main thread; the caller's */
    struct mailbox *pulses; /* likewise, for threads_ask_pulse() */
};

/* ended is called on a thread that is about to end by itself, which it should not; it must be safe
 * to call from any thread. Returns 0 or -errno. */
int threads_start(const struct thread_parts *parts, void (*ended)(void *userdata), void *userdata,
                  struct threads **ret, struct complaint *complaint);

/* Hands both their new settings; takes them over. Returns 0, or -EAGAIN when a mailbox is full
 * (neither has them then). */
int threads_reload(struct threads *threads, struct settings *for_front, struct settings *for_back);

/* Asks the front for a sign of life: a PULSE letter comes back through parts->pulses. The back is
 * not asked: a disk that hangs must not end a daemon that answers. */
void threads_ask_pulse(struct threads *threads);

/* Stops the front, then the back, waits for both, and frees. Returns the first error of either, or
 * 0. */
int threads_stop(struct threads *threads);

#pragma once

/* Questions to the back that wait for their answer. */

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/mailbox.h"
#include "messages.h"

struct asks;

enum {
    ASKS_BUSY = 1,
    ASKS_QUOTA, /* too many of this uid, which others must not feel */
};

enum {
    /* As many as may wait (DEADLINES_PER_UID_MAX), and some whose clients have left. */
    ASKS_PER_UID_MAX = 1280,
    /* Of visitors of the callback, whom nobody knows: it is no user's, so all have little. */
    ASKS_VISITORS_MAX = 64,
    /* A question that brings secrets of so many bytes counts as two, and so on: all secrets share
     * one region. */
    ASKS_SECRET_BYTES = 256,
};

/* answer: owned by asks, valid during the call; its parts may be stolen. */
typedef void (*asks_answered)(void *userdata, struct message *answer);

/* inbox: the front's own mailbox, where the slot of the answer is reserved. Returns 0 or -errno. */
int asks_new(struct mailbox *inbox, struct mailbox *back, struct asks **ret);

/* Drops what waits without calling back. NULL is fine; returns NULL. */
struct asks *asks_free(struct asks *asks);

/*
 * Sends a question that is bounded otherwise: takes the message over in every case and gives it its
 * id. answered is called once, later, unless asks_forget() was called with the id. Returns 0,
 * ASKS_BUSY (no slot: say 503 with Retry-After) or -ENOMEM (also for a question of NULL). ret_id
 * may be NULL.
 */
int asks_send(struct asks *asks, struct message *question, asks_answered answered, void *userdata,
              uint64_t *ret_id);

/* The same for a client of that uid: it counts as the uid's until the answer is there, also when
 * asks_forget() was called. Or ASKS_QUOTA, of ASKS_PER_UID_MAX. */
int asks_send_for(struct asks *asks, uid_t uid, struct message *question, asks_answered answered,
                  void *userdata, uint64_t *ret_id);

/* The same for a visitor of the callback's address, of whom no more is known: all of them together
 * have ASKS_VISITORS_MAX, else ASKS_BUSY. */
int asks_send_for_visitor(struct asks *asks, struct message *question, asks_answered answered,
                          void *userdata, uint64_t *ret_id);

/* Sends a letter that gets no answer; takes it over in every case. Returns like asks_send(). */
int asks_tell(struct asks *asks, struct message *letter);

/* The same for a letter of much memory, of which MAILBOX_BULKY_MAX may wait; and whether there is
 * room for one more, to be asked before it is made. */
int asks_tell_bulky(struct asks *asks, struct message *letter);
bool asks_take_bulky(const struct asks *asks);

/* Whoever asked is gone: the answer is dropped when it comes. An unknown id is fine. */
void asks_forget(struct asks *asks, uint64_t id);

/* The same, and the back is told to end what it does for it (TELL_CANCEL). */
void asks_cancel(struct asks *asks, uint64_t id);

/* mailbox_refusals() of the front's and the back's mailbox. */
void asks_refusals(const struct asks *asks, uint64_t *ret_front, uint64_t *ret_back);

/* An ANSWER came in: calls back and frees it. */
void asks_deliver(struct asks *asks, struct message *answer);

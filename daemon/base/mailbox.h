#pragma once

/*
 * The only thing that two threads share: a bounded queue with an eventfd that is readable while
 * something lies in it. Neither side ever waits for the other.
 *
 * Three kinds of letter:
 *   - a plain letter is refused when no slot is free; one that is bulky also while
 *     MAILBOX_BULKY_MAX of them wait, so that a receiver that stalls costs little memory;
 *   - a letter with a reserved slot always arrives: whoever asks a question reserves the slot of
 *     its answer in its own mailbox first;
 *   - a notice replaces the waiting notice with the same key, in its place, unless a letter of
 *     another kind was sent since: notices and letters stay in order; when `notices` of them are
 *     waiting, all of them give way to one overflow letter at the end of the queue.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"

struct mailbox;

enum { MAILBOX_FULL = 1, MAILBOX_KEY_SIZE = 127 + 1, MAILBOX_BULKY_MAX = 64 };

/* slots: of plain and reserved letters together; notices: waiting notices at most. destroy frees a
 * letter that is replaced or left over; it may be called on the sender's thread, and must not use
 * the mailbox. Returns 0 or -errno. */
int mailbox_new(size_t slots, size_t notices, void (*destroy)(void *letter), struct mailbox **ret);

/* Frees what is left in it. NULL is fine; returns NULL. No thread may use it any more. */
struct mailbox *mailbox_free(struct mailbox *mailbox);

/* Readable (EPOLLIN) while letters wait. Owned by the mailbox. */
int mailbox_fd(const struct mailbox *mailbox);

/* Takes the letter over on 0. MAILBOX_FULL: the letter stays the caller's. */
int mailbox_send(struct mailbox *mailbox, void *letter);

/* The same for a letter of much memory. */
int mailbox_send_bulky(struct mailbox *mailbox, void *letter);
/* Whether there is a slot for one: who makes it of much memory asks before. */
bool mailbox_takes_bulky(struct mailbox *mailbox);

/* Reserves a slot for one later mailbox_send_reserved(). Returns 0 or MAILBOX_FULL. */
int mailbox_reserve(struct mailbox *mailbox);

/* Gives a reserved slot back unused. */
void mailbox_unreserve(struct mailbox *mailbox);

/* Uses a reserved slot up; always takes the letter over. */
void mailbox_send_reserved(struct mailbox *mailbox, void *letter);

/*
 * key: compared with strcmp, copied, less than MAILBOX_KEY_SIZE bytes. make_overflow() makes the
 * letter that stands for all notices when too many wait (it may return NULL when memory is short;
 * the next notice tries again); it must not use the mailbox. Always takes the letter over.
 */
void mailbox_notify(struct mailbox *mailbox, const char *key, void *letter,
                    void *(*make_overflow)(void));

/* How often no slot was free for a letter or a reservation, or notices gave way to one for all. */
uint64_t mailbox_refusals(struct mailbox *mailbox);

/* The oldest letter, now the caller's; NULL when there is none. */
void *mailbox_take(struct mailbox *mailbox);

DEFINE_CLEANUP(struct mailbox *, mailbox, mailbox_free)

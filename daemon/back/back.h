#pragma once

/* The thread that keeps: the store, sealing, the providers, the refresh schedule. */

#include "base/mailbox.h"
#include "io/guard.h"
#include "io/seal.h"
#include "io/store.h"
#include "settings/settings.h"

enum { BACK_INBOX_SLOTS = 4096 };

struct back;

struct back_options {
    struct store *store;       /* open; taken over on success */
    struct seal_key *key;      /* taken over on success */
    struct seal_key *key_next; /* NULL: none; taken over on success */
    const char *key_folder;    /* where key = "auto" keeps its files; NULL: nowhere */
    struct guard *guard;       /* NULL: none; taken over on success */
    const char *machine;       /* "" or NULL: not known */
    struct settings *settings; /* with secrets; taken over on success */
    struct mailbox *inbox;     /* the back's own; the caller's */
    struct mailbox *front;     /* the front's; the caller's */
    struct mailbox *main;      /* the main thread's, for events; the caller's */
    struct mailbox *pulses;    /* where PULSE letters go back to; the caller's */
};

/* Returns 0 or -errno; complaint says why. */
int back_new(const struct back_options *options, struct back **ret, struct complaint *complaint);

/* Runs until a STOP letter: what is under way to a provider and may bring a grant is waited for, 40
 * s at most, and made durable. Returns 0 or -errno. The caller's thread becomes the back's. */
int back_run(struct back *back);

/* After back_run() returned. NULL is fine; returns NULL. */
struct back *back_free(struct back *back);

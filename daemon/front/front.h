#pragma once

/* The thread that answers: both HTTP servers, access rules, pending logins, the cache of ready
 * tokens. It never blocks, not on disk, DNS, a provider or a user. */

#include "base/cleanup.h"
#include "base/mailbox.h"
#include "settings/settings.h"

enum {
    FRONT_INBOX_SLOTS = 4096, /* answers under way and letters from main together */
    FRONT_NOTICES_MAX = 256,
    FRONT_CONNECTIONS_MAX = 2048, /* half of them for a uid */
};

struct front;

struct front_options {
    int api_fd;                /* the listening API socket; taken over on success */
    struct settings *settings; /* without secrets; taken over on success */
    struct mailbox *inbox;     /* the front's own; the caller's */
    struct mailbox *back;      /* the back's; the caller's */
    struct mailbox *pulses;    /* where PULSE letters go back to; NULL: nowhere; the caller's */
    bool system_service;       /* without any rule: root alone, else this uid alone */
    unsigned connections_max;  /* of the API socket; 0: FRONT_CONNECTIONS_MAX */
    uint64_t wait_max_ms;      /* 0: WIRE_WAIT_MAX_S */
};

/* Returns 0 or -errno; complaint says why. */
int front_new(const struct front_options *options, struct front **ret, struct complaint *complaint);

/* Runs until a STOP letter; returns 0 or -errno. The caller's thread becomes the front's. */
int front_run(struct front *front);

/* After front_run() returned. NULL is fine; returns NULL. */
struct front *front_free(struct front *front);

DEFINE_CLEANUP(struct front *, front, front_free)

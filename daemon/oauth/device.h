#pragma once

/* The device authorization grant (RFC 8628): what the provider says for the person, and what its
 * answers to the polls mean. The requests are in token_request.h. */

#include <stdint.h>

#include "base/secret.h"
#include "oauth/token_reply.h"

enum {
    DEVICE_CODE_MAX = 4 * 1024,
    DEVICE_USER_CODE_MAX = 64,
    DEVICE_URI_MAX = 1024,
    DEVICE_INTERVAL_DEFAULT_MS = 5 * 1000, /* RFC 8628 3.2 */
    DEVICE_INTERVAL_MIN_MS = 1000,
    DEVICE_INTERVAL_MAX_MS = 5 * 60 * 1000,
    DEVICE_SLOW_DOWN_MS = 5 * 1000, /* RFC 8628 3.5 */
    DEVICE_BACK_OFF_MAX_MS = 60 * 1000,
    DEVICE_LIFETIME_MAX_MS = 60 * 60 * 1000, /* a longer one is cut: nobody waits so long */
};

struct device_authorization {
    struct secret *device_code;
    char *user_code;                 /* printable, on one line */
    char *verification_uri;          /* https, or http on a loopback host */
    char *verification_uri_complete; /* the same; NULL: none came, or none that may be shown */
    int64_t lifetime_ms;
    int64_t interval_ms;
    char audience[FINGERPRINT_SIZE]; /* provider_audience() of whom it was asked; "": not said */
};

/* NULL and half-built ones are fine; returns NULL. */
struct device_authorization *device_authorization_free(struct device_authorization *device);

enum {
    DEVICE_REFUSED = 1, /* the provider said no */
    DEVICE_NO_ANSWER,   /* nothing that can be read, or not now */
};

/*
 * Reads the answer of the device authorization endpoint (RFC 8628 3.2). device_code, user_code,
 * verification_uri (or verification_url, as Google says) and expires_in have to be there; an
 * interval that is absent is 5 s. Returns 0, DEVICE_REFUSED or DEVICE_NO_ANSWER (complaint says
 * why), or -ENOMEM.
 */
int device_authorization_read(const struct token_answer *answer, struct device_authorization **ret,
                              struct complaint *complaint);

/* What the answer to a poll means (RFC 8628 3.5). */
enum device_poll_outcome {
    DEVICE_POLL_OVER, /* granted, or refused for a reason of another kind: the reply says which */
    DEVICE_POLL_PENDING,
    DEVICE_POLL_SLOW_DOWN,
    DEVICE_POLL_DENIED,
    DEVICE_POLL_EXPIRED,
    DEVICE_POLL_UNANSWERED,
};
enum device_poll_outcome device_poll_judge(const struct token_reply *reply);

/* When polls follow one another. */
struct device_pace {
    int64_t interval_ms;
    unsigned unanswered; /* polls in a row */
};

/* Takes a poll's outcome in; returns how long to wait until the next. Each slow_down adds 5 s for
 * good; each poll without an answer doubles the wait, until one is answered. */
int64_t device_pace_next(struct device_pace *pace, enum device_poll_outcome outcome);

DEFINE_CLEANUP(struct device_authorization *, device_authorization, device_authorization_free)

#pragma once

/*
 * Pending logins: an authorization that a person has not finished yet. Bounded in number and time;
 * they die with the daemon. The callback (front/callback) reaches them through plain values, so
 * that it can move into a process of its own one day.
 */

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/account.h"
#include "base/secret.h"
#include "front/context.h"
#include "oauth/provider.h"

enum {
    LOGINS_MAX = 256,
    LOGINS_PER_UID_MAX = 32,
    LOGIN_LIFETIME_MS = 10 * 60 * 1000,
    LOGIN_ENDED_KEPT_MS = 10 * 60 * 1000, /* so that a result page can be reloaded */
    LOGIN_ID_SIZE = 43 + 1,
};

enum login_status {
    LOGIN_PENDING,    /* waiting for the person */
    LOGIN_EXCHANGING, /* the code is being exchanged */
    LOGIN_DONE,
    LOGIN_FAILED, /* not granted, or the exchange failed */
    LOGIN_EXPIRED,
    LOGIN_CANCELLED,
};

struct logins;

int logins_new(struct context *context, struct logins **ret);
struct logins *logins_free(struct logins *logins);

/* True while any login is pending: a user service holds its callback address only then. */
bool logins_any_pending(const struct logins *logins);

#pragma once

/*
 * Who follows what happens: server-sent events (WHATWG HTML 9.2) on the socket API. Everything is
 * bounded: those who follow, what waits for each, and what is kept for who comes again with the id
 * of the last event that it saw. Whoever missed something is told `lost`.
 */

#include <stddef.h>

#include "base/account.h"
#include "front/asker.h"
#include "front/context.h"
#include "io/web.h"
#include "messages.h"

enum {
    EVENTS_FOLLOWERS_MAX = 64,
    EVENTS_FOLLOWERS_PER_UID_MAX = 8,
    EVENTS_KEPT = 128,               /* for who comes again */
    EVENTS_UNREAD_MAX = 64 * 1024,   /* bytes that wait for one follower */
    EVENTS_HEARTBEAT_MS = 15 * 1000, /* a comment, so that a dead connection shows */
    EVENTS_RETRY_MS = 1000,          /* after which a browser's client comes again */
};

struct events;

/* Uses the context's loop. Returns 0 or -errno. */
int events_new(struct context *context, struct events **ret);

/* After the API's server, with which the followers ended. NULL is fine; returns NULL. */
struct events *events_free(struct events *events);

enum {
    EVENTS_FULL = 1,
    EVENTS_QUOTA, /* too many of this uid */
};

/*
 * Answers the request with the stream of what who asks may see: of an account with MAY_LIST or
 * MAY_MONITOR for it, of a provider with MAY_MONITOR for one that it could have. filter: a glob of
 * accounts, or, without '/', of providers; NULL: all. last_id: from an earlier stream; NULL: only
 * what comes from now on. Returns 0, EVENTS_FULL, EVENTS_QUOTA or -ENOMEM (then the request is not
 * answered). To be called within the request's handler.
 */
int events_follow(struct events *events, struct web_request *web, const struct asker *asker,
                  const char *filter, const char *last_id);

/* How many follow now. */
size_t events_followers(const struct events *events);

/* Ends every stream; their clients come again if they want. */
void events_end_all(struct events *events);

/* Something happened to an account, or (label "") to a provider. events NULL is fine. */
void events_tell(struct events *events, const struct account_name *about, const char *name,
                 const char *format, ...) PRINTF_LIKE(4, 5);

/* What a letter of the back says, if it is an event; it stays the caller's. */
void events_take(struct events *events, const struct message *letter);

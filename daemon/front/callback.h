#pragma once

/*
 * The loopback callback: its listeners, its routes (/start/NONCE, the redirect paths, /done/ID).
 * Behind a reverse proxy they are below the path of public_url, and the Host is that of public_url.
 *
 * What a browser sends counts only with the exact Host of one of our addresses, as a GET, and not
 * from inside a frame. Two cookies tie it to a login. The login's own, tb_login_<tag>, has the
 * redirect path for its path, so that nothing but the redirect carries it. tb_browser has the path
 * /start/ and is the same for all logins of a browser: by it the same browser may open a start
 * address again, another one is refused, and with `state = absent` a newer login replaces the older
 * one. /done/ID needs no cookie: its id cannot be guessed, and it changes nothing.
 */

#include <stdbool.h>

#include "base/json.h"
#include "front/context.h"
#include "messages.h"

enum {
    CALLBACK_RETRY_MS = 15 * 1000, /* between tries to bind */
    CALLBACK_CONNECTIONS_MAX = 64,
    CALLBACK_CONNECTIONS_PER_UID_MAX = 48,
    CALLBACK_TLS_CONNECTIONS_PER_UID_MAX = 12,
    CALLBACK_TLS_CONNECTIONS_MAX = 16, /* all of them could begin a handshake in one turn */
    CALLBACK_REQUEST_DEADLINE_S = 10,
    CALLBACK_IDLE_S = 30,
    CALLBACK_WAIT_MS = 60 * 1000,      /* a browser waits so long for the exchange */
    CALLBACK_PUSH_WAIT_MS = 35 * 1000, /* and for a request to be pushed */
};

struct callback;
struct web_tls;

/* Keeps a copy of the settings' listeners. A system service tries to bind at once; that it cannot
 * is no failure here. Returns 0 or -errno. */
int callback_new(struct context *context, bool system_service, struct callback **ret);
struct callback *callback_free(struct callback *callback);

/* Binds what has to be held now and lets go what has not; call when logins begin or end, and after
 * a reload. Letting go happens at the loop's next turn, never within the call. */
void callback_update(struct callback *callback);

/* What the https listeners serve from now on, and its authority: what the CERTIFICATE letter holds
 * of both. Until the first one they are not bound. The letter stays the caller's. */
void callback_take_certificate(struct callback *callback, struct message *letter);

/* What https is served with, for the consumers; the callback's, and as old as it. */
struct web_tls *callback_tls(const struct callback *callback);

/* Why https is not served well just now; NULL when it is. Static text. */
const char *callback_tls_problem(const struct callback *callback);

/* The authority of our own https listeners as PEM, owned by the callback, with its facts; NULL when
 * there is none. */
const char *callback_authority(const struct callback *callback,
                               const struct certificate_facts **ret_facts);

/* The state of each listener as a JSON array, for health: it begins and ends the array "callback"
 * of writer. */
void callback_put_health(const struct callback *callback, struct json_writer *writer);

/* The reverse proxy's base URL ("https://hr.example.com/oauth", no '/' at its end), under which our
 * pages can be opened from anywhere; NULL: there is none. The settings' own, so borrowed until the
 * next reload. */
const char *callback_public_base(const struct context *context);

/* The path of that base ("/oauth", or "") when the redirect URI is below it; NULL when it is not.
 */
const char *callback_public_prefix(const struct context *context, const char *redirect_uri);

enum callback_reach {
    CALLBACK_OURS,
    CALLBACK_ELSEWHERE, /* no listener of ours: only paste can finish a login there */
};

/* Where a redirect URI leads. */
enum callback_reach callback_reach(const struct callback *callback, const char *redirect_uri);

enum { CALLBACK_NOT_HELD = 1 };

/* Binds the listener of a redirect URI that is CALLBACK_OURS, if it is not bound; behind a reverse
 * proxy all that are plain http, since it may use any. Returns 0 or CALLBACK_NOT_HELD (complaint
 * says who has it). */
int callback_hold(struct callback *callback, const char *redirect_uri, struct complaint *complaint);

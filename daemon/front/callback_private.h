#pragma once

/* What the files of the callback share. */

#include "base/error.h"
#include "front/callback.h"
#include "front/loopback.h"
#include "io/web.h"
#include "oauth/url.h"

struct login;

struct callback {
    struct context *context;
    bool system_service;
    struct loopback held;
    struct loop_source *timer;   /* letting go, or the next try to bind */
    struct web_tls *tls;         /* of all https sockets */
    int64_t certificate_until_s; /* wall clock */
    char *authority;             /* PEM; NULL: none */
    struct certificate_facts authority_facts;
};

enum { CALLBACK_ORIGIN_MAX = URL_HOST_MAX + 32, CALLBACK_PREFIX_MAX = PUBLIC_URL_MAX };

/* Where a request came to: one of our loopback addresses, or the reverse proxy's. */
struct callback_site {
    char origin[CALLBACK_ORIGIN_MAX]; /* "http://localhost:8765", "https://hr.example.com" */
    bool is_public;
    char prefix[CALLBACK_PREFIX_MAX]; /* before our own paths: "", or public_url's "/oauth" */
};

/* callback_host.c */

/* The site that a Host header means on this socket; false when it is none of those that are
 * configured. No other header is believed (X-Forwarded-… least of all). */
bool callback_find_site(const struct loopback_socket *socket, const char *host,
                        struct callback_site *ret);

/* callback_push.c: a browser opens a login whose request is pushed first; answered later. */
void callback_push(struct callback *callback, struct web_request *request, struct login *login);

/* callback_routes.c, for it: the browser is sent on, or told why not (login NULL: it is over); the
 * provider did not take the request (login NULL: as above); there is too much to do. */
void callback_enter(struct web_request *request, struct login *login);
void callback_answer_not_pushed(struct web_request *request, const struct login *login,
                                const char *why);
void callback_answer_busy(struct web_request *request);

enum { CALLBACK_HOST_MAX = URL_HOST_MAX + 8 };

/* The host of public_url, with its port where one is written; "" when there is none. Returns out.
 */
const char *callback_public_host(const struct context *context, char out[static CALLBACK_HOST_MAX]);

/* callback_links.c: below /link/. */
void callback_handle_link(struct callback *callback, struct web_request *request,
                          const struct callback_site *site, const char *rest);

/* callback_routes.c: the web_handler of every socket, which is its userdata. */
void callback_handle(void *socket, struct web_request *request);

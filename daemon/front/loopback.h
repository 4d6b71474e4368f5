#pragma once

/*
 * Loopback addresses that are listened on: the callback's, and the consumers'. One that cannot be
 * held (somebody else has the port) is no failure: it is tried again, and its problem is told.
 */

#include "base/json.h"
#include "io/loop.h"
#include "io/web.h"
#include "settings/settings.h"

enum { LOOPBACK_ORIGIN_MAX = 128 };

/* The problem of an https address that is not bound for it. */
#define LOOPBACK_NO_CERTIFICATE "there is no certificate for https yet; the log says why"

struct loopback;

/* One address and port; two listeners may share it ("localhost" and "127.0.0.1"). */
struct loopback_socket {
    struct loopback *loopback;
    bool ipv6; /* ::1, else 127.0.0.1 */
    bool https;
    uint16_t port;
    struct web_server *server; /* NULL: not bound */
    bool family_missing;       /* this machine has no ::1 */
    struct complaint problem;  /* why the last try to bind failed; "" when it did not */
};

/* How they are served. */
struct loopback_service {
    const char *name; /* for the log: "callback" */
    struct loop *loop;
    web_handler handler;       /* its userdata is the struct loopback_socket */
    void *userdata;            /* for the handler, by way of the socket */
    struct web_tls *tls;       /* of the https ones; not bound before it is ready */
    struct web_options limits; /* all but listen_fd and tls; of https also without connections */
    unsigned tls_connections_max;
    unsigned tls_connections_per_uid_max;
};

struct loopback {
    struct loopback_service service;
    struct callback_listener *listeners; /* as configured, each once */
    size_t listener_count;
    struct loopback_socket *sockets;
    size_t socket_count;
};

/* Takes copies of the listeners; binds nothing yet. It must not move from then on. Returns 0 or
 * -ENOMEM. */
int loopback_init(struct loopback *loopback, const struct loopback_service *service,
                  const struct callback_listener *listeners, size_t count);

/* Lets all go and frees; not within a handler. One that is all zero is fine, and it is so after. */
void loopback_release(struct loopback *loopback);

/* Binds what is not bound. True when all of it is. */
bool loopback_bind(struct loopback *loopback);
void loopback_unbind(struct loopback *loopback);
bool loopback_any_bound(const struct loopback *loopback);

/* Binds one listener's. The first problem of one that is not bound; NULL when all are. */
const struct complaint *loopback_hold(struct loopback *loopback,
                                      const struct callback_listener *listener);

/* True when the listener is served at the socket. */
bool loopback_serves(const struct callback_listener *listener,
                     const struct loopback_socket *socket);

/* The same address, port and scheme, written the same way. */
bool loopback_same(const struct callback_listener *a, const struct callback_listener *b);

/* The loopback host that a Host header means at this socket, as a URL has it ("localhost",
 * "127.0.0.1" or "::1"); NULL when it means another host or port. Static text. */
const char *loopback_host(const struct loopback_socket *socket, const char *header);

/* True when a listener of this host ("localhost" …) is served at the socket. */
bool loopback_spells(const struct loopback_socket *socket, const char *host);

/* Appends "http://[::1]:8765" for such a host, without the scheme's own port. */
void loopback_append_origin(struct buffer *out, bool https, const char *host, uint16_t port);

/* What can be seen of one listener, as an object of array. tls_problem: what is wrong with https;
 * NULL: nothing. */
void loopback_put_health(const struct loopback *loopback, const char *tls_problem,
                         struct json_writer *array);

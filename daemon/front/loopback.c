#include "front/loopback.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/log.h"
#include "oauth/url.h"

enum { SOCKETS_PER_LISTENER = 2, PORT_HTTP = 80, PORT_HTTPS = 443 };

static const char *socket_address(const struct loopback_socket *socket)
{
    return socket->ipv6 ? "::1" : "127.0.0.1";
}

/* --- binding --- */

/* A refused bind of ::1 on a machine without IPv6 leaves nothing that another could hold. */
static void note_failure(struct loopback_socket *socket, int error, const struct complaint *why)
{
    bool missing = socket->ipv6 && (error == -EADDRNOTAVAIL || error == -EAFNOSUPPORT);
    struct complaint problem;
    if (missing)
        complain(&problem, "this computer has no IPv6, so ::1 is not held");
    else
        complain(&problem, "%s", why->text);
    if (!missing && strcmp(problem.text, socket->problem.text) != 0)
        log_warning("%s: %s", socket->loopback->service.name, problem.text);
    socket->family_missing = missing;
    socket->problem = problem;
}

/* True when it waits for its certificate, which will have it bound. */
static bool waits_for_certificate(struct loopback_socket *socket)
{
    if (!socket->https || web_tls_ready(socket->loopback->service.tls))
        return false;
    complain(&socket->problem, "%s", LOOPBACK_NO_CERTIFICATE);
    return true;
}

static struct web_options options_of(const struct loopback_socket *socket, int fd)
{
    const struct loopback_service *service = &socket->loopback->service;
    struct web_options options = service->limits;
    options.listen_fd = fd;
    options.require_host = true;
    if (socket->https) {
        options.tls = service->tls;
        options.connections_max = service->tls_connections_max;
        options.connections_per_uid_max = service->tls_connections_per_uid_max;
    }
    return options;
}

static void socket_bind(struct loopback_socket *socket)
{
    const struct loopback_service *service = &socket->loopback->service;
    if (socket->server || waits_for_certificate(socket))
        return;
    struct complaint why = { "" };
    int fd = web_listen_tcp(socket_address(socket), socket->port, &why);
    if (fd < 0) {
        if (!why.text[0])
            complain(&why, "%s port %u cannot be listened on: %s", socket_address(socket),
                     (unsigned)socket->port, strerror(-fd));
        note_failure(socket, fd, &why);
        return;
    }
    const struct web_options options = options_of(socket, fd);
    int r = web_server_new(service->loop, &options, service->handler, socket, &socket->server);
    if (r < 0) {
        cleanup_fd(&fd);
        complain(&why, "%s port %u cannot be served: %s", socket_address(socket),
                 (unsigned)socket->port, strerror(-r));
        note_failure(socket, r, &why);
        return;
    }
    socket->family_missing = false;
    socket->problem.text[0] = '\0';
}

bool loopback_bind(struct loopback *loopback)
{
    bool all = true;
    for (size_t i = 0; i < loopback->socket_count; i++) {
        struct loopback_socket *socket = &loopback->sockets[i];
        socket_bind(socket);
        all &= socket->server || socket->family_missing;
    }
    return all;
}

void loopback_unbind(struct loopback *loopback)
{
    for (size_t i = 0; i < loopback->socket_count; i++) {
        struct loopback_socket *socket = &loopback->sockets[i];
        socket->server = web_server_free(socket->server);
        socket->family_missing = false;
        socket->problem.text[0] = '\0';
    }
}

bool loopback_any_bound(const struct loopback *loopback)
{
    for (size_t i = 0; i < loopback->socket_count; i++)
        if (loopback->sockets[i].server)
            return true;
    return false;
}

/* --- which address --- */

static bool listens_on(const struct callback_listener *listener, bool ipv6)
{
    return listener->both_families || strcmp(listener->address, ipv6 ? "::1" : "127.0.0.1") == 0;
}

bool loopback_serves(const struct callback_listener *listener, const struct loopback_socket *socket)
{
    return listener->https == socket->https && listener->port == socket->port &&
           listens_on(listener, socket->ipv6);
}

bool loopback_same(const struct callback_listener *a, const struct callback_listener *b)
{
    return a->https == b->https && a->port == b->port && strcmp(a->address, b->address) == 0;
}

/* The spellings of a loopback host in a Host header, and which address each may arrive at. */
struct spelling {
    const char *in_header;
    const char *in_url;
    bool ipv4, ipv6;
};

static const struct spelling spellings[] = {
    { "localhost", "localhost", true, true },
    { "127.0.0.1", "127.0.0.1", true, false },
    { "[::1]", "::1", false, true },
};

static uint16_t default_port(bool https)
{
    return https ? PORT_HTTPS : PORT_HTTP;
}

static bool header_says(const struct loopback_socket *socket, const char *header, const char *name)
{
    char text[LOOPBACK_ORIGIN_MAX];
    snprintf(text, sizeof text, "%s:%u", name, (unsigned)socket->port);
    return strcasecmp(header, text) == 0 ||
           (socket->port == default_port(socket->https) && strcasecmp(header, name) == 0);
}

const char *loopback_host(const struct loopback_socket *socket, const char *header)
{
    for (size_t i = 0; i < sizeof spellings / sizeof *spellings; i++) {
        const struct spelling *spelling = &spellings[i];
        if ((socket->ipv6 ? spelling->ipv6 : spelling->ipv4) &&
            header_says(socket, header, spelling->in_header))
            return spelling->in_url;
    }
    return NULL;
}

bool loopback_spells(const struct loopback_socket *socket, const char *host)
{
    const struct loopback *loopback = socket->loopback;
    for (size_t i = 0; i < loopback->listener_count; i++) {
        const struct callback_listener *listener = &loopback->listeners[i];
        if (listener->https == socket->https && listener->port == socket->port &&
            strcmp(listener->address, host) == 0)
            return true;
    }
    return false;
}

/* --- making --- */

static bool is_known(const struct loopback *loopback, const struct callback_listener *listener)
{
    for (size_t i = 0; i < loopback->listener_count; i++)
        if (loopback_same(&loopback->listeners[i], listener))
            return true;
    return false;
}

static void add_socket(struct loopback *loopback, const struct callback_listener *listener,
                       bool ipv6)
{
    struct loopback_socket socket = {
        .loopback = loopback, .ipv6 = ipv6, .https = listener->https, .port = listener->port
    };
    if (!listens_on(listener, ipv6))
        return;
    for (size_t i = 0; i < loopback->socket_count; i++)
        if (loopback_serves(listener, &loopback->sockets[i]) && loopback->sockets[i].ipv6 == ipv6)
            return;
    loopback->sockets[loopback->socket_count++] = socket;
}

int loopback_init(struct loopback *loopback, const struct loopback_service *service,
                  const struct callback_listener *listeners, size_t count)
{
    *loopback = (struct loopback){ .service = *service };
    if (count == 0)
        return 0;
    loopback->listeners = calloc(count, sizeof *loopback->listeners);
    loopback->sockets = calloc(count, SOCKETS_PER_LISTENER * sizeof *loopback->sockets);
    if (!loopback->listeners || !loopback->sockets) {
        loopback_release(loopback);
        return -ENOMEM;
    }
    for (size_t i = 0; i < count; i++) {
        if (is_known(loopback, &listeners[i]))
            continue;
        loopback->listeners[loopback->listener_count++] = listeners[i];
        add_socket(loopback, &listeners[i], false);
        add_socket(loopback, &listeners[i], true);
    }
    return 0;
}

void loopback_release(struct loopback *loopback)
{
    loopback_unbind(loopback);
    free(loopback->sockets);
    free(loopback->listeners);
    *loopback = (struct loopback){ 0 };
}

/* --- what is told --- */

void loopback_append_origin(struct buffer *out, bool https, const char *host, uint16_t port)
{
    struct url url = { .https = https, .port = port };
    (void)snprintf(url.host, sizeof url.host, "%s", host);
    url_append_origin(out, &url);
}

/* "localhost" can do without ::1 where there is none. */
static const struct complaint *problem_of(const struct loopback *loopback,
                                          const struct callback_listener *listener)
{
    for (size_t i = 0; i < loopback->socket_count; i++) {
        const struct loopback_socket *socket = &loopback->sockets[i];
        bool done = socket->server || (socket->family_missing && listener->both_families);
        if (loopback_serves(listener, socket) && !done)
            return &socket->problem;
    }
    return NULL;
}

const struct complaint *loopback_hold(struct loopback *loopback,
                                      const struct callback_listener *listener)
{
    for (size_t i = 0; i < loopback->socket_count; i++) {
        struct loopback_socket *socket = &loopback->sockets[i];
        if (loopback_serves(listener, socket))
            socket_bind(socket);
    }
    return problem_of(loopback, listener);
}

static void put_listener(const struct loopback *loopback, const struct callback_listener *listener,
                         const char *tls_problem, struct json_writer *array)
{
    CLEANUP(cleanup_buffer) struct buffer listen = BUFFER_WITH_MAXIMUM(LOOPBACK_ORIGIN_MAX);
    loopback_append_origin(&listen, listener->https, listener->address, listener->port);

    const struct complaint *problem = problem_of(loopback, listener);
    bool bound = !problem;
    struct json_writer entry = json_put_nested(array, NULL, '{');
    json_put_string(&entry, "listen", buffer_text(&listen));
    json_put_boolean(&entry, "bound", bound);
    if (tls_problem)
        json_put_string(&entry, "problem", tls_problem);
    else if (problem && problem->text[0])
        json_put_string(&entry, "problem", problem->text);
    for (size_t i = 0; bound && !tls_problem && i < loopback->socket_count; i++) {
        const struct loopback_socket *socket = &loopback->sockets[i];
        if (socket->family_missing && loopback_serves(listener, socket))
            json_put_string(&entry, "problem", socket->problem.text);
    }
    json_writer_end(&entry);
}

void loopback_put_health(const struct loopback *loopback, const char *tls_problem,
                         struct json_writer *array)
{
    for (size_t i = 0; i < loopback->listener_count; i++) {
        const struct callback_listener *listener = &loopback->listeners[i];
        put_listener(loopback, listener, listener->https ? tls_problem : NULL, array);
    }
}

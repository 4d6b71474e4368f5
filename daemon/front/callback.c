#include "front/callback.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/log.h"
#include "front/callback_private.h"
#include "front/login.h"
#include "oauth/url.h"

enum { SOCKETS_PER_LISTENER = 2 };

static const char *socket_address(const struct callback_socket *socket)
{
    return socket->ipv6 ? "::1" : "127.0.0.1";
}

/* --- what is held --- */

static bool listens_on(const struct callback_listener *listener, bool ipv6)
{
    return listener->both_families || strcmp(listener->address, ipv6 ? "::1" : "127.0.0.1") == 0;
}

static bool listener_has(const struct callback_listener *listener,
                         const struct callback_socket *socket)
{
    return listener->https == socket->https && listener->port == socket->port &&
           listens_on(listener, socket->ipv6);
}

/* A refused bind of ::1 on a machine without IPv6 leaves nothing that another could hold. */
static void note_failure(struct callback_socket *socket, int error, const struct complaint *why)
{
    bool missing = socket->ipv6 && (error == -EADDRNOTAVAIL || error == -EAFNOSUPPORT);
    struct complaint problem;
    if (missing)
        complain(&problem, "this computer has no IPv6, so ::1 is not held");
    else
        complain(&problem, "%s", why->text);
    if (!missing && strcmp(problem.text, socket->problem.text) != 0)
        log_warning("callback: %s", problem.text);
    socket->family_missing = missing;
    socket->problem = problem;
}

/* True when it waits for its certificate, which will have it bound. */
static bool waits_for_certificate(struct callback_socket *socket)
{
    if (!socket->https || web_tls_ready(socket->callback->tls))
        return false;
    complain(&socket->problem, "%s", callback_tls_problem(socket->callback));
    return true;
}

static void socket_bind(struct callback_socket *socket)
{
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
    struct web_options options = {
        .listen_fd = fd,
        .connections_max = socket->https ? CALLBACK_TLS_CONNECTIONS_MAX : CALLBACK_CONNECTIONS_MAX,
        .connections_per_uid_max =
            socket->https ? CALLBACK_TLS_CONNECTIONS_PER_UID_MAX : CALLBACK_CONNECTIONS_PER_UID_MAX,
        .request_deadline_s = CALLBACK_REQUEST_DEADLINE_S,
        .idle_s = CALLBACK_IDLE_S,
        .require_host = true,
        .tls = socket->https ? socket->callback->tls : NULL,
    };
    int r = web_server_new(socket->callback->context->loop, &options, callback_handle, socket,
                           &socket->server);
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

static bool socket_done(const struct callback_socket *socket)
{
    return socket->server || socket->family_missing;
}

/* The problem of the first socket of a listener that is not bound; NULL when all are. "localhost"
 * can do without ::1 where there is none. */
static const struct complaint *listener_problem(const struct callback *callback,
                                                const struct callback_listener *listener)
{
    for (size_t i = 0; i < callback->socket_count; i++) {
        const struct callback_socket *socket = &callback->sockets[i];
        bool done = socket->server || (socket->family_missing && listener->both_families);
        if (listener_has(listener, socket) && !done)
            return &socket->problem;
    }
    return NULL;
}

static bool any_bound(const struct callback *callback)
{
    for (size_t i = 0; i < callback->socket_count; i++)
        if (callback->sockets[i].server)
            return true;
    return false;
}

/* True when everything is bound. */
static bool bind_all(struct callback *callback)
{
    bool all = true;
    for (size_t i = 0; i < callback->socket_count; i++) {
        socket_bind(&callback->sockets[i]);
        all &= socket_done(&callback->sockets[i]);
    }
    return all;
}

static void unbind_all(struct callback *callback)
{
    for (size_t i = 0; i < callback->socket_count; i++) {
        struct callback_socket *socket = &callback->sockets[i];
        socket->server = web_server_free(socket->server);
        socket->family_missing = false;
        socket->problem.text[0] = '\0';
    }
}

static bool needed(const struct callback *callback)
{
    const struct logins *logins = callback->context->logins;
    return callback->system_service || callback_public_base(callback->context) ||
           (logins && logins_any_pending(logins));
}

/* Arming a timer can only fail for a broken loop, which ends the thread anyway. */
static void set_timer(struct callback *callback, int64_t delay_ms)
{
    (void)loop_timer_set(callback->timer, delay_ms > 0 ? delay_ms : 0);
}

void callback_update(struct callback *callback)
{
    if (needed(callback)) {
        if (bind_all(callback))
            loop_timer_stop(callback->timer);
        else
            set_timer(callback, CALLBACK_RETRY_MS);
    } else if (any_bound(callback)) {
        /* The browser may still fetch the page that tells how its login ended. A server is never
         * freed here, since one of its own requests may be what ended the login. */
        const struct logins *logins = callback->context->logins;
        int64_t until = logins ? logins_pages_until(logins) : 0;
        set_timer(callback, until - clock_now());
    } else {
        loop_timer_stop(callback->timer);
        unbind_all(callback);
    }
}

static void on_timer(void *userdata)
{
    struct callback *callback = userdata;
    const struct logins *logins = callback->context->logins;
    if (!needed(callback) && (!logins || logins_pages_until(logins) <= clock_now()))
        unbind_all(callback);
    callback_update(callback);
}

/* --- making --- */

static void add_socket(struct callback *callback, const struct callback_listener *listener,
                       bool ipv6)
{
    struct callback_socket socket = {
        .callback = callback, .ipv6 = ipv6, .https = listener->https, .port = listener->port
    };
    if (!listens_on(listener, ipv6))
        return;
    for (size_t i = 0; i < callback->socket_count; i++)
        if (listener_has(listener, &callback->sockets[i]) && callback->sockets[i].ipv6 == ipv6)
            return;
    callback->sockets[callback->socket_count++] = socket;
}

static int copy_listeners(struct callback *callback, const struct settings *settings)
{
    size_t count = settings->listener_count;
    if (count == 0)
        return 0;
    callback->listeners = calloc(count, sizeof *callback->listeners);
    callback->sockets = calloc(count, SOCKETS_PER_LISTENER * sizeof *callback->sockets);
    if (!callback->listeners || !callback->sockets)
        return -ENOMEM;
    memcpy(callback->listeners, settings->listeners, count * sizeof *callback->listeners);
    callback->listener_count = count;
    for (size_t i = 0; i < count; i++) {
        add_socket(callback, &callback->listeners[i], false);
        add_socket(callback, &callback->listeners[i], true);
    }
    return 0;
}

DEFINE_CLEANUP(struct callback *, callback, callback_free)

int callback_new(struct context *context, bool system_service, struct callback **ret)
{
    CLEANUP(cleanup_callback) struct callback *callback = calloc(1, sizeof *callback);
    if (!callback)
        return -ENOMEM;
    tzset(); /* reads the zone's file now, and not while a page with a time is made */
    callback->context = context;
    callback->system_service = system_service;
    int r = web_tls_new(&callback->tls);
    if (r == 0)
        r = copy_listeners(callback, context->settings);
    if (r < 0)
        return r;
    r = loop_add_timer(context->loop, on_timer, callback, &callback->timer);
    if (r < 0)
        return r;
    callback_update(callback);
    *ret = steal(callback);
    return 0;
}

struct callback *callback_free(struct callback *callback)
{
    if (!callback)
        return NULL;
    unbind_all(callback);
    loop_source_free(callback->timer);
    web_tls_free(callback->tls);
    free(callback->authority);
    free(callback->sockets);
    free(callback->listeners);
    free(callback);
    return NULL;
}

/* --- for logins and health --- */

static bool listener_covers(const struct callback_listener *listener, const struct url *url)
{
    if (listener->port != url->port || listener->https != url->https)
        return false;
    return strcmp(listener->address, url->host) == 0 ||
           (listener->both_families &&
            (strcmp(url->host, "127.0.0.1") == 0 || strcmp(url->host, "::1") == 0));
}

static const struct callback_listener *find_listener(const struct callback *callback,
                                                     const char *redirect_uri)
{
    struct url url;
    if (!url_parse(redirect_uri, &url))
        return NULL;
    for (size_t i = 0; i < callback->listener_count; i++)
        if (listener_covers(&callback->listeners[i], &url))
            return &callback->listeners[i];
    return NULL;
}

enum callback_reach callback_reach(const struct callback *callback, const char *redirect_uri)
{
    bool ours = callback_public_prefix(callback->context, redirect_uri) ||
                find_listener(callback, redirect_uri);
    return ours ? CALLBACK_OURS : CALLBACK_ELSEWHERE;
}

static int hold_listener(struct callback *callback, const struct callback_listener *listener,
                         struct complaint *complaint)
{
    for (size_t i = 0; i < callback->socket_count; i++) {
        struct callback_socket *socket = &callback->sockets[i];
        if (listener_has(listener, socket))
            socket_bind(socket);
    }
    const struct complaint *problem = listener_problem(callback, listener);
    if (!problem)
        return 0;
    complain(complaint, "the callback address cannot be held: %s", problem->text);
    return CALLBACK_NOT_HELD;
}

/* A port that somebody else holds would be given what the proxy hands on. */
static int hold_for_proxy(struct callback *callback, struct complaint *complaint)
{
    int r = CALLBACK_NOT_HELD;
    complain(complaint, "the callback has no http address for the reverse proxy before a restart");
    for (size_t i = 0; i < callback->listener_count; i++) {
        if (callback->listeners[i].https)
            continue;
        r = hold_listener(callback, &callback->listeners[i], complaint);
        if (r)
            return r;
    }
    return r;
}

int callback_hold(struct callback *callback, const char *redirect_uri, struct complaint *complaint)
{
    if (callback_public_prefix(callback->context, redirect_uri))
        return hold_for_proxy(callback, complaint);
    const struct callback_listener *listener = find_listener(callback, redirect_uri);
    if (listener)
        return hold_listener(callback, listener, complaint);
    complain(complaint, "no listener of the callback leads to %s", redirect_uri);
    return CALLBACK_NOT_HELD;
}

static void put_listener(const struct callback *callback, const struct callback_listener *listener,
                         struct json_writer *array)
{
    struct url url = { .https = listener->https, .port = listener->port };
    CLEANUP(cleanup_buffer) struct buffer listen = BUFFER_WITH_MAXIMUM(CALLBACK_ORIGIN_MAX);
    memcpy(url.host, listener->address, sizeof listener->address);
    url_append_origin(&listen, &url);

    const struct complaint *problem = listener_problem(callback, listener);
    bool bound = !problem;
    const char *tls_problem = listener->https ? callback_tls_problem(callback) : NULL;
    struct json_writer entry = json_put_nested(array, NULL, '{');
    json_put_string(&entry, "listen", buffer_text(&listen));
    json_put_boolean(&entry, "bound", bound);
    if (tls_problem)
        json_put_string(&entry, "problem", tls_problem);
    else if (problem && problem->text[0])
        json_put_string(&entry, "problem", problem->text);
    for (size_t i = 0; bound && !tls_problem && i < callback->socket_count; i++) {
        const struct callback_socket *socket = &callback->sockets[i];
        if (socket->family_missing && listener_has(listener, socket))
            json_put_string(&entry, "problem", socket->problem.text);
    }
    json_writer_end(&entry);
}

void callback_put_health(const struct callback *callback, struct json_writer *writer)
{
    struct json_writer array = json_put_nested(writer, "callback", '[');
    for (size_t i = 0; i < callback->listener_count; i++)
        put_listener(callback, &callback->listeners[i], &array);
    json_writer_end(&array);
}

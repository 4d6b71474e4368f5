#include "front/callback.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "front/callback_private.h"
#include "front/login.h"
#include "oauth/url.h"

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
        if (loopback_bind(&callback->held))
            loop_timer_stop(callback->timer);
        else
            set_timer(callback, CALLBACK_RETRY_MS);
    } else if (loopback_any_bound(&callback->held)) {
        /* The browser may still fetch the page that tells how its login ended. A server is never
         * freed here, since one of its own requests may be what ended the login. */
        const struct logins *logins = callback->context->logins;
        int64_t until = logins ? logins_pages_until(logins) : 0;
        set_timer(callback, until - clock_now());
    } else {
        loop_timer_stop(callback->timer);
        loopback_unbind(&callback->held);
    }
}

static void on_timer(void *userdata)
{
    struct callback *callback = userdata;
    const struct logins *logins = callback->context->logins;
    if (!needed(callback) && (!logins || logins_pages_until(logins) <= clock_now()))
        loopback_unbind(&callback->held);
    callback_update(callback);
}

/* --- making --- */

static int init_held(struct callback *callback, const struct settings *settings)
{
    const struct loopback_service service = {
        .name = "callback",
        .loop = callback->context->loop,
        .handler = callback_handle,
        .userdata = callback,
        .tls = callback->tls,
        .limits = { .connections_max = CALLBACK_CONNECTIONS_MAX,
                    .connections_per_uid_max = CALLBACK_CONNECTIONS_PER_UID_MAX,
                    .request_deadline_s = CALLBACK_REQUEST_DEADLINE_S,
                    .idle_s = CALLBACK_IDLE_S },
        .tls_connections_max = CALLBACK_TLS_CONNECTIONS_MAX,
        .tls_connections_per_uid_max = CALLBACK_TLS_CONNECTIONS_PER_UID_MAX,
    };
    return loopback_init(&callback->held, &service, settings->listeners, settings->listener_count);
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
        r = init_held(callback, context->settings);
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
    loopback_release(&callback->held);
    loop_source_free(callback->timer);
    web_tls_free(callback->tls);
    free(callback->authority);
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
    for (size_t i = 0; i < callback->held.listener_count; i++)
        if (listener_covers(&callback->held.listeners[i], &url))
            return &callback->held.listeners[i];
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
    const struct complaint *problem = loopback_hold(&callback->held, listener);
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
    for (size_t i = 0; i < callback->held.listener_count; i++) {
        if (callback->held.listeners[i].https)
            continue;
        r = hold_listener(callback, &callback->held.listeners[i], complaint);
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

void callback_put_health(const struct callback *callback, struct json_writer *writer)
{
    struct json_writer array = json_put_nested(writer, "callback", '[');
    loopback_put_health(&callback->held, callback_tls_problem(callback), &array);
    json_writer_end(&array);
}

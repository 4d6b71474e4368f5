#include "front/callback_private.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

enum { PORT_HTTP = 80, PORT_HTTPS = 443 };

static const struct callback *callback_of(const struct loopback_socket *socket)
{
    return socket->loopback->service.userdata;
}

/* A redirect URI may name 127.0.0.1 where the listener is called localhost: it is held all the
 * same. */
static bool redirect_spells(const struct loopback_socket *socket, const char *name)
{
    if (!loopback_spells(socket, "localhost"))
        return false;
    const struct settings *settings = callback_of(socket)->context->settings;
    for (size_t i = 0; i < settings->provider_count; i++) {
        const char *redirect = settings->providers[i]->redirect_uri;
        struct url url;
        if (redirect && url_parse(redirect, &url) && url.https == socket->https &&
            url.port == socket->port && strcmp(url.host, name) == 0)
            return true;
    }
    return false;
}

static bool find_own(const struct loopback_socket *socket, const char *host,
                     char out[static CALLBACK_ORIGIN_MAX])
{
    const char *name = loopback_host(socket, host);
    if (!name || (!loopback_spells(socket, name) && !redirect_spells(socket, name)))
        return false;
    CLEANUP(cleanup_buffer) struct buffer origin = BUFFER_WITH_MAXIMUM(LOOPBACK_ORIGIN_MAX);
    loopback_append_origin(&origin, socket->https, name, socket->port);
    snprintf(out, CALLBACK_ORIGIN_MAX, "%s", buffer_text(&origin));
    return !origin.failed;
}

/* --- behind a reverse proxy --- */

const char *callback_public_base(const struct context *context)
{
    return context->settings->public_url;
}

/* public_url has no '/' at its end, so that its path is "/" only where it has none. */
static const char *prefix_of(const char *base, const struct url *url)
{
    return strcmp(url->path, "/") == 0 ? "" : base + strlen(base) - strlen(url->path);
}

const char *callback_public_prefix(const struct context *context, const char *redirect_uri)
{
    const char *base = callback_public_base(context);
    struct url public, redirect;
    if (!base || !url_parse(base, &public) || !url_parse(redirect_uri, &redirect) ||
        !url_below(&redirect, &public))
        return NULL;
    return prefix_of(base, &public);
}

const char *callback_public_host(const struct context *context, char out[static CALLBACK_HOST_MAX])
{
    const char *base = callback_public_base(context);
    const char *authority = base ? strstr(base, "//") + 2 : "";
    snprintf(out, CALLBACK_HOST_MAX, "%.*s", (int)strcspn(authority, "/"), authority);
    return out;
}

/* Whether a Host header means the host and port of an origin. */
static bool header_means(const char *host, const char *origin, const struct url *url)
{
    char with_port[CALLBACK_ORIGIN_MAX + 8];
    const char *authority = strstr(origin, "//") + 2;
    uint16_t standard = url->https ? PORT_HTTPS : PORT_HTTP;
    if (strcasecmp(host, authority) == 0)
        return true;
    snprintf(with_port, sizeof with_port, "%s:%u", authority, (unsigned)standard);
    return url->port == standard && strcasecmp(host, with_port) == 0;
}

/* The proxy speaks plain http to us; the https sockets are for browsers of this machine. */
static bool find_public(const struct loopback_socket *socket, const char *host,
                        struct callback_site *ret)
{
    const char *base = callback_public_base(callback_of(socket)->context);
    struct url url;
    if (!base || socket->https || !url_parse(base, &url))
        return false;
    const char *prefix = prefix_of(base, &url);
    snprintf(ret->prefix, sizeof ret->prefix, "%s", prefix);
    snprintf(ret->origin, sizeof ret->origin, "%.*s", (int)(strlen(base) - strlen(prefix)), base);
    return header_means(host, ret->origin, &url);
}

bool callback_find_site(const struct loopback_socket *socket, const char *host,
                        struct callback_site *ret)
{
    ret->is_public = find_public(socket, host, ret);
    if (ret->is_public)
        return true;
    ret->prefix[0] = '\0';
    return find_own(socket, host, ret->origin);
}

#include "front/callback_private.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

enum { PORT_HTTP = 80, PORT_HTTPS = 443 };

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

static uint16_t default_port(const struct callback_socket *socket)
{
    return socket->https ? PORT_HTTPS : PORT_HTTP;
}

static bool header_says(const struct callback_socket *socket, const char *host, const char *name)
{
    char text[CALLBACK_ORIGIN_MAX];
    snprintf(text, sizeof text, "%s:%u", name, (unsigned)socket->port);
    return strcasecmp(host, text) == 0 ||
           (socket->port == default_port(socket) && strcasecmp(host, name) == 0);
}

static bool listener_spells(const struct callback_socket *socket, const char *name)
{
    const struct callback *callback = socket->callback;
    for (size_t i = 0; i < callback->listener_count; i++) {
        const struct callback_listener *listener = &callback->listeners[i];
        if (listener->https == socket->https && listener->port == socket->port &&
            strcmp(listener->address, name) == 0)
            return true;
    }
    return false;
}

/* A redirect URI may name 127.0.0.1 where the listener is called localhost: it is held all the
 * same. */
static bool redirect_spells(const struct callback_socket *socket, const char *name)
{
    if (!listener_spells(socket, "localhost"))
        return false;
    const struct settings *settings = socket->callback->context->settings;
    for (size_t i = 0; i < settings->provider_count; i++) {
        const char *redirect = settings->providers[i]->redirect_uri;
        struct url url;
        if (redirect && url_parse(redirect, &url) && url.https == socket->https &&
            url.port == socket->port && strcmp(url.host, name) == 0)
            return true;
    }
    return false;
}

static bool find_own(const struct callback_socket *socket, const char *host,
                     char out[static CALLBACK_ORIGIN_MAX])
{
    for (size_t i = 0; i < sizeof spellings / sizeof *spellings; i++) {
        const struct spelling *spelling = &spellings[i];
        const char *name = spelling->in_url;
        if (!(socket->ipv6 ? spelling->ipv6 : spelling->ipv4) ||
            !header_says(socket, host, spelling->in_header))
            continue;
        if (!listener_spells(socket, name) && !redirect_spells(socket, name))
            return false;
        const char *scheme = socket->https ? "https" : "http";
        if (socket->port == default_port(socket))
            snprintf(out, CALLBACK_ORIGIN_MAX, "%s://%s", scheme, spelling->in_header);
        else
            snprintf(out, CALLBACK_ORIGIN_MAX, "%s://%s:%u", scheme, spelling->in_header,
                     (unsigned)socket->port);
        return true;
    }
    return false;
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
static bool find_public(const struct callback_socket *socket, const char *host,
                        struct callback_site *ret)
{
    const char *base = callback_public_base(socket->callback->context);
    struct url url;
    if (!base || socket->https || !url_parse(base, &url))
        return false;
    const char *prefix = prefix_of(base, &url);
    snprintf(ret->prefix, sizeof ret->prefix, "%s", prefix);
    snprintf(ret->origin, sizeof ret->origin, "%.*s", (int)(strlen(base) - strlen(prefix)), base);
    return header_means(host, ret->origin, &url);
}

bool callback_find_site(const struct callback_socket *socket, const char *host,
                        struct callback_site *ret)
{
    ret->is_public = find_public(socket, host, ret);
    if (ret->is_public)
        return true;
    ret->prefix[0] = '\0';
    return find_own(socket, host, ret->origin);
}

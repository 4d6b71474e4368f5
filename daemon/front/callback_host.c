#include "front/callback_private.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "oauth/url.h"

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

bool callback_origin(const struct callback_socket *socket, const char *host,
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

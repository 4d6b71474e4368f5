#include "front/callback_private.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "oauth/url.h"

enum { PORT_HTTP = 80 };

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

static bool header_says(const char *host, const char *name, uint16_t port)
{
    char text[CALLBACK_ORIGIN_MAX];
    snprintf(text, sizeof text, "%s:%u", name, (unsigned)port);
    return strcasecmp(host, text) == 0 || (port == PORT_HTTP && strcasecmp(host, name) == 0);
}

static bool listener_spells(const struct callback *callback, const char *name, uint16_t port)
{
    for (size_t i = 0; i < callback->listener_count; i++) {
        const struct callback_listener *listener = &callback->listeners[i];
        if (!listener->https && listener->port == port && strcmp(listener->address, name) == 0)
            return true;
    }
    return false;
}

/* A redirect URI may name 127.0.0.1 where the listener is called localhost: it is held all the
 * same. */
static bool redirect_spells(const struct callback *callback, const char *name, uint16_t port)
{
    if (!listener_spells(callback, "localhost", port))
        return false;
    const struct settings *settings = callback->context->settings;
    for (size_t i = 0; i < settings->provider_count; i++) {
        const char *redirect = settings->providers[i]->redirect_uri;
        struct url url;
        if (redirect && url_parse(redirect, &url) && !url.https && url.port == port &&
            strcmp(url.host, name) == 0)
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
            !header_says(host, spelling->in_header, socket->port))
            continue;
        if (!listener_spells(socket->callback, name, socket->port) &&
            !redirect_spells(socket->callback, name, socket->port))
            return false;
        if (socket->port == PORT_HTTP)
            snprintf(out, CALLBACK_ORIGIN_MAX, "http://%s", spelling->in_header);
        else
            snprintf(out, CALLBACK_ORIGIN_MAX, "http://%s:%u", spelling->in_header,
                     (unsigned)socket->port);
        return true;
    }
    return false;
}

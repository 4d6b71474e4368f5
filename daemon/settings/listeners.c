/* The callback's addresses, the reverse proxy's before it, and its certificate. */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "oauth/url.h"
#include "settings/sections.h"
#include "settings/values.h"

enum { LISTENERS_MAX = 8, DEFAULT_PORT = 8765 };

static const char default_address[] = "127.0.0.1";
static const char *const addresses[] = { "127.0.0.1", "::1", "localhost" };

static const char *known_address(const char *host)
{
    for (size_t i = 0; i < sizeof addresses / sizeof addresses[0]; i++)
        if (strcmp(addresses[i], host) == 0)
            return addresses[i];
    return NULL;
}

static void fill(struct callback_listener *listener, bool https, const char *address, uint16_t port)
{
    *listener = (struct callback_listener){ .https = https, .port = port };
    listener->both_families = strcmp(address, "localhost") == 0;
    (void)snprintf(listener->address, sizeof listener->address, "%s", address);
}

static int listener_parse(const struct setting *setting, const char *text,
                          struct callback_listener *ret, struct complaint *complaint)
{
    struct url url;
    if (!url_parse(text, &url) || strcmp(url.path, "/") != 0 || url.query != NULL)
        return complain_setting(complaint, setting,
                                "wants addresses such as \"http://localhost:8765\"");
    const char *address = known_address(url.host);
    if (address == NULL)
        return complain_setting(complaint, setting,
                                "takes 127.0.0.1, [::1] and localhost only, not \"%s\"", url.host);
    fill(ret, url.https, address, url.port);
    return 0;
}

/* Whether both need the same address and port. */
static bool collide(const struct callback_listener *a, const struct callback_listener *b)
{
    return a->port == b->port &&
           (a->both_families || b->both_families || strcmp(a->address, b->address) == 0);
}

static int check_free(const struct setting *setting, const struct settings *settings,
                      const struct callback_listener *listener, struct complaint *complaint)
{
    for (size_t i = 0; i < settings->listener_count; i++)
        if (collide(&settings->listeners[i], listener))
            return complain_setting(complaint, setting, "has port %u of one address twice",
                                    listener->port);
    return 0;
}

int take_listeners(const struct key *key, const struct setting *setting, void *into,
                   struct complaint *complaint)
{
    struct settings *settings = into;
    if (setting->count > LISTENERS_MAX)
        return complain_setting(complaint, setting, "has more than %d addresses", LISTENERS_MAX);
    /* One more than needed: an empty list differs from none at all. */
    settings->listeners = calloc(setting->count + 1, sizeof(*settings->listeners));
    if (settings->listeners == NULL)
        return -ENOMEM;
    int r = 0;
    for (size_t i = 0; i < setting->count && r == 0; i++) {
        struct callback_listener *listener = &settings->listeners[i];
        r = listener_parse(setting, setting->values[i], listener, complaint);
        if (r == 0)
            r = check_free(setting, settings, listener, complaint);
        if (r == 0)
            settings->listener_count++;
    }
    return r;
}

int take_consumer_listen(const struct key *key, const struct setting *setting, void *into,
                         struct complaint *complaint)
{
    struct consumer *consumer = into;
    return listener_parse(setting, setting->values[0], &consumer->listen, complaint);
}

static bool same_address(const struct callback_listener *a, const struct callback_listener *b)
{
    return a->https == b->https && a->port == b->port && strcmp(a->address, b->address) == 0;
}

int consumer_listen_check(const struct setting *setting, const struct settings *settings,
                          const struct callback_listener *listener, struct complaint *complaint)
{
    for (size_t i = 0; i < settings->listener_count; i++)
        if (collide(&settings->listeners[i], listener))
            return complain_setting(complaint, setting, "has port %u, which is the callback's",
                                    listener->port);
    for (size_t i = 0; i < settings->consumer_count; i++) {
        const struct consumer *other = &settings->consumers[i];
        if (collide(&other->listen, listener) && !same_address(&other->listen, listener))
            return complain_setting(complaint, setting,
                                    "has port %u of consumer \"%s\", but another address: write "
                                    "the same one",
                                    listener->port, other->rule.name);
    }
    return 0;
}

bool settings_serve_https(const struct settings *settings)
{
    for (size_t i = 0; i < settings->listener_count; i++)
        if (settings->listeners[i].https)
            return true;
    for (size_t i = 0; i < settings->consumer_count; i++)
        if (settings->consumers[i].listen.https)
            return true;
    return false;
}

int listeners_default(struct settings *settings)
{
    if (settings->listeners != NULL)
        return 0;
    settings->listeners = calloc(1, sizeof(*settings->listeners));
    if (settings->listeners == NULL)
        return -ENOMEM;
    fill(&settings->listeners[0], false, default_address, DEFAULT_PORT);
    settings->listener_count = 1;
    return 0;
}

int take_certificate(const struct key *key, const struct setting *setting, void *into,
                     struct complaint *complaint)
{
    struct settings *settings = into;
    bool automatic = setting->count == 1 && strcmp(setting->values[0], "auto") == 0;
    bool pair = setting->count == 2 && setting->values[0][0] == '/' && setting->values[1][0] == '/';
    if (!automatic && !pair)
        return complain_setting(complaint, setting,
                                "wants \"auto\", or {certificate, key} as absolute paths");
    settings->certificate = strdup(setting->values[0]);
    settings->certificate_key = pair ? strdup(setting->values[1]) : NULL;
    bool all = settings->certificate != NULL && (!pair || settings->certificate_key != NULL);
    return all ? 0 : -ENOMEM;
}

/* Proxies and browsers rewrite other paths ("%61", "//", "/../"), and then no prefix fits. */
static bool path_is_plain(const char *path)
{
    static const char plain[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~/";
    return path[strspn(path, plain)] == '\0' && strstr(path, "//") == NULL &&
           strstr(path, "/.") == NULL;
}

static int normalize(const struct url *url, char **ret)
{
    CLEANUP(cleanup_buffer) struct buffer text = BUFFER_WITH_MAXIMUM(PUBLIC_URL_MAX);
    size_t length = strlen(url->path);
    while (length > 0 && url->path[length - 1] == '/')
        length--;
    url_append_origin(&text, url);
    buffer_append(&text, url->path, length);
    free(*ret);
    *ret = buffer_steal_text(&text);
    return *ret != NULL ? 0 : -ENOMEM;
}

int take_public_url(const struct key *key, const struct setting *setting, void *into,
                    struct complaint *complaint)
{
    struct settings *settings = into;
    struct url url;
    /* So that what is left to fail in normalize() is memory. */
    if (strlen(setting->values[0]) >= PUBLIC_URL_MAX)
        return complain_setting(complaint, setting, "is longer than %d bytes", PUBLIC_URL_MAX - 1);
    int r = take_url(key, setting, into, complaint);
    if (r != 0)
        return r;
    if (!url_parse(settings->public_url, &url) || url.query != NULL)
        return complain_setting(complaint, setting, "must not hold \"?\"");
    if (!path_is_plain(url.path))
        return complain_setting(complaint, setting,
                                "wants a path of letters, digits and \"-_~/.\" only, without "
                                "\"//\" and \"/.\"");
    return normalize(&url, &settings->public_url);
}

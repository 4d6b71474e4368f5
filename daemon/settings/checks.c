/* What only shows when all sections are there: whose redirects end on which path. */

#include <stdlib.h>
#include <string.h>

#include "oauth/url.h"
#include "settings/sections.h"

/* The callback's own pages. */
static const char *const reserved_paths[] = { "/start", "/done", "/link" };

/* One provider's redirect path on our own callback. */
struct landing {
    const struct provider *provider;
    char path[URL_PATH_MAX + 1];
};

static bool has_listener_port(const struct settings *settings, const struct url *url)
{
    if (!url_host_is_loopback(url->host))
        return false;
    for (size_t i = 0; i < settings->listener_count; i++)
        if (settings->listeners[i].port == url->port)
            return true;
    return false;
}

/* The path by which a redirect to url reaches our callback, without public_url's own; NULL when it
 * does not. Another machine's page does not: people paste the address they land on there. */
static const char *path_of_ours(const struct settings *settings, const struct url *url)
{
    struct url public;
    const char *below = settings->public_url != NULL && url_parse(settings->public_url, &public)
                            ? url_below(url, &public)
                            : NULL;
    return below == NULL && has_listener_port(settings, url) ? url->path : below;
}

/* The host of public_url is the proxy's, which hands on what is below public_url alone. */
static bool misses_public_url(const struct settings *settings, const struct url *url)
{
    struct url public;
    if (settings->public_url == NULL || !url_parse(settings->public_url, &public))
        return false;
    public.path[0] = '\0';
    return url_below(url, &public) != NULL && path_of_ours(settings, url) == NULL;
}

static bool is_reserved(const char *path)
{
    for (size_t i = 0; i < sizeof reserved_paths / sizeof reserved_paths[0]; i++) {
        size_t length = strlen(reserved_paths[i]);
        if (strncmp(path, reserved_paths[i], length) == 0 &&
            (path[length] == '/' || path[length] == '\0'))
            return true;
    }
    return false;
}

static int complain_provider(const struct settings_text *text, const struct provider *provider,
                             struct complaint *complaint, const char *problem, const char *other)
{
    const struct section *section = text_provider(text, provider->name);
    return complain_section(complaint, section, "has redirect_uri %s%s%s", provider->redirect_uri,
                            problem, other);
}

static int compare_landings(const void *a, const void *b)
{
    const struct landing *left = a, *right = b;
    int order = strcmp(left->path, right->path);
    return order != 0 ? order : strcmp(left->provider->name, right->provider->name);
}

/* Neighbours on one path: the answer must say by itself whose it is (RFC 9207). */
static int check_neighbours(const struct settings_text *text, const struct landing *landings,
                            size_t count, struct complaint *complaint)
{
    for (size_t i = 1; i < count; i++) {
        const struct landing *one = &landings[i - 1], *other = &landings[i];
        bool promised = one->provider->iss_promised && other->provider->iss_promised;
        if (strcmp(one->path, other->path) == 0 && !promised)
            return complain_provider(
                text, other->provider, complaint,
                ", on one path with (both would need iss = promised) provider ",
                one->provider->name);
    }
    return 0;
}

static int collect(const struct settings_text *text, const struct settings *settings,
                   struct landing *landings, size_t *ret_count, struct complaint *complaint)
{
    size_t count = 0;
    for (size_t i = 0; i < settings->provider_count; i++) {
        const struct provider *provider = settings->providers[i];
        struct url url;
        if (provider->redirect_uri == NULL || !url_parse(provider->redirect_uri, &url))
            continue;
        if (misses_public_url(settings, &url))
            return complain_provider(text, provider, complaint,
                                     ", which is at the proxy, but not below public_url ",
                                     settings->public_url);
        const char *path = path_of_ours(settings, &url);
        if (path == NULL)
            continue;
        if (is_reserved(path))
            return complain_provider(text, provider, complaint,
                                     ", whose path is one of the callback's own pages", "");
        landings[count].provider = provider;
        memcpy(landings[count++].path, url.path, sizeof url.path);
    }
    *ret_count = count;
    return 0;
}

static bool has_plain_listener(const struct settings *settings)
{
    for (size_t i = 0; i < settings->listener_count; i++)
        if (!settings->listeners[i].https)
            return true;
    return false;
}

static int check_public_url(const struct settings_text *text, const struct settings *settings,
                            struct complaint *complaint)
{
    struct url url;
    if (settings->public_url == NULL || !url_parse(settings->public_url, &url))
        return 0;
    const struct section *section = text_single(text, &callback_section);
    const struct setting *setting = section_find(section, "public_url");
    if (!has_plain_listener(settings))
        return complain_setting(complaint, setting,
                                "needs an http:// address in listen, to which the reverse proxy "
                                "hands requests on");
    if (has_listener_port(settings, &url))
        return complain_setting(complaint, setting,
                                "has port %u of this callback's own listen: the reverse proxy's "
                                "address is wanted",
                                url.port);
    return 0;
}

int settings_check(const struct settings_text *text, const struct settings *settings,
                   struct complaint *complaint)
{
    size_t count = 0;
    int r = check_public_url(text, settings, complaint);
    if (r == 0)
        r = approve_check(text, settings, complaint);
    if (r != 0)
        return r;
    struct landing *landings = calloc(settings->provider_count + 1, sizeof(*landings));
    if (landings == NULL) {
        complain(complaint, "out of memory");
        return SETTINGS_INVALID;
    }
    r = collect(text, settings, landings, &count, complaint);
    if (r == 0 && count > 1)
        qsort(landings, count, sizeof(*landings), compare_landings);
    if (r == 0)
        r = check_neighbours(text, landings, count, complaint);
    free(landings);
    return r;
}

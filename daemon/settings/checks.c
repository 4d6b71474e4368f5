/* What only shows when all sections are there: whose redirects end on which path. */

#include <stdlib.h>
#include <string.h>

#include "oauth/url.h"
#include "settings/sections.h"

/* The callback's own pages. */
static const char *const reserved_paths[] = { "/start", "/done" };

/* One provider's redirect path on our own callback. */
struct landing {
    const struct provider *provider;
    char path[URL_PATH_MAX + 1];
};

static bool is_public(const struct settings *settings, const struct url *url)
{
    struct url public;
    return settings->public_url != NULL && url_parse(settings->public_url, &public) &&
           public.https == url->https && public.port == url->port &&
           strcmp(public.host, url->host) == 0;
}

/* Whether a redirect to url reaches our callback. Another machine's page does not: people paste
 * the address they land on there. */
static bool is_ours(const struct settings *settings, const struct url *url)
{
    if (is_public(settings, url))
        return true;
    if (!url_host_is_loopback(url->host))
        return false;
    for (size_t i = 0; i < settings->listener_count; i++)
        if (settings->listeners[i].port == url->port)
            return true;
    return false;
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
        if (provider->redirect_uri == NULL || !url_parse(provider->redirect_uri, &url) ||
            !is_ours(settings, &url))
            continue;
        if (is_reserved(url.path))
            return complain_provider(text, provider, complaint,
                                     ", whose path is one of the callback's own pages", "");
        landings[count].provider = provider;
        memcpy(landings[count++].path, url.path, sizeof url.path);
    }
    *ret_count = count;
    return 0;
}

int settings_check(const struct settings_text *text, const struct settings *settings,
                   struct complaint *complaint)
{
    size_t count = 0;
    struct landing *landings = calloc(settings->provider_count + 1, sizeof(*landings));
    if (landings == NULL) {
        complain(complaint, "out of memory");
        return SETTINGS_INVALID;
    }
    int r = collect(text, settings, landings, &count, complaint);
    if (r == 0 && count > 1)
        qsort(landings, count, sizeof(*landings), compare_landings);
    if (r == 0)
        r = check_neighbours(text, landings, count, complaint);
    free(landings);
    return r;
}

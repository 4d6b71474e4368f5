/* One provider, from its preset and its own section. */

#include "oauth/provider.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "oauth/authorize.h"
#include "oauth/token_reply.h"
#include "oauth/url.h"
#include "settings/sections.h"

enum { REDIRECT_URI_MAX = 2048 };

/* What is being built, and where it was written. */
struct draft {
    const struct settings_text *text;
    const struct section *section;
    const struct section *preset; /* NULL: none */
    const struct settings *settings;
    struct provider *provider;
    struct complaint *complaint;
};

static const struct section *preset_of(const struct settings_text *text,
                                       const struct section *section)
{
    const struct setting *setting = section_find(section, "preset");
    return setting != NULL ? text_preset(text, setting->values[0]) : NULL;
}

static const struct setting *find_in_both(const struct section *section,
                                          const struct section *preset, const char *key)
{
    const struct setting *own = section_find(section, key);
    return own == NULL && preset != NULL ? section_find(preset, key) : own;
}

const struct setting *provider_setting(const struct settings_text *text,
                                       const struct section *section, const char *key)
{
    return find_in_both(section, preset_of(text, section), key);
}

static const struct setting *given(const struct draft *draft, const char *key)
{
    return find_in_both(draft->section, draft->preset, key);
}

static int take_all(const struct draft *draft)
{
    int r = 0;
    if (draft->preset != NULL)
        r = section_take(draft->preset, draft->section, draft->provider, draft->complaint);
    if (r == 0)
        r = section_take(draft->section, NULL, draft->provider, draft->complaint);
    return r;
}

static int default_text(char **where, const char *text)
{
    if (*where == NULL)
        *where = strdup(text);
    return *where != NULL ? 0 : -ENOMEM;
}

static int fill_texts(struct provider *provider)
{
    int r = default_text(&provider->scope_separator, " ");
    if (r == 0)
        r = default_text(&provider->present_in, "header");
    if (r == 0)
        r = default_text(&provider->present_name, "Authorization");
    return r == 0 ? default_text(&provider->present_scheme, "Bearer") : r;
}

/* The first listener for plain http, else the first; NULL when there is none. */
static const struct callback_listener *own_listener(const struct settings *settings)
{
    for (size_t i = 0; i < settings->listener_count; i++)
        if (!settings->listeners[i].https)
            return &settings->listeners[i];
    return settings->listener_count > 0 ? &settings->listeners[0] : NULL;
}

/* Where a redirect reaches us: the reverse proxy's address, or a listener's. */
static void append_own_base(struct buffer *out, const struct settings *settings)
{
    const struct callback_listener *listener = own_listener(settings);
    if (settings->public_url != NULL) {
        buffer_append_text(out, settings->public_url);
    } else if (listener != NULL && listener->https) {
        buffer_append_format(out, "https://localhost:%u", listener->port);
    } else if (listener != NULL) {
        bool ipv6 = strcmp(listener->address, "::1") == 0;
        buffer_append_format(out, "http://%s:%u", ipv6 ? "[::1]" : "127.0.0.1", listener->port);
    }
}

static int fill_redirect_uri(const struct draft *draft)
{
    struct provider *provider = draft->provider;
    CLEANUP(cleanup_buffer) struct buffer uri = BUFFER_WITH_MAXIMUM(REDIRECT_URI_MAX);
    if (provider->grant != GRANT_AUTHORIZATION_CODE || provider->redirect_uri != NULL)
        return 0;
    append_own_base(&uri, draft->settings);
    if (uri.length == 0)
        return complain_section(draft->complaint, draft->section,
                                "needs redirect_uri, since the callback listens nowhere");
    buffer_append_format(&uri, "/callback/%s", provider->name);
    provider->redirect_uri = buffer_steal_text(&uri);
    return provider->redirect_uri != NULL ? 0 : -ENOMEM;
}

/* A client without a secret is a public one, unless it says otherwise. */
static void fill_client_auth(const struct draft *draft)
{
    if (given(draft, "client_auth") == NULL && given(draft, "client_secret") == NULL)
        draft->provider->client_auth = CLIENT_AUTH_NONE;
}

static int missing(const struct draft *draft, const char *what)
{
    return complain_section(draft->complaint, draft->section, "needs %s", what);
}

static int check_endpoints(const struct draft *draft)
{
    const struct provider *provider = draft->provider;
    bool discovered = provider->issuer != NULL;
    if (provider->client_id == NULL)
        return missing(draft, "client_id");
    if (provider->token_endpoint == NULL && !discovered)
        return missing(draft, "token_endpoint or issuer");
    if (provider->grant == GRANT_AUTHORIZATION_CODE && provider->authorization_endpoint == NULL &&
        !discovered)
        return missing(draft, "authorization_endpoint or issuer");
    if (provider->grant == GRANT_DEVICE_CODE && provider->device_authorization_endpoint == NULL &&
        !discovered)
        return missing(draft, "device_authorization_endpoint or issuer");
    return 0;
}

static bool sends_secret(enum client_auth auth)
{
    return auth == CLIENT_AUTH_BASIC || auth == CLIENT_AUTH_BASIC_RAW || auth == CLIENT_AUTH_POST;
}

/* What the ways of client_auth with a key need. */
static int check_client_keys(const struct draft *draft)
{
    const struct provider *provider = draft->provider;
    const bool signs = provider->client_auth == CLIENT_AUTH_PRIVATE_KEY_JWT;
    const bool shows = provider->client_auth == CLIENT_AUTH_TLS;
    if (signs && given(draft, "client_secret") == NULL)
        return missing(draft, "client_secret, the private key that signs");
    if (shows && provider->client_certificate == NULL)
        return missing(draft, "client_certificate, since client_auth is tls");
    return 0;
}

static int check_client_auth(const struct draft *draft)
{
    const struct provider *provider = draft->provider;
    const struct setting *secret = given(draft, "client_secret");
    if (secret == NULL && sends_secret(provider->client_auth))
        return missing(draft, "client_secret (or client_auth = none)");
    if (secret == NULL && provider->grant == GRANT_CLIENT_CREDENTIALS &&
        provider->client_auth == CLIENT_AUTH_NONE)
        return missing(draft, "client_secret, since the grant is client_credentials");
    if (secret != NULL && provider->client_auth == CLIENT_AUTH_NONE)
        return complain_setting(draft->complaint, secret,
                                "is never sent where client_auth is none");
    if (provider->client_auth == CLIENT_AUTH_BASIC_RAW && strchr(provider->client_id, ':') != NULL)
        return complain_setting(draft->complaint, given(draft, "client_id"),
                                "must not hold \":\" where client_auth is basic_raw");
    return check_client_keys(draft);
}

/* It takes the place of one, so there has to be one; a certificate holds its own key. */
static int check_next_secret(const struct draft *draft)
{
    const struct provider *provider = draft->provider;
    const struct setting *next = given(draft, "client_secret_next");
    if (next == NULL)
        return provider->client_key_id_next != NULL
                   ? missing(draft, "client_secret_next, since client_key_id_next is given")
                   : 0;
    if (given(draft, "client_secret") == NULL && provider->client_auth != CLIENT_AUTH_TLS)
        return missing(draft, "client_secret, since client_secret_next is given");
    if (provider->client_key_id != NULL && provider->client_key_id_next == NULL)
        return missing(draft, "client_key_id_next, since client_key_id is given");
    return 0;
}

static int check_secret(const struct draft *draft, const char *key)
{
    const struct setting *secret = given(draft, key);
    if (secret == NULL)
        return 0;
    bool own = section_find(draft->section, key) != NULL;
    const struct section *section = own ? draft->section : draft->preset;
    return secret_source_check(section->file, secret, draft->complaint);
}

static int check_issuer(const struct draft *draft)
{
    struct url url;
    const char *issuer = draft->provider->issuer;
    /* RFC 8414 2: an issuer has no query. */
    if (issuer != NULL && url_parse(issuer, &url) && url.query != NULL)
        return complain_setting(draft->complaint, given(draft, "issuer"), "must not hold \"?\"");
    return 0;
}

static int check_lifetime(const struct draft *draft)
{
    if (draft->provider->default_lifetime_ms > LIFETIME_MAX_MS)
        return complain_setting(draft->complaint, given(draft, "default_lifetime"),
                                "is above 10 years");
    return 0;
}

/* A parameter that the protocol itself sets would come twice. */
static int check_parameters(const struct draft *draft)
{
    const struct provider *provider = draft->provider;
    for (size_t i = 0; i < provider->authorize_params.count; i++) {
        const char *name = provider->authorize_params.items[i].name;
        if (!authorize_param_allowed(name))
            return complain_setting(draft->complaint, given(draft, "authorize_params"),
                                    "cannot set %s, which the broker sets", name);
    }
    const char *redirect = parameters_find(&provider->refresh_params, "redirect_uri");
    if (redirect != NULL && *redirect == '\0' && provider->redirect_uri == NULL &&
        provider->grant != GRANT_CLIENT_CREDENTIALS) /* it has nothing to refresh */
        return complain_setting(draft->complaint, given(draft, "refresh_params"),
                                "asks for a redirect_uri that there is none of");
    return 0;
}

static int check_all(const struct draft *draft)
{
    int r = check_secret(draft, "client_secret");
    if (r == 0)
        r = check_secret(draft, "client_secret_next");
    if (r == 0)
        r = check_next_secret(draft);
    if (r == 0 && draft->provider->grant != GRANT_STATIC)
        r = check_endpoints(draft);
    if (r == 0 && draft->provider->grant != GRANT_STATIC)
        r = check_client_auth(draft);
    if (r == 0)
        r = check_issuer(draft);
    if (r == 0)
        r = check_lifetime(draft);
    return r == 0 ? check_parameters(draft) : r;
}

static int fill(const struct draft *draft)
{
    int r = take_all(draft);
    if (r == 0)
        r = fill_texts(draft->provider);
    if (r == 0)
        r = fill_redirect_uri(draft);
    if (r == 0)
        fill_client_auth(draft);
    return r;
}

int provider_build(const struct settings_text *text, const struct section *section,
                   const struct settings *settings, struct provider **ret,
                   struct complaint *complaint)
{
    if (!provider_name_valid(section->title))
        return complain_section(complaint, section,
                                "has no valid name: a-z, 0-9 and \"-\", at most %d",
                                PROVIDER_NAME_MAX);
    CLEANUP(cleanup_provider) struct provider *provider = calloc(1, sizeof *provider);
    if (provider == NULL)
        return -ENOMEM;
    (void)snprintf(provider->name, sizeof provider->name, "%s", section->title);
    struct draft draft = { text, section, preset_of(text, section), settings, provider, complaint };
    int r = fill(&draft);
    if (r == 0)
        r = check_all(&draft);
    if (r == 0)
        *ret = steal(provider);
    return r;
}

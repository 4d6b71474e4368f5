/* What the broker is configured with. */

#include "fixture.h"

#include <stdio.h>

#include "fixture_private.h"

void set_text(char **slot, const char *text)
{
    free(*slot);
    *slot = text ? strdup(text) : NULL;
}

struct provider *acme(struct stage *stage)
{
    return stage->settings->providers[0];
}

void set_revocation_endpoint(struct stage *stage)
{
    char url[128];
    (void)snprintf(url, sizeof url, "%s/revoke", stage->url);
    set_text(&acme(stage)->revocation_endpoint, url);
}

void set_public_url(struct stage *stage)
{
    set_text(&stage->settings->public_url, "https://hr.example/oauth");
    set_text(&acme(stage)->redirect_uri, "https://hr.example/oauth/callback/acme");
}

struct provider *add_provider(struct stage *stage, const char *name)
{
    struct settings *settings = stage->settings;
    struct provider *provider = calloc(1, sizeof *provider);
    char url[128];
    const size_t i = settings->provider_count++;
    settings->providers = reallocarray(settings->providers, i + 1, sizeof settings->providers[0]);
    settings->credentials =
        reallocarray(settings->credentials, i + 1, sizeof settings->credentials[0]);
    assert_true(provider && settings->providers && settings->credentials);
    settings->providers[i] = provider;
    settings->credentials[i] =
        (struct provider_credentials){ .client_secret = make_secret("client-secret-1") };
    (void)snprintf(settings->credentials[i].provider, sizeof settings->credentials[i].provider,
                   "%s", name);
    (void)snprintf(provider->name, sizeof provider->name, "%s", name);
    (void)snprintf(url, sizeof url, "%s/token", stage->url);
    set_text(&provider->token_endpoint, url);
    set_text(&provider->authorization_endpoint, "https://login.example/authorize");
    set_text(&provider->redirect_uri, "http://127.0.0.1:1/callback");
    set_text(&provider->client_id, "client");
    set_text(&provider->scope_separator, " ");
    set_text(&provider->present_in, "header");
    set_text(&provider->present_name, "Authorization");
    set_text(&provider->present_scheme, "Bearer");
    return provider;
}

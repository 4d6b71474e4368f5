/* The keys of a provider, in its section and in presets: the one place where they are named. */

#include "oauth/provider.h"
#include "settings/sections.h"
#include "settings/values.h"

static const struct word grants[] = {
    { "authorization_code", GRANT_AUTHORIZATION_CODE },
    { "device_code", GRANT_DEVICE_CODE },
    { "client_credentials", GRANT_CLIENT_CREDENTIALS },
    { "static", GRANT_STATIC },
    { NULL, 0 },
};

static const struct word client_auths[] = {
    { "basic", CLIENT_AUTH_BASIC },
    { "basic_raw", CLIENT_AUTH_BASIC_RAW },
    { "post", CLIENT_AUTH_POST },
    { "none", CLIENT_AUTH_NONE },
    { "private_key_jwt", CLIENT_AUTH_PRIVATE_KEY_JWT },
    { "tls", CLIENT_AUTH_TLS },
    { NULL, 0 },
};

static const struct word token_requests[] = {
    { "form", TOKEN_REQUEST_FORM },
    { "query", TOKEN_REQUEST_QUERY },
    { "json", TOKEN_REQUEST_JSON },
    { NULL, 0 },
};

static const struct word pkce_methods[] = {
    { "S256", PKCE_S256 }, { "plain", PKCE_PLAIN }, { "off", PKCE_OFF }, { NULL, 0 }
};

static const struct word states[] = { { "required", STATE_REQUIRED },
                                      { "absent", STATE_ABSENT },
                                      { NULL, 0 } };

static const struct word iss_promises[] = { { "promised", true },
                                            { "optional", false },
                                            { NULL, 0 } };

static const struct word lifetime_units[] = { { "seconds", LIFETIME_SECONDS },
                                              { "milliseconds", LIFETIME_MILLISECONDS },
                                              { NULL, 0 } };

static const struct word keep_policies[] = { { "always", KEEP_ALWAYS },
                                             { "asked", KEEP_ASKED },
                                             { NULL, 0 } };

/* Bare names of parameters that mean our own value. */
static const struct word own_parameters[] = {
    { "redirect_uri", 0 }, { "client_id", 0 }, { "client_secret", 0 }, { NULL, 0 }
};

#define AT(field) .offset = offsetof(struct provider, field)
#define ONE(key, function, field)                                                                  \
    {                                                                                              \
        .name = key, .take = function, AT(field)                                                   \
    }
#define CHOICE(key, field, choices)                                                                \
    {                                                                                              \
        .name = key, .take = take_choice, AT(field), .words = choices                              \
    }
#define FLAG(key, field, choices)                                                                  \
    {                                                                                              \
        .name = key, .take = take_flag, AT(field), .words = choices                                \
    }
#define PARAMETERS(key, field, bare)                                                               \
    {                                                                                              \
        .name = key, .list = true, .secret = true, .take = take_parameters, AT(field),             \
        .words = bare                                                                              \
    }

/* The first three have no field: settings/provider.c and settings/secret_source.c look at them. A
 * preset has no preset. */
static const struct key keys[] = {
    { .name = "preset" },
    { .name = "client_secret", .secret = true },
    { .name = "client_secret_next", .secret = true },
    ONE("client_id", take_text, client_id),
    CHOICE("grant", grant, grants),
    ONE("issuer", take_url, issuer),
    ONE("authorization_endpoint", take_url, authorization_endpoint),
    ONE("token_endpoint", take_url, token_endpoint),
    ONE("refresh_endpoint", take_url, refresh_endpoint),
    ONE("revocation_endpoint", take_url, revocation_endpoint),
    ONE("device_authorization_endpoint", take_url, device_authorization_endpoint),
    ONE("pushed_authorization_request_endpoint", take_url, pushed_authorization_request_endpoint),
    ONE("redirect_uri", take_url, redirect_uri),
    CHOICE("client_auth", client_auth, client_auths),
    ONE("client_key_id", take_text, client_key_id),
    ONE("client_key_id_next", take_text, client_key_id_next),
    ONE("client_certificate", take_path, client_certificate),
    CHOICE("token_request", token_request, token_requests),
    CHOICE("pkce", pkce, pkce_methods),
    CHOICE("state", state, states),
    FLAG("iss", iss_promised, iss_promises),
    ONE("scope", take_text, scope),
    ONE("scope_separator", take_text, scope_separator),
    { .name = "resource", .list = true, .take = take_resources, AT(resource) },
    PARAMETERS("authorize_params", authorize_params, NULL),
    PARAMETERS("token_params", token_params, own_parameters),
    PARAMETERS("refresh_params", refresh_params, own_parameters),
    ONE("default_lifetime", take_duration, default_lifetime_ms),
    CHOICE("lifetime_unit", lifetime_unit, lifetime_units),
    ONE("refresh_token_lifetime", take_duration, refresh_token_lifetime_ms),
    ONE("refresh_token_idle_lifetime", take_duration, refresh_token_idle_lifetime_ms),
    ONE("retry_grace", take_duration, retry_grace_ms),
    FLAG("refresh_kills_access", refresh_kills_access, flag_words),
    { .name = "rate_limit", .take = take_rate_limit },
    ONE("concurrency", take_concurrency, concurrency),
    CHOICE("keep", keep, keep_policies),
    ONE("identity", take_text, identity),
    { .name = "present", .take = take_presentation },
    ONE("api_base", take_url, api_base),
    ONE("ca_file", take_path, ca_file),
    ONE("proxy", take_proxy, proxy),
};

enum { KEY_COUNT = sizeof keys / sizeof keys[0] };

const struct section_kind provider_section = {
    .name = "provider", .titled = true, .keys = keys, .key_count = KEY_COUNT
};

const struct section_kind preset_section = { .keys = keys + 1, .key_count = KEY_COUNT - 1 };

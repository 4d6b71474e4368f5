#include "oauth/authorize.h"

#include <string.h>

#include "oauth/pkce.h"
#include "oauth/scope.h"
#include "oauth/url.h"

/* The protocol's own parameters, and those that would replace all of them (RFC 9101). */
static const char *const own_parameters[] = {
    "response_type",  "response_mode", "client_id",   "client_secret",
    "redirect_uri",   "scope",         "state",       "nonce",
    "code_challenge", "request",       "request_uri", "code_challenge_method",
    "code",           "code_verifier",
};

bool authorize_param_allowed(const char *name)
{
    for (size_t i = 0; i < sizeof(own_parameters) / sizeof(own_parameters[0]); i++) {
        if (strcmp(name, own_parameters[i]) == 0)
            return false;
    }
    return name[0] != '\0';
}

static void put_bytes(struct buffer *out, const char *name, const char *value, size_t length)
{
    buffer_append_char(out, '&');
    buffer_append_percent(out, name, strlen(name));
    buffer_append_char(out, '=');
    buffer_append_percent(out, value, length);
}

static void put_text(struct buffer *out, const char *name, const char *value)
{
    if (value != NULL)
        put_bytes(out, name, value, strlen(value));
}

static void put_secret(struct buffer *out, const char *name, const struct secret *value)
{
    if (value != NULL)
        put_bytes(out, name, secret_reveal(value), secret_length(value));
}

static void put_scope(struct buffer *out, const char *scope, const char *separator)
{
    CLEANUP(cleanup_buffer) struct buffer joined = BUFFER_WITH_MAXIMUM(AUTHORIZE_URL_MAX);
    scope_append(&joined, scope, separator);
    out->failed = out->failed || joined.failed;
    if (joined.length > 0)
        put_bytes(out, "scope", joined.data, joined.length);
}

static void put_challenge(struct buffer *out, enum pkce_method method,
                          const struct secret *verifier)
{
    if (method == PKCE_OFF || verifier == NULL)
        return;
    CLEANUP(cleanup_buffer) struct buffer challenge = BUFFER_WITH_MAXIMUM(SECRET_MAX);
    pkce_append_challenge(&challenge, method, verifier);
    out->failed = out->failed || challenge.failed;
    put_text(out, "code_challenge", buffer_text(&challenge));
    put_text(out, "code_challenge_method", pkce_method_name(method));
}

/* RFC 8707 2.1; a parameter of that name among the configured or the caller's own replaces them. */
static void put_resources(struct buffer *out, const struct authorization_request *request)
{
    const struct provider *provider = request->provider;
    if (parameters_find(&provider->authorize_params, "resource") != NULL ||
        (request->params != NULL && parameters_find(request->params, "resource") != NULL))
        return;
    for (size_t i = 0; i < provider->resource.count; i++)
        put_text(out, "resource", provider->resource.items[i].value);
}

/* Those of params that are not the protocol's own and that replaced_by (may be NULL) lacks. */
static void put_params(struct buffer *out, const struct parameters *params,
                       const struct parameters *replaced_by)
{
    for (size_t i = 0; params != NULL && i < params->count; i++) {
        const char *name = params->items[i].name;
        bool replaced = replaced_by != NULL && parameters_find(replaced_by, name) != NULL;
        if (!replaced && authorize_param_allowed(name))
            put_text(out, name, params->items[i].value);
    }
}

static void begin_url(struct buffer *out, const struct provider *provider)
{
    buffer_append_text(out, provider->authorization_endpoint);
    buffer_append_text(out, url_query_joint(provider->authorization_endpoint));
}

void authorize_append_url(struct buffer *out, const struct authorization_request *request)
{
    begin_url(out, request->provider);
    authorize_append_parameters(out, request);
}

void authorize_append_pushed_url(struct buffer *out, const struct provider *provider,
                                 const struct secret *request_uri)
{
    begin_url(out, provider);
    buffer_append_text(out, "client_id=");
    buffer_append_percent(out, provider->client_id, strlen(provider->client_id));
    put_secret(out, "request_uri", request_uri);
}

void authorize_append_parameters(struct buffer *out, const struct authorization_request *request)
{
    const struct provider *provider = request->provider;
    const char *scope = request->scope != NULL ? request->scope : provider->scope;
    buffer_append_text(out, "response_type=code");
    put_text(out, "client_id", provider->client_id);
    put_text(out, "redirect_uri", provider->redirect_uri);
    put_scope(out, scope, provider->scope_separator);
    put_secret(out, "state", request->state);
    if (scope_holds(scope, "openid"))
        put_secret(out, "nonce", request->nonce);
    put_challenge(out, provider->pkce, request->verifier);
    put_resources(out, request);
    put_params(out, &provider->authorize_params, request->params);
    put_params(out, request->params, NULL);
}

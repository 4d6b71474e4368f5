#include "oauth/token_request.h"

#include <errno.h>
#include <string.h>

#include "base/json.h"
#include "oauth/scope.h"
#include "oauth/url.h"

#define ASSERTION_TYPE "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
#define DEVICE_GRANT_TYPE "urn:ietf:params:oauth:grant-type:device_code"

enum { JSON_ESCAPE_MAX = 6 }; /* the bytes that one byte can become: \u0001 */

/* Writes parameters in the provider's dialect. */
struct writer {
    const struct provider *provider;
    const struct secret *client_secret;
    const struct parameters *fixed; /* the provider's parameters for this request; may be NULL */
    enum token_request_style style;
    struct buffer *out; /* the url's query, or the body */
    struct json_writer json;
    const char *joint; /* what comes before the next parameter */
    size_t wanted;     /* an upper bound of the bytes put */
};

static void put_pair(struct writer *writer, const char *name, const char *value, size_t length)
{
    struct buffer *out = writer->out;
    buffer_append_text(out, writer->joint);
    writer->joint = "&";
    buffer_append_form(out, name, strlen(name));
    buffer_append_char(out, '=');
    buffer_append_form(out, value, length);
}

static void put_text(struct writer *writer, const char *name, const char *value)
{
    writer->wanted += (strlen(name) + strlen(value) + 1) * JSON_ESCAPE_MAX;
    if (writer->style == TOKEN_REQUEST_JSON)
        json_put_string(&writer->json, name, value);
    else
        put_pair(writer, name, value, strlen(value));
}

/* Nothing for NULL. */
static void put_secret(struct writer *writer, const char *name, const struct secret *value)
{
    if (value == NULL)
        return;
    writer->wanted += (strlen(name) + secret_length(value) + 1) * JSON_ESCAPE_MAX;
    if (writer->style == TOKEN_REQUEST_JSON)
        json_put_secret(&writer->json, name, value);
    else
        put_pair(writer, name, secret_reveal(value), secret_length(value));
}

/* A parameter of ours, unless it is not given or the configuration has its own. */
static void put_own(struct writer *writer, const char *name, const char *value)
{
    bool replaced = writer->fixed != NULL && parameters_find(writer->fixed, name) != NULL;
    if (value != NULL && !replaced)
        put_text(writer, name, value);
}

static void put_scope(struct writer *writer, const char *words)
{
    CLEANUP(cleanup_buffer) struct buffer scope = BUFFER_WITH_MAXIMUM(TOKEN_REQUEST_BODY_MAX);
    scope_append(&scope, words, writer->provider->scope_separator);
    writer->out->failed = writer->out->failed || scope.failed;
    if (scope.length > 0)
        put_own(writer, "scope", scope.data);
}

/* Several come as an array in JSON, where a name stands once. */
static void put_resources_json(struct writer *writer, const struct parameters *resource)
{
    struct json_writer list = json_put_nested(&writer->json, "resource", '[');
    for (size_t i = 0; i < resource->count; i++) {
        const char *value = resource->items[i].value;
        writer->wanted += (strlen(value) + 1) * JSON_ESCAPE_MAX;
        json_put_string(&list, NULL, value);
    }
    json_writer_end(&list);
}

static void put_resources(struct writer *writer)
{
    const struct parameters *resource = &writer->provider->resource;
    if (writer->fixed != NULL && parameters_find(writer->fixed, "resource") != NULL)
        return;
    if (writer->style == TOKEN_REQUEST_JSON && resource->count > 1) {
        put_resources_json(writer, resource);
        return;
    }
    for (size_t i = 0; i < resource->count; i++)
        put_text(writer, resource->items[i].name, resource->items[i].value);
}

static bool secret_is_in_parameters(const struct writer *writer)
{
    const struct parameters *fixed = writer->fixed;
    enum client_auth client_auth = writer->provider->client_auth;
    return client_auth == CLIENT_AUTH_POST || (client_auth != CLIENT_AUTH_TLS && fixed != NULL &&
                                               parameters_find(fixed, "client_secret") != NULL);
}

/* What client_auth puts among the parameters. */
static void put_client(struct writer *writer)
{
    enum client_auth client_auth = writer->provider->client_auth;
    if (client_auth != CLIENT_AUTH_BASIC && client_auth != CLIENT_AUTH_BASIC_RAW)
        put_own(writer, "client_id", writer->provider->client_id);
    if (client_auth == CLIENT_AUTH_PRIVATE_KEY_JWT) {
        put_text(writer, "client_assertion_type", ASSERTION_TYPE);
        put_secret(writer, "client_assertion", writer->client_secret);
    } else if (secret_is_in_parameters(writer)) {
        put_secret(writer, "client_secret", writer->client_secret);
    }
}

/* What only a request itself may say. */
static bool is_reserved(const char *name)
{
    static const char *const names[] = {
        "code",          "refresh_token",         "client_secret", "token", "client_assertion",
        "code_verifier", "client_assertion_type", "device_code"
    };
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (strcmp(name, names[i]) == 0)
            return true;
    }
    return false;
}

/* What a fixed parameter's empty value stands for, NULL when it is not known; redirect_uri: this
 * request's own. */
static const char *value_for_empty(const struct writer *writer, const char *name,
                                   const char *redirect_uri)
{
    if (strcmp(name, "redirect_uri") == 0)
        return redirect_uri;
    if (strcmp(name, "client_id") == 0)
        return writer->provider->client_id;
    return "";
}

static void put_fixed(struct writer *writer, const char *redirect_uri)
{
    for (size_t i = 0; writer->fixed != NULL && i < writer->fixed->count; i++) {
        const struct parameter *item = &writer->fixed->items[i];
        const char *value = item->value;
        if (value[0] == '\0')
            value = value_for_empty(writer, item->name, redirect_uri);
        if (value != NULL && !is_reserved(item->name))
            put_text(writer, item->name, value);
    }
}

static void append_basic_part(struct buffer *out, enum client_auth client_auth, const char *bytes,
                              size_t length)
{
    if (client_auth == CLIENT_AUTH_BASIC)
        buffer_append_form(out, bytes, length);
    else
        buffer_append(out, bytes, length);
}

/* HTTP Basic (RFC 6749 2.3.1; RFC 7617). */
static void append_authorization(struct buffer *out, const struct provider *provider,
                                 const struct secret *client_secret)
{
    enum client_auth client_auth = provider->client_auth;
    if (client_auth != CLIENT_AUTH_BASIC && client_auth != CLIENT_AUTH_BASIC_RAW)
        return;
    CLEANUP(cleanup_buffer)
    struct buffer pair = BUFFER_WITH_MAXIMUM(TOKEN_REQUEST_AUTHORIZATION_MAX);
    append_basic_part(&pair, client_auth, provider->client_id, strlen(provider->client_id));
    buffer_append_char(&pair, ':');
    if (client_secret != NULL)
        append_basic_part(&pair, client_auth, secret_reveal(client_secret),
                          secret_length(client_secret));
    buffer_append_text(out, "Basic ");
    buffer_append_base64(out, buffer_text(&pair), pair.length);
    out->failed = out->failed || pair.failed;
}

/* endpoint NULL: a configuration that changed meanwhile took it away. Returns 0 or -EINVAL. */
static int begin(struct writer *writer, const struct provider *provider,
                 const struct secret *client_secret, const char *endpoint,
                 const struct parameters *fixed, struct token_request *request)
{
    if (endpoint == NULL)
        return -EINVAL;
    *request = (struct token_request){
        .url = BUFFER_WITH_MAXIMUM(TOKEN_REQUEST_URL_MAX),
        .body = BUFFER_WITH_MAXIMUM(TOKEN_REQUEST_BODY_MAX),
        .authorization = BUFFER_WITH_MAXIMUM(TOKEN_REQUEST_AUTHORIZATION_MAX),
    };
    *writer = (struct writer){
        .provider = provider,
        .client_secret = client_secret,
        .fixed = fixed,
        .style = provider->token_request,
        .out = &request->body,
        .joint = "",
        .wanted = strlen(endpoint),
    };
    buffer_append_text(&request->url, endpoint);
    append_authorization(&request->authorization, provider, client_secret);
    if (writer->style == TOKEN_REQUEST_QUERY) {
        writer->out = &request->url;
        writer->joint = url_query_joint(endpoint);
    } else if (writer->style == TOKEN_REQUEST_FORM) {
        request->content_type = "application/x-www-form-urlencoded";
    } else {
        request->content_type = "application/json";
        writer->json = json_writer_begin(writer->out, '{');
    }
    return 0;
}

/* Hands a whole request to the caller, or releases a half one. Returns 0, -E2BIG or -ENOMEM. */
static int finish(struct writer *writer, struct token_request *request, struct token_request *ret)
{
    if (writer->style == TOKEN_REQUEST_JSON)
        json_writer_end(&writer->json);
    if (!request->url.failed && !request->body.failed && !request->authorization.failed) {
        *ret = *request;
        return 0;
    }
    bool too_big = writer->wanted > writer->out->maximum;
    token_request_release(request);
    return too_big ? -E2BIG : -ENOMEM;
}

int token_request_code(const struct provider *provider, const struct secret *client_secret,
                       const struct secret *code, const char *redirect_uri,
                       const struct secret *verifier, struct token_request *ret)
{
    struct token_request request;
    struct writer writer;
    int r = begin(&writer, provider, client_secret, provider->token_endpoint,
                  &provider->token_params, &request);
    if (r != 0)
        return r;
    put_own(&writer, "grant_type", "authorization_code");
    put_secret(&writer, "code", code);
    put_own(&writer, "redirect_uri", redirect_uri);
    put_secret(&writer, "code_verifier", verifier);
    put_resources(&writer);
    put_client(&writer);
    put_fixed(&writer, redirect_uri);
    return finish(&writer, &request, ret);
}

/* Those that authorize_params lack. */
static int merge_params(const struct parameters *own, const struct parameters *params,
                        struct parameters *ret)
{
    int r = params != NULL ? parameters_copy(params, ret) : 0;
    for (size_t i = 0; r == 0 && i < own->count; i++) {
        const struct parameter *item = &own->items[i];
        if (parameters_find(ret, item->name) == NULL)
            r = parameters_add(ret, item->name, item->value);
    }
    return r;
}

int token_request_device_authorization(const struct provider *provider,
                                       const struct secret *client_secret, const char *scope,
                                       const struct parameters *params, struct token_request *ret)
{
    CLEANUP(cleanup_parameters) struct parameters all = { 0 };
    struct token_request request;
    struct writer writer;
    int r = merge_params(&provider->authorize_params, params, &all);
    if (r == 0)
        r = begin(&writer, provider, client_secret, provider->device_authorization_endpoint, &all,
                  &request);
    if (r != 0)
        return r;
    put_scope(&writer, scope != NULL ? scope : provider->scope);
    put_resources(&writer);
    put_client(&writer);
    put_fixed(&writer, NULL);
    return finish(&writer, &request, ret);
}

int token_request_device(const struct provider *provider, const struct secret *client_secret,
                         const struct secret *device_code, struct token_request *ret)
{
    struct token_request request;
    struct writer writer;
    int r = begin(&writer, provider, client_secret, provider->token_endpoint,
                  &provider->token_params, &request);
    if (r != 0)
        return r;
    put_own(&writer, "grant_type", DEVICE_GRANT_TYPE);
    put_secret(&writer, "device_code", device_code);
    put_resources(&writer);
    put_client(&writer);
    put_fixed(&writer, NULL);
    return finish(&writer, &request, ret);
}

int token_request_refresh(const struct provider *provider, const struct secret *client_secret,
                          const struct secret *refresh_token, struct token_request *ret)
{
    const char *endpoint =
        provider->refresh_endpoint != NULL ? provider->refresh_endpoint : provider->token_endpoint;
    struct token_request request;
    struct writer writer;
    int r = begin(&writer, provider, client_secret, endpoint, &provider->refresh_params, &request);
    if (r != 0)
        return r;
    put_own(&writer, "grant_type", "refresh_token");
    put_secret(&writer, "refresh_token", refresh_token);
    put_resources(&writer);
    put_client(&writer);
    put_fixed(&writer, provider->redirect_uri);
    return finish(&writer, &request, ret);
}

int token_request_client_credentials(const struct provider *provider,
                                     const struct secret *client_secret, struct token_request *ret)
{
    struct token_request request;
    struct writer writer;
    int r = begin(&writer, provider, client_secret, provider->token_endpoint,
                  &provider->token_params, &request);
    if (r != 0)
        return r;
    put_own(&writer, "grant_type", "client_credentials");
    put_scope(&writer, provider->scope);
    put_resources(&writer);
    put_client(&writer);
    put_fixed(&writer, provider->redirect_uri);
    return finish(&writer, &request, ret);
}

int token_request_revoke(const struct provider *provider, const struct secret *client_secret,
                         const struct secret *token, const char *hint, struct token_request *ret)
{
    struct token_request request;
    struct writer writer;
    /* RFC 7009 2.1 wants a form; token_request = query is about another endpoint. */
    struct provider dialect = *provider;
    if (dialect.token_request == TOKEN_REQUEST_QUERY)
        dialect.token_request = TOKEN_REQUEST_FORM;
    int r = begin(&writer, &dialect, client_secret, dialect.revocation_endpoint, NULL, &request);
    if (r != 0)
        return r;
    put_secret(&writer, "token", token);
    put_own(&writer, "token_type_hint", hint);
    put_client(&writer);
    return finish(&writer, &request, ret);
}

int token_request_push(const struct provider *provider, const struct secret *client_secret,
                       const struct secret *parameters, struct token_request *ret)
{
    static char client_id[] = "client_id";
    struct parameter there = { client_id, client_id };
    const struct parameters already = { &there, 1 };
    struct provider as_form = *provider; /* borrows all of it */
    struct token_request request;
    struct writer writer;
    as_form.token_request = TOKEN_REQUEST_FORM;
    int r = begin(&writer, &as_form, client_secret, provider->pushed_authorization_request_endpoint,
                  &already, &request);
    if (r != 0)
        return r;
    writer.wanted += secret_length(parameters);
    buffer_append(writer.out, secret_reveal(parameters), secret_length(parameters));
    writer.joint = "&";
    put_client(&writer);
    return finish(&writer, &request, ret);
}

void token_request_release(struct token_request *request)
{
    if (request == NULL)
        return;
    buffer_release(&request->url);
    buffer_release(&request->body);
    buffer_release(&request->authorization);
    request->content_type = NULL;
}

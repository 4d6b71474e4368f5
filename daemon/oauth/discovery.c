#include "oauth/discovery.h"

#include <errno.h>
#include <string.h>

#include "base/json.h"
#include "oauth/url.h"

enum { SHOWN_MAX = 160 }; /* bytes of a text from outside that a complaint shows */

void discovery_append_url(struct buffer *out, const char *issuer, unsigned attempt)
{
    size_t length = strlen(issuer);
    while (length > 0 && issuer[length - 1] == '/')
        length--;
    if (attempt == 0) {
        buffer_append(out, issuer, length);
        buffer_append_text(out, "/.well-known/openid-configuration");
        return;
    }
    /* RFC 8414 3.1 puts the well-known part between the host and the issuer's path. */
    const char *scheme_end = strstr(issuer, "://");
    const char *host = scheme_end != NULL ? scheme_end + 3 : issuer;
    size_t origin = (size_t)(host - issuer) + strcspn(host, "/");
    if (origin > length)
        origin = length;
    buffer_append(out, issuer, origin);
    buffer_append_text(out, "/.well-known/oauth-authorization-server");
    buffer_append(out, issuer + origin, length - origin);
}

/* An endpoint that a document can give. */
struct endpoint {
    const char *name;
    size_t offset;
};

enum { AUTHORIZATION, TOKEN, REVOCATION, DEVICE, PUSHED, ENDPOINT_COUNT };

static const struct endpoint endpoints[ENDPOINT_COUNT] = {
    [AUTHORIZATION] = { "authorization_endpoint",
                        offsetof(struct provider, authorization_endpoint) },
    [TOKEN] = { "token_endpoint", offsetof(struct provider, token_endpoint) },
    [REVOCATION] = { "revocation_endpoint", offsetof(struct provider, revocation_endpoint) },
    [DEVICE] = { "device_authorization_endpoint",
                 offsetof(struct provider, device_authorization_endpoint) },
    [PUSHED] = { "pushed_authorization_request_endpoint",
                 offsetof(struct provider, pushed_authorization_request_endpoint) },
};

static char **endpoint_of(struct provider *provider, size_t index)
{
    return (char **)(void *)((char *)provider + endpoints[index].offset);
}

static int check_issuer(const struct provider *provider, const struct json *document,
                        struct complaint *complaint)
{
    const char *issuer = json_member_string(document, "issuer");
    if (issuer != NULL && provider->issuer != NULL && strcmp(issuer, provider->issuer) == 0)
        return 0;
    complain(complaint, "%s: the metadata is of the issuer '%.*s', not of the configured '%s'",
             provider->name, SHOWN_MAX, issuer != NULL ? issuer : "",
             provider->issuer != NULL ? provider->issuer : "");
    return DISCOVERY_INVALID;
}

static int check_endpoint(const struct provider *provider, const char *name, const char *text,
                          struct complaint *complaint)
{
    struct url url;
    if (url_parse(text, &url) && url_is_safe(&url))
        return 0;
    complain(complaint, "%s: the metadata's %s '%.*s' is no https address", provider->name, name,
             SHOWN_MAX, text);
    return DISCOVERY_INVALID;
}

static bool is_true(const struct json *document, const char *name)
{
    bool said = false;
    return json_boolean(json_member(document, name), &said) && said;
}

/* Copies those endpoints that neither the configuration gives itself nor ret_found has already.
 * Requests are pushed where that is required (RFC 9126 5), or the configuration says so. */
static int read_endpoints(struct provider *provider, const struct json *document, bool push,
                          char *ret_found[ENDPOINT_COUNT], struct complaint *complaint)
{
    for (size_t i = 0; i < ENDPOINT_COUNT; i++) {
        const char *text = json_member_string(document, endpoints[i].name);
        if (i == PUSHED && !push)
            continue;
        if (text == NULL || *endpoint_of(provider, i) != NULL || ret_found[i] != NULL)
            continue;
        int r = check_endpoint(provider, endpoints[i].name, text, complaint);
        if (r != 0)
            return r;
        ret_found[i] = strdup(text);
        if (ret_found[i] == NULL)
            return -ENOMEM;
    }
    return 0;
}

/* RFC 8705 5: where a client with a certificate is to come, if that is another place. */
static int read_aliases(struct provider *provider, const struct json *document, bool push,
                        char *ret_found[ENDPOINT_COUNT], struct complaint *complaint)
{
    const struct json *aliases = json_member(document, "mtls_endpoint_aliases");
    if (provider->client_auth != CLIENT_AUTH_TLS || json_kind(aliases) != JSON_OBJECT)
        return 0;
    return read_endpoints(provider, aliases, push, ret_found, complaint);
}

static bool is_needed(const struct provider *provider, size_t index, bool push)
{
    const bool in_browser = provider->grant == GRANT_AUTHORIZATION_CODE;
    return index == TOKEN || (index == AUTHORIZATION && in_browser) ||
           (index == PUSHED && in_browser && push) ||
           (index == DEVICE && provider->grant == GRANT_DEVICE_CODE);
}

static int check_complete(struct provider *provider, bool push, char *found[ENDPOINT_COUNT],
                          struct complaint *complaint)
{
    for (size_t i = 0; i < ENDPOINT_COUNT; i++) {
        if (!is_needed(provider, i, push) || *endpoint_of(provider, i) != NULL || found[i] != NULL)
            continue;
        complain(complaint, "%s: %s stands neither in the configuration nor in the metadata",
                 provider->name, endpoints[i].name);
        return DISCOVERY_INVALID;
    }
    return 0;
}

static void fill_in(struct provider *provider, const struct json *document,
                    char *found[ENDPOINT_COUNT])
{
    if (is_true(document, "authorization_response_iss_parameter_supported"))
        provider->iss_promised = true;
    provider->token_endpoint_found = provider->token_endpoint_found || found[TOKEN] != NULL;
    for (size_t i = 0; i < ENDPOINT_COUNT; i++) {
        if (found[i] != NULL)
            *endpoint_of(provider, i) = steal(found[i]);
    }
}

static int apply_document(struct provider *provider, const struct json *document,
                          struct complaint *complaint)
{
    char *found[ENDPOINT_COUNT] = { NULL };
    const bool push = is_true(document, "require_pushed_authorization_requests");
    int r = check_issuer(provider, document, complaint);
    if (r == 0)
        r = read_aliases(provider, document, push, found, complaint);
    if (r == 0)
        r = read_endpoints(provider, document, push, found, complaint);
    if (r == 0)
        r = check_complete(provider, push, found, complaint);
    if (r == 0)
        fill_in(provider, document, found);
    for (size_t i = 0; i < ENDPOINT_COUNT; i++)
        free(found[i]);
    return r;
}

int discovery_apply(struct provider *provider, const char *body, size_t length,
                    struct complaint *complaint)
{
    CLEANUP(cleanup_json) struct json *document = NULL;
    struct complaint why = { 0 };
    int r = length > DISCOVERY_MAX ? JSON_INVALID : json_parse(body, length, &document, &why);
    if (r == 0)
        return apply_document(provider, document, complaint);
    if (r < 0)
        return r;
    complain(complaint, "%s: the metadata is not JSON, or too long (%s)", provider->name, why.text);
    return DISCOVERY_INVALID;
}

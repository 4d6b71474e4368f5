/* oauth/discovery: metadata of authorization servers. What stands in the configuration is never
 * replaced, and what is refused changes nothing. */

#include "daemon.h"

#include "oauth/discovery.h"
#include "oauth/url.h"

#define ISSUER "https://auth.example/tenant"
#define CONFIGURED "https://own.example/token"

static const enum grant_type grants[] = { GRANT_AUTHORIZATION_CODE, GRANT_DEVICE_CODE,
                                          GRANT_CLIENT_CREDENTIALS };

static struct provider *make_provider(struct input *input)
{
    struct provider *provider = calloc(1, sizeof *provider);

    PROMISE(provider != NULL);
    provider->grant = grants[input_choice(input, LENGTH_OF(grants))];
    provider->client_auth = input_choice(input, 2) ? CLIENT_AUTH_TLS : CLIENT_AUTH_POST;
    provider->issuer = strdup(ISSUER);
    provider->token_endpoint = input_choice(input, 2) ? strdup(CONFIGURED) : NULL;
    return provider;
}

static bool is_safe(const char *address)
{
    struct url url;
    return !address || (url_parse(address, &url) && url_is_safe(&url));
}

static void is_complete(const struct provider *provider)
{
    PROMISE(provider->token_endpoint);
    PROMISE(provider->grant != GRANT_AUTHORIZATION_CODE || provider->authorization_endpoint);
    PROMISE(provider->grant != GRANT_DEVICE_CODE || provider->device_authorization_endpoint);
    PROMISE(is_safe(provider->token_endpoint) && is_safe(provider->authorization_endpoint));
    PROMISE(is_safe(provider->revocation_endpoint));
    PROMISE(is_safe(provider->device_authorization_endpoint));
    PROMISE(is_safe(provider->pushed_authorization_request_endpoint));
}

static void is_untouched(const struct provider *provider)
{
    PROMISE(!provider->authorization_endpoint && !provider->revocation_endpoint &&
            !provider->device_authorization_endpoint &&
            !provider->pushed_authorization_request_endpoint && !provider->iss_promised);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input input = input_of(data, size);
    CLEANUP(cleanup_provider) struct provider *provider = make_provider(&input);
    CLEANUP(cleanup_string) char *body = input_text(&input);
    struct complaint complaint = { "" };
    const bool configured = provider->token_endpoint != NULL;

    if (input.left > DISCOVERY_MAX + 1)
        return 0;
    int r = discovery_apply(provider, body, input.left, &complaint);
    PROMISE(r == 0 || r == DISCOVERY_INVALID);
    PROMISE(r == 0 || (*complaint.text && is_printable_line(complaint.text)));
    PROMISE(strcmp(provider->issuer, ISSUER) == 0);
    if (configured)
        PROMISE(same_text(provider->token_endpoint, CONFIGURED));
    if (r == 0)
        is_complete(provider);
    else
        is_untouched(provider);
    return 0;
}

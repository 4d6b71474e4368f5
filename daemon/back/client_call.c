#include "back/client_call.h"

#include <errno.h>
#include <string.h>

#include "back/judgement.h"
#include "base/clock.h"
#include "io/assertion.h"

/* The audience is the issuer where it is known: an assertion that names an endpoint alone could be
 * passed on by whoever can make us take that endpoint for another server's. */
static int sign(const struct setup *setup, struct secret **ret)
{
    const struct provider *provider = setup->provider;
    const struct assertion assertion = {
        .client_id = provider->client_id,
        .audience = provider->issuer ? provider->issuer : provider->token_endpoint,
        .key_id = provider->client_key_id,
        .issued_at_s = clock_to_wall(clock_now()) / 1000,
    };
    int r = setup->client_secret ? assertion_sign(setup->client_secret, &assertion, ret) : -ENOKEY;
    return r == ASSERTION_BAD_KEY ? -EINVAL : r;
}

int client_proof(const struct setup *setup, struct secret **ret)
{
    struct secret *proof = NULL;
    int r = 0;
    switch (setup->provider->client_auth) {
    case CLIENT_AUTH_PRIVATE_KEY_JWT:
        r = sign(setup, &proof);
        break;
    case CLIENT_AUTH_TLS:
        break;
    case CLIENT_AUTH_BASIC:
    case CLIENT_AUTH_BASIC_RAW:
    case CLIENT_AUTH_POST:
    case CLIENT_AUTH_NONE:
        if (setup->client_secret)
            r = secret_copy(setup->client_secret, &proof);
        break;
    }
    if (r == 0)
        *ret = proof;
    return r;
}

int client_send(struct keeper *keeper, const struct setup *setup, struct token_request *request,
                http_done done, void *userdata, struct http_transfer **ret)
{
    const struct provider *provider = setup->provider;
    const bool shows = provider->client_auth == CLIENT_AUTH_TLS;
    const struct http_request http = {
        .method = "POST",
        .url = buffer_text(&request->url),
        .content_type = request->content_type,
        .body = buffer_text(&request->body),
        .body_length = request->body.length,
        .authorization = buffer_text(&request->authorization),
        .ca_file = provider->ca_file,
        .proxy = provider->proxy,
        .timeout_ms = request->timeout_ms,
        .client_identity = shows ? setup->client_secret : NULL,
    };
    int r = http_send(keeper->http, &http, done, userdata, ret);
    token_request_release(request);
    return r;
}

/* Bounded, so that one odd reply does not silence a provider for a year. */
int64_t client_rest_asked(const struct http_reply *reply)
{
    const int64_t rest_ms = reply->retry_after_s > 0 ? reply->retry_after_s * INT64_C(1000) : 0;
    return rest_ms < RETRY_AFTER_MAX_MS ? rest_ms : RETRY_AFTER_MAX_MS;
}

struct failure client_postponed(const struct http_reply *reply, const char *asked)
{
    const int64_t rest_ms = client_rest_asked(reply);
    return failure_make(WIRE_PROVIDER_UNAVAILABLE, rest_ms / 1000,
                        "the provider is too busy for %s (%d): log in again%s", asked,
                        reply->status,
                        rest_ms > 0 ? " after the rest that it asked for" : " later");
}

struct failure client_lost_endpoint(void)
{
    return failure_make(WIRE_BUSY, 0,
                        "the provider's configuration has changed: start the login again");
}

bool client_told_to_wait(const struct http_reply *reply)
{
    return reply->outcome == HTTP_ANSWERED &&
           (reply->status == 429 || (reply->status == 503 && reply->retry_after_s >= 0));
}

bool client_proof_is_refused(const char *error)
{
    return strcmp(error, "invalid_client") == 0;
}

bool client_is_refused(const char *error)
{
    return client_proof_is_refused(error) || strcmp(error, "unauthorized_client") == 0;
}

struct failure client_refusal(const struct setup *setup, const char *error, const char *description)
{
    return failure_make(WIRE_PROVIDER_REJECTED, 0,
                        "the provider refused the broker itself, not you (%s: %.60s): client_id, "
                        "client_secret and client_auth of provider %s have to be mended, then log "
                        "in again",
                        error, description, setup->provider->name);
}

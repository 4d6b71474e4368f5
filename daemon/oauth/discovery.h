#pragma once

/* Authorization server metadata (RFC 8414) and OpenID Provider configuration. */

#include "base/buffer.h"
#include "oauth/provider.h"

enum { DISCOVERY_URL_MAX = 2048, DISCOVERY_MAX = 64 * 1024, DISCOVERY_INVALID = 1 };

/* Appends the address to ask: attempt 0 is OpenID's (issuer + /.well-known/openid-configuration),
 * attempt 1 RFC 8414's (/.well-known/oauth-authorization-server before the path). */
void discovery_append_url(struct buffer *out, const char *issuer, unsigned attempt);

enum { DISCOVERY_ATTEMPTS = 2 };

/*
 * Reads a metadata document and fills what provider does not have itself (configuration wins).
 * Refused with a complaint: another issuer than provider->issuer (RFC 8414 3.3), an endpoint that
 * is not https (http for loopback hosts alone), no token endpoint, or none for authorization where
 * the grant needs one. Returns 0, DISCOVERY_INVALID or
 * -ENOMEM; provider is untouched on failure.
 */
int discovery_apply(struct provider *provider, const char *body, size_t length,
                    struct complaint *complaint);

#pragma once

/* Requests to the token, revocation and pushed authorization request endpoints (RFC 6749 4.1.3, 6;
 * RFC 7009; RFC 9126), in the provider's
 * dialect. All are POSTs. Where client_auth is CLIENT_AUTH_PRIVATE_KEY_JWT, client_secret is the
 * assertion that was signed for this one request (RFC 7523 2.2); where it is CLIENT_AUTH_TLS,
 * client_secret is never written. NULL means there is no secret. Those for a token hold the
 * provider's resource indicators (RFC 8707 2.2). Each returns 0, -EINVAL (the provider has no such
 * endpoint), -E2BIG or -ENOMEM. */

#include "base/buffer.h"
#include "base/secret.h"
#include "oauth/provider.h"

enum {
    TOKEN_REQUEST_URL_MAX = 8 * 1024,
    TOKEN_REQUEST_BODY_MAX = 128 * 1024,
    TOKEN_REQUEST_AUTHORIZATION_MAX = 160 * 1024, /* a secret of SECRET_MAX, encoded twice */
};

/* Ready for the wire; url and body may hold secrets. */
struct token_request {
    struct buffer url;
    struct buffer body;          /* empty when everything stands in the url */
    const char *content_type;    /* static; NULL when there is no body */
    struct buffer authorization; /* the Authorization header's value; empty: none */
    int timeout_ms;              /* for the answer; 0: as long as for any */
};

/* The code exchange (RFC 6749 4.1.3). verifier is NULL without PKCE. redirect_uri is the one the
 * authorization request used. */
int token_request_code(const struct provider *provider, const struct secret *client_secret,
                       const struct secret *code, const char *redirect_uri,
                       const struct secret *verifier, struct token_request *ret);

/* The device authorization request (RFC 8628 3.1). scope: NULL is the provider's. params are the
 * caller's own and replace authorize_params, which are sent too; may be NULL. */
int token_request_device_authorization(const struct provider *provider,
                                       const struct secret *client_secret, const char *scope,
                                       const struct parameters *params, struct token_request *ret);

/* A poll for the token of a device login (RFC 8628 3.4). */
int token_request_device(const struct provider *provider, const struct secret *client_secret,
                         const struct secret *device_code, struct token_request *ret);

/* The refresh (RFC 6749 6), to refresh_endpoint where one is given, with refresh_params. */
int token_request_refresh(const struct provider *provider, const struct secret *client_secret,
                          const struct secret *refresh_token, struct token_request *ret);

/* Client credentials (RFC 6749 4.4). grant_type is replaced by token_params' own where given. */
int token_request_client_credentials(const struct provider *provider,
                                     const struct secret *client_secret, struct token_request *ret);

/* Revocation (RFC 7009 2.1), never in the url; hint is "refresh_token" or "access_token". */
int token_request_revoke(const struct provider *provider, const struct secret *client_secret,
                         const struct secret *token, const char *hint, struct token_request *ret);

/* A pushed authorization request (RFC 9126 2.1): parameters are what authorize_append_parameters()
 * wrote, client_id among them. It is a form, whatever token_request says. */
int token_request_push(const struct provider *provider, const struct secret *client_secret,
                       const struct secret *parameters, struct token_request *ret);

/* Wipes and frees what it holds. */
void token_request_release(struct token_request *request);

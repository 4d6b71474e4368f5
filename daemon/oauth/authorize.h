#pragma once

/* The authorization request (RFC 6749 4.1.1) and the authorization response (4.1.2). */

#include <stdbool.h>

#include "base/buffer.h"
#include "base/secret.h"
#include "oauth/provider.h"

enum { AUTHORIZE_URL_MAX = 8 * 1024, AUTHORIZE_PARAMETER_MAX = 4 * 1024 };

struct authorization_request {
    const struct provider *provider; /* endpoints known */
    const char *scope;               /* NULL: the provider's */
    const struct parameters
        *params; /* the caller's own; may be NULL; they replace the provider's */
    const struct secret *state;
    const struct secret *nonce;    /* NULL: none; sent where the scope holds openid */
    const struct secret *verifier; /* PKCE; NULL when it is off */
};

/* Appends the address the browser is sent to. An endpoint's own query is kept (RFC 6749 3.1). A
 * caller's parameter may not be one of the protocol's own: authorize_param_allowed(). */
void authorize_append_url(struct buffer *out, const struct authorization_request *request);

/* Appends the same parameters alone, for the body of a request that is pushed (RFC 9126 2.1). */
void authorize_append_parameters(struct buffer *out, const struct authorization_request *request);

/* Appends the address the browser is sent to when the request was pushed (RFC 9126 4). */
void authorize_append_pushed_url(struct buffer *out, const struct provider *provider,
                                 const struct secret *request_uri);

/* False for response_type, client_id, redirect_uri, state, nonce, code_challenge, … */
bool authorize_param_allowed(const char *name);

/* True when the space-separated scope holds the word. scope may be NULL. */
bool scope_holds(const char *scope, const char *word);

enum authorization_response_kind {
    RESPONSE_CODE,    /* a code came */
    RESPONSE_ERROR,   /* an error came */
    RESPONSE_NEITHER, /* neither: some providers' way to say no */
};

/* What the redirect carried. error and description are the provider's words: escape them. */
struct authorization_response {
    enum authorization_response_kind kind;
    struct secret *code;
    struct secret *state; /* NULL: absent */
    char *iss;            /* NULL: absent */
    char *error;
    char *error_description;
};

enum { RESPONSE_MALFORMED = 1 };

/*
 * Reads the query of a redirect ("code=…&state=…", without the '?'; length bytes). Unknown
 * parameters are ignored (RFC 6749 4.1.2); one of code, state, iss, error, error_description twice,
 * a NUL (also as %00), a broken percent-encoding, a value above AUTHORIZE_PARAMETER_MAX, or both
 * code and error: RESPONSE_MALFORMED, complaint says which. Returns 0, RESPONSE_MALFORMED or
 * -ENOMEM.
 */
int authorization_response_parse(const char *query, size_t length,
                                 struct authorization_response *ret, struct complaint *complaint);

/* Wipes and frees what it holds. */
void authorization_response_release(struct authorization_response *response);

#pragma once

/*
 * What a provider is: one OAuth app at one authorization server, as plain data. The client secret
 * is not part of it (struct provider_credentials), so that the thread that answers never holds it.
 * Durations are milliseconds; 0 means "not given" unless said otherwise. Strings are owned; NULL
 * means "not given".
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/account.h"
#include "base/cleanup.h"
#include "base/secret.h"

enum grant_type {
    GRANT_AUTHORIZATION_CODE,
    GRANT_DEVICE_CODE,
    GRANT_CLIENT_CREDENTIALS,
    GRANT_STATIC,
};

/* How the client says who it is at the token endpoint (RFC 6749 2.3, RFC 7523, RFC 8705). */
enum client_auth {
    CLIENT_AUTH_BASIC,     /* id and secret form-encoded, then base64 (RFC 6749 2.3.1) */
    CLIENT_AUTH_BASIC_RAW, /* id and secret as they are, then base64 */
    CLIENT_AUTH_POST,      /* client_id and client_secret among the parameters */
    CLIENT_AUTH_NONE,      /* client_id alone */
    CLIENT_AUTH_PRIVATE_KEY_JWT,
    CLIENT_AUTH_TLS,
};

enum token_request_style { TOKEN_REQUEST_FORM, TOKEN_REQUEST_QUERY, TOKEN_REQUEST_JSON };
enum pkce_method { PKCE_S256, PKCE_PLAIN, PKCE_OFF };
enum state_promise { STATE_REQUIRED, STATE_ABSENT };
enum lifetime_unit { LIFETIME_SECONDS, LIFETIME_MILLISECONDS };
enum keep_policy { KEEP_ALWAYS, KEEP_ASKED };

struct parameter {
    char *name;
    char *value;
};

/* A list of parameters; items is NULL when count is 0. */
struct parameters {
    struct parameter *items;
    size_t count;
};

struct provider {
    char name[PROVIDER_NAME_MAX + 1];
    enum grant_type grant;

    char *issuer; /* discovery fills the endpoints that are not given */
    char *authorization_endpoint;
    char *token_endpoint;
    bool token_endpoint_found; /* by discovery: it is not configured */
    char *refresh_endpoint;    /* where it differs from the token endpoint */
    char *revocation_endpoint;
    char *device_authorization_endpoint;
    /* Where authorization requests are pushed (RFC 9126); not NULL: they are. */
    char *pushed_authorization_request_endpoint;
    char *redirect_uri; /* always set for GRANT_AUTHORIZATION_CODE */

    char *client_id;
    enum client_auth client_auth;
    char *client_key_id;      /* CLIENT_AUTH_PRIVATE_KEY_JWT: the key's name at the provider */
    char *client_key_id_next; /* the same of the next key */
    char *client_certificate; /* CLIENT_AUTH_TLS: where its PEM file lies */
    enum token_request_style token_request;
    enum pkce_method pkce;
    enum state_promise state;
    bool iss_promised; /* authorization_response_iss_parameter_supported (RFC 9207) */

    char *scope;                /* separated by spaces, whatever scope_separator is */
    char *scope_separator;      /* " " or another; always set */
    struct parameters resource; /* RFC 8707; the name of each is "resource" */
    struct parameters authorize_params;
    /* Fixed ones, for the two kinds of token request. A value of "" for redirect_uri, client_id or
     * client_secret means the provider's own, whatever client_auth does; other names of ours are
     * replaced, but never what is secret. */
    struct parameters token_params;
    struct parameters refresh_params;

    int64_t default_lifetime_ms;
    enum lifetime_unit lifetime_unit;
    int64_t refresh_token_lifetime_ms;      /* absolute */
    int64_t refresh_token_idle_lifetime_ms; /* unused */
    int64_t retry_grace_ms;                 /* a spent refresh token may be sent again so long */
    bool refresh_kills_access;
    unsigned rate_limit_requests; /* 0: no limit */
    int64_t rate_limit_period_ms;
    unsigned concurrency; /* requests at once; 0: not given */
    enum keep_policy keep;

    char *identity;       /* dotted path into the token reply: "company_id", "id_token.sub" */
    char *present_in;     /* "header" or "query"; always set */
    char *present_name;   /* "Authorization", "access_token"; always set */
    char *present_scheme; /* "Bearer", "Token", or "" ; always set */
    char *api_base;
    char *ca_file;
    char *proxy;
};

/* What only the thread that keeps may hold. */
struct provider_credentials {
    char provider[PROVIDER_NAME_MAX + 1];
    struct secret *client_secret; /* NULL when there is none. The secret itself; or in PEM the key
                                     that signs (CLIENT_AUTH_PRIVATE_KEY_JWT), or the certificate
                                     with its key (CLIENT_AUTH_TLS) */
    struct secret *client_secret_next; /* the same, to be tried; NULL when there is none */
};

/* A deep copy. Returns 0 or -ENOMEM. */
int provider_copy(const struct provider *provider, struct provider **ret);

/* True when both, as they are configured, are the same client at the same server, reached the same
 * way: what was learnt from it with one holds for the other. */
bool provider_is_at_same_server(const struct provider *a, const struct provider *b);

/* All that shapes a request for a token, or takes it to the server, as it is configured, in one
 * word: sections with the same one ask the same server for the same. The secret is not part of it.
 */
void provider_fingerprint(const struct provider *provider, char out[static FINGERPRINT_SIZE]);

/* Whom a code is for, in one word: the client, and the server's issuer and token endpoint. */
void provider_audience(const struct provider *provider, char out[static FINGERPRINT_SIZE]);

/* Copies what discovery found for from and to lacks. Returns 0 or -ENOMEM. */
int provider_take_discovered(struct provider *to, const struct provider *from);

/* NULL and half-built objects are fine; returns NULL. */
struct provider *provider_free(struct provider *provider);

/* Appends a copy of name and value. Returns 0 or -ENOMEM. */
int parameters_add(struct parameters *parameters, const char *name, const char *value);
/* The value, or NULL. Owned by the list. */
const char *parameters_find(const struct parameters *parameters, const char *name);
int parameters_copy(const struct parameters *from, struct parameters *ret);
void parameters_release(struct parameters *parameters);

DEFINE_CLEANUP(struct provider *, provider, provider_free)

static inline void cleanup_parameters(struct parameters *parameters)
{
    parameters_release(parameters);
}

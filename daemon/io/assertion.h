#pragma once

/*
 * How a client proves who it is with a key instead of a shared secret: signed assertions (RFC 7523,
 * OpenID Connect Core 9), and the look at a certificate before it is used (RFC 8705). Keys are PEM
 * texts without a password, and stay inside struct secret but for the moment of use.
 */

#include <stdint.h>

#include "base/secret.h"

enum {
    ASSERTION_LIFETIME_S = 60,
    ASSERTION_RSA_BITS_MIN = 2048, /* RFC 7518 3.3 */
};

/* The key, or the certificate, cannot be used. */
enum { ASSERTION_BAD_KEY = 1 };

struct assertion {
    const char *client_id; /* iss and sub */
    const char *audience;  /* the issuer, or the token endpoint */
    const char *key_id;    /* kid; NULL: not said */
    int64_t issued_at_s;   /* the wall clock's Unix time */
};

/* A signed JWT with a jti of its own, valid for ASSERTION_LIFETIME_S: RS256 with an RSA key, ES256
 * with one on P-256. Returns 0, ASSERTION_BAD_KEY or -ENOMEM. */
int assertion_sign(const struct secret *key, const struct assertion *assertion,
                   struct secret **ret);

/* Returns 0, or ASSERTION_BAD_KEY for what assertion_sign() cannot sign with. */
int assertion_check_key(const struct secret *key);

/* Looks at the PEM text of a client's certificate, those that lead to it, and its key. Returns 0 or
 * ASSERTION_BAD_KEY: one is missing, or the key is not the certificate's. */
int assertion_check_certificate(const struct secret *pem);

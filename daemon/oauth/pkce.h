#pragma once

/* Proof Key for Code Exchange (RFC 7636). */

#include "base/secret.h"
#include "oauth/provider.h"

/* A fresh verifier of 256 random bits, 43 characters (RFC 7636 4.1). Returns 0 or -errno. */
int pkce_verifier_new(struct secret **ret);

/* code_challenge_method's name: "S256", "plain"; NULL when PKCE is off. */
const char *pkce_method_name(enum pkce_method method);

/* Appends the challenge of verifier (RFC 7636 4.2); nothing when PKCE is off. */
void pkce_append_challenge(struct buffer *out, enum pkce_method method,
                           const struct secret *verifier);

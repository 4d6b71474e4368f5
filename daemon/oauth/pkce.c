#include "oauth/pkce.h"

#include "base/buffer.h"

enum { VERIFIER_RANDOM_BYTES = 32 };

int pkce_verifier_new(struct secret **ret)
{
    return secret_random(VERIFIER_RANDOM_BYTES, ret);
}

const char *pkce_method_name(enum pkce_method method)
{
    switch (method) {
    case PKCE_S256:
        return "S256";
    case PKCE_PLAIN:
        return "plain";
    case PKCE_OFF:
        return NULL;
    }
    return NULL;
}

void pkce_append_challenge(struct buffer *out, enum pkce_method method,
                           const struct secret *verifier)
{
    if (method == PKCE_PLAIN)
        buffer_append(out, secret_reveal(verifier), secret_length(verifier));
    if (method == PKCE_S256) {
        char challenge[FINGERPRINT_SIZE];
        buffer_append_text(out, secret_fingerprint(verifier, challenge));
    }
}

/* The keys that prove a client where client_auth is private_key_jwt or tls. */

#include <errno.h>
#include <string.h>

#include "base/buffer.h"
#include "io/assertion.h"
#include "settings/file.h"
#include "settings/sections.h"

/* name: of the setting. */
static int check_signing_key(const struct section *section, const char *name,
                             const struct secret *key, struct complaint *complaint)
{
    if (assertion_check_key(key) == 0)
        return 0;
    return complain_section(complaint, section,
                            "has a %s that is no private key to sign with: PEM without "
                            "a password, RSA of %d bits or more or EC on P-256",
                            name, ASSERTION_RSA_BITS_MIN);
}

/* key NULL: the certificate's file holds it too. */
static int check_pair(const struct provider *provider, const struct section *section,
                      const struct secret *key, const struct secret *joined, bool others_read,
                      struct complaint *complaint)
{
    const char *path = provider->client_certificate;
    if (assertion_check_certificate(joined) != 0)
        return complain_section(complaint, section,
                                "has no certificate with its private key: PEM without a password, "
                                "%s",
                                key != NULL ? "client_certificate and client_secret"
                                            : "both in client_certificate");
    if (key == NULL && others_read) {
        char advice[FILE_ADVICE_SIZE];
        file_advise(path, advice);
        return complain_section(complaint, section,
                                "has its private key in %s, which others can read: %s", path,
                                advice);
    }
    return 0;
}

static int join_certificate(const struct provider *provider, const struct section *section,
                            struct secret **secret, struct complaint *complaint)
{
    CLEANUP(cleanup_buffer) struct buffer pem = BUFFER_WITH_MAXIMUM(SECRET_MAX);
    CLEANUP(cleanup_secret) struct secret *joined = NULL;
    struct complaint problem = { "" };
    bool others_read = false;
    if (file_read(provider->client_certificate, &pem, &others_read, &problem) != 0)
        return complain_section(complaint, section, "has a client_certificate of no use: %s",
                                problem.text);
    if (*secret != NULL) {
        buffer_append_char(&pem, '\n');
        buffer_append(&pem, secret_reveal(*secret), secret_length(*secret));
    }
    int r = pem.failed ? -ENOMEM : secret_new(buffer_text(&pem), pem.length, &joined);
    if (r != 0)
        return r == -ENOMEM ? r
                            : complain_section(complaint, section,
                                               "has a client_certificate that is too large");
    r = check_pair(provider, section, *secret, joined, others_read, complaint);
    if (r != 0)
        return r;
    secret_free(*secret);
    *secret = steal(joined);
    return 0;
}

int client_key_finish(const struct provider *provider, const struct section *section,
                      struct secret **secret, struct complaint *complaint)
{
    if (provider->grant == GRANT_STATIC)
        return 0;
    if (provider->client_auth == CLIENT_AUTH_PRIVATE_KEY_JWT)
        return check_signing_key(section, "client_secret", *secret, complaint);
    if (provider->client_auth == CLIENT_AUTH_TLS)
        return join_certificate(provider, section, secret, complaint);
    return 0;
}

int client_key_check_next(const struct provider *provider, const struct section *section,
                          const struct secret *next, struct complaint *complaint)
{
    if (next == NULL || provider->grant == GRANT_STATIC)
        return 0;
    if (provider->client_auth == CLIENT_AUTH_PRIVATE_KEY_JWT)
        return check_signing_key(section, "client_secret_next", next, complaint);
    if (provider->client_auth == CLIENT_AUTH_TLS && assertion_check_certificate(next) != 0)
        return complain_section(complaint, section,
                                "has a client_secret_next that is no certificate with its private "
                                "key: PEM without a password, both in one");
    return 0;
}

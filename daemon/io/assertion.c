#include "io/assertion.h"

#include <errno.h>
#include <string.h>

#include <gnutls/abstract.h>
#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>

#include "base/json.h"

enum {
    JWT_MAX = 16 * 1024,
    JWT_ID_BYTES = 16,
    P256_BITS = 256,
    P256_NUMBER_SIZE = 32,
};

/* A kind of key that can sign, by its name in a JWT (RFC 7518 3.1). */
struct algorithm {
    const char *name;
    gnutls_sign_algorithm_t sign;
};

static const struct algorithm rs256 = { "RS256", GNUTLS_SIGN_RSA_SHA256 };
static const struct algorithm es256 = { "ES256", GNUTLS_SIGN_ECDSA_SHA256 };

static void release_key(gnutls_privkey_t *key)
{
    if (*key)
        gnutls_privkey_deinit(*key);
}

static void release_datum(gnutls_datum_t *datum)
{
    gnutls_free(datum->data);
}

/* The library takes a pointer to bytes that it does not write to. */
static gnutls_datum_t datum_of(const char *bytes, size_t length)
{
    return (gnutls_datum_t){ (unsigned char *)bytes, (unsigned)length };
}

static gnutls_datum_t datum_of_secret(const struct secret *secret)
{
    return datum_of(secret_reveal(secret), secret_length(secret));
}

/* Fails without memory as it does with a bad key: the library does not always tell them apart. */
static const struct algorithm *open_key(const struct secret *pem, gnutls_privkey_t *ret)
{
    const gnutls_datum_t text = datum_of_secret(pem);
    unsigned bits = 0;
    if (gnutls_privkey_init(ret) != 0)
        return NULL;
    if (gnutls_privkey_import_x509_raw(*ret, &text, GNUTLS_X509_FMT_PEM, NULL, GNUTLS_PKCS_PLAIN) !=
        0)
        return NULL;
    switch (gnutls_privkey_get_pk_algorithm(*ret, &bits)) {
    case GNUTLS_PK_RSA:
        return bits >= ASSERTION_RSA_BITS_MIN ? &rs256 : NULL;
    case GNUTLS_PK_ECDSA:
        return bits == P256_BITS ? &es256 : NULL;
    default:
        return NULL;
    }
}

/* RFC 7515 2: base64url without padding. */
static void append_base64url(struct buffer *out, const void *bytes, size_t length)
{
    const size_t start = out->length;
    buffer_append_base64(out, bytes, length);
    if (out->failed)
        return;
    while (out->length > start && out->data[out->length - 1] == '=')
        out->data[--out->length] = '\0';
    for (size_t i = start; i < out->length; i++) {
        if (out->data[i] == '+')
            out->data[i] = '-';
        else if (out->data[i] == '/')
            out->data[i] = '_';
    }
}

static void append_header(struct buffer *out, const struct algorithm *algorithm,
                          const struct assertion *assertion)
{
    CLEANUP(cleanup_buffer) struct buffer text = BUFFER_WITH_MAXIMUM(JWT_MAX);
    struct json_writer writer = json_writer_begin(&text, '{');
    json_put_string(&writer, "alg", algorithm->name);
    json_put_string(&writer, "typ", "JWT");
    json_put_string(&writer, "kid", assertion->key_id);
    json_writer_end(&writer);
    append_base64url(out, buffer_text(&text), text.length);
    out->failed = out->failed || text.failed;
}

static void append_claims(struct buffer *out, const struct assertion *assertion)
{
    CLEANUP(cleanup_buffer) struct buffer text = BUFFER_WITH_MAXIMUM(JWT_MAX);
    CLEANUP(cleanup_buffer) struct buffer id = BUFFER_WITH_MAXIMUM(JWT_MAX);
    unsigned char random[JWT_ID_BYTES];
    random_bytes(random, sizeof random);
    append_base64url(&id, random, sizeof random);
    struct json_writer writer = json_writer_begin(&text, '{');
    json_put_string(&writer, "iss", assertion->client_id);
    json_put_string(&writer, "sub", assertion->client_id);
    json_put_string(&writer, "aud", assertion->audience);
    json_put_string(&writer, "jti", buffer_text(&id));
    json_put_integer(&writer, "iat", assertion->issued_at_s);
    json_put_integer(&writer, "exp", assertion->issued_at_s + ASSERTION_LIFETIME_S);
    json_writer_end(&writer);
    append_base64url(out, buffer_text(&text), text.length);
    out->failed = out->failed || text.failed || id.failed;
}

/* One of the two numbers of an ECDSA signature, at its full width (RFC 7518 3.4). Its own bytes may
 * have a zero before them, or lack some. */
static bool put_number(const gnutls_datum_t *number, unsigned char out[static P256_NUMBER_SIZE])
{
    const unsigned char *bytes = number->data;
    size_t size = number->size;
    for (; size > P256_NUMBER_SIZE && *bytes == 0; size--)
        bytes++;
    if (size > P256_NUMBER_SIZE)
        return false;
    memset(out, 0, P256_NUMBER_SIZE);
    memcpy(out + P256_NUMBER_SIZE - size, bytes, size);
    return true;
}

static int append_ecdsa(struct buffer *out, const gnutls_datum_t *der)
{
    CLEANUP(release_datum) gnutls_datum_t r = { NULL, 0 };
    CLEANUP(release_datum) gnutls_datum_t s = { NULL, 0 };
    unsigned char both[2 * P256_NUMBER_SIZE];
    if (gnutls_decode_rs_value(der, &r, &s) != 0)
        return -ENOMEM;
    if (!put_number(&r, both) || !put_number(&s, both + P256_NUMBER_SIZE))
        return ASSERTION_BAD_KEY;
    append_base64url(out, both, sizeof both);
    return 0;
}

static int append_signature(struct buffer *out, gnutls_privkey_t key,
                            const struct algorithm *algorithm)
{
    CLEANUP(release_datum) gnutls_datum_t signature = { NULL, 0 };
    const gnutls_datum_t text = datum_of(buffer_text(out), out->length);
    int r = gnutls_privkey_sign_data2(key, algorithm->sign, 0, &text, &signature);
    if (r != 0)
        return r == GNUTLS_E_MEMORY_ERROR ? -ENOMEM : ASSERTION_BAD_KEY;
    buffer_append_char(out, '.');
    if (algorithm == &es256)
        return append_ecdsa(out, &signature);
    append_base64url(out, signature.data, signature.size);
    return 0;
}

int assertion_sign(const struct secret *key, const struct assertion *assertion, struct secret **ret)
{
    CLEANUP(release_key) gnutls_privkey_t opened = NULL;
    CLEANUP(cleanup_buffer) struct buffer text = BUFFER_WITH_MAXIMUM(JWT_MAX);
    const struct algorithm *algorithm = open_key(key, &opened);
    if (!algorithm)
        return ASSERTION_BAD_KEY;
    append_header(&text, algorithm, assertion);
    buffer_append_char(&text, '.');
    append_claims(&text, assertion);
    if (text.failed)
        return -ENOMEM;
    int r = append_signature(&text, opened, algorithm);
    if (r == 0 && text.failed)
        r = -ENOMEM;
    return r == 0 ? secret_new(text.data, text.length, ret) : r;
}

int assertion_check_key(const struct secret *key)
{
    CLEANUP(release_key) gnutls_privkey_t opened = NULL;
    return open_key(key, &opened) ? 0 : ASSERTION_BAD_KEY;
}

int assertion_check_certificate(const struct secret *pem)
{
    const gnutls_datum_t text = datum_of_secret(pem);
    gnutls_certificate_credentials_t credentials = NULL;
    if (gnutls_certificate_allocate_credentials(&credentials) != 0)
        return ASSERTION_BAD_KEY;
    int r = gnutls_certificate_set_x509_key_mem2(credentials, &text, &text, GNUTLS_X509_FMT_PEM,
                                                 NULL, GNUTLS_PKCS_PLAIN);
    gnutls_certificate_free_credentials(credentials);
    return r >= 0 ? 0 : ASSERTION_BAD_KEY;
}

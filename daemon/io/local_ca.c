#include "io/local_ca_private.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <gnutls/abstract.h>
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>

enum { SERIAL_BYTES = 16, KEY_ID_MAX = 64, DAY_S = 24 * 60 * 60 };

const char *const local_ca_names[] = { "localhost", "127.0.0.1", "::1", NULL };

static const char *const permitted_names[] = { "localhost", NULL };
static const char *const permitted_networks[] = { "127.0.0.0/8", "::1/128", NULL };

DEFINE_CLEANUP(gnutls_x509_privkey_t, private, gnutls_x509_privkey_deinit)

/* GnuTLS's errors are of use to a programmer alone. */
static int as_errno(int r)
{
    if (r >= 0)
        return 0;
    return r == GNUTLS_E_MEMORY_ERROR ? -ENOMEM : -EIO;
}

static gnutls_datum_t datum_of(const void *bytes, size_t length)
{
    return (gnutls_datum_t){ .data = (unsigned char *)bytes, .size = (unsigned)length };
}

/* --- reading --- */

/* What was wrong with a text that cannot be read. */
static int as_broken(int r)
{
    return r == GNUTLS_E_MEMORY_ERROR ? -ENOMEM : CERTIFICATE_BROKEN;
}

int local_ca_read(const char *pem, gnutls_x509_crt_t *ret)
{
    CLEANUP(cleanup_crt) gnutls_x509_crt_t crt = NULL;
    const gnutls_datum_t text = datum_of(pem, strlen(pem));

    if (text.size > CERTIFICATES_PEM_MAX)
        return CERTIFICATE_BROKEN;
    if (gnutls_x509_crt_init(&crt) < 0)
        return -ENOMEM;
    int r = gnutls_x509_crt_import(crt, &text, GNUTLS_X509_FMT_PEM);
    if (r < 0)
        return as_broken(r);
    *ret = steal(crt);
    return 0;
}

static int read_key(const struct secret *pem, gnutls_x509_privkey_t *ret)
{
    CLEANUP(cleanup_private) gnutls_x509_privkey_t key = NULL;
    const gnutls_datum_t text = datum_of(secret_reveal(pem), secret_length(pem));

    if (gnutls_x509_privkey_init(&key) < 0)
        return -ENOMEM;
    int r = gnutls_x509_privkey_import2(key, &text, GNUTLS_X509_FMT_PEM, NULL, 0);
    if (r < 0)
        return as_broken(r);
    *ret = steal(key);
    return 0;
}

int local_ca_facts(gnutls_x509_crt_t crt, struct certificate_facts *ret)
{
    struct certificate_facts facts = { .from_s = gnutls_x509_crt_get_activation_time(crt),
                                       .until_s = gnutls_x509_crt_get_expiration_time(crt) };
    unsigned char digest[32];
    size_t size = sizeof digest;
    gnutls_datum_t subject = { 0 };

    int r = gnutls_x509_crt_get_fingerprint(crt, GNUTLS_DIG_SHA256, digest, &size);
    if (r == 0)
        r = gnutls_x509_crt_get_dn2(crt, &subject);
    if (r == GNUTLS_E_REQUESTED_DATA_NOT_AVAILABLE)
        r = 0; /* a certificate may do without a subject */
    if (r < 0)
        return as_errno(r);
    for (size_t i = 0; i < sizeof digest; i++)
        (void)snprintf(facts.fingerprint + 2 * i, 3, "%02x", digest[i]);
    if (subject.data)
        (void)snprintf(facts.subject, sizeof facts.subject, "%s", (const char *)subject.data);
    gnutls_free(subject.data);
    *ret = facts;
    return 0;
}

int certificate_look(const char *certificate, struct certificate_facts *ret)
{
    CLEANUP(cleanup_crt) gnutls_x509_crt_t crt = NULL;
    int r = local_ca_read(certificate, &crt);

    return r == 0 ? local_ca_facts(crt, ret) : r;
}

/* The key's id is a digest of its public part; a certificate tells that of its own. Returns 0,
 * CERTIFICATE_BROKEN when they differ, or -ENOMEM. */
static int check_together(gnutls_x509_crt_t crt, gnutls_x509_privkey_t key)
{
    unsigned char one[KEY_ID_MAX], other[KEY_ID_MAX];
    size_t one_size = sizeof one, other_size = sizeof other;

    int r = gnutls_x509_crt_get_key_id(crt, GNUTLS_KEYID_USE_SHA256, one, &one_size);
    if (r == 0)
        r = gnutls_x509_privkey_get_key_id(key, GNUTLS_KEYID_USE_SHA256, other, &other_size);
    if (r != 0)
        return as_broken(r);
    return one_size == other_size && memcmp(one, other, one_size) == 0 ? 0 : CERTIFICATE_BROKEN;
}

static int complain_broken(struct complaint *complaint, const char *what)
{
    complain(complaint, "%s", what);
    return CERTIFICATE_BROKEN;
}

int certified_new(const char *certificate, const struct secret *key, struct certified **ret,
                  struct complaint *complaint)
{
    CLEANUP(cleanup_crt) gnutls_x509_crt_t crt = NULL;
    CLEANUP(cleanup_private) gnutls_x509_privkey_t private = NULL;
    CLEANUP(cleanup_certified) struct certified *pair = calloc(1, sizeof *pair);
    if (!pair)
        return -ENOMEM;
    int r = local_ca_read(certificate, &crt);
    if (r == CERTIFICATE_BROKEN)
        return complain_broken(complaint, "the certificate is no PEM certificate");
    if (r == 0)
        r = read_key(key, &private);
    if (r == CERTIFICATE_BROKEN)
        return complain_broken(complaint, "the key is no PEM key without a password");
    if (r < 0)
        return r;
    r = check_together(crt, private);
    if (r == CERTIFICATE_BROKEN)
        return complain_broken(complaint, "the key does not belong to the certificate");
    if (r < 0)
        return r;
    pair->from_s = gnutls_x509_crt_get_activation_time(crt);
    pair->until_s = gnutls_x509_crt_get_expiration_time(crt);
    pair->certificate = strdup(certificate);
    r = pair->certificate ? secret_copy(key, &pair->key) : -ENOMEM;
    if (r == 0)
        *ret = steal(pair);
    return r;
}

/* --- making --- */

static int make_key(gnutls_x509_privkey_t *ret)
{
    CLEANUP(cleanup_private) gnutls_x509_privkey_t key = NULL;
    int r = gnutls_x509_privkey_init(&key);

    if (r == 0)
        r = gnutls_x509_privkey_generate(key, GNUTLS_PK_ECDSA,
                                         GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1), 0);
    if (r == 0)
        *ret = steal(key);
    return r;
}

/* What every certificate has: version, serial number, times, key and its id. */
static int begin_certificate(gnutls_x509_privkey_t key, int64_t from_s, int64_t until_s,
                             gnutls_x509_crt_t *ret)
{
    CLEANUP(cleanup_crt) gnutls_x509_crt_t crt = NULL;
    unsigned char serial[SERIAL_BYTES], id[KEY_ID_MAX];
    size_t id_size = sizeof id;

    random_bytes(serial, sizeof serial);
    serial[0] = (serial[0] & 0x7f) | 0x40; /* positive, and never short (RFC 5280 4.1.2.2) */
    int r = gnutls_x509_crt_init(&crt);
    if (r == 0)
        r = gnutls_x509_crt_set_version(crt, 3);
    if (r == 0)
        r = gnutls_x509_crt_set_serial(crt, serial, sizeof serial);
    if (r == 0)
        r = gnutls_x509_crt_set_activation_time(crt, from_s);
    if (r == 0)
        r = gnutls_x509_crt_set_expiration_time(crt, until_s);
    if (r == 0)
        r = gnutls_x509_crt_set_key(crt, key);
    if (r == 0)
        r = gnutls_x509_crt_get_key_id(crt, 0, id, &id_size);
    if (r == 0)
        r = gnutls_x509_crt_set_subject_key_id(crt, id, id_size);
    if (r == 0)
        *ret = steal(crt);
    return r;
}

static int set_name(gnutls_x509_crt_t crt, const char *oid, const char *text)
{
    return gnutls_x509_crt_set_dn_by_oid(crt, oid, 0, text, (unsigned)strlen(text));
}

static int permit_all(gnutls_x509_name_constraints_t constraints)
{
    int r = 0;

    for (size_t i = 0; permitted_names[i] && r == 0; i++) {
        const gnutls_datum_t name = datum_of(permitted_names[i], strlen(permitted_names[i]));
        r = gnutls_x509_name_constraints_add_permitted(constraints, GNUTLS_SAN_DNSNAME, &name);
    }
    for (size_t i = 0; permitted_networks[i] && r == 0; i++) {
        gnutls_datum_t network = { 0 };
        r = gnutls_x509_cidr_to_rfc5280(permitted_networks[i], &network);
        if (r == 0)
            r = gnutls_x509_name_constraints_add_permitted(constraints, GNUTLS_SAN_IPADDRESS,
                                                           &network);
        gnutls_free(network.data);
    }
    return r;
}

int local_ca_constraints(gnutls_x509_name_constraints_t *ret)
{
    CLEANUP(cleanup_constraints) gnutls_x509_name_constraints_t constraints = NULL;
    int r = gnutls_x509_name_constraints_init(&constraints);

    if (r == 0)
        r = permit_all(constraints);
    if (r == 0)
        *ret = steal(constraints);
    return r;
}

static int constrain(gnutls_x509_crt_t crt)
{
    CLEANUP(cleanup_constraints) gnutls_x509_name_constraints_t constraints = NULL;
    const unsigned critical = 1;
    int r = local_ca_constraints(&constraints);

    return r == 0 ? gnutls_x509_crt_set_name_constraints(crt, constraints, critical) : r;
}

/* Each authority has a name of its own, so that a browser's list tells two of them apart. */
static int name_authority(gnutls_x509_crt_t crt)
{
    unsigned char tag[LOCAL_CA_TAG_BYTES];
    char name[64];

    random_bytes(tag, sizeof tag);
    (void)snprintf(name, sizeof name, LOCAL_CA_COMMON_NAME "%02x%02x%02x%02x", tag[0], tag[1],
                   tag[2], tag[3]);
    int r = set_name(crt, GNUTLS_OID_X520_ORGANIZATION_NAME, LOCAL_CA_ORGANIZATION);
    return r == 0 ? set_name(crt, GNUTLS_OID_X520_COMMON_NAME, name) : r;
}

/* GnuTLS marks basic constraints and key usage critical by itself. */
static int make_authority(gnutls_x509_crt_t crt, gnutls_x509_privkey_t key)
{
    const int no_authority_below = 0;
    int r = name_authority(crt);

    if (r == 0)
        r = gnutls_x509_crt_set_basic_constraints(crt, 1, no_authority_below);
    if (r == 0)
        r = gnutls_x509_crt_set_key_usage(crt, GNUTLS_KEY_KEY_CERT_SIGN);
    if (r == 0)
        r = constrain(crt);
    return r == 0 ? gnutls_x509_crt_sign2(crt, crt, key, GNUTLS_DIG_SHA256, 0) : r;
}

static int export_certificate(gnutls_x509_crt_t crt, char **ret)
{
    gnutls_datum_t pem = { 0 };
    int r = gnutls_x509_crt_export2(crt, GNUTLS_X509_FMT_PEM, &pem);

    if (r < 0)
        return as_errno(r);
    char *copy = strndup((const char *)pem.data, pem.size);
    gnutls_free(pem.data);
    if (!copy)
        return -ENOMEM;
    *ret = copy;
    return 0;
}

static int export_key(gnutls_x509_privkey_t key, struct secret **ret)
{
    gnutls_datum_t pem = { 0 };
    int r = gnutls_x509_privkey_export2(key, GNUTLS_X509_FMT_PEM, &pem);

    if (r < 0)
        return as_errno(r);
    r = secret_new((const char *)pem.data, pem.size, ret);
    explicit_bzero(pem.data, pem.size);
    gnutls_free(pem.data);
    return r;
}

static int export_pair(gnutls_x509_crt_t crt, gnutls_x509_privkey_t key, struct certified **ret)
{
    CLEANUP(cleanup_certified) struct certified *pair = calloc(1, sizeof *pair);
    if (!pair)
        return -ENOMEM;
    pair->from_s = gnutls_x509_crt_get_activation_time(crt);
    pair->until_s = gnutls_x509_crt_get_expiration_time(crt);
    int r = export_certificate(crt, &pair->certificate);
    if (r == 0)
        r = export_key(key, &pair->key);
    if (r == 0)
        *ret = steal(pair);
    return r;
}

int local_ca_new(int64_t now_s, struct certified **ret)
{
    CLEANUP(cleanup_private) gnutls_x509_privkey_t key = NULL;
    CLEANUP(cleanup_crt) gnutls_x509_crt_t crt = NULL;
    const int64_t until_s = now_s + (int64_t)LOCAL_CA_LIFETIME_DAYS * DAY_S;
    int r = make_key(&key);

    if (r == 0)
        r = begin_certificate(key, now_s - LOCAL_CA_BACKDATED_S, until_s, &crt);
    if (r == 0)
        r = make_authority(crt, key);
    return r == 0 ? export_pair(crt, key, ret) : as_errno(r);
}

/* --- issuing --- */

static int add_name(gnutls_x509_crt_t crt, const char *name)
{
    unsigned char address[sizeof(struct in6_addr)];
    const unsigned append = GNUTLS_FSAN_APPEND;

    if (inet_pton(AF_INET, name, address) == 1)
        return gnutls_x509_crt_set_subject_alt_name(crt, GNUTLS_SAN_IPADDRESS, address,
                                                    sizeof(struct in_addr), append);
    if (inet_pton(AF_INET6, name, address) == 1)
        return gnutls_x509_crt_set_subject_alt_name(crt, GNUTLS_SAN_IPADDRESS, address,
                                                    sizeof(struct in6_addr), append);
    return gnutls_x509_crt_set_subject_alt_name(crt, GNUTLS_SAN_DNSNAME, name,
                                                (unsigned)strlen(name), append);
}

static int set_purpose(gnutls_x509_crt_t crt)
{
    int r = gnutls_x509_crt_set_basic_constraints(crt, 0, -1);

    if (r == 0)
        r = gnutls_x509_crt_set_key_usage(crt, GNUTLS_KEY_DIGITAL_SIGNATURE);
    return r == 0 ? gnutls_x509_crt_set_key_purpose_oid(crt, GNUTLS_KP_TLS_WWW_SERVER, 0) : r;
}

static int name_leaf(gnutls_x509_crt_t crt, const char *const *names)
{
    int r = set_name(crt, GNUTLS_OID_X520_COMMON_NAME, names[0]);

    for (size_t i = 0; names[i] && i < LOCAL_CA_NAMES_MAX && r == 0; i++)
        r = add_name(crt, names[i]);
    return r;
}

static int set_issuer_id(gnutls_x509_crt_t crt, gnutls_x509_crt_t issuer)
{
    unsigned char id[KEY_ID_MAX];
    size_t size = sizeof id;
    int r = gnutls_x509_crt_get_subject_key_id(issuer, id, &size, NULL);

    return r == 0 ? gnutls_x509_crt_set_authority_key_id(crt, id, size) : r;
}

static int sign_leaf(gnutls_x509_crt_t crt, const char *const *names, gnutls_x509_crt_t issuer,
                     gnutls_x509_privkey_t issuer_key)
{
    int r = name_leaf(crt, names);

    if (r == 0)
        r = set_purpose(crt);
    if (r == 0)
        r = set_issuer_id(crt, issuer);
    return r == 0 ? gnutls_x509_crt_sign2(crt, issuer, issuer_key, GNUTLS_DIG_SHA256, 0) : r;
}

int local_ca_issue(const struct certified *authority, const char *const *names, int64_t now_s,
                   struct certified **ret)
{
    CLEANUP(cleanup_crt) gnutls_x509_crt_t issuer = NULL;
    CLEANUP(cleanup_private) gnutls_x509_privkey_t issuer_key = NULL;
    CLEANUP(cleanup_private) gnutls_x509_privkey_t key = NULL;
    CLEANUP(cleanup_crt) gnutls_x509_crt_t crt = NULL;
    int64_t until_s = now_s + (int64_t)LOCAL_LEAF_LIFETIME_DAYS * DAY_S;
    int r = local_ca_read(authority->certificate, &issuer);

    if (r == 0)
        r = read_key(authority->key, &issuer_key);
    if (r != 0)
        return r;
    if (until_s > authority->until_s)
        until_s = authority->until_s;
    r = make_key(&key);
    if (r == 0)
        r = begin_certificate(key, now_s - LOCAL_CA_BACKDATED_S, until_s, &crt);
    if (r == 0)
        r = sign_leaf(crt, names, issuer, issuer_key);
    return r == 0 ? export_pair(crt, key, ret) : as_errno(r);
}

struct certified *certified_free(struct certified *certified)
{
    if (!certified)
        return NULL;
    free(certified->certificate);
    secret_free(certified->key);
    free(certified);
    return NULL;
}

/* Which certificates of others pass for an authority for this computer alone: ours, and no other.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include <gnutls/abstract.h>
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>

#include "io/local_ca.h"

enum {
    TEXT_MAX = 2 * CERTIFICATES_PEM_MAX,
    PERMITTED_MAX = 5,
    NO_BASICS = -2,
    WHOLE_DAY_S = 86400
};

#define OUR_NAME "tokenbroker on this computer 0123abcd"
#define OURS "DNS:localhost", "IP:127.0.0.0/8", "IP:::1/128"
#define SIGNS GNUTLS_KEY_KEY_CERT_SIGN

/* What a certificate says. */
struct plan {
    const char *permitted[PERMITTED_MAX]; /* none: no name constraints */
    const char *excluded;
    bool lax; /* the name constraints are not critical */
    bool leaf;
    int below; /* authorities: the length of the path; -1: any, NO_BASICS: without the extension */
    unsigned usage;
    bool purpose; /* for TLS servers, by an extended key usage */
    bool without_key_id;
    const char *name; /* NULL: ours */
};

static int group_setup(void **state)
{
    bool locked;

    return secret_start(&locked);
}

static void add_constraint(gnutls_x509_name_constraints_t constraints, const char *text,
                           bool permitted)
{
    const char *value = strchr(text, ':') + 1;
    gnutls_datum_t name = { (unsigned char *)(uintptr_t)value, (unsigned)strlen(value) };
    const bool network = strncmp(text, "IP:", 3) == 0;
    const unsigned type = network                          ? GNUTLS_SAN_IPADDRESS
                          : strncmp(text, "MAIL:", 5) == 0 ? GNUTLS_SAN_RFC822NAME
                                                           : GNUTLS_SAN_DNSNAME;

    if (network)
        assert_int_equal(gnutls_x509_cidr_to_rfc5280(value, &name), 0);
    assert_int_equal((permitted
                          ? gnutls_x509_name_constraints_add_permitted
                          : gnutls_x509_name_constraints_add_excluded)(constraints, type, &name),
                     0);
    if (network)
        gnutls_free(name.data);
}

static void constrain(gnutls_x509_crt_t crt, const struct plan *plan)
{
    gnutls_x509_name_constraints_t constraints;

    assert_int_equal(gnutls_x509_name_constraints_init(&constraints), 0);
    for (size_t i = 0; i < PERMITTED_MAX && plan->permitted[i]; i++)
        add_constraint(constraints, plan->permitted[i], true);
    if (plan->excluded)
        add_constraint(constraints, plan->excluded, false);
    assert_int_equal(gnutls_x509_crt_set_name_constraints(crt, constraints, !plan->lax), 0);
    gnutls_x509_name_constraints_deinit(constraints);
}

static void extend(gnutls_x509_crt_t crt, const struct plan *plan)
{
    if (plan->below != NO_BASICS)
        assert_int_equal(gnutls_x509_crt_set_basic_constraints(crt, !plan->leaf, plan->below), 0);
    if (plan->usage)
        assert_int_equal(gnutls_x509_crt_set_key_usage(crt, plan->usage), 0);
    if (plan->purpose)
        assert_int_equal(gnutls_x509_crt_set_key_purpose_oid(crt, GNUTLS_KP_TLS_WWW_SERVER, 0), 0);
    if (!plan->without_key_id)
        assert_int_equal(gnutls_x509_crt_set_subject_key_id(crt, "id", 2), 0);
    if (plan->permitted[0] || plan->excluded)
        constrain(crt, plan);
}

static void name(gnutls_x509_crt_t crt, const char *text)
{
    assert_int_equal(gnutls_x509_crt_set_dn_by_oid(crt, GNUTLS_OID_X520_ORGANIZATION_NAME, 0,
                                                   "tokenbroker", strlen("tokenbroker")),
                     0);
    assert_int_equal(gnutls_x509_crt_set_dn_by_oid(crt, GNUTLS_OID_X520_COMMON_NAME, 0, text,
                                                   (unsigned)strlen(text)),
                     0);
}

/* As PEM; freed by the caller. */
static char *make(const struct plan *plan)
{
    gnutls_x509_privkey_t key;
    gnutls_x509_crt_t crt;
    gnutls_datum_t pem;

    assert_int_equal(gnutls_x509_privkey_init(&key), 0);
    assert_int_equal(gnutls_x509_privkey_generate(
                         key, GNUTLS_PK_ECDSA, GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1), 0),
                     0);
    assert_int_equal(gnutls_x509_crt_init(&crt), 0);
    assert_int_equal(gnutls_x509_crt_set_version(crt, 3), 0);
    assert_int_equal(gnutls_x509_crt_set_serial(crt, "\x01", 1), 0);
    assert_int_equal(gnutls_x509_crt_set_activation_time(crt, time(NULL)), 0);
    assert_int_equal(gnutls_x509_crt_set_expiration_time(crt, time(NULL) + WHOLE_DAY_S), 0);
    assert_int_equal(gnutls_x509_crt_set_key(crt, key), 0);
    name(crt, plan->name ? plan->name : OUR_NAME);
    extend(crt, plan);
    assert_int_equal(gnutls_x509_crt_sign2(crt, crt, key, GNUTLS_DIG_SHA256, 0), 0);
    assert_int_equal(gnutls_x509_crt_export2(crt, GNUTLS_X509_FMT_PEM, &pem), 0);
    char *copy = strndup((const char *)pem.data, pem.size);
    gnutls_free(pem.data);
    gnutls_x509_crt_deinit(crt);
    gnutls_x509_privkey_deinit(key);
    assert_non_null(copy);
    return copy;
}

/* complaint: part of why it is refused; NULL: it is not. */
static void expect(const char *what, const char *text, size_t length, const char *complaint)
{
    struct certificate_facts facts = { .subject = "untouched" };
    struct complaint why = { "" };
    const int r = local_ca_check(text, length, &facts, &why);

    if (r != (complaint ? CERTIFICATE_BROKEN : 0) || (complaint && !strstr(why.text, complaint)))
        fail_msg("%s: %d, %s", what, r, why.text);
    if (complaint)
        assert_string_equal(facts.subject, "untouched");
}

static void test_ours(void **state)
{
    CLEANUP(cleanup_certified) struct certified *authority = NULL;
    struct certificate_facts facts, known;
    struct complaint complaint = { "" };

    assert_int_equal(local_ca_new(time(NULL), &authority), 0);
    assert_int_equal(
        local_ca_check(authority->certificate, strlen(authority->certificate), &facts, &complaint),
        0);
    assert_int_equal(certificate_look(authority->certificate, &known), 0);
    assert_string_equal(facts.fingerprint, known.fingerprint);
    assert_string_equal(facts.subject, known.subject);
    assert_int_equal(facts.until_s, known.until_s);
}

static void test_what_others_say(void **state)
{
    static const char any[] = "any name", wider[] = "other names than", none[] = "no certificate a";
    static const struct {
        const char *what;
        struct plan plan;
        const char *complaint;
    } rows[] = {
        { "the same", { .permitted = { OURS }, .usage = SIGNS }, NULL },
        { "in another order",
          { .permitted = { "IP:::1/128", "DNS:localhost", "IP:127.0.0.0/8" }, .usage = SIGNS },
          NULL },
        { "no constraints", { .usage = SIGNS }, any },
        { "not critical", { .permitted = { OURS }, .lax = true, .usage = SIGNS }, any },
        { "one name more", { .permitted = { OURS, "DNS:example.com" }, .usage = SIGNS }, wider },
        { "each name more", { .permitted = { OURS, "DNS:" }, .usage = SIGNS }, wider },
        { "another name",
          { .permitted = { "DNS:localhos.", "IP:127.0.0.0/8", "IP:::1/128" }, .usage = SIGNS },
          wider },
        { "all of IPv4", { .permitted = { OURS, "IP:0.0.0.0/0" }, .usage = SIGNS }, wider },
        { "all of IPv4 in place of its loopback",
          { .permitted = { "DNS:localhost", "IP:0.0.0.0/0", "IP:::1/128" }, .usage = SIGNS },
          wider },
        { "all of IPv6",
          { .permitted = { "DNS:localhost", "IP:127.0.0.0/8", "IP:::/0" }, .usage = SIGNS },
          wider },
        { "any address", { .permitted = { "DNS:localhost" }, .usage = SIGNS }, wider },
        { "any IPv6 address, for some",
          { .permitted = { "DNS:localhost", "IP:127.0.0.0/8" }, .usage = SIGNS },
          wider },
        { "any name", { .permitted = { "IP:127.0.0.0/8", "IP:::1/128" }, .usage = SIGNS }, wider },
        { "a name twice, an address left out",
          { .permitted = { "DNS:localhost", "DNS:localhost", "IP:127.0.0.0/8" }, .usage = SIGNS },
          wider },
        { "another type", { .permitted = { OURS, "MAIL:a@b.example" }, .usage = SIGNS }, wider },
        { "only excluded", { .excluded = "DNS:example.com", .usage = SIGNS }, wider },
        { "excluded too",
          { .permitted = { OURS }, .excluded = "DNS:example.com", .usage = SIGNS },
          wider },
        { "any path", { .permitted = { OURS }, .below = -1, .usage = SIGNS }, none },
        { "a longer path", { .permitted = { OURS }, .below = 1, .usage = SIGNS }, none },
        { "a leaf", { .permitted = { OURS }, .leaf = true, .below = -1, .usage = SIGNS }, none },
        { "without basics", { .permitted = { OURS }, .below = NO_BASICS, .usage = SIGNS }, none },
        { "for servers too",
          { .permitted = { OURS }, .usage = SIGNS | GNUTLS_KEY_DIGITAL_SIGNATURE },
          "more than certificates" },
        { "for everything", { .permitted = { OURS } }, "more than certificates" },
        { "with a purpose",
          { .permitted = { OURS }, .usage = SIGNS, .purpose = true },
          "says more" },
        { "without a key id",
          { .permitted = { OURS }, .usage = SIGNS, .without_key_id = true },
          "no key id" },
        { "a host's name",
          { .permitted = { OURS }, .usage = SIGNS, .name = "example.com" },
          "its name" },
        { "ours, and more",
          { .permitted = { OURS }, .usage = SIGNS, .name = OUR_NAME "0" },
          "its name" },
        { "ours, and less",
          { .permitted = { OURS }, .usage = SIGNS, .name = "tokenbroker on this computer 0123" },
          "its name" },
    };

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        CLEANUP(cleanup_string) char *pem = make(&rows[i].plan);
        expect(rows[i].what, pem, strlen(pem), rows[i].complaint);
    }
}

static void test_texts(void **state)
{
    static const struct plan evil = { .usage = SIGNS },
                             ours = { .permitted = { OURS }, .usage = SIGNS };
    static char large[TEXT_MAX], text[TEXT_MAX];
    CLEANUP(cleanup_string) char *good = make(&ours);
    CLEANUP(cleanup_string) char *bad = make(&evil);
    const struct {
        const char *what;
        const char *parts[2];
        const char *complaint;
    } rows[] = {
        { "once", { good }, NULL },
        { "twice", { good, good }, "more than exactly one" },
        { "ours first", { good, bad }, "more than exactly one" },
        { "ours last", { bad, good }, "more than exactly one" },
        { "a line before", { "x\n", good }, "more than exactly one" },
        { "a line behind", { good, "\n" }, "more than exactly one" },
        { "another kind behind", { good, "-----BEGIN TRUSTED CERTIFICATE-----\n" }, "more than" },
        { "nothing", { "" }, "no certificate as PEM" },
        { "garbage", { "garbage\n" }, "no certificate as PEM" },
        { "nothing in it",
          { "-----BEGIN CERTIFICATE-----\n", "-----END CERTIFICATE-----\n" },
          "no certificate as PEM" },
    };

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const int length = snprintf(text, sizeof text, "%s%s", rows[i].parts[0],
                                    rows[i].parts[1] ? rows[i].parts[1] : "");
        expect(rows[i].what, text, (size_t)length, rows[i].complaint);
    }
    expect("a NUL behind", good, strlen(good) + 1, "no certificate as PEM");
    (void)snprintf(large, sizeof large, "%s", good);
    memset(large + strlen(good), '\n', CERTIFICATES_PEM_MAX);
    expect("too large", large, strlen(large), "no certificate as PEM");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ours),
        cmocka_unit_test(test_what_others_say),
        cmocka_unit_test(test_texts),
    };
    return cmocka_run_group_tests(tests, group_setup, NULL);
}

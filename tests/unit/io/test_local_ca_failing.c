/* Each call of GnuTLS finds no memory once, in turn, in everything that is made of certificates:
 * that is said, nothing half made comes out, and nobody's authority is called broken for it. Links
 * with GnuTLS's calls wrapped. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>
#include <gnutls/abstract.h>
#include <gnutls/gnutls.h>
#include <gnutls/x509-ext.h>
#include <gnutls/x509.h>

#include "io/local_ca.h"

enum { NOW_S = 1700000000, CALLS_MAX = 200 };

/* Calls until the one that fails; negative: none does. */
static int calls_left = -1;

static bool fails_now(void)
{
    return calls_left >= 0 && calls_left-- == 0;
}

#define WRAPPED(name, parameters, arguments)                                                       \
    int __real_##name parameters;                                                                  \
    int __wrap_##name parameters;                                                                  \
    int __wrap_##name parameters                                                                   \
    {                                                                                              \
        return fails_now() ? GNUTLS_E_MEMORY_ERROR : __real_##name arguments;                      \
    }

typedef gnutls_x509_crt_t crt;
typedef gnutls_x509_privkey_t key;
typedef gnutls_x509_name_constraints_t limits;
typedef gnutls_datum_t datum;

WRAPPED(gnutls_x509_crt_init, (crt * c), (c))
WRAPPED(gnutls_x509_crt_import, (crt c, const datum *d, gnutls_x509_crt_fmt_t f), (c, d, f))
WRAPPED(gnutls_x509_privkey_init, (key * k), (k))
WRAPPED(gnutls_x509_privkey_import2,
        (key k, const datum *d, gnutls_x509_crt_fmt_t f, const char *p, unsigned n),
        (k, d, f, p, n))
WRAPPED(gnutls_x509_privkey_generate, (key k, gnutls_pk_algorithm_t a, unsigned b, unsigned f),
        (k, a, b, f))
WRAPPED(gnutls_x509_privkey_export2, (key k, gnutls_x509_crt_fmt_t f, datum *d), (k, f, d))
WRAPPED(gnutls_x509_crt_export2, (crt c, gnutls_x509_crt_fmt_t f, datum *d), (c, f, d))
WRAPPED(gnutls_x509_crt_get_fingerprint, (crt c, gnutls_digest_algorithm_t a, void *b, size_t *n),
        (c, a, b, n))
WRAPPED(gnutls_x509_crt_get_dn2, (crt c, datum *d), (c, d))
WRAPPED(gnutls_x509_crt_get_key_id, (crt c, unsigned f, unsigned char *b, size_t *n), (c, f, b, n))
WRAPPED(gnutls_x509_privkey_get_key_id, (key k, unsigned f, unsigned char *b, size_t *n),
        (k, f, b, n))
WRAPPED(gnutls_x509_crt_get_subject_key_id, (crt c, void *b, size_t *n, unsigned *k), (c, b, n, k))
WRAPPED(gnutls_x509_crt_set_version, (crt c, unsigned v), (c, v))
WRAPPED(gnutls_x509_crt_set_serial, (crt c, const void *b, size_t n), (c, b, n))
WRAPPED(gnutls_x509_crt_set_activation_time, (crt c, time_t t), (c, t))
WRAPPED(gnutls_x509_crt_set_expiration_time, (crt c, time_t t), (c, t))
WRAPPED(gnutls_x509_crt_set_key, (crt c, key k), (c, k))
WRAPPED(gnutls_x509_crt_set_subject_key_id, (crt c, const void *b, size_t n), (c, b, n))
WRAPPED(gnutls_x509_crt_set_authority_key_id, (crt c, const void *b, size_t n), (c, b, n))
WRAPPED(gnutls_x509_crt_set_dn_by_oid,
        (crt c, const char *o, unsigned r, const void *b, unsigned n), (c, o, r, b, n))
WRAPPED(gnutls_x509_crt_set_basic_constraints, (crt c, unsigned a, int p), (c, a, p))
WRAPPED(gnutls_x509_crt_set_key_usage, (crt c, unsigned u), (c, u))
WRAPPED(gnutls_x509_crt_set_key_purpose_oid, (crt c, const void *o, unsigned f), (c, o, f))
WRAPPED(gnutls_x509_crt_set_subject_alt_name,
        (crt c, gnutls_x509_subject_alt_name_t t, const void *b, unsigned n, unsigned f),
        (c, t, b, n, f))
WRAPPED(gnutls_x509_crt_set_name_constraints, (crt c, limits l, unsigned f), (c, l, f))
WRAPPED(gnutls_x509_crt_sign2, (crt c, crt i, key k, gnutls_digest_algorithm_t a, unsigned f),
        (c, i, k, a, f))
WRAPPED(gnutls_x509_name_constraints_init, (limits * l), (l))
WRAPPED(gnutls_x509_name_constraints_add_permitted,
        (limits l, gnutls_x509_subject_alt_name_t t, const datum *d), (l, t, d))
WRAPPED(gnutls_x509_crt_get_extension_info, (crt c, unsigned i, void *o, size_t *n, unsigned *k),
        (c, i, o, n, k))
WRAPPED(gnutls_x509_crt_get_extension_data2, (crt c, unsigned i, datum *d), (c, i, d))
WRAPPED(gnutls_x509_ext_export_name_constraints, (limits l, datum *d), (l, d))
WRAPPED(gnutls_x509_ext_import_name_constraints, (const datum *d, limits l, unsigned f), (d, l, f))
WRAPPED(gnutls_x509_cidr_to_rfc5280, (const char *t, datum *d), (t, d))

static struct certified *authority;

static int start(void **state)
{
    bool locked;
    return secret_start(&locked) == 0 ? local_ca_new(NOW_S, &authority) : -1;
}

static int end(void **state)
{
    authority = certified_free(authority);
    return 0;
}

static int make(void)
{
    CLEANUP(cleanup_certified) struct certified *made = NULL;
    int r = local_ca_new(NOW_S, &made);
    assert_true((r == 0) == (made != NULL));
    return r;
}

static int issue(void)
{
    CLEANUP(cleanup_certified) struct certified *issued = NULL;
    int r = local_ca_issue(authority, local_ca_names, NOW_S, &issued);
    assert_true((r == 0) == (issued != NULL));
    return r;
}

static int look(void)
{
    struct certificate_facts facts = { .subject = "untouched" };
    int r = certificate_look(authority->certificate, &facts);
    assert_true((r == 0) == (facts.until_s == authority->until_s));
    return r;
}

static int check(void)
{
    struct certificate_facts facts = { .subject = "untouched" };
    struct complaint complaint = { "" };
    int r =
        local_ca_check(authority->certificate, strlen(authority->certificate), &facts, &complaint);
    assert_true((r == 0) == (facts.until_s == authority->until_s));
    return r;
}

static int pair(void)
{
    CLEANUP(cleanup_certified) struct certified *paired = NULL;
    struct complaint complaint = { "" };
    int r = certified_new(authority->certificate, authority->key, &paired, &complaint);
    assert_true((r == 0) == (paired != NULL));
    return r;
}

static void test_each_call_fails_once(void **state)
{
    static int (*const works[])(void) = { make, issue, look, check, pair };

    for (size_t i = 0; i < sizeof works / sizeof works[0]; i++) {
        int n = 0;
        for (;; n++) {
            assert_in_range(n, 0, CALLS_MAX);
            calls_left = n;
            int r = works[i]();
            bool reached = calls_left < 0;
            calls_left = -1;
            assert_int_equal(r, reached ? -ENOMEM : 0);
            if (!reached)
                break;
        }
        assert_in_range(n, 3, CALLS_MAX);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_each_call_fails_once) };

    return cmocka_run_group_tests(tests, start, end);
}

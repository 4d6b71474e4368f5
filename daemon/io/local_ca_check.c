/* Whether a certificate that somebody else brings is an authority for this computer alone: not
 * whether it is good enough, but whether it is what local_ca_new() makes, so that no two programs
 * can read different things out of it. */

#include <errno.h>
#include <string.h>

#include <gnutls/x509-ext.h>

#include "io/local_ca_private.h"

enum { OID_MAX = 64 };

#define OID_SUBJECT_KEY_ID "2.5.29.14"
#define OID_KEY_USAGE "2.5.29.15"
#define OID_BASIC_CONSTRAINTS "2.5.29.19"
#define OID_NAME_CONSTRAINTS "2.5.29.30"

static inline void cleanup_datum(gnutls_datum_t *datum)
{
    gnutls_free(datum->data);
}

static int refuse(struct complaint *complaint, const char *why)
{
    complain(complaint, "%s", why);
    return CERTIFICATE_BROKEN;
}

/* What is wrong, or that there was no memory to see it. */
static int refuse_after(int r, struct complaint *complaint, const char *why)
{
    return r == GNUTLS_E_MEMORY_ERROR ? -ENOMEM : refuse(complaint, why);
}

/* --- the text --- */

/* As it is written by us: nothing before, after or within that another reader could take for more.
 */
static int check_text(gnutls_x509_crt_t crt, const char *text, size_t length,
                      struct complaint *complaint)
{
    CLEANUP(cleanup_datum) gnutls_datum_t own = { 0 };
    int r = gnutls_x509_crt_export2(crt, GNUTLS_X509_FMT_PEM, &own);

    if (r < 0)
        return refuse_after(r, complaint, "it cannot be written as PEM");
    if (own.size != length || memcmp(own.data, text, length) != 0)
        return refuse(complaint, "it is more than exactly one certificate as PEM");
    return 0;
}

/* --- the constraints --- */

static bool is_permitted(gnutls_x509_name_constraints_t constraints, unsigned wanted_type,
                         const gnutls_datum_t *wanted)
{
    gnutls_datum_t name;
    unsigned type;

    for (unsigned i = 0;
         gnutls_x509_name_constraints_get_permitted(constraints, i, &type, &name) == 0; i++)
        if (type == wanted_type && name.size == wanted->size &&
            memcmp(name.data, wanted->data, name.size) == 0)
            return true;
    return false;
}

/* All of ours are in it, and it is not longer: so nothing else is. The order is the library's. */
static int compare_constraints(const gnutls_datum_t *der, bool *ret_same)
{
    CLEANUP(cleanup_constraints) gnutls_x509_name_constraints_t ours = NULL, theirs = NULL;
    CLEANUP(cleanup_datum) gnutls_datum_t own = { 0 };
    gnutls_datum_t name;
    unsigned type;
    int r = local_ca_constraints(&ours);

    if (r == 0)
        r = gnutls_x509_ext_export_name_constraints(ours, &own);
    if (r == 0)
        r = gnutls_x509_name_constraints_init(&theirs);
    if (r == 0)
        r = gnutls_x509_ext_import_name_constraints(der, theirs, 0);
    if (r < 0)
        return r;
    *ret_same = own.size == der->size;
    for (unsigned i = 0; gnutls_x509_name_constraints_get_permitted(ours, i, &type, &name) == 0;
         i++)
        *ret_same = *ret_same && is_permitted(theirs, type, &name);
    return 0;
}

static int check_constraints(const gnutls_datum_t *der, struct complaint *complaint)
{
    static const char wider[] = "it can vouch for other names than localhost, 127.0.0.0/8 and ::1";
    bool same = false;
    int r = compare_constraints(der, &same);

    if (r < 0)
        return refuse_after(r, complaint, wider);
    return same ? 0 : refuse(complaint, wider);
}

/* --- the extensions --- */

/* Each has to be there once, and no other. */
struct extension {
    const char *oid;
    bool critical;
    const char *der; /* NULL: it may be any */
    size_t length;
    const char *wrong;
};

static const struct extension extensions[] = {
    { OID_BASIC_CONSTRAINTS, true, "\x30\x06\x01\x01\xFF\x02\x01\x00", 8,
      "it is no certificate authority, or not one without authorities below it" },
    { OID_KEY_USAGE, true, "\x03\x02\x02\x04", 4, "its key is for more than certificates" },
    { OID_NAME_CONSTRAINTS, true, NULL, 0,
      "it has no critical name constraints: it can vouch for any name" },
    { OID_SUBJECT_KEY_ID, false, NULL, 0, "it has no key id" },
};

enum { EXTENSIONS = sizeof extensions / sizeof *extensions };

static const struct extension *find_extension(const char *oid)
{
    for (size_t i = 0; i < EXTENSIONS; i++)
        if (strcmp(extensions[i].oid, oid) == 0)
            return &extensions[i];
    return NULL;
}

/* The one at that place, which counts in seen. */
static int check_extension(gnutls_x509_crt_t crt, unsigned at, const char *oid, bool critical,
                           unsigned *seen, struct complaint *complaint)
{
    CLEANUP(cleanup_datum) gnutls_datum_t der = { 0 };
    const struct extension *extension = find_extension(oid);

    if (!extension)
        return refuse(complaint, "it says more than an authority of tokenbroker does");
    const unsigned bit = 1U << (extension - extensions);
    int r = gnutls_x509_crt_get_extension_data2(crt, at, &der);
    if (r < 0)
        return refuse_after(r, complaint, extension->wrong);
    if (critical != extension->critical || (*seen & bit) != 0 ||
        (extension->der &&
         (der.size != extension->length || memcmp(der.data, extension->der, der.size) != 0)))
        return refuse(complaint, extension->wrong);
    *seen |= bit;
    return strcmp(oid, OID_NAME_CONSTRAINTS) == 0 ? check_constraints(&der, complaint) : 0;
}

static int check_missing(unsigned seen, struct complaint *complaint)
{
    for (size_t i = 0; i < EXTENSIONS; i++)
        if ((seen & 1U << i) == 0)
            return refuse(complaint, extensions[i].wrong);
    return 0;
}

static int check_extensions(gnutls_x509_crt_t crt, struct complaint *complaint)
{
    unsigned seen = 0, critical = 0;

    for (unsigned at = 0;; at++) {
        char oid[OID_MAX] = "";
        size_t size = sizeof oid;
        int r = gnutls_x509_crt_get_extension_info(crt, at, oid, &size, &critical);
        if (r == GNUTLS_E_REQUESTED_DATA_NOT_AVAILABLE)
            return check_missing(seen, complaint);
        if (r < 0)
            return refuse_after(r, complaint, "its extensions cannot be read");
        r = check_extension(crt, at, oid, critical != 0, &seen, complaint);
        if (r != 0)
            return r;
    }
}

/* --- the name --- */

/* A name that could be a host's would be one, for who takes the authority itself for a server. */
static bool is_our_subject(const char *subject)
{
    static const char before[] = "O=" LOCAL_CA_ORGANIZATION ",CN=" LOCAL_CA_COMMON_NAME;
    const char *tag = subject + sizeof before - 1;

    return strncmp(subject, before, sizeof before - 1) == 0 &&
           strspn(tag, "0123456789abcdef") == (size_t)2 * LOCAL_CA_TAG_BYTES &&
           strlen(tag) == (size_t)2 * LOCAL_CA_TAG_BYTES;
}

static int take_facts(gnutls_x509_crt_t crt, struct certificate_facts *ret,
                      struct complaint *complaint)
{
    struct certificate_facts facts;
    int r = local_ca_facts(crt, &facts);

    if (r < 0)
        return r;
    if (!is_our_subject(facts.subject))
        return refuse(complaint, "its name is not that of an authority of tokenbroker");
    *ret = facts;
    return 0;
}

int local_ca_check(const char *text, size_t length, struct certificate_facts *ret,
                   struct complaint *complaint)
{
    static const char unreadable[] = "it is no certificate as PEM";
    CLEANUP(cleanup_crt) gnutls_x509_crt_t crt = NULL;

    if (strlen(text) != length)
        return refuse(complaint, unreadable);
    int r = local_ca_read(text, &crt);
    if (r != 0)
        return r < 0 ? r : refuse(complaint, unreadable);
    r = check_text(crt, text, length, complaint);
    if (r == 0)
        r = check_extensions(crt, complaint);
    return r == 0 ? take_facts(crt, ret, complaint) : r;
}

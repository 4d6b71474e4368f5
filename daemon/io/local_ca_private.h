#pragma once

/* What the files of the certificate authority share. */

#include <gnutls/x509.h>

#include "io/local_ca.h"

#define LOCAL_CA_ORGANIZATION "tokenbroker"
#define LOCAL_CA_COMMON_NAME "tokenbroker on this computer " /* and a tag in hex */
enum { LOCAL_CA_TAG_BYTES = 4 };

DEFINE_CLEANUP(gnutls_x509_crt_t, crt, gnutls_x509_crt_deinit)

static inline void cleanup_constraints(gnutls_x509_name_constraints_t *constraints)
{
    if (*constraints)
        gnutls_x509_name_constraints_deinit(*constraints);
}

/* The first certificate of a PEM text, owned by the caller. Returns 0, CERTIFICATE_BROKEN or
 * -errno. */
int local_ca_read(const char *pem, gnutls_x509_crt_t *ret);

/* The facts of a certificate. Returns 0 or -errno. */
int local_ca_facts(gnutls_x509_crt_t crt, struct certificate_facts *ret);

/* What our authorities may vouch for, owned by the caller. Returns 0 or GnuTLS's error. */
int local_ca_constraints(gnutls_x509_name_constraints_t *ret);

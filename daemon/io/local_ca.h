#pragma once

/*
 * A certificate authority for this machine's own callback, and the certificates it issues. Pure
 * functions over PEM texts: nothing is read or written here. The authority is name-constrained
 * (critical; RFC 5280 4.2.1.10) to localhost, 127.0.0.0/8 and ::1, so that who trusts it, or steals
 * its key, gets no other name out of it.
 */

#include <stdint.h>

#include "base/error.h"
#include "base/secret.h"

enum {
    LOCAL_CA_LIFETIME_DAYS = 3650,
    LOCAL_LEAF_LIFETIME_DAYS = 60,
    LOCAL_CA_BACKDATED_S = 60 * 60,
    LOCAL_CA_NAMES_MAX = 8,
    CERTIFICATES_PEM_MAX = 64 * 1024,  /* a chain, as it comes from a file */
    CERTIFICATE_FINGERPRINT_SIZE = 65, /* SHA-256 of the DER in hex, and NUL */
    CERTIFICATE_SUBJECT_SIZE = 128,
};

enum { CERTIFICATE_BROKEN = 1 };

/* A certificate (or a chain, its own first) and its key. Times are the wall clock's, in seconds. */
struct certified {
    char *certificate;  /* PEM */
    struct secret *key; /* PEM */
    int64_t from_s;
    int64_t until_s;
};

/* What may be told of a certificate. */
struct certificate_facts {
    char fingerprint[CERTIFICATE_FINGERPRINT_SIZE];
    char subject[CERTIFICATE_SUBJECT_SIZE]; /* "CN=…", cut where it is longer */
    int64_t from_s;
    int64_t until_s;
};

/* "localhost", "127.0.0.1", "::1"; ends with NULL. */
extern const char *const local_ca_names[];

/* A new P-256 authority, valid from now. The caller owns *ret. Returns 0 or -errno. */
int local_ca_new(int64_t now_s, struct certified **ret);

/* A P-256 server certificate for names (addresses or DNS names, NULL-ended) of at most
 * LOCAL_LEAF_LIFETIME_DAYS, ending with its authority at the latest. The names are not held against
 * the constraints: that is what browsers do. Returns 0, CERTIFICATE_BROKEN (the authority is none)
 * or -errno. */
int local_ca_issue(const struct certified *authority, const char *const *names, int64_t now_s,
                   struct certified **ret);

/* Puts a pair together from its texts, of which it takes copies. CERTIFICATE_BROKEN, with a
 * complaint: one cannot be read, or the key is another certificate's. Returns 0 or -errno. */
int certified_new(const char *certificate, const struct secret *key, struct certified **ret,
                  struct complaint *complaint);

/* The facts of a PEM text's first certificate. Returns 0, CERTIFICATE_BROKEN or -errno. */
int certificate_look(const char *certificate, struct certificate_facts *ret);

/* Whether a text of that length (and a NUL behind it) is exactly one certificate as PEM, of an
 * authority as local_ca_new() makes them: critically constrained to this computer's own names, with
 * no authority below it. Sets its facts. Returns 0, CERTIFICATE_BROKEN (complaint says why it is
 * none) or -errno. */
int local_ca_check(const char *text, size_t length, struct certificate_facts *ret,
                   struct complaint *complaint);

/* Wipes and frees; NULL and half-built ones are fine; returns NULL. */
struct certified *certified_free(struct certified *certified);

DEFINE_CLEANUP(struct certified *, certified, certified_free)

#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "client/text.h"

/*
 * Who trusts the broker's certificate authority: databases of browsers (NSS) in the home, and the
 * system's store. What is ours there is known by the authority's fingerprint, which is part of its
 * name.
 */

enum {
    TRUST_FINGERPRINT_SIZE = 64 + 1, /* SHA-256 in lower-case hex */
    TRUST_NAME_SIZE = 96,
    TRUST_SUBJECT_SIZE = 128,
    TRUST_DAY_SIZE = 16,
    TRUST_PLACES_MAX = 64,
};

struct trust {
    char fingerprint[TRUST_FINGERPRINT_SIZE];
    char name[TRUST_NAME_SIZE]; /* by which it is found again */
    struct text certificate;    /* PEM; "" where it is to be removed alone */
    /* By trust_check(). */
    char until[TRUST_DAY_SIZE]; /* the day of its end */
    char subject[TRUST_SUBJECT_SIZE];
};

/* A place that may hold it. */
struct trust_place {
    char *path;  /* of the database's folder, or of the system's file */
    bool exists; /* else it would be made */
};

struct trust_places {
    struct trust_place rows[TRUST_PLACES_MAX];
    size_t count;
};

/* Takes a fingerprint in hex; false when it is none. The name follows from it. */
bool trust_name(struct trust *trust, const char *fingerprint);

/* Has the tokenbrokerd that was installed with this command look at the certificate: whether it is
 * exactly one, has that fingerprint, and is an authority that vouches for this computer alone.
 * False when it was said why not. Whoever answers on the socket is not believed. */
bool trust_check(struct trust *trust);

/* Adds a place; false when memory is short or there are too many. The path is copied. */
bool trust_add_place(struct trust_places *places, const char *path, bool exists);

/* Frees the rows. */
void trust_places_release(struct trust_places *places);

static inline void cleanup_trust_places(struct trust_places *places)
{
    trust_places_release(places);
}

/* What can be done with a place. Each says on stderr what went wrong. */
struct trust_kind {
    /* Finds the places below the home; with_new also the one that would be made. */
    bool (*find)(const struct trust *trust, bool with_new, struct trust_places *places);
    /* What is missing to change anything, as a sentence; NULL: nothing. */
    const char *(*missing)(void);
    bool (*holds)(const struct trust *trust, const struct trust_place *place);
    bool (*install)(const struct trust *trust, const struct trust_place *place);
    bool (*remove)(const struct trust *trust, const struct trust_place *place);
};

/* The databases of the user's browsers, by certutil(1). */
extern const struct trust_kind trust_nss;

/* The system's store, by update-ca-certificates(8). */
extern const struct trust_kind trust_system;

#pragma once

/*
 * Tokens, codes, client secrets, verifiers. A secret lies in one capped, locked, never dumped
 * region, is wiped when freed, and cannot be printed: secret_reveal() is the only way to its bytes
 * and a test lists the few files that may call it. Safe to use from every thread; one secret
 * belongs to one thread at a time.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/cleanup.h"

enum {
    SECRET_MAX = 32 * 1024,              /* one secret */
    SECRET_REGION_MAX = 8 * 1024 * 1024, /* all of them together */
    SECRET_RANDOM_MAX = 256,             /* bytes of secret_random() */

    /* The region's shares. The front's cache keeps to one half. A room is taken only where so much
     * stays free after it, so that tokens which live can be served whatever is on the wire; the
     * first request of each provider, and what a person waits for, may go deeper, so that no other
     * provider's requests keep it from being sent. */
    SECRET_FREE_BESIDE_ROOMS = SECRET_REGION_MAX / 4,
    SECRET_FREE_BESIDE_FIRST = SECRET_REGION_MAX / 8,
    SECRET_ROOM_SECRETS = 2,   /* a reply's access token and refresh token */
    FINGERPRINT_SIZE = 43 + 1, /* base64url of SHA-256, and NUL */
};

struct secret;

/*
 * Starts libsodium and sets the region up; call once before any other function here and before any
 * thread. Where the kernel refuses to lock that much, *ret_locked is false and all else works. Once
 * more is harmless. A child of fork() does not have the region: it may only go on to exec. Returns
 * 0 or -errno.
 */
int secret_start(bool *ret_locked);

/* A copy of the bytes (a NUL inside is refused). Returns 0, -EINVAL, -E2BIG or -ENOMEM. */
int secret_new(const char *bytes, size_t length, struct secret **ret);

/* random_bytes random bytes as base64url without padding (RFC 4648 5). Returns 0, -E2BIG (more than
 * SECRET_RANDOM_MAX) or -ENOMEM. */
int secret_random(size_t random_bytes, struct secret **ret);

/* A second secret with the same bytes; NULL is no secret: *ret stays as it is. Returns 0 or -errno.
 */
int secret_copy(const struct secret *secret, struct secret **ret);

/* Wipes and frees; NULL is fine; returns NULL. */
struct secret *secret_free(struct secret *secret);

/* Room for SECRET_ROOM_SECRETS secrets of that length at most, taken before that is asked for which
 * must not be lost for want of it; so many bytes stay free beside it. Returns 0, -E2BIG or
 * -ENOMEM. */
struct secret_room;
int secret_room_new(size_t length, size_t free_beside, struct secret_room **ret);
/* Gives back what was not used; NULL is fine; returns NULL. */
struct secret_room *secret_room_free(struct secret_room *room);

/* From here to secret_room_leave() new secrets of this thread that find no other place take the
 * room's; NULL: there is none. */
void secret_room_enter(struct secret_room *room);
void secret_room_leave(void);

/* The number of bytes, without the NUL. */
size_t secret_length(const struct secret *secret);

/* The bytes, followed by a NUL. They go to a wire or a sealed blob, and nowhere else. */
const char *secret_reveal(const struct secret *secret);

/* In constant time for equal lengths. NULL equals nothing. */
bool secret_equal(const struct secret *a, const struct secret *b);
bool secret_equal_bytes(const struct secret *secret, const char *bytes, size_t length);

/* What may be printed in a secret's stead: base64url of its SHA-256. Returns out. */
const char *secret_fingerprint(const struct secret *secret, char out[static FINGERPRINT_SIZE]);

/* base64url of SHA-256 of public bytes (PKCE's S256 challenge among them). Returns out. */
const char *digest_text(const void *bytes, size_t length, char out[static FINGERPRINT_SIZE]);

/* Standard base64 with padding (HTTP Basic, CSP hashes), appended. */
void buffer_append_base64(struct buffer *out, const void *bytes, size_t length);

/* The bytes of such a text, appended; false when it is none (some bytes may be appended then). */
bool buffer_append_unbase64(struct buffer *out, const char *text);

/* The raw SHA-256 of public bytes. */
void digest_sha256(const void *bytes, size_t length, unsigned char out[static 32]);

/* Whether two digests of digest_sha256() are the same, in constant time. */
bool digests_equal(const unsigned char a[static 32], const unsigned char b[static 32]);

/* Fills with random bytes of the kernel's generator. */
void random_bytes(void *out, size_t length);

/* A uniform random number in [0, bound); bound > 0. For jitter. */
uint32_t random_below(uint32_t bound);

DEFINE_CLEANUP(struct secret *, secret, secret_free)
DEFINE_CLEANUP(struct secret_room *, secret_room, secret_room_free)

#pragma once

/* Sealing of what lies on disk: XChaCha20-Poly1305 with the place it belongs to bound in. */

#include <stdbool.h>
#include <stddef.h>

#include "base/buffer.h"
#include "base/secret.h"

enum { SEAL_KEY_BYTES = 32, SEAL_OVERHEAD = 1 + 8 + 24 + 16, SEAL_PLAIN_MAX = 256 * 1024 };
enum { SEAL_KEY_ID_SIZE = 2 * 8 + 1 };
enum { SEAL_BROKEN = 1 };

struct seal_key;

/* The key lies in libsodium's guarded memory. Returns 0 or -ENOMEM. */
int seal_key_new(const unsigned char bytes[static SEAL_KEY_BYTES], struct seal_key **ret);

/*
 * The key from a file: 32 raw bytes, or 64 hex digits, or 43/44 base64 characters with an optional
 * newline. With create, a missing file is made (0600, random, synced with its folder). Refused with
 * a complaint: a file that others may use or own, of another size, a missing one without create.
 * Returns 0 or -errno.
 */
int seal_key_from_file(const char *path, bool create, struct seal_key **ret,
                       struct complaint *complaint);
/* The same forms, from bytes already read. -EINVAL when they are none of them. */
int seal_key_from_text(const struct secret *text, struct seal_key **ret);

/* Wipes and frees; NULL is fine; returns NULL. */
struct seal_key *seal_key_free(struct seal_key *key);

/* Overwrites and removes the file of a key; one that is not there is fine. Returns 0 or -errno. */
int seal_key_file_wipe(const char *path);
/* The same to path, which `by` takes the place of: until then it is found under its own name. */
int seal_key_file_replace(const char *path, const char *by);

/* What older sealed can be opened too from now on. Takes older over; NULL: nothing else. */
void seal_key_set_older(struct seal_key *key, struct seal_key *older);

/* Whether they are the same key, whatever older ones they have with them. */
bool seal_key_equal(const struct seal_key *a, const struct seal_key *b);

/* The key's id in hex, of SEAL_KEY_ID_SIZE - 1 digits: it says nothing of the key to who does not
 * have it. */
void seal_key_id(const struct seal_key *key, char out[static SEAL_KEY_ID_SIZE]);

/* A text by which a key is known again: *ret is freed by the caller. Returns 0 or -ENOMEM. */
int seal_key_prove(const struct seal_key *key, char **ret);
bool seal_key_fits(const struct seal_key *key, const char *proof);

/* Appends version, the key's id, nonce and sealed bytes. context is bound in, not stored. Returns
 * 0, -E2BIG (more than SEAL_PLAIN_MAX) or -ENOMEM. */
int seal(const struct seal_key *key, const char *context, const void *plain, size_t length,
         struct buffer *out);

/* Appends the plain bytes. Returns 0, SEAL_BROKEN (another key, another context, or changed bytes)
 * or -ENOMEM. */
int unseal(const struct seal_key *key, const char *context, const void *sealed, size_t length,
           struct buffer *out);

/* Whether the key itself sealed it, not an older one, nor a version without ids. */
bool seal_is_by(const struct seal_key *key, const void *sealed, size_t length);

/* Appends what the key or an older one sealed, sealed by the key. Returns as unseal() does. */
int seal_again(const struct seal_key *key, const char *context, const void *sealed, size_t length,
               struct buffer *out);

DEFINE_CLEANUP(struct seal_key *, seal_key, seal_key_free)

#include "io/seal.h"

#include <errno.h>
#include <sodium.h>
#include <string.h>

#include "base/cleanup.h"

enum {
    /* The first byte of all that is sealed: whether the key's id follows. */
    VERSION_BEFORE_IDS = 1,
    VERSION = 2,
    ID_BYTES = 8,
    OVERHEAD_BEFORE_IDS = SEAL_OVERHEAD - ID_BYTES,
    NONCE_BYTES = crypto_aead_xchacha20poly1305_ietf_NPUBBYTES,
    TAG_BYTES = crypto_aead_xchacha20poly1305_ietf_ABYTES,
};

_Static_assert(SEAL_OVERHEAD == 1 + ID_BYTES + NONCE_BYTES + TAG_BYTES, "the header promises it");
_Static_assert(SEAL_KEY_ID_SIZE == 2 * ID_BYTES + 1, "the header promises it");
_Static_assert(SEAL_KEY_BYTES == crypto_aead_xchacha20poly1305_ietf_KEYBYTES, "one key size");

struct seal_key {
    unsigned char bytes[SEAL_KEY_BYTES];
    unsigned char id[ID_BYTES]; /* says nothing of the key to who does not have it */
    struct seal_key *older;     /* what it sealed can still be opened; NULL: none */
};

static void name_key(struct seal_key *key)
{
    enum { SUBKEY = 1 };
    unsigned char subkey[crypto_kdf_BYTES_MIN];

    _Static_assert(SEAL_KEY_BYTES == crypto_kdf_KEYBYTES, "the key is a master key of its id");
    /* It fails for wrong sizes alone. */
    (void)crypto_kdf_derive_from_key(subkey, sizeof(subkey), SUBKEY, "tb keyid", key->bytes);
    memcpy(key->id, subkey, ID_BYTES);
    sodium_memzero(subkey, sizeof(subkey));
}

int seal_key_new(const unsigned char bytes[static SEAL_KEY_BYTES], struct seal_key **ret)
{
    struct seal_key *key;

    /* Guarded memory needs it; harmless when it ran before. */
    if (sodium_init() < 0)
        return -ENOMEM;
    key = sodium_malloc(sizeof(*key));
    if (!key)
        return -ENOMEM;
    memcpy(key->bytes, bytes, SEAL_KEY_BYTES);
    key->older = NULL;
    name_key(key);
    /* More protection, not a condition: a key that could be written still seals. */
    (void)sodium_mprotect_readonly(key);
    *ret = key;
    return 0;
}

struct seal_key *seal_key_free(struct seal_key *key)
{
    if (!key)
        return NULL;
    seal_key_free(key->older);
    sodium_free(key);
    return NULL;
}

void seal_key_set_older(struct seal_key *key, struct seal_key *older)
{
    if (sodium_mprotect_readwrite(key) < 0)
        abort(); /* the next line would crash */
    seal_key_free(key->older);
    key->older = older;
    (void)sodium_mprotect_readonly(key);
}

bool seal_key_equal(const struct seal_key *a, const struct seal_key *b)
{
    return sodium_memcmp(a->bytes, b->bytes, SEAL_KEY_BYTES) == 0;
}

void seal_key_id(const struct seal_key *key, char out[static SEAL_KEY_ID_SIZE])
{
    (void)sodium_bin2hex(out, SEAL_KEY_ID_SIZE, key->id, ID_BYTES);
}

int seal(const struct seal_key *key, const char *context, const void *plain, size_t length,
         struct buffer *out)
{
    unsigned char *sealed, *nonce;

    if (length > SEAL_PLAIN_MAX)
        return -E2BIG;
    sealed = malloc(length + SEAL_OVERHEAD);
    if (!sealed)
        return -ENOMEM;
    sealed[0] = VERSION;
    memcpy(sealed + 1, key->id, ID_BYTES);
    nonce = sealed + 1 + ID_BYTES;
    randombytes_buf(nonce, NONCE_BYTES);
    /* libsodium's encryption of so few bytes cannot fail. */
    (void)crypto_aead_xchacha20poly1305_ietf_encrypt(nonce + NONCE_BYTES, NULL, plain, length,
                                                     (const unsigned char *)context,
                                                     strlen(context), NULL, nonce, key->bytes);
    buffer_append(out, sealed, length + SEAL_OVERHEAD);
    free(sealed);
    return out->failed ? -ENOMEM : 0;
}

bool seal_is_by(const struct seal_key *key, const void *sealed, size_t length)
{
    const unsigned char *bytes = sealed;

    return length >= SEAL_OVERHEAD && bytes[0] == VERSION &&
           memcmp(bytes + 1, key->id, ID_BYTES) == 0;
}

/* nonce, sealed bytes and tag, as they lie there. */
static int open_with(const struct seal_key *key, const char *context, const unsigned char *nonce,
                     size_t length, struct buffer *out)
{
    const size_t plain_length = length - NONCE_BYTES - TAG_BYTES;
    unsigned char *plain = malloc(plain_length + 1); /* never of 0 bytes */
    int r = SEAL_BROKEN;

    if (!plain)
        return -ENOMEM;
    if (crypto_aead_xchacha20poly1305_ietf_decrypt(
            plain, NULL, NULL, nonce + NONCE_BYTES, length - NONCE_BYTES,
            (const unsigned char *)context, strlen(context), nonce, key->bytes) == 0) {
        buffer_append(out, plain, plain_length);
        r = out->failed ? -ENOMEM : 0;
    }
    sodium_memzero(plain, plain_length);
    free(plain);
    return r;
}

int unseal(const struct seal_key *key, const char *context, const void *sealed, size_t length,
           struct buffer *out)
{
    const unsigned char *bytes = sealed;
    bool named;
    size_t head;
    int r = SEAL_BROKEN;

    if (length < OVERHEAD_BEFORE_IDS || length > SEAL_PLAIN_MAX + SEAL_OVERHEAD)
        return SEAL_BROKEN;
    named = bytes[0] == VERSION;
    if ((!named && bytes[0] != VERSION_BEFORE_IDS) || (named && length < SEAL_OVERHEAD))
        return SEAL_BROKEN;
    head = named ? 1 + ID_BYTES : 1;
    for (; key && r == SEAL_BROKEN; key = key->older)
        if (!named || seal_is_by(key, sealed, length))
            r = open_with(key, context, bytes + head, length - head, out);
    return r;
}

int seal_again(const struct seal_key *key, const char *context, const void *sealed, size_t length,
               struct buffer *out)
{
    CLEANUP(cleanup_buffer) struct buffer plain = BUFFER_WITH_MAXIMUM(SEAL_PLAIN_MAX);
    int r = unseal(key, context, sealed, length, &plain);

    return r == 0 ? seal(key, context, plain.data, plain.length, out) : r;
}

static const char proof_text[] = "tokenbroker key proof 1";
static const char proof_context[] = "key proof";
enum { PROOF_MAX = 512 };

int seal_key_prove(const struct seal_key *key, char **ret)
{
    CLEANUP(cleanup_buffer) struct buffer sealed = BUFFER_WITH_MAXIMUM(PROOF_MAX);
    CLEANUP(cleanup_buffer) struct buffer text = BUFFER_WITH_MAXIMUM(PROOF_MAX);
    int r = seal(key, proof_context, proof_text, sizeof(proof_text) - 1, &sealed);

    if (r < 0)
        return r;
    buffer_append_base64(&text, sealed.data, sealed.length);
    *ret = text.failed ? NULL : buffer_steal_text(&text);
    return *ret ? 0 : -ENOMEM;
}

bool seal_key_fits(const struct seal_key *key, const char *proof)
{
    CLEANUP(cleanup_buffer) struct buffer sealed = BUFFER_WITH_MAXIMUM(PROOF_MAX);
    CLEANUP(cleanup_buffer) struct buffer plain = BUFFER_WITH_MAXIMUM(PROOF_MAX);

    return buffer_append_unbase64(&sealed, proof) &&
           unseal(key, proof_context, sealed.data, sealed.length, &plain) == 0 &&
           strcmp(buffer_text(&plain), proof_text) == 0;
}

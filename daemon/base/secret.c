#include "base/secret.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#if defined(__SANITIZE_ADDRESS__)
#define HAVE_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define HAVE_ASAN 1
#endif
#endif
#ifdef HAVE_ASAN
#include <sanitizer/asan_interface.h>
#define POISON(at, length) ASAN_POISON_MEMORY_REGION(at, length)
#define UNPOISON(at, length) ASAN_UNPOISON_MEMORY_REGION(at, length)
#else
#define POISON(at, length) ((void)0)
#define UNPOISON(at, length) ((void)0)
#endif

/*
 * The region is cut into chunks. A chunk holds slots of one size while one of its slots is in use,
 * and is free for any size after. Which slots are in use is kept outside the region, so that a
 * free slot holds nothing but zeros.
 */
struct secret {
    uint32_t length;
    char bytes[];
};

enum {
    CHUNK_SIZE = 128 * 1024,
    CHUNKS = SECRET_REGION_MAX / CHUNK_SIZE,
    SLOT_MIN = 64,
    SLOT_MAX = SECRET_MAX + SLOT_MIN, /* a longest secret with its length and NUL */
    SLOTS_MAX = CHUNK_SIZE / SLOT_MIN,
    WORD_BITS = 64,
    LOCK_MIN = 64 * 1024, /* the usual limit of older kernels */
};

static_assert(SECRET_REGION_MAX % CHUNK_SIZE == 0, "chunks fill the region");
static_assert(SLOT_MAX >= sizeof(struct secret) + SECRET_MAX + 1, "a longest secret fits");

struct chunk {
    size_t slot_size; /* 0: free */
    size_t used;
    uint64_t in_use[SLOTS_MAX / WORD_BITS];
};

struct secret_room {
    size_t slot_size; /* what a slot of it holds at the least */
    size_t count;
    char *slots[SECRET_ROOM_SECRETS];
};

static _Thread_local struct secret_room *entered;

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER; /* guards chunks */
static struct chunk chunks[CHUNKS];
static char *region; /* set once, before any thread starts */
static bool region_locked;

/* Pages are locked as they are touched; where the limit is low, at least the first, used first. */
static bool lock_region(char *at)
{
    for (size_t length = SECRET_REGION_MAX; length >= LOCK_MIN; length /= 2)
        if (mlock2(at, length, MLOCK_ONFAULT) == 0)
            return length == SECRET_REGION_MAX;
    return false;
}

int secret_start(bool *ret_locked)
{
    char *mapped;

    if (region) {
        *ret_locked = region_locked;
        return 0;
    }
    if (sodium_init() < 0)
        return -EIO;
    mapped =
        mmap(NULL, SECRET_REGION_MAX, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (mapped == MAP_FAILED)
        return -errno;
    /* A forked child (a hook, a command on its way to exec) has nothing to look for here: without
     * the pages a slip faults at once, where wiped pages would read as empty secrets. */
    if (madvise(mapped, SECRET_REGION_MAX, MADV_DONTDUMP) < 0 ||
        madvise(mapped, SECRET_REGION_MAX, MADV_DONTFORK) < 0) {
        int r = -errno;
        (void)munmap(mapped, SECRET_REGION_MAX);
        return r;
    }
    region_locked = lock_region(mapped);
    POISON(mapped, SECRET_REGION_MAX);
    region = mapped;
    *ret_locked = region_locked;
    return 0;
}

static size_t slot_size_for(size_t bytes)
{
    size_t size = SLOT_MIN;

    while (size < bytes && size < SLOT_MAX)
        size *= 2;
    return size < SLOT_MAX ? size : SLOT_MAX;
}

/* The chunk must have a free slot. */
static size_t claim_slot(struct chunk *chunk)
{
    size_t word = 0;
    size_t bit;

    while (chunk->in_use[word] == UINT64_MAX)
        word++;
    bit = (size_t)__builtin_ctzll(~chunk->in_use[word]);
    chunk->in_use[word] |= UINT64_C(1) << bit;
    chunk->used++;
    return word * WORD_BITS + bit;
}

static size_t free_slots(const struct chunk *chunk)
{
    return CHUNK_SIZE / chunk->slot_size - chunk->used;
}

/* The first chunk of that size with a free slot, else a free chunk, else one of larger slots; NULL
 * when the region is full. */
static struct chunk *find_chunk(size_t slot_size)
{
    struct chunk *unused = NULL;
    struct chunk *larger = NULL;

    for (size_t i = 0; i < CHUNKS; i++) {
        struct chunk *chunk = &chunks[i];

        if (chunk->slot_size == 0)
            unused = unused ? unused : chunk;
        else if (chunk->slot_size == slot_size && free_slots(chunk) > 0)
            return chunk;
        else if (chunk->slot_size > slot_size && free_slots(chunk) > 0)
            larger = larger ? larger : chunk;
    }
    if (unused)
        unused->slot_size = slot_size;
    return unused ? unused : larger;
}

/* Under the mutex. NULL when the region is full. */
static char *take_slot(size_t slot_size)
{
    struct chunk *chunk = find_chunk(slot_size);

    if (!chunk)
        return NULL;
    return region + (size_t)(chunk - chunks) * CHUNK_SIZE + claim_slot(chunk) * chunk->slot_size;
}

/* A slot of the room that this thread has entered, if there is one. */
static char *slot_of_room(size_t bytes)
{
    if (!entered || entered->count == 0 || bytes > entered->slot_size)
        return NULL;
    return entered->slots[--entered->count];
}

static char *slot_new(size_t bytes)
{
    char *slot;

    (void)pthread_mutex_lock(&mutex); /* cannot fail: never locked twice by one thread */
    slot = take_slot(slot_size_for(bytes));
    (void)pthread_mutex_unlock(&mutex);
    if (!slot)
        slot = slot_of_room(bytes);
    if (slot)
        UNPOISON(slot, bytes);
    return slot;
}

/* Frees what slot_new() returned. A slot that is not in use is a double free: better to stop. */
static void slot_free(char *slot)
{
    size_t offset = (size_t)(slot - region);
    struct chunk *chunk = &chunks[offset / CHUNK_SIZE];
    uint64_t mask;
    size_t index;

    (void)pthread_mutex_lock(&mutex);
    index = chunk->slot_size ? offset % CHUNK_SIZE / chunk->slot_size : 0;
    mask = UINT64_C(1) << index % WORD_BITS;
    if (!(chunk->in_use[index / WORD_BITS] & mask))
        abort();
    chunk->in_use[index / WORD_BITS] &= ~mask;
    if (--chunk->used == 0)
        chunk->slot_size = 0;
    (void)pthread_mutex_unlock(&mutex);
}

/* A secret of that length whose bytes are zeros. */
static int allocate(size_t length, struct secret **ret)
{
    struct secret *secret;

    if (length > SECRET_MAX)
        return -E2BIG;
    secret = (struct secret *)slot_new(sizeof(struct secret) + length + 1);
    if (!secret)
        return -ENOMEM;
    secret->length = (uint32_t)length;
    *ret = secret;
    return 0;
}

int secret_new(const char *bytes, size_t length, struct secret **ret)
{
    struct secret *secret;
    int r;

    if (length > SECRET_MAX)
        return -E2BIG;
    if (length > 0 && memchr(bytes, '\0', length))
        return -EINVAL;
    r = allocate(length, &secret);
    if (r < 0)
        return r;
    if (length > 0)
        memcpy(secret->bytes, bytes, length);
    *ret = secret;
    return 0;
}

int secret_random(size_t random_count, struct secret **ret)
{
    enum { VARIANT = sodium_base64_VARIANT_URLSAFE_NO_PADDING };
    unsigned char raw[SECRET_RANDOM_MAX];
    struct secret *secret;
    int r;

    if (random_count > sizeof(raw))
        return -E2BIG;
    r = allocate(sodium_base64_encoded_len(random_count, VARIANT) - 1, &secret);
    if (r < 0)
        return r;
    randombytes_buf(raw, random_count);
    (void)sodium_bin2base64(secret->bytes, secret->length + 1, raw, random_count, VARIANT);
    sodium_memzero(raw, sizeof(raw));
    *ret = secret;
    return 0;
}

int secret_copy(const struct secret *secret, struct secret **ret)
{
    return secret ? secret_new(secret->bytes, secret->length, ret) : 0;
}

struct secret *secret_free(struct secret *secret)
{
    size_t bytes;

    if (!secret)
        return NULL;
    bytes = sizeof(struct secret) + secret->length + 1;
    sodium_memzero(secret, bytes);
    POISON(secret, bytes);
    slot_free((char *)secret);
    return NULL;
}

/* How many bytes secrets that need such a slot may still take. Under the mutex. */
static size_t free_bytes(size_t slot_size)
{
    size_t sum = 0;

    for (size_t i = 0; i < CHUNKS; i++)
        if (chunks[i].slot_size == 0)
            sum += CHUNK_SIZE;
        else if (chunks[i].slot_size >= slot_size)
            sum += free_slots(&chunks[i]) * chunks[i].slot_size;
    return sum;
}

static void fill_room(struct secret_room *room, size_t free_beside)
{
    (void)pthread_mutex_lock(&mutex);
    if (free_bytes(room->slot_size) >= free_beside + SECRET_ROOM_SECRETS * room->slot_size)
        while (room->count < SECRET_ROOM_SECRETS &&
               (room->slots[room->count] = take_slot(room->slot_size)))
            room->count++;
    (void)pthread_mutex_unlock(&mutex);
}

int secret_room_new(size_t length, size_t free_beside, struct secret_room **ret)
{
    struct secret_room *room;

    if (length > SECRET_MAX)
        return -E2BIG;
    room = calloc(1, sizeof(*room));
    if (!room)
        return -ENOMEM;
    room->slot_size = slot_size_for(sizeof(struct secret) + length + 1);
    fill_room(room, free_beside);
    if (room->count < SECRET_ROOM_SECRETS) {
        secret_room_free(room);
        return -ENOMEM;
    }
    *ret = room;
    return 0;
}

struct secret_room *secret_room_free(struct secret_room *room)
{
    if (!room)
        return NULL;
    while (room->count > 0)
        slot_free(room->slots[--room->count]);
    free(room);
    return NULL;
}

void secret_room_enter(struct secret_room *room)
{
    entered = room;
}

void secret_room_leave(void)
{
    entered = NULL;
}

size_t secret_length(const struct secret *secret)
{
    return secret->length;
}

const char *secret_reveal(const struct secret *secret)
{
    return secret->bytes;
}

bool secret_equal(const struct secret *a, const struct secret *b)
{
    return a && b && secret_equal_bytes(a, b->bytes, b->length);
}

bool secret_equal_bytes(const struct secret *secret, const char *bytes, size_t length)
{
    return secret && bytes && secret->length == length &&
           sodium_memcmp(secret->bytes, bytes, length) == 0;
}

const char *secret_fingerprint(const struct secret *secret, char out[static FINGERPRINT_SIZE])
{
    return digest_text(secret->bytes, secret->length, out);
}

bool digests_equal(const unsigned char a[static 32], const unsigned char b[static 32])
{
    return sodium_memcmp(a, b, crypto_hash_sha256_BYTES) == 0;
}

const char *digest_text(const void *bytes, size_t length, char out[static FINGERPRINT_SIZE])
{
    unsigned char digest[crypto_hash_sha256_BYTES];

    digest_sha256(bytes, length, digest);
    return sodium_bin2base64(out, FINGERPRINT_SIZE, digest, sizeof(digest),
                             sodium_base64_VARIANT_URLSAFE_NO_PADDING);
}

void buffer_append_base64(struct buffer *out, const void *bytes, size_t length)
{
    enum { STEP = 48, VARIANT = sodium_base64_VARIANT_ORIGINAL };
    char text[sodium_base64_ENCODED_LEN(STEP, VARIANT)];
    const unsigned char *at = bytes;

    /* Steps of a multiple of 3 bytes: only the last one is padded. */
    while (length > 0) {
        size_t step = length < STEP ? length : STEP;

        buffer_append_text(out, sodium_bin2base64(text, sizeof(text), at, step, VARIANT));
        at += step;
        length -= step;
    }
    sodium_memzero(text, sizeof(text));
}

void digest_sha256(const void *bytes, size_t length, unsigned char out[static 32])
{
    /* libsodium's returns 0 always. */
    (void)crypto_hash_sha256(out, bytes, length);
}

void random_bytes(void *out, size_t length)
{
    randombytes_buf(out, length);
}

uint32_t random_below(uint32_t bound)
{
    return randombytes_uniform(bound);
}

bool buffer_append_unbase64(struct buffer *out, const char *text)
{
    enum { STEP = 64 }; /* characters: 48 bytes */
    unsigned char bytes[48];
    bool fine = true;

    for (size_t left = strlen(text); fine && left > 0;) {
        size_t step = left < STEP ? left : STEP;
        size_t got = 0;

        fine = sodium_base642bin(bytes, sizeof(bytes), text, step, NULL, &got, NULL,
                                 sodium_base64_VARIANT_ORIGINAL) == 0;
        if (fine)
            buffer_append(out, bytes, got);
        text += step;
        left -= step;
    }
    sodium_memzero(bytes, sizeof(bytes));
    return fine && !out->failed;
}

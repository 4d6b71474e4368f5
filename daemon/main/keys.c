#include "main/keys.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"

static const char from_auto[] = "auto";
static const char file_prefix[] = "file:";

/* The keys that may be the store's, and why others of them cannot be read. */
struct candidates {
    struct seal_key *keys[4]; /* at most two of each source */
    size_t count;
    struct complaint problem; /* the first */
};

static void release_candidates(struct candidates *candidates)
{
    for (size_t i = 0; i < candidates->count; i++)
        seal_key_free(candidates->keys[i]);
}

static int key_from_secret(const struct places *places, const char *source, struct seal_key **ret,
                           struct complaint *complaint)
{
    const struct settings_places where = { .credentials_directory = places->credentials_directory };
    CLEANUP(cleanup_secret) struct secret *text = NULL;
    if (settings_resolve_secret(source, &where, "broker key", &text, complaint) != 0)
        return -EINVAL;
    int r = seal_key_from_text(text, ret);
    if (r != 0)
        complain(complaint, "broker key: what %.*s gave is no key of 32 bytes (hex or base64)",
                 (int)strcspn(source, ":"), source);
    return r;
}

/* Any source but auto. */
static int read_given(const struct places *places, const char *source, struct seal_key **ret,
                      struct complaint *complaint)
{
    if (strncmp(source, file_prefix, sizeof file_prefix - 1) == 0)
        return seal_key_from_file(source + sizeof file_prefix - 1, false, ret, complaint);
    return key_from_secret(places, source, ret, complaint);
}

static int read_auto(const struct places *places, const char *name, bool create,
                     struct seal_key **ret, struct complaint *complaint)
{
    CLEANUP(cleanup_string) char *path = NULL;
    if (asprintf(&path, "%s/%s", places->state_dir, name) < 0)
        return -ENOMEM;
    return seal_key_from_file(path, create, ret, complaint);
}

static void note_problem(struct candidates *candidates, const struct complaint *problem)
{
    if (!candidates->problem.text[0])
        candidates->problem = *problem;
}

/* Where a rekey was interrupted, the new key of auto lies beside the old one. */
static void look(struct candidates *candidates, const struct places *places, const char *source)
{
    const bool is_auto = strcmp(source, from_auto) == 0;
    struct complaint problem = { "" };
    struct seal_key **slot = &candidates->keys[candidates->count];
    int r = is_auto ? read_auto(places, "key", false, slot, &problem)
                    : read_given(places, source, slot, &problem);
    if (r == 0)
        slot = &candidates->keys[++candidates->count];
    else
        note_problem(candidates, &problem);
    if (is_auto && read_auto(places, "key.next", false, slot, NULL) == 0)
        candidates->count++;
}

/* Gives away the key that fits; NULL: none does. */
static struct seal_key *take_fitting(struct candidates *candidates, const char *proof)
{
    for (size_t i = 0; i < candidates->count; i++) {
        struct seal_key *key = candidates->keys[i];
        if (!seal_key_fits(key, proof))
            continue;
        candidates->keys[i] = candidates->keys[--candidates->count];
        return key;
    }
    return NULL;
}

static int get_fact(struct store *store, const char *name, char **ret, struct complaint *complaint)
{
    int r = store_get_fact(store, name, ret);
    if (r < 0)
        complain(complaint, "the store cannot be read: %s", store_message(store));
    return r < 0 ? r : 0;
}

static int write_proof(struct store *store, const struct seal_key *key)
{
    CLEANUP(cleanup_string) char *proof = NULL;
    int r = seal_key_prove(key, &proof);
    if (r == 0)
        r = store_begin(store);
    if (r == 0)
        r = store_put_fact(store, "key_proof", proof);
    if (r == 0)
        r = store_commit(store);
    if (r < 0)
        store_rollback(store);
    return r;
}

/* A store that was never sealed. */
static int first_key(const struct places *places, const struct settings *settings,
                     struct store *store, struct seal_key **ret, struct complaint *complaint)
{
    CLEANUP(cleanup_seal_key) struct seal_key *key = NULL;
    int r = strcmp(settings->key, from_auto) == 0
                ? read_auto(places, "key", true, &key, complaint)
                : read_given(places, settings->key, &key, complaint);
    if (r != 0)
        return r;
    r = write_proof(store, key);
    if (r != 0) {
        complain(complaint, "the store in %s cannot be written: %s", places->state_dir,
                 store_message(store));
        return r;
    }
    *ret = steal(key);
    return 0;
}

static int refuse(const struct candidates *candidates, const struct places *places,
                  const char *which, struct complaint *complaint)
{
    if (candidates->problem.text[0])
        complain(complaint, "%s", candidates->problem.text);
    else
        complain(complaint,
                 "the sealing key does not fit the store in %s: put %s back (broker { "
                 "key = … }); the store is unchanged",
                 places->state_dir, which);
    return -EKEYREJECTED;
}

/* proof_next "" or NULL: the store is sealed with one key alone. */
static int choose(struct candidates *candidates, const struct places *places, const char *proof,
                  const char *proof_next, struct seal_key **ret, struct complaint *complaint)
{
    CLEANUP(cleanup_seal_key) struct seal_key *key = take_fitting(candidates, proof);
    if (!key)
        return refuse(candidates, places, "the right key", complaint);
    if (proof_next && *proof_next) {
        struct seal_key *next = take_fitting(candidates, proof_next);
        if (!next)
            return refuse(candidates, places, "also the key that it is being sealed with anew",
                          complaint);
        seal_key_set_older(next, steal(key));
        key = next;
    }
    *ret = steal(key);
    return 0;
}

static int known_key(const struct places *places, const struct settings *settings,
                     struct store *store, const char *proof, struct seal_key **ret,
                     struct complaint *complaint)
{
    CLEANUP(cleanup_string) char *proof_next = NULL;
    struct candidates candidates = { .count = 0 };
    int r = get_fact(store, "key_proof_next", &proof_next, complaint);
    if (r != 0)
        return r;
    look(&candidates, places, settings->key);
    if (settings->key_next && strcmp(settings->key_next, settings->key) != 0)
        look(&candidates, places, settings->key_next);
    r = choose(&candidates, places, proof, proof_next, ret, complaint);
    release_candidates(&candidates);
    return r;
}

int keys_read_next(const struct places *places, const struct settings *settings,
                   struct seal_key **ret, struct complaint *complaint)
{
    if (!settings->key_next || strcmp(settings->key_next, from_auto) == 0)
        return 0;
    return read_given(places, settings->key_next, ret, complaint);
}

int keys_open(const struct places *places, const struct settings *settings, struct store *store,
              struct keys *ret, struct complaint *complaint)
{
    CLEANUP(cleanup_string) char *proof = NULL;
    struct complaint problem = { "" };
    struct keys keys = { NULL, NULL };
    int r = get_fact(store, "key_proof", &proof, complaint);
    if (r != 0)
        return r;
    r = proof ? known_key(places, settings, store, proof, &keys.key, complaint)
              : first_key(places, settings, store, &keys.key, complaint);
    if (r != 0)
        return r;
    if (keys_read_next(places, settings, &keys.next, &problem) != 0)
        log_warning("key_next cannot be used yet: %s", problem.text);
    *ret = keys;
    return 0;
}

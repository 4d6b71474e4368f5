#pragma once

/* The keys that seal the store, from where the configuration says. */

#include "io/seal.h"
#include "io/store.h"
#include "main/options.h"
#include "settings/settings.h"

struct keys {
    struct seal_key *key;  /* in use; with the older one, while the store is being sealed anew */
    struct seal_key *next; /* of broker { key_next }, not in use yet; NULL: none */
};

/*
 * Of all the keys that `key` and `key_next` lead to, the store's facts say which is in use. A new
 * one is made only for a store that was never sealed; keys that do not fit the store are refused.
 * Returns 0 or -errno; the caller frees both.
 */
int keys_open(const struct places *places, const struct settings *settings, struct store *store,
              struct keys *ret, struct complaint *complaint);

/* The key of key_next alone, for a reload; NULL where it is not given, or is "auto". Returns 0 or
 * -errno. */
int keys_read_next(const struct places *places, const struct settings *settings,
                   struct seal_key **ret, struct complaint *complaint);

#pragma once

/* What has to be there before any thread starts: the store, its key, the broker's clock, the API
 * socket. Each failure is one line that says what to do. */

#include <stdbool.h>

#include "io/seal.h"
#include "io/store.h"
#include "main/options.h"
#include "settings/settings.h"

/* Opens the store and starts broker time from what it holds. Returns 0 or -errno. */
int open_store(const struct places *places, struct store **ret, struct complaint *complaint);

/*
 * The sealing key from where the configuration says. A new one is made only for a store that was
 * never sealed with another; a key that does not fit the store is refused. Returns 0 or -errno.
 */
int open_key(const struct places *places, const char *source, struct store *store,
             struct seal_key **ret, struct complaint *complaint);

/* The API socket: systemd's (LISTEN_FDS), else a new one at its place. *ret_ours: it is ours to
 * unlink at the end. Returns the descriptor or -errno. */
int open_socket(const struct places *places, bool *ret_ours, struct complaint *complaint);

#pragma once

/* What has to be there before any thread starts: the store, its key, the broker's clock, the API
 * socket. Each failure is one line that says what to do. */

#include <stdbool.h>

#include "io/store.h"
#include "main/options.h"
#include "settings/settings.h"

/* Opens the store and starts broker time from what it holds. Returns 0 or -errno. */
int open_store(const struct places *places, struct store **ret, struct complaint *complaint);

/* The API socket: systemd's (LISTEN_FDS), else a new one at its place. *ret_ours: it is ours to
 * unlink at the end. Returns the descriptor or -errno. */
int open_socket(const struct places *places, bool *ret_ours, struct complaint *complaint);

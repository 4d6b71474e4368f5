#pragma once

/*
 * The files of key = "auto": `key`, and `key.next` from the beginning of a rekey to its end. folder
 * is where they lie; where NULL may be given: there are none, as the key comes from outside.
 */

#include <stdbool.h>

#include "io/seal.h"

/* True when the file at the path holds this key. */
bool own_key_holds(const char *path, const struct seal_key *key);

/* The path of `key` where it holds this one, the caller's; NULL: it does not, or memory is short.
 * folder may be NULL. */
char *own_key_file(const char *folder, const struct seal_key *key);

/* The key of `key.next`, which is made where there is none. Returns as seal_key_from_file() does.
 */
int own_key_next(const char *folder, struct seal_key **ret, struct complaint *complaint);

/* Leaves this key's file as `key`, or none; what is there, and is not the key, was it, and is
 * wiped. folder may be NULL. Returns 0 or -errno. */
int own_key_tidy(const char *folder, const struct seal_key *key);

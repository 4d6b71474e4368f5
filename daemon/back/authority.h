#pragma once

/*
 * The certificate authority of this machine's own callback. Its key lies sealed in the store; the
 * certificate that the callback serves is made in memory and renewed long before it ends. Nothing
 * here stops the broker: what fails is told in the log and tried again.
 */

#include "back/keeper.h"

enum {
    AUTHORITY_CHECK_MS = 60 * 60 * 1000, /* how often the wall clock is looked at */
    AUTHORITY_RETRY_MS = 60 * 1000,
};

struct authority;

/* Reads the authority if there is one, and tells the front of it; makes one where the settings have
 * an https listener with certificate = "auto", and is durable then. Returns 0 or -errno. */
int authority_new(struct keeper *keeper, const struct settings *settings, struct authority **ret);

/* The same for new settings, but later. */
void authority_configure(struct authority *authority, const struct settings *settings);

/* After commits_finish(). NULL is fine; returns NULL. */
struct authority *authority_free(struct authority *authority);

/* In a transaction: what is stored of it is sealed by key, not by an older one. Returns 0 or
 * -errno. */
int authority_seal_again(const struct seal_key *key, struct store *store);

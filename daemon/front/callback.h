#pragma once

/* The loopback callback: its listeners, its routes (/start/NONCE, the redirect paths, /done/ID). */

#include "base/json.h"
#include "front/context.h"

struct callback;

int callback_new(struct context *context, bool system_service, struct callback **ret);
struct callback *callback_free(struct callback *callback);

/* Binds what has to be held now and lets go what has not; call when logins begin or end, and after
 * a reload. */
void callback_update(struct callback *callback);

/* The state of each listener as a JSON array, for health. */
void callback_put_health(const struct callback *callback, struct json_writer *writer);

#pragma once

/* What a request's body says about the authorization request: scope and further parameters. */

#include "base/error.h"
#include "base/json.h"
#include "oauth/provider.h"

/* Reads the member scope (RFC 6749 3.3), NULL where it is absent. Returns 0, JSON_INVALID
 * (complaint says why) or -ENOMEM. */
int order_read_scope(const struct json *body, char **ret, struct complaint *complaint);

/* Reads the member params, an object of names and texts, none of them the protocol's own. The same
 * returns; release what was read also then. */
int order_read_params(const struct json *body, struct parameters *ret, struct complaint *complaint);

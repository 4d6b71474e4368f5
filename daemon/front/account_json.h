#pragma once

/* An account as the socket API shows it; never a secret. */

#include "base/buffer.h"
#include "io/store.h"
#include "oauth/provider.h"

/* Appends the account's JSON object; provider is the account's, NULL when it is not configured. */
void account_json_append(struct buffer *out, const struct account_row *row,
                         const struct provider *provider);

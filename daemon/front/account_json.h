#pragma once

/* An account as the socket API shows it; never a secret. */

#include "base/buffer.h"
#include "io/store.h"
#include "oauth/provider.h"

/* "active", "suspect" or "consent_required". */
const char *account_state_name(enum account_state state);

/* Appends the account's JSON object; provider is the account's, NULL when it is not configured;
 * link is the address by which a person may consent, NULL: none, or not for who asks. */
void account_json_append(struct buffer *out, const struct account_row *row,
                         const struct provider *provider, const char *link);

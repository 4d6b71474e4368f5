#pragma once

/* An account as the socket API shows it; never a secret. */

#include "base/buffer.h"
#include "io/store.h"

/* Appends the account's JSON object. */
void account_json_append(struct buffer *out, const struct account_row *row);

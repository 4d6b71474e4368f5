#pragma once

/* Facts about a grant that stand somewhere in a token reply. */

#include "base/json.h"

enum { IDENTITY_MAX = 4 * 1024 };

/*
 * The value at a dotted path ("company_id", "user.id"); where the path begins with "id_token.", in
 * that token's claims. A name that is absent is looked for without regard to case, since providers
 * write userId and userid. Strings as they are, numbers as their text, arrays and objects as
 * compact JSON. Returns 0 and sets *ret (NULL when absent, null, or above IDENTITY_MAX), or
 * -ENOMEM.
 */
int identity_read(const struct json *reply, const char *path, char **ret);

/* The claim nonce of the reply's id_token; *ret is NULL when there is none. Returns 0 or -ENOMEM.
 */
int identity_read_nonce(const struct json *reply, char **ret);

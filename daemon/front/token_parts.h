#pragma once

/*
 * A token's answer as bytes that are made once and used many times: all of the JSON but the token
 * itself and its time left. They hold nothing secret.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "messages.h"

enum { TOKEN_PARTS = 4 };

/* The answer is part 0, token, part 1, times, part 2, token as the API wants it, part 3. */
struct token_parts {
    char *text; /* NULL: not made yet */
    size_t ends[TOKEN_PARTS];
    bool schemed;  /* part 2 ends with an open string: the scheme's */
    bool verbatim; /* nothing in the token has to be escaped, as in every usual one */
};

/* Returns 0 or -ENOMEM. *ret held nothing, or was released. */
int token_parts_make(const struct account_name *account, const struct issued_token *token,
                     const struct provider *provider, struct token_parts *ret);
void token_parts_release(struct token_parts *parts);

/* Appends the JSON of the token at broker time now. */
void token_parts_append(struct buffer *out, const struct token_parts *parts,
                        const struct issued_token *token, int64_t now);

#pragma once

/* Private to oauth: reads the members of a reply that grants (RFC 6749 5.1). */

#include "oauth/token_reply.h"

/* What became of a member that should hold a token. */
enum token_member {
    TOKEN_MEMBER_ABSENT, /* also null, false and "" */
    TOKEN_MEMBER_READ,
    TOKEN_MEMBER_UNREADABLE, /* another type, too long, or bytes that no token has */
};

/* Sets *ret where the member was read. Returns 0 or -ENOMEM. */
int token_grant_read_token(const struct json *reply, const char *name, struct secret **ret,
                           enum token_member *ret_member);

/* A duration in seconds: a number, or a string of digits; 1 s to 10 years. False, and *ret_ms
 * untouched, for anything else. */
bool token_grant_read_seconds(const struct json *member, int64_t *ret_ms);

/* Fills in whose the grant is: identity, has_id_token, nonce. Returns 0 or -ENOMEM; the last two
 * are then such that no nonce fits. */
int token_grant_read_owner(const struct provider *provider, const struct json *reply,
                           struct token_grant *grant);

/* Fills all of *grant but its tokens and whose it is. Returns 0 or -ENOMEM; grant is to be released
 * in any case. */
int token_grant_read(const struct provider *provider, const struct json *reply,
                     struct token_grant *grant);

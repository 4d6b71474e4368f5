#pragma once

/* Private to oauth: what a reply says went wrong (RFC 6749 5.2), and what it means. */

#include "oauth/token_reply.h"

/* The provider's words as they came; owned by the JSON, or "". */
struct token_error {
    const char *code;        /* "" when the reply has no error member that says something */
    const char *description; /* "" when there is none */
    char number[24];         /* holds code where it came as a number */
};

/* Reads `error` (a string, a number, true, or an object with a code of its own) and what describes
 * it. null, "", 0 and false say that there was no error. */
void token_error_read(const struct json *reply, struct token_error *ret);

/* The verdict on an error code that came with this status. *ret_by_code is false where the status
 * decided, because the code is not to be believed with it. */
enum verdict token_error_verdict(const char *code, int status, bool *ret_by_code);

/* The verdict on a reply without an error code that is no grant either. */
enum verdict token_status_verdict(int status);

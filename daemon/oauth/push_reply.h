#pragma once

/* What the endpoint for pushed authorization requests answered (RFC 9126 2.2, 2.3). */

#include "oauth/token_reply.h"

enum {
    REQUEST_URI_MAX = 2 * 1024,
    PUSH_LIFETIME_MAX_S = 24 * 3600, /* a longer one is taken as this */
};

struct push_reply {
    struct secret *request_uri;       /* NULL: refused */
    int64_t lifetime_s;               /* from 1 to PUSH_LIFETIME_MAX_S */
    char error[ERROR_TEXT_MAX];       /* of a refusal: its code, or our own name for it */
    char description[ERROR_TEXT_MAX]; /* one line for a person: printable, without secrets */
};

/*
 * Judges. Taken is a 200 or 201 with a request_uri of visible ASCII and a whole, positive
 * expires_in; nothing else. Our own names in ret->error: not_json, bad_request_uri, bad_expires_in,
 * http_NNN. Returns 0 or -ENOMEM; push_reply_release() what comes back.
 */
int push_reply_judge(const struct token_answer *answer, struct push_reply *ret);

/* Wipes and frees what it holds; safe on zeroed structs. */
void push_reply_release(struct push_reply *reply);

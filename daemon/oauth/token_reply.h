#pragma once

/*
 * What a token endpoint answered (RFC 6749 5.1, 5.2), with every oddity that real providers have,
 * and the class of verdict it leads to.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/json.h"
#include "base/secret.h"
#include "oauth/provider.h"

enum {
    TOKEN_REPLY_MAX = 64 * 1024,
    ERROR_TEXT_MAX = 256, /* of the provider's error and error_description that we keep */
    SCOPE_MAX = 4 * 1024,
    EXTRA_MAX = 16 * 1024,
};

#define LIFETIME_MAX_MS (INT64_C(10) * 365 * 24 * 3600 * 1000)

/* Why sending or judging failed; the four classes of the verdict. */
enum verdict {
    VERDICT_GRANTED,
    VERDICT_NOT_SENT,         /* DNS, connect, TLS: nothing reached the provider */
    VERDICT_NO_ANSWER,        /* sent, but no usable answer: 5xx, 408, 429, or any page or
                                 broken JSON, whatever its status */
    VERDICT_ACCOUNT_REFUSED,  /* invalid_grant: this account */
    VERDICT_ACCOUNT_SUSPECT,  /* an odd or empty 4xx: this account, perhaps */
    VERDICT_PROVIDER_REFUSED, /* invalid_client, …: our set-up at this provider */
};

enum { VERDICT_COUNT = VERDICT_PROVIDER_REFUSED + 1 };

/* The provider has said no, to whatever it was. */
static inline bool verdict_is_refusal(enum verdict verdict)
{
    return verdict == VERDICT_ACCOUNT_REFUSED || verdict == VERDICT_ACCOUNT_SUSPECT ||
           verdict == VERDICT_PROVIDER_REFUSED;
}

/* A 200 that granted; of one with a rescued refresh token alone, only the last three. */
struct token_grant {
    struct secret *access_token;
    struct secret *refresh_token; /* NULL: none came; RFC 6749 6: keep the old one */
    bool expires_in_odd; /* a warning is due: expires_in was absent without default_lifetime, or odd
                          */
    int64_t lifetime_ms; /* always > 0 */
    bool lifetime_assumed; /* it is lifetime_assumed_ms(): no expires_in that can be read came */
    int64_t refresh_token_lifetime_ms; /* from refresh_token_expires_in; 0: not said */
    char *token_type;                  /* "Bearer" in any case becomes "Bearer"; others as sent */
    char *scope;                       /* NULL: not said, so the asked one (RFC 6749 5.1) */
    char *extra;       /* a JSON object of all other members, types kept; "{}" when none */
    char *identity;    /* the value at provider->identity, as text; NULL when absent or not asked */
    bool has_id_token; /* one came, whether it can be read or not */
    char *nonce;       /* id_token's nonce; NULL when absent */
};

/* What a reply comes to. */
struct token_reply {
    enum verdict verdict;
    struct token_grant grant;             /* whole when verdict is VERDICT_GRANTED */
    struct secret *rescued_refresh_token; /* a 200 that is no grant (an unreadable access_token, …)
                                      yet held one unambiguous refresh_token: commit it first */
    bool unreadable; /* a 200 that may hold a token we could not read: keep it sealed;
                        also beside a grant whose refresh_token is no token */
    char
        error[ERROR_TEXT_MAX]; /* the error code, or our own name for it ("not_json", "http_500") */
    char description[ERROR_TEXT_MAX]; /* one line for a person: printable, without secrets */
};

/* What came back, in the transport's terms. */
struct token_answer {
    int status; /* HTTP status */
    const char *body;
    size_t length;
    const char *content_type; /* may be NULL; a hint only */
    bool truncated;           /* the body passed TOKEN_REPLY_MAX or was cut */
};

/*
 * Judges, on `error` before the status. Our own names in reply->error: not_json, not_an_object,
 * empty_body, truncated, redirect, no_access_token, bad_access_token, no_memory, http_NNN. Never
 * fails but for memory: returns 0 or -ENOMEM. token_reply_release() what comes back.
 */
int token_reply_judge(const struct provider *provider, const struct token_answer *answer,
                      struct token_reply *ret);

/* Wipe and free what they hold; safe on zeroed structs. */
void token_reply_release(struct token_reply *reply);
void token_grant_release(struct token_grant *grant);

/* A stable word for logs and the API: "no_answer", "account_refused", … */
const char *verdict_name(enum verdict verdict);

static inline void cleanup_token_grant(struct token_grant *grant)
{
    token_grant_release(grant);
}

static inline void cleanup_token_reply(struct token_reply *reply)
{
    token_reply_release(reply);
}

#pragma once

/*
 * Two client secrets of one provider (client_secret_next): which is in force, and who tries the
 * other. Wrong credentials can consume refresh tokens at some servers: so one account tries, and
 * once it was answered that one alone, after refusals ever more rarely. What was found out is a
 * fact in the store, keyed by a fingerprint of both secrets; the secrets themselves are in the
 * settings alone.
 */

#include "back/keeper.h"
#include "oauth/token_reply.h"

enum { TRIAL_AGAIN_MS = 10 * 60 * 1000 }; /* after a trial that decided nothing */

enum trial_result {
    TRIAL_NONE,    /* it was none: the reply is about the secret in force */
    TRIAL_OPEN,    /* nothing was decided; the secret in force stays */
    TRIAL_PASSED,  /* the next secret is in force from now on */
    TRIAL_REFUSED, /* the one before stays in force */
};

/* Borrowed; each may be NULL. */
struct client_secrets {
    const struct secret *now, *next;
};

struct credentials {
    char provider[PROVIDER_NAME_MAX + 1];
    struct secret *now, *next; /* NULL: not configured */
    char pair[FINGERPRINT_SIZE];
    bool works; /* next is in force */
    unsigned refusals;
    int64_t try_at;             /* not before */
    struct account_name canary; /* who tried before: nobody else does. label "": nobody has */
    struct account_name trying; /* whose `trial` is */
    struct setup *trial;        /* a reference; NULL: nobody tries */
};

/* Copies the secrets and reads what is known of them. Returns 0 or -errno. */
int credentials_load(struct credentials *credentials, struct keeper *keeper, const char *provider,
                     struct client_secrets secrets);
/* The same pair is configured again: what is known of it goes on, with a trial that is under way.
 */
void credentials_carry(struct credentials *from, struct credentials *to);
/* An empty one is fine. */
void credentials_release(struct credentials *credentials);

/* A set-up with the secret in force. Returns 0 or -errno. */
int credentials_setup(const struct credentials *credentials, const struct provider *provider,
                      struct setup **ret);

/* Whether the next secret is to be tried now, by this account (NULL: by some account). */
bool credentials_wants_trial(const struct credentials *credentials,
                             const struct account_name *name);

/* What a refresh of the account goes out with: in_force, or the set-up of the trial that begins
 * with it. Borrowed. */
struct setup *credentials_choose(struct credentials *credentials, struct setup *in_force,
                                 const struct account_name *name);

/* A reply to what went out with `used`. */
enum trial_result credentials_judge(struct credentials *credentials, struct keeper *keeper,
                                    const struct setup *used, const struct token_reply *reply);

/* A try of the account is over: if it was the trial, without a reply, nothing was decided. */
void credentials_landed(struct credentials *credentials, const struct account_name *name);

/* The secret in force is refused: one that was not refused itself is wanted now. */
void credentials_needed(struct credentials *credentials);

/* Someone asked for a try now, by any account. */
void credentials_retry(struct credentials *credentials, struct keeper *keeper);

/* What health says of it. */
enum next_secret credentials_next_secret(const struct credentials *credentials);

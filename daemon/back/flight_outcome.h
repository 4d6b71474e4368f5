#pragma once

/* What one try of a refresh started from, what came back, and how that is written down. */

#include "back/judgement.h"
#include "back/keeper.h"
#include "back/vault.h"

enum { OUTCOME_GONE = 1, OUTCOME_OVERTAKEN, OUTCOME_UNREADABLE, OUTCOME_NOT_READ };

struct outcome {
    struct setup *setup; /* a reference */
    struct circumstances circumstances;
    struct grant grant;         /* as it was at the start */
    const struct secret *spent; /* the refresh token that was sent, within grant; NULL: none, as
                                   the grant is client_credentials */
    uint64_t generation;        /* of the token at the start */
    int64_t created_at;         /* of the account */
    int64_t sent_at;
    struct token_reply reply;
    struct buffer unreadable; /* a reply to be kept for a person to look at */
    bool kept;                /* it was, beside what it granted */

    struct account_row row; /* at the start; then as it was written */
    enum next_step step;
    struct issued_token *issued; /* set when the reply granted and was written */
};

/* Reads the account and picks the token to send, if any is needed. Returns 0, STORE_NOT_FOUND,
 * OUTCOME_UNREADABLE (its row is damaged), OUTCOME_NOT_READ (the store cannot be read now),
 * VAULT_BROKEN, -ENOKEY (it has no refresh token) or -errno. */
int outcome_begin(struct outcome *outcome, struct keeper *keeper, struct setup *setup,
                  const struct account_name *name);

/* True when a refresh token goes out that is not due yet. Its row has to say first that it is: if
 * the process dies before the reply is written, the provider may have spent the token, and takes it
 * again for a few seconds only; the next start has to send it at once. */
bool outcome_is_early(const struct outcome *outcome, int64_t now);

/* Writes that it is due now, in a transaction. Returns as outcome_apply() does. */
int outcome_mark_due(struct outcome *outcome, struct store *store);

/* Judges what came back. Returns 0 or -ENOMEM. */
int outcome_judge(struct outcome *outcome, const struct http_reply *http);

/* Stands for a reply when nothing could be sent, with outcome_begin()'s error. */
void outcome_set_unsendable(struct outcome *outcome, int error);

/* True for what would be lost with the process: a new token, a reply to be looked at. */
bool outcome_must_be_kept(const struct outcome *outcome);

/* Whether a refused set-up is the provider's matter, not this account's alone. */
bool outcome_blames_provider(const struct outcome *outcome);

/* The refresh token that came, whether it was granted or rescued; NULL: none did. */
const struct secret *outcome_refresh_token(const struct outcome *outcome);

/* Writes it down, in a transaction; may run again. Returns 0, -errno, OUTCOME_OVERTAKEN (the
 * account has a newer grant by now; where that still stands on the refresh token that was spent,
 * its successor is put in its place, or kept, and nothing else), or with nothing written
 * OUTCOME_GONE, OUTCOME_UNREADABLE (its row is damaged: that is no reason to fail the writes of
 * others). */
int outcome_apply(struct outcome *outcome, const struct seal_key *key, struct store *store);

/* Before anything is sent, in a transaction: what was kept of an earlier try, as its row could not
 * be written, takes the place of what was spent for it; it is nobody's if that is not the account's
 * any more. Returns as outcome_apply() does. */
int outcome_take_kept(const struct outcome *outcome, const struct seal_key *key,
                      struct store *store, const struct grant *kept);

/* Empties it for the next try. */
void outcome_release(struct outcome *outcome);

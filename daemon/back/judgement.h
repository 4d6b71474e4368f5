#pragma once

/*
 * What the outcome of a refresh makes of an account: pure functions over its row. The classes of
 * verdict are token_reply.h's; here stands what each of them does, step by step.
 *
 * All times are broker time in milliseconds.
 */

#include <stdbool.h>
#include <stdint.h>

#include "io/store.h"
#include "oauth/token_reply.h"

enum {
    REFUSAL_PAUSE_MS = 5 * 1000,              /* before a refused token is sent once more */
    SHORT_RETRIES = 3,                        /* after no usable answer, before the row is told */
    RETRY_AFTER_MAX_MS = 24 * 60 * 60 * 1000, /* of a Retry-After, however long it is */
    LAST_RETRY_LEFT_MS = 200, /* of a grace, for one more try where the last had no answer */
    SHORT_RETRY_AFTER_MAX_MS = 10 * 1000,     /* a longer Retry-After is the row's business */
    FAILURES_BEFORE_SUSPECT = 6,              /* without a usable answer in a row, */
    FAILURES_ALONE = 3,                       /* others having succeeded before so many of them */
    SUSPECT_GIVEN_UP_MS = 6 * 60 * 60 * 1000, /* past the access token's end */
    SUSPECT_TRIES = 4, /* as a suspect, at the least, before it is given up */
    SUSPECT_PROBE_MS = 24 * 60 * 60 * 1000,
    REJECTED_YOUNG_MS = 60 * 1000, /* a token that is rejected sooner did not help */
    REJECTED_AGAIN_MS = 60 * 1000, /* then the next one is asked for after so long */
    ASKED_GRAIN_MS = 60 * 1000,    /* how exactly it is noted when a token was last asked for */
};

struct circumstances {
    const struct provider *provider;
    int64_t now;
    int64_t lost_at;        /* when a refresh token was sent without a usable answer; 0: none */
    int64_t retry_after_ms; /* the provider asked for so long a rest; 0: it did not */
    int64_t others_succeeded_at; /* when another of its accounts was refreshed; 0: never */
    bool has_predecessor;        /* a refresh token before the current one is kept */
    bool provider_paused;
    bool as_another; /* what was refused is not the set-up in force */
    unsigned random; /* in [0, 1000) */
};

/* Which token goes next, and when. */
enum next_step {
    STEP_REST,        /* row->refresh_at says when anything is sent again, 0: nothing is */
    STEP_SAME_TOKEN,  /* the same token once more after REFUSAL_PAUSE_MS */
    STEP_PREDECESSOR, /* the predecessor, now */
};

/* Whether a new token can be had at all without importing one; and whether a person has to consent
 * before. An account whose grant is client_credentials needs neither a refresh token nor a person.
 * provider NULL: it is not configured any more. */
bool account_is_renewable(const struct account_row *row, const struct provider *provider);
bool account_needs_consent(const struct account_row *row, const struct provider *provider);

/* A new token, asked for at sent_at: the row's facts follow it; its generation grows by one. Takes
 * nothing over from grant but copies. Returns 0 or -ENOMEM. */
int judge_granted(struct account_row *row, const struct token_grant *grant, int64_t sent_at,
                  const struct circumstances *c);

/* A client says that an API refuses the current access token. The next one is due at once, but not
 * where that came in place of a rejected one itself: what clients say spends one refresh a minute
 * at most, and makes nobody consent again. provider NULL: it is not configured any more. Returns 0
 * or -ENOMEM. */
int judge_rejected(struct account_row *row, const struct provider *provider, int64_t now);

/* After judge_granted(): the new token is the old one, which an API rejected, so it is not served;
 * the account is suspect, so that wishes for a token are answered by sending once a minute at most.
 * Returns 0 or -ENOMEM. */
int judge_rejected_again(struct account_row *row, int64_t now);

/* Not sent, or no usable answer. Within the provider's grace the last try is shortly before its
 * end; after it the token is sent all the same, since whether it was spent is not known. */
void judge_unanswered(struct account_row *row, const struct circumstances *c);

/* Its current refresh token was sent at lost_at, and no usable answer came; what else came of that
 * try is not known. True when that is news: of a grant that came since it says nothing. */
bool judge_lost(struct account_row *row, int64_t lost_at);

/* invalid_grant: RFC 6749 5.2. The same token once more, then the predecessor once, then the
 * verdict; while the provider is paused no verdict falls. */
enum next_step judge_refused(struct account_row *row, const struct circumstances *c);

/* What was refused is not the set-up in force: under that one the current token goes first again,
 * and neither this refusal nor those before it count. */
enum next_step judge_refused_as_another(struct account_row *row, int64_t now);

/* A consent is wanted, but the set-up is another than when that was found: the current token alone
 * goes once more, now. */
void judge_tried_once_more(struct account_row *row, const char *set_up, int64_t now);

/* An odd refusal of this account, which may pass; that of an account which needs no person is never
 * given up. */
void judge_suspect(struct account_row *row, const struct circumstances *c);

/* Our set-up at the provider was refused. False: for this account alone, as others have succeeded
 * since it was refused in this way before: it is suspect now. True: the provider is to pause. */
bool judge_provider_refused(struct account_row *row, const struct circumstances *c);

/* The provider pauses after several refusals in a row: they say nothing about this account. A
 * verdict that fell within that row is taken back, and its current token goes first again. */
void judge_pardoned(struct account_row *row, const struct circumstances *c);

/* True when this account's refusal says nothing about the provider: another account has succeeded
 * since it was first refused. */
bool refusal_is_its_own(const struct account_row *row, const struct circumstances *c);

/* The same of an odd refusal: since it is suspect. */
bool suspicion_is_its_own(const struct account_row *row, const struct circumstances *c);

/* The row is in this state now, and wants no consent any more: should it come to want one again,
 * that is told again. */
void judge_needs_no_consent(struct account_row *row, enum account_state state);

/* Nothing that was refused stands against the account: a person wants it tried again. */
void judge_tried_again(struct account_row *row);

/* The same, and its grant is a new one: nothing of the old one's stands. */
void judge_troubles_over(struct account_row *row);

/* Records the words of a reply in the row; after it was judged, which looks at the words before.
 * Those of a set-up that is refused for this account alone stay until it is refused otherwise.
 * Returns 0 or -ENOMEM (the row keeps the old ones). */
int judge_note_error(struct account_row *row, const char *error, const char *description,
                     int64_t now);

#include "back/flight_outcome.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "back/client_call.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"
#include "oauth/lifetime.h"

enum {
    UNREADABLE_KEPT_IN_A_ROW = 8, /* replies of one account, so that they cannot fill the disk */
    UNREADABLE_KEPT_AGAIN_MS = 24 * 60 * 60 * 1000,
    JUDGE_TRIES = 3,
};

/* What was sent: after a refusal step that says so, the predecessor (also when a crash came between
 * that step and its reply), else the current token. */
static const struct secret *token_to_send(const struct account_row *row, const struct grant *grant)
{
    return row->refusals == REFUSAL_PREDECESSOR && grant->predecessor ? grant->predecessor
                                                                      : grant->refresh_token;
}

int outcome_begin(struct outcome *outcome, struct keeper *keeper, struct setup *setup,
                  const struct account_name *name)
{
    outcome->setup = setup_ref(setup);
    outcome->circumstances.provider = setup->provider;
    outcome->unreadable = BUFFER_WITH_MAXIMUM(TOKEN_REPLY_MAX);
    outcome->row.name = *name; /* also when nothing else can be read */
    int r = store_read(keeper->store, name, &outcome->row);
    if (r == STORE_FOREIGN || r == -EBADMSG)
        return OUTCOME_UNREADABLE;
    if (r != 0)
        return r < 0 ? OUTCOME_NOT_READ : r;
    outcome->generation = outcome->row.generation;
    outcome->created_at = outcome->row.created_at;
    r = vault_open(keeper->key, &outcome->row, &outcome->grant);
    if (r != 0)
        return r;
    if (setup->provider->grant == GRANT_CLIENT_CREDENTIALS)
        return 0;
    outcome->circumstances.has_predecessor = outcome->grant.predecessor != NULL;
    outcome->spent = token_to_send(&outcome->row, &outcome->grant);
    return outcome->spent ? 0 : -ENOKEY;
}

bool outcome_is_early(const struct outcome *outcome, int64_t now)
{
    return outcome->spent && (outcome->row.refresh_at == 0 || outcome->row.refresh_at > now);
}

/* The account's row as it is now, unless that is of another grant than the outcome's. */
static int read_again(const struct outcome *outcome, struct store *store, struct account_row *row)
{
    int r = store_read(store, &outcome->row.name, row);
    if (r == STORE_NOT_FOUND)
        return OUTCOME_GONE;
    if (r != 0)
        return r == STORE_FOREIGN ? OUTCOME_UNREADABLE : r;
    /* A new account of the same name counts its generations from one again. */
    return row->generation != outcome->generation || row->created_at != outcome->created_at
               ? OUTCOME_OVERTAKEN
               : 0;
}

int outcome_mark_due(struct outcome *outcome, struct store *store)
{
    CLEANUP(cleanup_account_row) struct account_row row = { 0 };
    int r = read_again(outcome, store, &row);
    if (r != 0)
        return r;
    row.refresh_at = outcome->row.refresh_at = clock_now();
    return store_put_facts(store, &row);
}

static void set_error(struct outcome *outcome, enum verdict verdict, const char *error,
                      const char *description)
{
    struct token_reply *reply = &outcome->reply;
    reply->verdict = verdict;
    (void)snprintf(reply->error, sizeof reply->error, "%s", error);
    (void)snprintf(reply->description, sizeof reply->description, "%s", description);
}

/* Such a grant stands on the client's credentials alone. So a refresh token that came with it (RFC
 * 6749 4.4.3 advises against one) is of no use, and no refusal is one account's own. */
static void judge_client_credentials(struct token_reply *reply)
{
    reply->grant.refresh_token = secret_free(reply->grant.refresh_token);
    reply->rescued_refresh_token = secret_free(reply->rescued_refresh_token);
    reply->unreadable = reply->unreadable && reply->verdict != VERDICT_GRANTED;
    if (reply->verdict == VERDICT_ACCOUNT_REFUSED)
        reply->verdict = VERDICT_PROVIDER_REFUSED;
}

/* A connection that broke after a whole reply may have brought the only copy of a new token. */
static int judge_answer(struct outcome *outcome, const struct http_reply *http)
{
    const struct token_answer answer = {
        .status = http->status,
        .body = http->body,
        .length = http->length,
        .content_type = http->content_type,
        .truncated = http->truncated,
    };
    int r = -ENOMEM;
    /* Memory that was short a moment ago may be there now; the reply comes only once. */
    for (int i = 0; r == -ENOMEM && i < JUDGE_TRIES; i++)
        r = token_reply_judge(outcome->setup->provider, &answer, &outcome->reply);
    if (r == 0 && outcome->setup->provider->grant == GRANT_CLIENT_CREDENTIALS)
        judge_client_credentials(&outcome->reply);
    if (r == 0 && outcome->reply.unreadable)
        buffer_append(&outcome->unreadable, http->body, http->length);
    return r;
}

int outcome_judge(struct outcome *outcome, const struct http_reply *http)
{
    outcome->circumstances.retry_after_ms = client_rest_asked(http);
    if (http->outcome == HTTP_NOT_SENT) {
        set_error(outcome, VERDICT_NOT_SENT, "not_sent", http->problem);
        return 0;
    }
    int r = judge_answer(outcome, http);
    if (r != 0 || http->outcome == HTTP_ANSWERED || outcome_must_be_kept(outcome))
        return r;
    token_reply_release(&outcome->reply);
    outcome->reply = (struct token_reply){ 0 };
    set_error(outcome, VERDICT_NO_ANSWER, "no_answer", http->problem);
    return 0;
}

void outcome_set_unsendable(struct outcome *outcome, int error)
{
    switch (error) {
    case VAULT_BROKEN:
        set_error(outcome, VERDICT_ACCOUNT_SUSPECT, "unsealing_failed",
                  "its tokens cannot be unsealed: another key, or the store was changed on disk");
        break;
    case -ENOKEY:
        set_error(outcome, VERDICT_ACCOUNT_REFUSED, "no_refresh_token",
                  "the provider gave no refresh token");
        break;
    default:
        set_error(outcome, VERDICT_NOT_SENT, "not_sent", strerror(error < 0 ? -error : EIO));
    }
}

bool outcome_must_be_kept(const struct outcome *outcome)
{
    return outcome->reply.verdict == VERDICT_GRANTED || outcome->reply.rescued_refresh_token ||
           outcome->unreadable.length > 0;
}

bool outcome_blames_provider(const struct outcome *outcome)
{
    struct account_row row = outcome->row; /* judged on a shallow copy: only numbers change */
    return judge_provider_refused(&row, &outcome->circumstances);
}

/* The grant after a reply: the sent token becomes the predecessor when a new one came. Where none
 * was sent, as the section says client_credentials now, what a person consented to stays. */
static int next_grant(const struct outcome *outcome, const struct secret *access_token,
                      const struct secret *refresh_token, struct grant *ret)
{
    CLEANUP(cleanup_grant) struct grant next = { 0 };
    const struct secret *before = outcome->spent ? outcome->spent : outcome->grant.refresh_token;
    const struct secret *current = refresh_token ? refresh_token : before;
    const bool rotated = outcome->spent && !secret_equal(current, outcome->spent);
    const struct secret *predecessor = rotated ? outcome->spent : outcome->grant.predecessor;
    int r = access_token ? secret_copy(access_token, &next.access_token) : 0;
    if (r == 0 && current)
        r = secret_copy(current, &next.refresh_token);
    if (r == 0 && predecessor && !secret_equal(predecessor, current))
        r = secret_copy(predecessor, &next.predecessor);
    if (r != 0)
        return r;
    *ret = next;
    next = (struct grant){ 0 };
    return 0;
}

static int copy_words(struct grant *grant, const char *token_type, const char *extra)
{
    grant->token_type = strdup(token_type ? token_type : "Bearer");
    grant->extra = strdup(extra ? extra : "{}");
    return grant->token_type && grant->extra ? 0 : -ENOMEM;
}

static int put_owner(struct store *store, const struct account_row *row,
                     const struct secret *refresh_token)
{
    char fingerprint[FINGERPRINT_SIZE];
    return store_put_token_owner(store, &row->name, secret_fingerprint(refresh_token, fingerprint));
}

static int write_grant(struct store *store, const struct seal_key *key, struct account_row *row,
                       const struct grant *grant)
{
    int r = vault_close(key, row, grant);
    if (r == 0)
        r = store_put(store, row);
    if (r == 0 && grant->refresh_token)
        r = put_owner(store, row, grant->refresh_token);
    return r;
}

/* At the first refresh after an import, what was recorded is of the grant before. */
static bool was_imported(const struct account_row *row)
{
    return row->refreshed_at == 0 && row->imported[0] != '\0';
}

/* Else it is news: somebody's data is another's from now on. */
static int note_identity(const struct outcome *outcome, struct account_row *row)
{
    const char *now = outcome->reply.grant.identity;
    char name[ACCOUNT_TEXT_SIZE];
    if (!row->identity || !now || strcmp(row->identity, now) == 0)
        return 0;
    log_warning("%s: its grant is of another identity (%.100s) than before (%.100s)",
                account_text(&row->name, name), now, row->identity);
    if (was_imported(row))
        return 0;
    row->identity_changed_at = outcome->circumstances.now;
    return text_replace(&row->identity_before, row->identity);
}

static int keep_unreadable(struct outcome *outcome, const struct seal_key *key, struct store *store)
{
    struct kept_row kept = {
        .kind = KEPT_UNREADABLE_REPLY,
        .name = outcome->row.name,
        .created_at = outcome->circumstances.now,
    };
    int r = vault_close_bytes(key, &kept, outcome->unreadable.data, outcome->unreadable.length);
    if (r == 0)
        r = store_keep(store, &kept);
    kept_row_release(&kept);
    return r;
}

/* Beside a grant, where no failure is counted; one that sends such replies all the time does not
 * fill the disk. */
static int keep_once_a_day(struct outcome *outcome, const struct seal_key *key, struct store *store)
{
    const int64_t after = outcome->circumstances.now - UNREADABLE_KEPT_AGAIN_MS;
    outcome->kept = false;
    if (outcome->unreadable.length == 0)
        return 0;
    int r = store_find_kept(store, KEPT_UNREADABLE_REPLY, &outcome->row.name, after);
    if (r != STORE_NOT_FOUND)
        return r;
    outcome->kept = true;
    return keep_unreadable(outcome, key, store);
}

static int apply_granted(struct outcome *outcome, const struct seal_key *key, struct store *store,
                         struct account_row *row)
{
    const struct token_grant *granted = &outcome->reply.grant;
    CLEANUP(cleanup_grant) struct grant next = { 0 };
    const bool rejected =
        row->rejected && secret_equal(granted->access_token, outcome->grant.access_token);
    int r = note_identity(outcome, row);
    if (r == 0)
        r = judge_granted(row, granted, outcome->sent_at, &outcome->circumstances);
    if (r == 0 && rejected)
        r = judge_rejected_again(row, outcome->circumstances.now);
    if (r == 0)
        r = next_grant(outcome, granted->access_token, granted->refresh_token, &next);
    if (r == 0)
        r = copy_words(&next, granted->token_type, granted->extra);
    if (r == 0)
        r = write_grant(store, key, row, &next);
    if (r == 0)
        r = keep_once_a_day(outcome, key, store);
    if (r != 0)
        return r;
    outcome->issued = issued_token_free(outcome->issued);
    return grant_issue(&next, row, &outcome->issued);
}

static void judge_row(struct outcome *outcome, struct account_row *row)
{
    const struct circumstances *c = &outcome->circumstances;
    outcome->step = STEP_REST;
    if (c->as_another) {
        outcome->step = judge_refused_as_another(row, c->now);
        return;
    }
    if (verdict_is_refusal(outcome->reply.verdict))
        (void)judge_lost(row, c->lost_at); /* by a try before this one */
    switch (outcome->reply.verdict) {
    case VERDICT_NOT_SENT:
    case VERDICT_NO_ANSWER:
    case VERDICT_GRANTED:
        judge_unanswered(row, c);
        break;
    case VERDICT_ACCOUNT_REFUSED:
        outcome->step = judge_refused(row, c);
        break;
    case VERDICT_ACCOUNT_SUSPECT:
        judge_suspect(row, c);
        break;
    case VERDICT_PROVIDER_REFUSED:
        (void)judge_provider_refused(row, c);
        break;
    }
}

/* What was refused was an earlier token: the new one is next, and no verdict stands against it. */
static void judge_rescued(struct outcome *outcome, struct account_row *row)
{
    const struct circumstances *c = &outcome->circumstances;
    if (secret_equal(outcome->reply.rescued_refresh_token, outcome->spent))
        return;
    row->refusals = REFUSAL_NONE;
    row->refused_at = 0;
    if (outcome->step == STEP_PREDECESSOR)
        outcome->step = STEP_SAME_TOKEN;
    if (row->state != ACCOUNT_CONSENT_REQUIRED && row->refresh_at > 0)
        return;
    judge_needs_no_consent(row, ACCOUNT_SUSPECT);
    row->refresh_at = c->now + backoff_suspect_ms(row->suspect_tries, c->random);
}

static int apply_failed(struct outcome *outcome, const struct seal_key *key, struct store *store,
                        struct account_row *row)
{
    const struct token_reply *reply = &outcome->reply;
    const bool early = row->failures < UNREADABLE_KEPT_IN_A_ROW;
    judge_row(outcome, row);
    if (row->state == ACCOUNT_CONSENT_REQUIRED)
        setup_fingerprint(outcome->setup, row->refused_under);
    int r = judge_note_error(row, reply->error, reply->description, outcome->circumstances.now);
    if (r == 0 && outcome->unreadable.length > 0 && early)
        r = keep_unreadable(outcome, key, store);
    if (r != 0 || !reply->rescued_refresh_token)
        return r != 0 ? r : store_put_facts(store, row);
    judge_rescued(outcome, row);
    CLEANUP(cleanup_grant) struct grant next = { 0 };
    r = next_grant(outcome, outcome->grant.access_token, reply->rescued_refresh_token, &next);
    if (r == 0)
        r = copy_words(&next, outcome->grant.token_type, outcome->grant.extra);
    return r == 0 ? write_grant(store, key, row, &next) : r;
}

const struct secret *outcome_refresh_token(const struct outcome *outcome)
{
    const struct token_reply *reply = &outcome->reply;
    return reply->rescued_refresh_token ? reply->rescued_refresh_token : reply->grant.refresh_token;
}

static int put_successor(const struct outcome *outcome, const struct seal_key *key,
                         struct store *store, struct account_row *row, const struct grant *now,
                         const struct secret *successor)
{
    CLEANUP(cleanup_grant) struct grant next = { 0 };
    int r = next_grant(outcome, now->access_token, successor, &next);
    if (r == 0)
        r = copy_words(&next, now->token_type, now->extra);
    return r == 0 ? write_grant(store, key, row, &next) : r;
}

/* A consent without a refresh token kept the one that was being spent, as the current one or its
 * predecessor; or it was imported anew: the new one is the account's all the same. Returns
 * OUTCOME_OVERTAKEN or -errno. */
static int apply_overtaken(struct outcome *outcome, const struct seal_key *key, struct store *store,
                           struct account_row *row)
{
    const bool came = outcome_refresh_token(outcome) != NULL;
    CLEANUP(cleanup_grant) struct grant now = { 0 };
    int r = came || outcome->unreadable.length > 0 ? vault_open(key, row, &now) : 0;
    if (r >= 0 && !secret_equal(now.refresh_token, outcome->spent) &&
        !secret_equal(now.predecessor, outcome->spent))
        return OUTCOME_OVERTAKEN;
    if (r == 0 && came)
        r = put_successor(outcome, key, store, row, &now, outcome_refresh_token(outcome));
    if (r == 0)
        r = keep_once_a_day(outcome, key, store);
    return r < 0 ? r : OUTCOME_OVERTAKEN;
}

int outcome_take_kept(const struct outcome *outcome, const struct seal_key *key,
                      struct store *store, const struct grant *kept)
{
    const struct grant *now = &outcome->grant; /* whichever of it would be sent */
    CLEANUP(cleanup_account_row) struct account_row row = { 0 };
    int r = read_again(outcome, store, &row);
    if (r != 0 || (!secret_equal(kept->predecessor, now->refresh_token) &&
                   !secret_equal(kept->predecessor, now->predecessor)))
        return r;
    row.refusals = REFUSAL_NONE;
    row.refused_at = 0;
    return put_successor(outcome, key, store, &row, now, kept->refresh_token);
}

int outcome_apply(struct outcome *outcome, const struct seal_key *key, struct store *store)
{
    CLEANUP(cleanup_account_row) struct account_row row = { 0 };
    int r = read_again(outcome, store, &row);
    if (r == OUTCOME_OVERTAKEN)
        return apply_overtaken(outcome, key, store, &row);
    if (r != 0)
        return r;
    const bool granted = outcome->reply.verdict == VERDICT_GRANTED;
    r = granted ? apply_granted(outcome, key, store, &row)
                : apply_failed(outcome, key, store, &row);
    if (r != 0)
        return r < 0 ? r : -EIO;
    account_row_release(&outcome->row);
    outcome->row = row;
    row = (struct account_row){ 0 };
    return 0;
}

void outcome_release(struct outcome *outcome)
{
    setup_unref(outcome->setup);
    grant_release(&outcome->grant);
    token_reply_release(&outcome->reply);
    buffer_release(&outcome->unreadable);
    account_row_release(&outcome->row);
    issued_token_free(outcome->issued);
    *outcome = (struct outcome){ 0 };
}

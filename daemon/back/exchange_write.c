#include "back/exchange_write.h"

#include <errno.h>
#include <string.h>

#include "back/held.h"
#include "back/revoke.h"
#include "back/unused.h"
#include "base/clock.h"
#include "base/text.h"

/* A refresh token says it where the scope does not (Microsoft's never does; OIDC Core 11). */
static bool is_granted(const char *word, const struct token_grant *granted)
{
    return scope_holds(granted->scope, word) ||
           (granted->refresh_token && strcmp(word, "offline_access") == 0);
}

/* True when a word of asked was not granted. */
static bool lacks_a_word(const char *asked, const struct token_grant *granted)
{
    if (!asked || !granted->scope)
        return false;
    for (const char *word = asked; *word;) {
        char one[256];
        const size_t length = strcspn(word, " ");
        if (length > 0 && length < sizeof one) {
            memcpy(one, word, length);
            one[length] = '\0';
            if (!is_granted(one, granted))
                return true;
        }
        word += length + strspn(word + length, " ");
    }
    return false;
}

const struct secret *exchange_write_refresh_token(const struct exchange_write *write)
{
    const struct token_reply *reply = &write->reply;
    return reply->rescued_refresh_token ? reply->rescued_refresh_token : reply->grant.refresh_token;
}

static int check_owner(struct exchange_write *write, struct store *store)
{
    const struct secret *token = exchange_write_refresh_token(write);
    const struct account_name *name = &write->question->account;
    char fingerprint[FINGERPRINT_SIZE];
    if (!token)
        return 0;
    int r = store_token_owner(store, name->provider, secret_fingerprint(token, fingerprint),
                              &write->owner);
    if (r == STORE_NOT_FOUND)
        return 0;
    if (r != 0)
        return r;
    return account_name_equal(&write->owner, name) ? 0 : EXCHANGE_OWNED;
}

/* The grant whose refresh token a consent without one leaves where it is; empty where there is none
 * that may still work, or none that can be opened. old may be NULL. */
static int open_what_stays(const struct seal_key *key, const struct account_row *old,
                           struct grant *ret)
{
    if (!old || !old->has_refresh_token || old->state == ACCOUNT_CONSENT_REQUIRED)
        return 0;
    int r = vault_open(key, old, ret);
    return r == VAULT_BROKEN ? 0 : r;
}

/* A new consent replaces the grant; a refresh token that may still work is kept, and the one before
 * it, where the provider sends one at the first consent alone. old is NULL when the consent is
 * another identity's. */
static int build_grant(const struct exchange_write *write, const struct seal_key *key,
                       const struct account_row *old, struct grant *ret)
{
    CLEANUP(cleanup_grant) struct grant next = { 0 };
    CLEANUP(cleanup_grant) struct grant before = { 0 };
    const struct token_grant *granted = &write->reply.grant;
    const struct secret *refresh_token = exchange_write_refresh_token(write);
    const struct secret *predecessor = NULL;
    int r = 0;
    if (!refresh_token) {
        r = open_what_stays(key, old, &before);
        refresh_token = before.refresh_token;
        predecessor = before.predecessor;
    }
    if (r == 0 && granted->access_token)
        r = secret_copy(granted->access_token, &next.access_token);
    if (r == 0 && refresh_token)
        r = secret_copy(refresh_token, &next.refresh_token);
    if (r == 0 && predecessor)
        r = secret_copy(predecessor, &next.predecessor);
    if (r == 0)
        r = text_copy(granted->token_type ? granted->token_type : "Bearer", &next.token_type);
    if (r == 0)
        r = text_copy(granted->extra ? granted->extra : "{}", &next.extra);
    if (r != 0)
        return r;
    *ret = next;
    next = (struct grant){ 0 };
    return 0;
}

/* What becomes of a consent. Whoever logs in on this machine may do so for an account whose
 * identity is not known yet; whoever has a link may do so only as the one it was made for. Where
 * the provider is to say whose a consent is, one without a word of it may be anybody's. */
static enum consent_outcome judge_identity(const struct exchange_write *write,
                                           const struct account_row *row,
                                           const struct link_row *link)
{
    const char *identity = write->reply.grant.identity;
    const char *expected = row->identity ? row->identity : link->expect;
    const bool by_link = write->question->exchange->link[0] != '\0';
    if (!expected)
        return by_link ? CONSENT_AWAITS : CONSENT_GRANTED;
    if (!identity)
        return by_link || write->setup->provider->identity ? CONSENT_UNTOLD : CONSENT_GRANTED;
    return strcmp(identity, expected) == 0 ? CONSENT_GRANTED : CONSENT_IDENTITY_MISMATCH;
}

static int describe(struct exchange_write *write, const struct account_row *row,
                    enum consent_outcome outcome)
{
    const struct token_grant *granted = &write->reply.grant;
    const char *asked = write->question->exchange->scope;
    struct consent *consent = calloc(1, sizeof *consent);
    if (!consent)
        return -ENOMEM;
    consent->outcome = outcome;
    consent->expires_at = write->sent_at + granted->lifetime_ms;
    consent->fewer_scopes = lacks_a_word(asked, granted);
    int r = text_copy(granted->scope ? granted->scope : row->scope, &consent->scope);
    if (r == 0)
        r = text_copy(granted->identity, &consent->identity);
    consent_free(write->consent);
    write->consent = consent;
    return r;
}

static int fill_row(const struct exchange_write *write, struct account_row *row,
                    const struct grant *grant)
{
    const struct circumstances c = { .provider = write->setup->provider,
                                     .now = clock_now(),
                                     .random = random_below(1000) };
    const char *asked = write->question->exchange->scope;
    row->asked_at = c.now; /* whoever consents wants to use it */
    row->has_refresh_token = grant->refresh_token != NULL;
    if (!row->has_refresh_token || exchange_write_refresh_token(write)) {
        row->granted_at = c.now; /* one that is kept dies when it would have */
        row->refresh_token_expires_at = row->refresh_token_life_ms = 0;
    }
    int r = text_replace(&row->scope, asked ? asked : write->setup->provider->scope);
    if (r == 0)
        r = judge_granted(row, &write->reply.grant, write->sent_at, &c);
    if (r == 0 && !grant->access_token) {
        /* Only the refresh token could be read: it is spent at once for a whole reply. */
        row->refreshed_at = 0;
        row->expires_at = 0;
        row->refresh_at = c.now;
    }
    free(row->last_error);
    free(row->last_error_description);
    row->last_error = row->last_error_description = NULL;
    row->last_error_at = 0;
    return r;
}

/* The facts are those of a new account's row, so that the grant can become the account's later. An
 * account that has no row gets one, which has never had a grant. */
static int hold(struct exchange_write *write, struct keeper *keeper, struct store *store,
                struct account_row *row, const struct grant *grant, enum consent_outcome outcome)
{
    CLEANUP(cleanup_account_row) struct account_row facts = { .name = row->name };
    int r = fill_row(write, &facts, grant);
    if (r == 0 && row->generation == 0) {
        row->state = ACCOUNT_CONSENT_REQUIRED;
        r = store_put_facts(store, row);
    }
    if (r == 0)
        r = held_put(keeper, store, &facts, grant);
    return r == 0 ? describe(write, row, outcome) : r;
}

static int write_row(struct exchange_write *write, struct keeper *keeper, struct store *store,
                     struct account_row *row, const struct grant *grant)
{
    char fingerprint[FINGERPRINT_SIZE];
    int r = fill_row(write, row, grant);
    if (r == 0)
        r = vault_close(keeper->key, row, grant);
    if (r == 0)
        r = store_put(store, row);
    const struct secret *token = grant->refresh_token;
    if (r == 0)
        r = store_put_token_owner(store, &row->name,
                                  token ? secret_fingerprint(token, fingerprint) : NULL);
    if (r == 0)
        r = revocations_forgo(keeper, store, &row->name, write->reply.grant.identity);
    if (r != 0)
        return r;
    write->issued = issued_token_free(write->issued);
    if (grant->access_token)
        r = grant_issue(grant, row, &write->issued);
    const enum consent_outcome outcome =
        grant->refresh_token ? CONSENT_GRANTED : CONSENT_WITHOUT_REFRESH_TOKEN;
    return r == 0 ? describe(write, row, outcome) : r;
}

bool exchange_write_holds(enum consent_outcome outcome)
{
    return outcome == CONSENT_IDENTITY_MISMATCH || outcome == CONSENT_AWAITS ||
           outcome == CONSENT_UNTOLD;
}

static int write_outcome(struct exchange_write *write, struct keeper *keeper, struct store *store,
                         struct account_row *row, enum consent_outcome outcome)
{
    CLEANUP(cleanup_grant) struct grant grant = { 0 };
    const bool held = exchange_write_holds(outcome);
    int r = build_grant(write, keeper->key, held ? NULL : row, &grant);
    if (r == 0 && held)
        r = hold(write, keeper, store, row, &grant, outcome);
    else if (r == 0)
        r = write_row(write, keeper, store, row, &grant);
    return r;
}

/* Whoever it was, the account's link has served its purpose, unless the wrong one consented, or
 * perhaps did. */
static int end_link(struct exchange_write *write, struct store *store)
{
    const enum consent_outcome outcome = write->consent->outcome;
    if (outcome == CONSENT_IDENTITY_MISMATCH || outcome == CONSENT_UNTOLD)
        return 0;
    int r = store_end_link(store, &write->question->account, LINK_USED, clock_now());
    write->consent->link_used = r == 0 || *write->question->exchange->link;
    return r < 0 ? r : 0;
}

int exchange_write_drop(const struct exchange_write *write, struct keeper *keeper,
                        struct store *store)
{
    CLEANUP(cleanup_grant) struct grant grant = { 0 };
    int r = build_grant(write, keeper->key, NULL, &grant);
    return r == 0 ? unused_revoke(keeper, store, &write->question->account,
                                  write->reply.grant.identity, &grant)
                  : r;
}

static int write_or_drop(struct exchange_write *write, struct keeper *keeper, struct store *store,
                         struct account_row *row, const struct link_row *link)
{
    const enum consent_outcome outcome = judge_identity(write, row, link);
    write->late = exchange_late_reply(write, row, link, outcome);
    if (write->late != EXCHANGE_IN_TIME)
        return exchange_write_drop(write, keeper, store);
    int r = write_outcome(write, keeper, store, row, outcome);
    return r == 0 ? end_link(write, store) : r;
}

/* link stays as it is where there is none of that digest. */
static int look(const struct exchange_write *write, struct store *store, struct account_row *row,
                struct link_row *link)
{
    const char *digest = write->question->exchange->link;
    int r = keeper_row_or_new(store, &write->question->account, row);
    if (r != 0 || !*digest)
        return r;
    r = store_read_link(store, digest, link);
    return r < 0 ? r : 0;
}

int exchange_write_look(struct exchange_write *write, struct store *store)
{
    CLEANUP(cleanup_account_row) struct account_row row = { 0 };
    CLEANUP(cleanup_link_row) struct link_row link = { .ending = LINK_REPLACED };
    int r = look(write, store, &row, &link);
    if (r == 0)
        write->late = exchange_late_request(write, &row, &link);
    return r;
}

/* Returns 0, EXCHANGE_OWNED or -errno. */
static int write_consent(struct exchange_write *write, struct keeper *keeper, struct store *store)
{
    CLEANUP(cleanup_account_row) struct account_row row = { 0 };
    CLEANUP(cleanup_link_row) struct link_row link = { .ending = LINK_REPLACED };
    int r = check_owner(write, store);
    if (r == 0)
        r = look(write, store, &row, &link);
    if (r != 0)
        return r;
    r = write_or_drop(write, keeper, store, &row, &link);
    if (r != 0)
        return r < 0 ? r : -EIO;
    account_row_release(&write->row);
    write->row = row;
    row = (struct account_row){ 0 };
    return 0;
}

bool exchange_write_grants(const struct exchange_write *write)
{
    return !write->foreign &&
           (write->reply.verdict == VERDICT_GRANTED || write->reply.rescued_refresh_token);
}

bool exchange_write_stored(const struct exchange_write *write)
{
    return exchange_write_grants(write) && write->late == EXCHANGE_IN_TIME;
}

static int keep_odd(const struct exchange_write *write, const struct seal_key *key,
                    struct store *store)
{
    struct kept_row kept = { .kind = KEPT_UNREADABLE_REPLY,
                             .name = write->question->account,
                             .created_at = clock_now() };
    if (write->odd.length == 0)
        return 0;
    int r = vault_close_bytes(key, &kept, write->odd.data, write->odd.length);
    if (r == 0)
        r = store_keep(store, &kept);
    kept_row_release(&kept);
    return r;
}

int exchange_write_apply(struct exchange_write *write, struct keeper *keeper, struct store *store)
{
    int r = keep_odd(write, keeper->key, store);
    return r != 0 || !exchange_write_grants(write) ? r : write_consent(write, keeper, store);
}

void exchange_write_release(struct exchange_write *write)
{
    consent_free(write->consent);
    buffer_release(&write->odd);
    setup_unref(write->setup);
    token_reply_release(&write->reply);
    account_row_release(&write->row);
    issued_token_free(write->issued);
    *write = (struct exchange_write){ 0 };
}

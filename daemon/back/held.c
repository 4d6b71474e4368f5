#include "back/held.h"

#include <errno.h>
#include <string.h>

#include "back/job.h"
#include "back/lanes.h"
#include "back/questions.h"
#include "back/revoke.h"
#include "base/clock.h"
#include "base/log.h"

/* At many providers one revocation ends all that a person has granted, also what is to stay. */
static bool may_be_of_one_person(const char *identity, const char *other)
{
    return !identity || !other || strcmp(identity, other) == 0;
}

static void tell_unrevoked(const struct account_name *name, const char *which)
{
    char text[ACCOUNT_TEXT_SIZE];
    log_warning("%s: the %s grant is not revoked, as it may be the same person's: end it at the "
                "provider by hand",
                account_text(name, text), which);
}

/* True, and said, where another account has a grant of that identity; -errno. */
static int is_of_another(struct store *store, const struct account_name *name, const char *identity)
{
    struct account_name other;
    char text[ACCOUNT_TEXT_SIZE];
    char other_text[ACCOUNT_TEXT_SIZE];
    if (!identity)
        return false;
    int r = store_identity_account(store, name, identity, &other);
    if (r != 0)
        return r == STORE_NOT_FOUND ? false : r;
    log_warning("%s: a grant that is done with is not revoked, as it may be of the same person as "
                "that of %s: end it at the provider by hand",
                account_text(name, text), account_text(&other, other_text));
    return true;
}

/* Tokens that nobody will use any more; where an account holds the refresh token they are its. */
static int revoke_unused(struct keeper *keeper, struct store *store,
                         const struct account_name *name, const char *identity,
                         const struct grant *grant)
{
    struct account_name owner;
    char fingerprint[FINGERPRINT_SIZE];
    if (grant->refresh_token) {
        int r = store_token_owner(store, name->provider,
                                  secret_fingerprint(grant->refresh_token, fingerprint), &owner);
        if (r != STORE_NOT_FOUND)
            return r;
    }
    int r = is_of_another(store, name, identity);
    if (r != 0)
        return r > 0 ? 0 : r;
    return revocation_write(keeper, store, name, identity, grant);
}

/* What cannot be read or unsealed cannot be revoked, but it can be forgotten. */
static int revoke_row(struct keeper *keeper, struct store *store, const struct held_row *row)
{
    CLEANUP(cleanup_grant) struct grant grant = { 0 };
    int r = vault_open_held(keeper->key, row, &grant);
    if (r == 0)
        r = revoke_unused(keeper, store, &row->name, row->identity, &grant);
    return r > 0 ? 0 : r;
}

int held_revoke(struct keeper *keeper, struct store *store, const struct account_name *name)
{
    CLEANUP(cleanup_held_row) struct held_row row = { 0 };
    int r = store_read_held(store, name, &row);
    if (r == STORE_NOT_FOUND)
        return 0;
    if (r == 0)
        r = revoke_row(keeper, store, &row);
    if (r < 0)
        return r;
    r = store_drop_held(store, name);
    return r > 0 ? 0 : r;
}

/* Whether the account itself has a grant of that identity; or -errno. */
static int is_the_accounts_own(struct store *store, const struct held_row *held)
{
    CLEANUP(cleanup_account_row) struct account_row row = { 0 };
    int r = store_read(store, &held->name, &row);
    if (r != 0)
        return r > 0 ? false : r;
    return row.generation > 0 && may_be_of_one_person(row.identity, held->identity);
}

/* The one that a newer takes the place of. */
static int revoke_older(struct keeper *keeper, struct store *store, const struct account_row *facts)
{
    CLEANUP(cleanup_held_row) struct held_row older = { 0 };
    int r = store_read_held(store, &facts->name, &older);
    if (r != 0)
        return r > 0 ? 0 : r;
    if (!may_be_of_one_person(facts->identity, older.identity)) {
        r = is_the_accounts_own(store, &older);
        if (r <= 0)
            return r == 0 ? revoke_row(keeper, store, &older) : r;
    }
    tell_unrevoked(&facts->name, "older held");
    return 0;
}

int held_put(struct keeper *keeper, struct store *store, const struct account_row *facts,
             const struct grant *grant)
{
    struct held_row row = {
        .name = facts->name,
        .created_at = clock_now(),
        .refreshed_at = facts->refreshed_at,
        .lifetime_ms = facts->lifetime_ms,
        .expires_at = facts->expires_at,
        .refresh_at = facts->refresh_at,
        .refresh_token_expires_at = facts->refresh_token_expires_at,
        .refresh_token_life_ms = facts->refresh_token_life_ms,
        .scope = facts->scope, /* borrowed, as the next */
        .identity = facts->identity,
    };
    int r = vault_close_held(keeper->key, &row, grant);
    if (r == 0)
        r = revoke_older(keeper, store, facts);
    if (r == 0)
        r = store_put_held(store, &row);
    if (r == 0)
        r = revocations_forgo(keeper, store, &facts->name, facts->identity);
    free(row.sealed);
    return r;
}

int held_move(struct keeper *keeper, struct store *store, const struct account_name *from,
              const struct account_name *to)
{
    CLEANUP(cleanup_held_row) struct held_row row = { 0 };
    CLEANUP(cleanup_grant) struct grant grant = { 0 };
    int r = store_read_held(store, from, &row);
    if (r == STORE_NOT_FOUND)
        return 0;
    if (r == 0)
        r = vault_open_held(keeper->key, &row, &grant);
    row.name = *to;
    if (r == 0)
        r = vault_close_held(keeper->key, &row, &grant);
    return r == 0 ? store_put_held(store, &row) : r;
}

static void forget_troubles(struct account_row *row)
{
    row->state = ACCOUNT_ACTIVE;
    row->rejected = false;
    row->refusals = REFUSAL_NONE;
    row->refused_at = row->suspect_since = row->lost_at = 0;
    row->warned_days = 0;
    row->failures = 0;
    free(row->last_error);
    free(row->last_error_description);
    row->last_error = row->last_error_description = NULL;
    row->last_error_at = 0;
}

static void swap_texts(char **a, char **b)
{
    char *kept = *a;
    *a = *b;
    *b = kept;
}

static void take_over(struct account_row *row, struct held_row *held, const struct grant *grant)
{
    row->generation++;
    row->has_refresh_token = grant->refresh_token != NULL;
    row->refreshed_at = held->refreshed_at;
    row->lifetime_ms = held->lifetime_ms;
    row->expires_at = held->expires_at;
    row->refresh_at = grant->refresh_token ? held->refresh_at : 0;
    row->refresh_token_expires_at = held->refresh_token_expires_at;
    row->refresh_token_life_ms = held->refresh_token_life_ms;
    swap_texts(&row->scope, &held->scope);
    if (held->identity) /* else it stays known whose it was to be: a refresh may tell otherwise */
        swap_texts(&row->identity, &held->identity);
    forget_troubles(row);
}

static int put_grant(struct keeper *keeper, struct store *store, struct account_row *row,
                     const struct grant *grant)
{
    char fingerprint[FINGERPRINT_SIZE];
    const struct secret *token = grant->refresh_token;
    int r = vault_close(keeper->key, row, grant);
    if (r == 0)
        r = store_put(store, row);
    if (r == 0)
        r = store_put_token_owner(store, &row->name,
                                  token ? secret_fingerprint(token, fingerprint) : NULL);
    return r;
}

/* The one that the held grant has taken the place of. */
static int revoke_replaced(struct keeper *keeper, struct store *store,
                           const struct account_row *row, const char *identity,
                           const struct grant *old)
{
    if (!old->refresh_token && !old->access_token)
        return 0;
    if (!may_be_of_one_person(row->identity, identity))
        return revoke_unused(keeper, store, &row->name, identity, old);
    tell_unrevoked(&row->name, "older");
    return 0;
}

/* The held grant becomes the account's, without a predecessor: that was another identity's. */
static int accept_held(struct job *job, struct store *store, struct account_row *row)
{
    struct keeper *keeper = job->keeper;
    CLEANUP(cleanup_held_row) struct held_row held = { 0 };
    CLEANUP(cleanup_grant) struct grant grant = { 0 };
    CLEANUP(cleanup_grant) struct grant old = { 0 };
    if (lanes_fly(keeper->lanes, &row->name))
        return JOB_IN_FLIGHT;
    int r = store_read_held(store, &row->name, &held);
    if (r == 0)
        r = vault_open_held(keeper->key, &held, &grant);
    if (r == 0)
        r = job_find_other_owner(job, store, &row->name, grant.refresh_token);
    if (r != 0)
        return r;
    const bool readable = vault_open(keeper->key, row, &old) == 0;
    take_over(row, &held, &grant);
    r = put_grant(keeper, store, row, &grant);
    if (r == 0)
        r = store_drop_held(store, &row->name);
    if (r == 0)
        r = revocations_forgo(keeper, store, &row->name, row->identity);
    if (r == 0 && readable) /* take_over() has put its identity there */
        r = revoke_replaced(keeper, store, row, held.identity, &old);
    if (r == 0)
        r = store_end_link(store, &row->name, LINK_USED, clock_now());
    return r > 0 ? 0 : r;
}

/* An account that never had a grant was there for what was held alone. */
static int discard_held(struct job *job, struct store *store, struct account_row *row)
{
    int r = 0;
    if (row->generation == 0 || !may_be_of_one_person(row->identity, row->held_identity)) {
        r = held_revoke(job->keeper, store, &row->name);
    } else {
        tell_unrevoked(&row->name, "discarded");
        r = store_drop_held(store, &row->name);
    }
    if (r == 0 && row->generation == 0)
        r = store_delete(store, &row->name);
    return r > 0 ? 0 : r;
}

static int apply_decision(void *userdata, struct store *store)
{
    struct job *job = userdata;
    const struct account_name *name = &job->question->account;
    CLEANUP(cleanup_account_row) struct account_row row = { 0 };
    int r = store_read(store, name, &row);
    if (r != 0)
        return r;
    if (row.held_at == 0)
        return JOB_NOTHING_HELD;
    if (row.held_at != job->question->held_at)
        return JOB_HELD_ANOTHER; /* nobody has seen whose it is */
    r = (job->question->accept ? accept_held : discard_held)(job, store, &row);
    if (r != 0)
        return r;
    row.held_at = 0;
    free(row.held_identity);
    row.held_identity = NULL;
    job_set_row(job, &row);
    return 0;
}

static void tell_decided(struct job *job)
{
    struct keeper *keeper = job->keeper;
    const struct message *question = job->question;
    char name[ACCOUNT_TEXT_SIZE];
    log_info("%s: the held consent was %s", account_text(&question->account, name),
             question->accept ? "accepted" : "discarded");
    if (question->accept)
        keeper_notify(keeper, &question->account, job->row.generation, NULL);
    job_answer_row(job);
    job_pump_provider(job);
    revocations_pump(keeper->revocations);
    (void)store_checkpoint(keeper->store); /* the sealed tokens that are done with leave the disk */
}

void change_decide(struct keeper *keeper, struct message *question)
{
    job_begin(keeper, question, apply_decision, tell_decided);
}

/* Questions that write: each is one job in the group commit, answered when it is durable. */

#include <errno.h>
#include <string.h>

#include "back/held.h"
#include "back/job.h"
#include "back/judgement.h"
#include "back/lanes.h"
#include "back/questions.h"
#include "back/revoke.h"
#include "back/vault.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"
#include "oauth/lifetime.h"

/* NULL: it is not configured any more. */
static const struct provider *provider_of(const struct job *job)
{
    struct lane *lane = lanes_find(job->keeper->lanes, job->question->account.provider);
    return lane ? lane_setup(lane)->provider : NULL;
}

/* The API said 401 to this access token: it is never served again. */
static int apply_reject(void *userdata, struct store *store)
{
    struct job *job = userdata;
    CLEANUP(cleanup_account_row) struct account_row row = { 0 };
    CLEANUP(cleanup_grant) struct grant grant = { 0 };
    char fingerprint[FINGERPRINT_SIZE];
    int r = store_read(store, &job->question->account, &row);
    if (r == 0)
        r = vault_open(job->keeper->key, &row, &grant);
    if (r != 0)
        return r;
    if (!grant.access_token || strcmp(secret_fingerprint(grant.access_token, fingerprint),
                                      job->question->fingerprint) != 0)
        return JOB_NOT_CURRENT;
    if (row.rejected)
        return JOB_REJECTED_BEFORE; /* saying it again does not hurry the refresh */
    r = judge_rejected(&row, provider_of(job), clock_now());
    if (r == 0)
        r = store_put_facts(store, &row);
    if (r == 0)
        job_set_row(job, &row);
    return r;
}

static void tell_rejected(struct job *job)
{
    if (job->row.generation > 0)
        keeper_notify(job->keeper, &job->question->account, job->row.generation, NULL);
    job_answer_empty(job);
    job_pump_provider(job);
}

void change_reject(struct keeper *keeper, struct message *question)
{
    job_begin(keeper, question, apply_reject, tell_rejected);
}

/* An imported refresh token is not spent before someone asks, or its idle limit comes near. */
static int64_t first_refresh(const struct provider *provider, const struct import_request *import)
{
    const int64_t keepalive = lifetime_keepalive_at(provider, clock_now());
    return import->refresh_token && keepalive != INT64_MAX ? keepalive : 0;
}

static int fill_imported(struct job *job, const struct provider *provider, struct account_row *row,
                         struct grant *grant)
{
    const struct import_request *import = job->question->import;
    const int64_t now = clock_now();
    int r = secret_copy(import->refresh_token, &grant->refresh_token);
    if (r == 0)
        r = secret_copy(import->access_token, &grant->access_token);
    if (r == 0 && import->scope)
        r = text_replace(&row->scope, import->scope);
    row->generation++;
    row->state = ACCOUNT_ACTIVE;
    row->has_refresh_token = import->refresh_token != NULL;
    row->rejected = false;
    row->refreshed_at = import->access_token ? now : 0;
    row->lifetime_ms = 0;
    row->expires_at = 0;
    row->refresh_at = first_refresh(provider, import);
    row->refresh_token_expires_at = row->refresh_token_life_ms = 0;
    row->refusals = REFUSAL_NONE;
    row->refused_at = row->suspect_since = row->lost_at = 0;
    row->warned_days = 0;
    row->failures = 0;
    row->imported[0] = '\0';
    if (import->refresh_token)
        (void)secret_fingerprint(import->refresh_token, row->imported);
    return r;
}

static int write_imported(struct job *job, struct store *store, struct account_row *row,
                          const struct grant *grant)
{
    char fingerprint[FINGERPRINT_SIZE];
    int r = vault_close(job->keeper->key, row, grant);
    if (r == 0)
        r = store_put(store, row);
    const struct secret *token = grant->refresh_token;
    if (r == 0)
        r = store_put_token_owner(store, &row->name,
                                  token ? secret_fingerprint(token, fingerprint) : NULL);
    if (r == 0)
        r = store_end_link(store, &row->name, LINK_USED, clock_now());
    if (r >= 0) /* whose it is a refresh will tell */
        r = revocations_forgo(job->keeper, store, &row->name, NULL);
    if (r < 0)
        return r;
    job_set_row(job, row);
    return 0;
}

/*
 * What an import may replace. A script that brings the same token at every start is not to put it
 * in the place of those that came of it since: at many providers that would end the grant. A token
 * that is none of the three is newer for all that is known, and may come whatever the state.
 *
 *     the token is, of the account,  | active, suspect | consent_required   | no row
 *     -------------------------------|-----------------|--------------------|------------
 *     the current one                | at most scope   | at most scope, and | -
 *                                    |                 | it is tried again  |
 *     its predecessor                | nothing         | nothing            | -
 *     the one that was imported last | nothing         | nothing            | -
 *     none of these                  | is replaced     | is replaced        | it is made
 *
 * An account whose grant cannot be unsealed, or has no refresh token, has none to lose: it is
 * replaced. One that was forgotten has no row; one that is there for a held consent alone has no
 * grant. What is held stays held. A token that another account of the provider has now, or was
 * imported with last and has one since, is refused.
 */
enum standing { STANDS_NOWHERE, STANDS_CURRENT, STANDS_SPENT };

/* Returns 0 or -errno. */
static int find_standing(const struct job *job, const struct account_row *row,
                         enum standing *standing)
{
    const struct secret *token = job->question->import->refresh_token;
    CLEANUP(cleanup_grant) struct grant now = { 0 };
    char fingerprint[FINGERPRINT_SIZE];
    *standing = STANDS_NOWHERE;
    int r = token ? vault_open(job->keeper->key, row, &now) : 0;
    if (r != 0)
        return r == VAULT_BROKEN ? 0 : r;
    if (!now.refresh_token)
        return 0;
    if (secret_equal(now.refresh_token, token))
        *standing = STANDS_CURRENT;
    else if (secret_equal(now.predecessor, token) ||
             strcmp(secret_fingerprint(token, fingerprint), row->imported) == 0)
        *standing = STANDS_SPENT;
    return 0;
}

/* The account has it already: its grant stays as it is, and so does a link that is open. */
static int import_again(struct job *job, struct store *store, const struct provider *provider,
                        struct account_row *row, enum standing standing)
{
    const struct import_request *import = job->question->import;
    int r = 0;
    (void)secret_fingerprint(import->refresh_token, row->imported);
    if (standing == STANDS_CURRENT && import->scope)
        r = text_replace(&row->scope, import->scope);
    if (standing == STANDS_CURRENT && row->state == ACCOUNT_CONSENT_REQUIRED) {
        judge_tried_again(row);
        row->refresh_at = first_refresh(provider, import);
    }
    if (r == 0)
        r = store_put_facts(store, row);
    if (r != 0)
        return r;
    job_set_row(job, row);
    return standing == STANDS_CURRENT ? JOB_IMPORTED_CURRENT : JOB_IMPORTED_BEFORE;
}

/* A script may bring it under a name that its account has no more: there it would end the grant of
 * the name that it has now. Returns 0, JOB_IMPORTED_ELSEWHERE or -errno. */
static int find_other_import(struct job *job, struct store *store)
{
    const struct secret *token = job->question->import->refresh_token;
    const struct account_name *name = &job->question->account;
    char fingerprint[FINGERPRINT_SIZE];
    if (!token)
        return 0;
    int r = store_imported_account(store, name->provider, secret_fingerprint(token, fingerprint),
                                   &job->other);
    if (r == STORE_NOT_FOUND)
        return 0;
    return r == 0 && !account_name_equal(&job->other, name) ? JOB_IMPORTED_ELSEWHERE : r;
}

static int apply_import(void *userdata, struct store *store)
{
    struct job *job = userdata;
    CLEANUP(cleanup_account_row) struct account_row row = { 0 };
    CLEANUP(cleanup_grant) struct grant grant = { 0 };
    enum standing standing;
    struct lane *lane = lanes_find(job->keeper->lanes, job->question->account.provider);
    if (!lane)
        return JOB_NOT_FOUND;
    const struct provider *provider = lane_setup(lane)->provider;
    int r = job_find_other_owner(job, store, &job->question->account,
                                 job->question->import->refresh_token);
    if (r != 0)
        return r;
    r = keeper_row_or_new(store, &job->question->account, &row);
    if (r == 0)
        r = find_standing(job, &row, &standing);
    if (r != 0)
        return r;
    if (standing != STANDS_NOWHERE)
        return import_again(job, store, provider, &row, standing);
    r = find_other_import(job, store);
    if (r == 0)
        r = fill_imported(job, provider, &row, &grant);
    return r == 0 ? write_imported(job, store, &row, &grant) : r;
}

static const char *imported_text(int result)
{
    switch (result) {
    case JOB_IMPORTED_CURRENT:
        return "imported again: it has this refresh token already";
    case JOB_IMPORTED_BEFORE:
        return "imported before: what came of that refresh token since is kept";
    default:
        return "imported";
    }
}

static void tell_imported(struct job *job)
{
    char name[ACCOUNT_TEXT_SIZE];
    log_info("%s: %s", account_text(&job->question->account, name), imported_text(job->result));
    keeper_notify(job->keeper, &job->question->account, job->row.generation, NULL);
    job_answer_row(job);
    job_pump_provider(job);
}

void change_import(struct keeper *keeper, struct message *question)
{
    if (!lanes_find(keeper->lanes, question->account.provider)) {
        const struct failure failure = failure_make(
            WIRE_UNKNOWN_PROVIDER, 0, "provider %s is not configured", question->account.provider);
        keeper_refuse(keeper, question->id, &failure);
        message_free(question);
        return;
    }
    job_begin(keeper, question, apply_import, tell_imported);
}

static int apply_forget(void *userdata, struct store *store)
{
    struct job *job = userdata;
    CLEANUP(cleanup_account_row) struct account_row row = { 0 };
    CLEANUP(cleanup_grant) struct grant grant = { 0 };
    int r = store_read(store, &job->question->account, &row);
    if (r == 0)
        r = vault_open(job->keeper->key, &row, &grant);
    if (r == 0)
        r = revocation_write(job->keeper, store, &row.name, row.identity, &grant);
    int ended = store_end_link(store, &job->question->account, LINK_WITHDRAWN, clock_now());
    if (ended < 0)
        return ended;
    /* What cannot be read or unsealed cannot be revoked, but it can be forgotten. */
    return r == 0 || r == VAULT_BROKEN || r == STORE_FOREIGN
               ? held_forget(job->keeper, store, &job->question->account)
               : r;
}

static void tell_forgotten(struct job *job)
{
    char name[ACCOUNT_TEXT_SIZE];
    log_info("%s: forgotten", account_text(&job->question->account, name));
    keeper_notify(job->keeper, &job->question->account, UINT64_MAX, NULL);
    job_answer_empty(job);
    revocations_pump(job->keeper->revocations);
    (void)store_checkpoint(job->keeper->store); /* its sealed tokens leave the disk now */
}

void change_forget(struct keeper *keeper, struct message *question)
{
    job_begin(keeper, question, apply_forget, tell_forgotten);
}

static int apply_retry(void *userdata, struct store *store)
{
    struct job *job = userdata;
    CLEANUP(cleanup_account_row) struct account_row row = { 0 };
    int r = store_read(store, &job->question->account, &row);
    if (r != 0)
        return r;
    if (account_is_renewable(&row, provider_of(job))) {
        judge_tried_again(&row);
        row.refresh_at = row.asked_at = clock_now();
    }
    return store_put_facts(store, &row);
}

static void tell_retried(struct job *job)
{
    struct lane *lane = lanes_find(job->keeper->lanes, job->question->account.provider);
    if (lane)
        lane_retry(lane);
    job_answer_empty(job);
}

static void retry_providers(struct keeper *keeper, const struct message *question)
{
    const char *only = question->account.provider;
    struct lane *lane = lanes_at(keeper->lanes, 0);
    for (size_t i = 0; lane; lane = lanes_at(keeper->lanes, ++i))
        if (!only[0] || strcmp(lane_setup(lane)->provider->name, only) == 0)
            lane_retry(lane);
    keeper_answer(keeper, question->id, message_new(ANSWER));
}

void change_retry(struct keeper *keeper, struct message *question)
{
    if (question->account.label[0]) {
        job_begin(keeper, question, apply_retry, tell_retried);
        return;
    }
    retry_providers(keeper, question);
    message_free(question);
}

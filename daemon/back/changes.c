/* Questions that write: each is one job in the group commit, answered when it is durable. */

#include <errno.h>
#include <string.h>

#include "back/judgement.h"
#include "back/lanes.h"
#include "back/questions.h"
#include "back/revoke.h"
#include "back/vault.h"
#include "base/clock.h"
#include "base/log.h"
#include "oauth/lifetime.h"

enum job_result {
    JOB_NOT_FOUND = STORE_NOT_FOUND,
    JOB_OWNED = 50,
    JOB_NOT_CURRENT,
    JOB_REJECTED_BEFORE
};

struct job {
    struct keeper *keeper;
    struct message *question;
    struct account_row row;    /* as it was written */
    struct account_name owner; /* with JOB_OWNED */
    void (*tell)(struct job *job);
};

static void free_job(struct job *job)
{
    message_free(job->question);
    account_row_release(&job->row);
    free(job);
}

static struct failure job_failure(const struct job *job, int result)
{
    char name[ACCOUNT_TEXT_SIZE];
    account_text(&job->question->account, name);
    if (result == JOB_NOT_FOUND)
        return failure_make(WIRE_UNKNOWN_ACCOUNT, 0, "there is no account %s", name);
    if (result == JOB_OWNED)
        return failure_make(WIRE_BAD_REQUEST, 0, "account %s/%s holds this refresh token already",
                            job->owner.provider, job->owner.label);
    if (result > 0)
        return failure_make(WIRE_INTERNAL, 0,
                            "what the store holds of %s is damaged, or sealed with another key: "
                            "restore a backup, or log it out and in again",
                            name);
    return failure_make(WIRE_BUSY, 1, "the broker's store refuses writes (%s): %s is unchanged",
                        store_message(job->keeper->store), name);
}

static void answer_empty(struct job *job)
{
    struct message *answer = message_new(ANSWER);
    if (answer)
        keeper_answer(job->keeper, job->question->id, answer);
    else
        mailbox_unreserve(job->keeper->front);
}

static void answer_row(struct job *job)
{
    CLEANUP(cleanup_message) struct message *answer = message_new(ANSWER);
    struct account_row *rows = calloc(1, sizeof *rows);
    if (!answer || !rows) {
        free(rows);
        mailbox_unreserve(job->keeper->front);
        return;
    }
    rows[0] = job->row;
    job->row = (struct account_row){ 0 };
    answer->rows = rows;
    answer->row_count = 1;
    keeper_answer(job->keeper, job->question->id, steal(answer));
}

static void job_done(void *userdata, int result)
{
    struct job *job = userdata;
    if (result == 0 || result == JOB_NOT_CURRENT || result == JOB_REJECTED_BEFORE) {
        job->tell(job);
    } else {
        const struct failure failure = job_failure(job, result);
        keeper_refuse(job->keeper, job->question->id, &failure);
    }
    free_job(job);
}

static void begin(struct keeper *keeper, struct message *question, commit_apply apply,
                  void (*tell)(struct job *job))
{
    struct job *job = calloc(1, sizeof *job);
    if (!job) {
        const struct failure failure = failure_make(WIRE_BUSY, 1, "memory is short: ask again");
        keeper_refuse(keeper, question->id, &failure);
        message_free(question);
        return;
    }
    *job = (struct job){ .keeper = keeper, .question = question, .tell = tell };
    int r = commits_add(keeper->commits, COMMIT_MAY, apply, job_done, job);
    if (r != 0)
        job_done(job, r);
}

static void set_row(struct job *job, struct account_row *row)
{
    account_row_release(&job->row);
    job->row = *row;
    *row = (struct account_row){ 0 };
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
    row.rejected = true;
    if (row.has_refresh_token && row.state != ACCOUNT_CONSENT_REQUIRED)
        row.refresh_at = clock_now();
    r = store_put_facts(store, &row);
    if (r == 0)
        set_row(job, &row);
    return r;
}

static void pump_provider(struct job *job)
{
    struct lane *lane = lanes_find(job->keeper->lanes, job->question->account.provider);
    if (lane)
        lane_pump(lane);
}

static void tell_rejected(struct job *job)
{
    if (job->row.generation > 0)
        keeper_notify(job->keeper, &job->question->account, job->row.generation, NULL);
    answer_empty(job);
    pump_provider(job);
}

void change_reject(struct keeper *keeper, struct message *question)
{
    begin(keeper, question, apply_reject, tell_rejected);
}

static int find_other_owner(struct job *job, struct store *store)
{
    const struct secret *token = job->question->import->refresh_token;
    char fingerprint[FINGERPRINT_SIZE];
    if (!token)
        return 0;
    int r = store_token_owner(store, job->question->account.provider,
                              secret_fingerprint(token, fingerprint), &job->owner);
    if (r == STORE_NOT_FOUND)
        return 0;
    if (r == 0 && !account_name_equal(&job->owner, &job->question->account))
        return JOB_OWNED;
    return r;
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
    int r = 0;
    if (import->refresh_token)
        r = secret_copy(import->refresh_token, &grant->refresh_token);
    if (r == 0 && import->access_token)
        r = secret_copy(import->access_token, &grant->access_token);
    if (r == 0 && import->scope) {
        free(row->scope);
        row->scope = strdup(import->scope);
        r = row->scope ? 0 : -ENOMEM;
    }
    row->generation++;
    row->state = ACCOUNT_ACTIVE;
    row->has_refresh_token = import->refresh_token != NULL;
    row->rejected = false;
    row->refreshed_at = import->access_token ? now : 0;
    row->lifetime_ms = 0;
    row->expires_at = 0;
    row->refresh_at = first_refresh(provider, import);
    row->refresh_token_expires_at = 0;
    row->refusals = REFUSAL_NONE;
    row->refused_at = row->suspect_since = 0;
    row->failures = 0;
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
        set_row(job, row);
    return r;
}

static int apply_import(void *userdata, struct store *store)
{
    struct job *job = userdata;
    CLEANUP(cleanup_account_row) struct account_row row = { 0 };
    CLEANUP(cleanup_grant) struct grant grant = { 0 };
    const struct lane *lane = lanes_find(job->keeper->lanes, job->question->account.provider);
    if (!lane)
        return JOB_NOT_FOUND;
    int r = find_other_owner(job, store);
    if (r != 0)
        return r;
    r = store_read(store, &job->question->account, &row);
    if (r == STORE_NOT_FOUND) {
        row.name = job->question->account;
        row.created_at = clock_now();
    } else if (r != 0)
        return r;
    r = fill_imported(job, lane_setup((struct lane *)lane)->provider, &row, &grant);
    return r == 0 ? write_imported(job, store, &row, &grant) : r;
}

static void tell_imported(struct job *job)
{
    char name[ACCOUNT_TEXT_SIZE];
    log_info("%s: imported", account_text(&job->question->account, name));
    keeper_notify(job->keeper, &job->question->account, job->row.generation, NULL);
    answer_row(job);
    pump_provider(job);
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
    begin(keeper, question, apply_import, tell_imported);
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
        r = revocation_write(job->keeper, store, &row.name, &grant);
    /* What cannot be read or unsealed cannot be revoked, but it can be forgotten. */
    return r == 0 || r == VAULT_BROKEN || r == STORE_FOREIGN
               ? store_delete(store, &job->question->account)
               : r;
}

static void tell_forgotten(struct job *job)
{
    char name[ACCOUNT_TEXT_SIZE];
    log_info("%s: forgotten", account_text(&job->question->account, name));
    keeper_notify(job->keeper, &job->question->account, UINT64_MAX, NULL);
    answer_empty(job);
    revocations_pump(job->keeper->revocations);
    (void)store_checkpoint(job->keeper->store); /* its sealed tokens leave the disk now */
}

void change_forget(struct keeper *keeper, struct message *question)
{
    begin(keeper, question, apply_forget, tell_forgotten);
}

static int apply_retry(void *userdata, struct store *store)
{
    struct job *job = userdata;
    CLEANUP(cleanup_account_row) struct account_row row = { 0 };
    int r = store_read(store, &job->question->account, &row);
    if (r != 0)
        return r;
    if (row.has_refresh_token) {
        row.state = ACCOUNT_ACTIVE;
        row.refusals = REFUSAL_NONE;
        row.refused_at = row.suspect_since = 0;
        row.failures = 0;
        row.refresh_at = clock_now();
    }
    return store_put_facts(store, &row);
}

static void tell_retried(struct job *job)
{
    struct lane *lane = lanes_find(job->keeper->lanes, job->question->account.provider);
    if (lane)
        lane_retry(lane);
    answer_empty(job);
}

static void retry_providers(struct keeper *keeper, const struct message *question)
{
    const char *only = question->account.provider;
    struct lane *lane = lanes_at(keeper->lanes, 0);
    for (size_t i = 0; lane; lane = lanes_at(keeper->lanes, ++i))
        if (!only[0] || strcmp(lane_setup(lane)->provider->name, only) == 0)
            lane_retry(lane);
    struct message *answer = message_new(ANSWER);
    if (answer)
        keeper_answer(keeper, question->id, answer);
    else
        mailbox_unreserve(keeper->front);
}

void change_retry(struct keeper *keeper, struct message *question)
{
    if (question->account.label[0]) {
        begin(keeper, question, apply_retry, tell_retried);
        return;
    }
    retry_providers(keeper, question);
    message_free(question);
}

static int apply_audit(void *userdata, struct store *store)
{
    const struct message *told = userdata;
    int r = 0;
    for (size_t i = 0; i < told->audit_count && r == 0; i++)
        r = store_add_audit(store, &told->audit[i]);
    return r;
}

static void audit_written(void *userdata, int result)
{
    if (result != 0)
        log_warning("rows of the audit were lost: the store refuses writes");
    message_free(userdata);
}

void change_audit(struct keeper *keeper, struct message *question)
{
    int r = commits_add(keeper->commits, COMMIT_MAY, apply_audit, audit_written, question);
    if (r != 0)
        audit_written(question, r);
}

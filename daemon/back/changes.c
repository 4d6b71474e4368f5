/* Questions that write: each is one job in the group commit, answered when it is durable. */

#include <string.h>

#include "back/held.h"
#include "back/job.h"
#include "back/judgement.h"
#include "back/lanes.h"
#include "back/questions.h"
#include "back/revoke.h"
#include "back/settle.h"
#include "back/successor.h"
#include "back/vault.h"
#include "base/clock.h"
#include "base/log.h"

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
    int revoked = successors_revoke(job->keeper, store, &job->question->account, row.identity);
    if (revoked < 0)
        return revoked;
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
    settles_lose_account(job->keeper, &job->question->account);
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
    for (size_t i = 0; lane; lane = lanes_at(keeper->lanes, ++i)) {
        const bool named = strcmp(lane_setup(lane)->provider->name, only) == 0;
        if (named || !only[0])
            lane_retry(lane);
        if (named)
            lane_try_refused(lane);
    }
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

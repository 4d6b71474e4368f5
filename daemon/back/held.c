#include "back/held.h"

#include <errno.h>
#include <string.h>

#include "back/job.h"
#include "back/judgement.h"
#include "back/lanes.h"
#include "back/questions.h"
#include "back/replan.h"
#include "back/revoke.h"
#include "back/unused.h"
#include "base/clock.h"
#include "base/log.h"

/* What it replaces, or what is to go with it; *ret is empty where nothing is held, or nobody can
 * unseal it: that can be forgotten, but not revoked. Returns 0 or -errno. */
static int read_ending(struct keeper *keeper, struct store *store, const struct account_name *name,
                       struct held_row *row, struct grant *ret)
{
    int r = store_read_held(store, name, row);
    if (r == 0)
        r = vault_open_held(keeper->key, row, ret);
    return r < 0 ? r : 0;
}

/* leave() takes it out of the store, at least. */
static int end_held(struct keeper *keeper, struct store *store, const struct account_name *name,
                    int (*leave)(struct store *store, const struct account_name *name))
{
    CLEANUP(cleanup_held_row) struct held_row row = { 0 };
    CLEANUP(cleanup_grant) struct grant grant = { 0 };
    int r = read_ending(keeper, store, name, &row, &grant);
    if (r == 0)
        r = leave(store, name);
    if (r == 0)
        r = unused_revoke(keeper, store, name, row.identity, &grant);
    return r;
}

int held_forget(struct keeper *keeper, struct store *store, const struct account_name *name)
{
    return end_held(keeper, store, name, store_delete);
}

int held_put(struct keeper *keeper, struct store *store, const struct account_row *facts,
             const struct grant *grant)
{
    struct held_row row = {
        .name = facts->name,
        .created_at = clock_now(),
        .refreshed_at = facts->refreshed_at,
        .lifetime_ms = facts->lifetime_ms,
        .lifetime_assumed = facts->lifetime_assumed,
        .expires_at = facts->expires_at,
        .refresh_at = facts->refresh_at,
        .refresh_token_expires_at = facts->refresh_token_expires_at,
        .refresh_token_life_ms = facts->refresh_token_life_ms,
        .scope = facts->scope, /* borrowed, as the next */
        .identity = facts->identity,
    };
    CLEANUP(cleanup_held_row) struct held_row older = { 0 };
    CLEANUP(cleanup_grant) struct grant older_grant = { 0 };
    int r = vault_close_held(keeper->key, &row, grant);
    if (r == 0)
        r = read_ending(keeper, store, &facts->name, &older, &older_grant);
    if (r == 0)
        r = store_put_held(store, &row);
    if (r == 0)
        r = revocations_forgo(keeper, store, &facts->name, facts->identity);
    if (r == 0)
        r = unused_revoke(keeper, store, &facts->name, older.identity, &older_grant);
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
    judge_troubles_over(row);
    row->warned_days = 0;
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
    row->granted_at = held->created_at;
    row->refreshed_at = held->refreshed_at;
    row->lifetime_ms = held->lifetime_ms;
    row->lifetime_assumed = held->lifetime_assumed;
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
    const int opened = vault_open(keeper->key, row, &old);
    if (opened < 0)
        return opened;
    take_over(row, &held, &grant);
    (void)replan_row(keeper, row); /* it was planned when it was held */
    r = put_grant(keeper, store, row, &grant);
    if (r == 0)
        r = store_drop_held(store, &row->name);
    if (r == 0)
        r = revocations_forgo(keeper, store, &row->name, row->identity);
    if (r == 0 && opened != VAULT_BROKEN) /* take_over() has put its identity there */
        r = unused_revoke(keeper, store, &row->name, held.identity, &old);
    if (r == 0)
        r = store_end_link(store, &row->name, LINK_USED, clock_now());
    return r > 0 ? 0 : r;
}

/* An account that never had a grant was there for what was held alone. */
static int discard_held(struct job *job, struct store *store, struct account_row *row)
{
    return end_held(job->keeper, store, &row->name,
                    row->generation == 0 ? store_delete : store_drop_held);
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

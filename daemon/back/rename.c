/* An account moves to another name, its grant with it: under that name its blob is sealed anew. */

#include <string.h>

#include "back/held.h"
#include "back/job.h"
#include "back/lanes.h"
#include "back/pause.h"
#include "back/questions.h"
#include "back/replan.h"
#include "back/revoke.h"
#include "back/settle.h"
#include "back/successor.h"
#include "back/vault.h"
#include "base/clock.h"
#include "base/log.h"

static bool is_clients_own(const struct lane *lane)
{
    return lane && lane_setup(lane)->provider->grant == GRANT_CLIENT_CREDENTIALS;
}

/* Kept at both providers as they are: a static token is never refreshed, the others are; with a
 * refresh token, or by the client's own credentials. from is NULL when it is not configured. */
static bool fits(const struct account_row *row, const struct lane *from, const struct lane *to)
{
    const bool is_static =
        !row->has_refresh_token && row->refreshed_at != 0 && row->expires_at == 0;
    if (is_clients_own(to))
        return !is_static && !row->has_refresh_token;
    return is_static == (lane_setup(to)->provider->grant == GRANT_STATIC) &&
           (row->has_refresh_token || !is_clients_own(from));
}

/* What is in the air would come back to a name that is gone, and be lost; or to one that is
 * another's. */
static int check_names(struct job *job, struct store *store, const struct account_row *row)
{
    CLEANUP(cleanup_account_row) struct account_row taken = { 0 };
    const struct lanes *lanes = job->keeper->lanes;
    job->other = job->question->new_name;
    struct lane *lane = lanes_find(lanes, job->other.provider);
    if (!lane)
        return JOB_NO_PROVIDER;
    int r = store_read(store, &job->other, &taken);
    if (r == 0 || r == STORE_FOREIGN)
        return JOB_EXISTS;
    if (r != STORE_NOT_FOUND)
        return r;
    if (!fits(row, lanes_find(lanes, row->name.provider), lane))
        return JOB_OTHER_GRANT;
    if (settles_have(job->keeper, &row->name) || settles_have(job->keeper, &job->other))
        return JOB_LOGGING_IN;
    if (lanes_fly(lanes, &row->name))
        return JOB_IN_FLIGHT;
    r = successor_waits(store, &row->name);
    if (r == 0)
        return JOB_IN_FLIGHT;
    return r == STORE_NOT_FOUND ? 0 : r;
}

static int put_renamed(struct job *job, struct store *store, struct account_row *row,
                       const struct grant *grant)
{
    char fingerprint[FINGERPRINT_SIZE];
    const struct secret *token = grant->refresh_token;
    row->name = job->question->new_name;
    row->generation += row->generation > 0; /* 0 says that there never was a grant */
    (void)replan_row(job->keeper, row);     /* its section may be another */
    /* First, since it alone may find something that cannot be read: then nothing is written. */
    int r = held_move(job->keeper, store, &job->question->account, &row->name);
    if (r == 0)
        r = store_move_link(store, &job->question->account, &row->name, clock_now());
    if (r == 0)
        r = store_move_imports(store, &job->question->account, &row->name);
    if (r == 0)
        r = revocations_forgo(job->keeper, store, &row->name, row->identity);
    if (r == 0)
        r = pause_carry(store, job->question->account.provider, row->name.provider);
    if (r == 0)
        r = vault_close(job->keeper->key, row, grant);
    if (r == 0)
        r = store_put(store, row);
    if (r == 0)
        r = store_put_token_owner(store, &row->name,
                                  token ? secret_fingerprint(token, fingerprint) : NULL);
    return r == 0 ? store_delete(store, &job->question->account) : r;
}

static int apply_rename(void *userdata, struct store *store)
{
    struct job *job = userdata;
    CLEANUP(cleanup_account_row) struct account_row row = { 0 };
    CLEANUP(cleanup_grant) struct grant grant = { 0 };
    int r = store_read(store, &job->question->account, &row);
    if (r == 0)
        r = check_names(job, store, &row);
    if (r == 0)
        r = vault_open(job->keeper->key, &row, &grant);
    if (r == 0 && strcmp(row.name.provider, job->question->new_name.provider) != 0)
        r = job_find_other_owner(job, store, &job->question->new_name, grant.refresh_token);
    if (r == 0)
        r = put_renamed(job, store, &row, &grant);
    if (r == 0)
        job_set_row(job, &row);
    return r;
}

static void tell_renamed(struct job *job)
{
    const struct message *question = job->question;
    struct lane *lane = lanes_find(job->keeper->lanes, question->new_name.provider);
    char old_name[ACCOUNT_TEXT_SIZE];
    char new_name[ACCOUNT_TEXT_SIZE];
    log_info("%s: it is %s now", account_text(&question->account, old_name),
             account_text(&question->new_name, new_name));
    settles_lose_account(job->keeper, &question->new_name); /* it was nobody's when they began */
    keeper_notify(job->keeper, &question->account, UINT64_MAX, NULL);
    keeper_notify(job->keeper, &question->new_name, UINT64_MAX, NULL);
    job_answer_row(job);
    if (lane)
        lane_take_over(lane, question->account.provider);
}

void change_rename(struct keeper *keeper, struct message *question)
{
    job_begin(keeper, question, apply_rename, tell_renamed);
}

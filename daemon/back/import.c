/* Importing: a grant that comes from elsewhere, or has come before. */

#include <string.h>

#include "back/job.h"
#include "back/lanes.h"
#include "back/plan.h"
#include "back/questions.h"
#include "back/revoke.h"
#include "back/vault.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"

static int fill_imported(struct job *job, const struct provider *provider, struct account_row *row,
                         struct grant *grant)
{
    const struct import_request *import = job->question->import;
    const int64_t now = clock_now();
    const struct circumstances c = { .provider = provider, .now = now };
    int r = secret_copy(import->refresh_token, &grant->refresh_token);
    if (r == 0)
        r = secret_copy(import->access_token, &grant->access_token);
    if (r == 0 && import->scope)
        r = text_replace(&row->scope, import->scope);
    row->generation++;
    judge_troubles_over(row);
    row->has_refresh_token = import->refresh_token != NULL;
    row->granted_at = now;
    row->refreshed_at = import->access_token ? now : 0;
    row->lifetime_ms = 0;
    row->lifetime_assumed = false;
    row->expires_at = 0;
    row->refresh_token_expires_at = row->refresh_token_life_ms = 0;
    row->warned_days = 0;
    row->refresh_at =
        plan_next(row, &c); /* not before someone asks, or its idle limit comes near */
    row->imported[0] = '\0';
    if (import->refresh_token)
        (void)secret_fingerprint(import->refresh_token, row->imported);
    return r;
}

/* By name, since a row may be new. */
static int note_import(const struct job *job, struct store *store)
{
    const struct secret *token = job->question->import->refresh_token;
    char fingerprint[FINGERPRINT_SIZE];
    return token ? store_put_import(store, &job->question->account,
                                    secret_fingerprint(token, fingerprint), clock_now())
                 : 0;
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
        r = note_import(job, store);
    if (r == 0)
        r = store_mark_import(store, &row->name, false);
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
 *                                    |                 | it is tried now    |
 *     its predecessor                | nothing         | nothing            | -
 *     one that was imported before   | nothing, but *  | nothing, but *     | -
 *     none of these                  | is replaced     | is replaced        | it is made
 *
 * (*) Who took a wrong one may bring the right one again: where nothing had come of it when another
 * import took its place, nor has of that one, the current is replaced.
 *
 * An account whose grant cannot be unsealed, or has no refresh token, has none to lose: it is
 * replaced. One that was forgotten has no row; one that is there for a held consent alone has no
 * grant. What is held stays held. A token that another account of the provider has now, or was
 * imported with and has one since, is refused.
 */
enum standing { STANDS_NOWHERE, STANDS_CURRENT, STANDS_SPENT };

/* Of an imported token, also where the provider does not rotate, or may have. */
static bool nothing_came(const struct job *job, const struct account_row *row)
{
    return row->lost_at == 0 && row->refreshed_at <= row->granted_at &&
           !lanes_fly(job->keeper->lanes, &row->name);
}

/* True, false or -errno. */
static int is_not_to_come_back(const struct job *job, struct store *store,
                               const struct account_row *row, const struct secret *current)
{
    const struct secret *token = job->question->import->refresh_token;
    char fingerprint[FINGERPRINT_SIZE];
    bool unspent = false;
    int r = store_find_import(store, &row->name, secret_fingerprint(token, fingerprint), &unspent);
    if (r != 0)
        return r == STORE_NOT_FOUND ? false : r;
    if (!unspent || !nothing_came(job, row))
        return true;
    r = store_find_import(store, &row->name, secret_fingerprint(current, fingerprint), &unspent);
    return r < 0 ? r : r == STORE_NOT_FOUND;
}

/* Returns 0 or -errno. */
static int find_standing(const struct job *job, struct store *store, const struct account_row *row,
                         enum standing *standing)
{
    const struct secret *token = job->question->import->refresh_token;
    CLEANUP(cleanup_grant) struct grant now = { 0 };
    *standing = STANDS_NOWHERE;
    int r = token ? vault_open(job->keeper->key, row, &now) : 0;
    if (r != 0)
        return r == VAULT_BROKEN ? 0 : r;
    if (!now.refresh_token)
        return 0;
    if (secret_equal(now.refresh_token, token)) {
        *standing = STANDS_CURRENT;
        return 0;
    }
    r = is_not_to_come_back(job, store, row, now.refresh_token);
    if (r == true || secret_equal(now.predecessor, token))
        *standing = STANDS_SPENT;
    return r < 0 ? r : 0;
}

/* The account has it already: its grant stays as it is, and so does a link that is open. */
static int import_again(struct job *job, struct store *store, struct account_row *row,
                        enum standing standing)
{
    const struct import_request *import = job->question->import;
    int r = note_import(job, store);
    if (r == 0 && standing == STANDS_CURRENT && import->scope)
        r = text_replace(&row->scope, import->scope);
    if (standing == STANDS_CURRENT && row->state == ACCOUNT_CONSENT_REQUIRED) {
        judge_tried_again(row);
        row->refresh_at = row->asked_at = clock_now();
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

static int replace(struct job *job, struct store *store, const struct provider *provider,
                   struct account_row *row)
{
    CLEANUP(cleanup_grant) struct grant grant = { 0 };
    int r = find_other_import(job, store);
    if (r == 0)
        r = store_mark_import(store, &row->name,
                              row->state == ACCOUNT_ACTIVE && nothing_came(job, row));
    if (r == 0)
        r = fill_imported(job, provider, row, &grant);
    return r == 0 ? write_imported(job, store, row, &grant) : r;
}

static int apply_import(void *userdata, struct store *store)
{
    struct job *job = userdata;
    CLEANUP(cleanup_account_row) struct account_row row = { 0 };
    enum standing standing;
    struct lane *lane = lanes_find(job->keeper->lanes, job->question->account.provider);
    if (!lane)
        return JOB_NOT_FOUND;
    int r = job_find_other_owner(job, store, &job->question->account,
                                 job->question->import->refresh_token);
    if (r != 0)
        return r;
    r = keeper_row_or_new(store, &job->question->account, &row);
    if (r == 0)
        r = find_standing(job, store, &row, &standing);
    if (r != 0)
        return r;
    return standing == STANDS_NOWHERE ? replace(job, store, lane_setup(lane)->provider, &row)
                                      : import_again(job, store, &row, standing);
}

static const char *imported_text(int result)
{
    switch (result) {
    case JOB_IMPORTED_CURRENT:
        return "imported again: it has this refresh token already";
    case JOB_IMPORTED_BEFORE:
        return "imported before: what the account has since is kept";
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

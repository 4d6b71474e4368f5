#include "back/job.h"

#include <errno.h>
#include <stdlib.h>

#include "back/lanes.h"
#include "back/links.h"

static void free_job(struct job *job)
{
    message_free(job->question);
    account_row_release(&job->row);
    free(job);
}

/* Its name is not for everybody who may change this one. */
static struct failure about_other(const struct account_name *other, struct failure failure)
{
    failure.other = *other;
    return failure;
}

/* What the rules of a change refused; nothing is wrong with the store. */
static struct failure refusal(const struct job *job, int result, const char *name)
{
    const struct account_name *other = &job->other;
    switch (result) {
    case JOB_NOT_FOUND:
        return failure_make(WIRE_UNKNOWN_ACCOUNT, 0, "there is no account %s", name);
    case JOB_OWNED:
        return about_other(other, failure_make(WIRE_BAD_REQUEST, 0,
                                               "another account holds this refresh token already"));
    case JOB_IMPORTED_ELSEWHERE:
        return about_other(other, failure_make(WIRE_BAD_REQUEST, 0,
                                               "this refresh token was imported for another "
                                               "account, which has one that came of it"));
    case JOB_EXISTS:
        return failure_make(WIRE_BAD_REQUEST, 0, "there is an account %s/%s already",
                            other->provider, other->label);
    case JOB_IN_FLIGHT:
        return failure_make(WIRE_BUSY, 1, "%s is being refreshed: try again", name);
    case JOB_LOGGING_IN:
        return failure_make(WIRE_BUSY, 1,
                            "a login of %s, or one for its new name, is under way: let it end, or "
                            "cancel it",
                            name);
    case JOB_NOTHING_HELD:
        return failure_make(WIRE_NOT_FOUND, 0, "no consent is held for %s", name);
    case JOB_HELD_ANOTHER:
        return failure_make(WIRE_NOT_FOUND, 0,
                            "the consent with that id is not held for %s any more, but another is: "
                            "look at it first",
                            name);
    case JOB_OTHER_GRANT:
        return failure_make(WIRE_BAD_REQUEST, 0,
                            "%s cannot move to %s, whose `grant` is another: its accounts get "
                            "their tokens in another way",
                            name, other->provider);
    case JOB_NO_PROVIDER:
        return failure_make(WIRE_UNKNOWN_PROVIDER, 0, "provider %s is not configured",
                            other->provider);
    case JOB_NO_LINK:
    case JOB_LINKS_FULL:
    case JOB_LINKS_QUOTA:
    case JOB_LINK_OF_OTHER:
    case JOB_LINK_BUSY:
        return links_refusal(result, name);
    default:
        return failure_make(WIRE_INTERNAL, 0,
                            "what the store holds of %s is damaged, or sealed with another key: "
                            "restore a backup, or log it out and in again",
                            name);
    }
}

static struct failure job_failure(const struct job *job, int result)
{
    char name[ACCOUNT_TEXT_SIZE];
    account_text(&job->question->account, name);
    if (result > 0)
        return refusal(job, result, name);
    if (result == -EBADMSG)
        return failure_make(WIRE_INTERNAL, 0,
                            "the store is damaged where it holds %s: restore a backup; nothing was "
                            "changed",
                            name);
    return failure_make(WIRE_BUSY, 1, "the broker's store refuses writes (%s): %s is unchanged",
                        store_message(job->keeper->store), name);
}

static bool is_fine(int result)
{
    return result == 0 || (result >= JOB_NOT_CURRENT && result <= JOB_IMPORTED_BEFORE);
}

static void job_done(void *userdata, int result)
{
    struct job *job = userdata;
    job->result = result;
    if (is_fine(result)) {
        job->tell(job);
    } else {
        const struct failure failure = job_failure(job, result);
        keeper_refuse(job->keeper, job->question->id, &failure);
    }
    free_job(job);
}

void job_begin(struct keeper *keeper, struct message *question, commit_apply apply,
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

void job_set_row(struct job *job, struct account_row *row)
{
    account_row_release(&job->row);
    job->row = *row;
    *row = (struct account_row){ 0 };
}

int job_find_other_owner(struct job *job, struct store *store, const struct account_name *name,
                         const struct secret *refresh_token)
{
    char fingerprint[FINGERPRINT_SIZE];
    if (!refresh_token)
        return 0;
    int r = store_token_owner(store, name->provider, secret_fingerprint(refresh_token, fingerprint),
                              &job->other);
    if (r == STORE_NOT_FOUND)
        return 0;
    if (r == 0 && !account_name_equal(&job->other, name))
        return JOB_OWNED;
    return r;
}

void job_answer_empty(struct job *job)
{
    keeper_answer(job->keeper, job->question->id, message_new(ANSWER));
}

void job_answer_row(struct job *job)
{
    CLEANUP(cleanup_message) struct message *answer = message_new(ANSWER);
    struct account_row *rows = calloc(1, sizeof *rows);
    if (!answer || !rows) {
        free(rows);
        keeper_answer(job->keeper, job->question->id, NULL);
        return;
    }
    links_attach(job->keeper, &job->row);
    rows[0] = job->row;
    job->row = (struct account_row){ 0 };
    answer->rows = rows;
    answer->row_count = 1;
    keeper_answer(job->keeper, job->question->id, steal(answer));
}

void job_pump_provider(struct job *job)
{
    struct lane *lane = lanes_find(job->keeper->lanes, job->question->account.provider);
    if (lane)
        lane_pump(lane);
}

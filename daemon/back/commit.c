#include "back/commit.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/buffer.h"
#include "base/log.h"

enum { FINISH_ROUNDS_MAX = 3, SAID_MAX = 64 * 1024 };

struct commit {
    struct commit *next;
    enum commit_kind kind;
    commit_apply apply;
    commit_done done;
    void *userdata;
    int result;
};

/* Oldest first. */
struct commit_queue {
    struct commit *first;
    struct commit **end;
};

struct commits {
    struct store *store;
    struct loop_source *end_of_turn;
    struct loop_source *retry;
    struct commit_queue waiting;
    struct commit_stamp stamp;
    struct buffer said; /* in this transaction: lines, each with its NUL */
    uint64_t groups;
    uint64_t failures;
    bool failing;
    bool damaged; /* it was said once */
    char problem[160];
};

static void queue_push(struct commit_queue *queue, struct commit *commit)
{
    commit->next = NULL;
    *queue->end = commit;
    queue->end = &commit->next;
}

static struct commit *queue_pop(struct commit_queue *queue)
{
    struct commit *first = queue->first;
    if (!first)
        return NULL;
    queue->first = first->next;
    if (!queue->first)
        queue->end = &queue->first;
    return first;
}

/* Takes everything over from another queue, which is empty then. */
static void queue_take(struct commit_queue *queue, struct commit_queue *from)
{
    queue->first = from->first;
    queue->end = from->first ? from->end : &queue->first;
    from->first = NULL;
    from->end = &from->first;
}

static void queue_remove(struct commit_queue *queue, const struct commit *commit)
{
    struct commit **link = &queue->first;
    while (*link != commit)
        link = &(*link)->next;
    *link = commit->next;
    if (!*link)
        queue->end = link;
}

/* *ret_culprit: the one that went wrong by itself; NULL: none did. */
static int apply_all(struct commits *commits, const struct commit_queue *batch,
                     struct commit **ret_culprit)
{
    int r = 0;
    for (struct commit *commit = batch->first; commit && r >= 0; commit = commit->next) {
        commit->result = commit->apply(commit->userdata, commits->store);
        r = store_failure(commits->store); /* also one that apply() kept to itself */
        if (commit->result < 0)
            r = commit->result;
        *ret_culprit = r < 0 ? commit : NULL;
    }
    return r;
}

void commits_say(struct commits *commits, const char *format, ...)
{
    char line[LOG_LINE_MAX];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    buffer_append(&commits->said, line, strlen(line) + 1);
    if (commits->said.failed) /* too early is better than never */
        log_warning("%s", line);
}

static void log_said(struct commits *commits)
{
    const struct buffer *said = &commits->said;
    for (size_t at = 0; at < said->length; at += strlen(said->data + at) + 1)
        log_warning("%s", said->data + at);
    buffer_clear(&commits->said);
}

/* probe: writes something even for an empty batch, to learn whether the store takes it again. */
static int write_all(struct commits *commits, const struct commit_queue *batch, bool probe,
                     struct commit **ret_culprit)
{
    const struct commit_stamp *stamp = &commits->stamp;
    struct store *store = commits->store;
    *ret_culprit = NULL;
    buffer_clear(&commits->said);
    int r = store_begin(store);
    if (r >= 0 && probe)
        r = store_put_fact(store, "write_probe", "");
    if (r >= 0)
        r = apply_all(commits, batch, ret_culprit);
    if (r >= 0 && stamp->write)
        r = stamp->write(stamp->userdata, store);
    if (r >= 0)
        r = store_commit(store);
    if (r < 0) {
        store_rollback(store);
        return r;
    }
    log_said(commits);
    if (stamp->written)
        stamp->written(stamp->userdata);
    return r;
}

static void note_damage(struct commits *commits)
{
    if (!commits->damaged)
        log_error("the store is damaged (%s): what is not is served on; restore a backup",
                  store_message(commits->store));
    commits->damaged = true;
    commits->failures++;
}

/* Writes what it can: whoever meets damage of its own goes to `damaged`, since no other try would
 * mend it and everybody else would wait for that. */
static int write_whole(struct commits *commits, struct commit_queue *batch,
                       struct commit_queue *damaged)
{
    struct commit *culprit = NULL;
    int r = write_all(commits, batch, commits->failing, &culprit);
    while (r == -EBADMSG && culprit) {
        note_damage(commits);
        culprit->result = r;
        queue_remove(batch, culprit);
        queue_push(damaged, culprit);
        r = write_all(commits, batch, commits->failing, &culprit);
    }
    return r;
}

static void note_success(struct commits *commits)
{
    if (commits->failing)
        log_info("the store takes writes again");
    commits->failing = false;
    commits->groups++;
}

static void note_failure(struct commits *commits, int error)
{
    (void)snprintf(commits->problem, sizeof commits->problem, "%s",
                   error == -ENOSPC ? "the disk is full" : store_message(commits->store));
    if (!commits->failing)
        log_error("the store refuses writes: %s; new tokens are held back until it takes them",
                  commits->problem);
    commits->failing = true;
    commits->failures++;
}

static void finish_all(struct commit_queue *batch)
{
    for (struct commit *commit = queue_pop(batch); commit; commit = queue_pop(batch)) {
        commit->done(commit->userdata, commit->result);
        free(commit);
    }
}

/* What must not be lost goes back to the front of the queue; the rest is told. */
static void sort_out(struct commits *commits, struct commit_queue *batch, int error)
{
    struct commit_queue again = { .end = &again.first };
    struct commit_queue over = { .end = &over.first };
    for (struct commit *commit = queue_pop(batch); commit; commit = queue_pop(batch)) {
        commit->result = error;
        queue_push(commit->kind == COMMIT_MUST ? &again : &over, commit);
    }
    for (struct commit *commit = queue_pop(&commits->waiting); commit;
         commit = queue_pop(&commits->waiting))
        queue_push(&again, commit);
    queue_take(&commits->waiting, &again);
    finish_all(&over);
}

void commits_flush(struct commits *commits)
{
    struct commit_queue batch = { .end = &batch.first };
    struct commit_queue damaged = { .end = &damaged.first };
    queue_take(&batch, &commits->waiting);
    if (!batch.first && !commits->failing)
        return;
    int r = write_whole(commits, &batch, &damaged);
    if (r >= 0) {
        note_success(commits);
        finish_all(&batch);
    } else {
        note_failure(commits, r);
        sort_out(commits, &batch, r == -EBADMSG ? -EIO : r); /* nobody's own damage */
        (void)loop_timer_set(commits->retry, COMMIT_RETRY_MS);
    }
    finish_all(&damaged);
}

static void end_of_turn(void *userdata)
{
    commits_flush(userdata);
}

int commits_new(struct loop *loop, struct store *store, struct commits **ret)
{
    struct commits *commits = calloc(1, sizeof *commits);
    if (!commits)
        return -ENOMEM;
    commits->store = store;
    commits->waiting.end = &commits->waiting.first;
    commits->said = BUFFER_WITH_MAXIMUM(SAID_MAX);
    int r = loop_add_idle(loop, end_of_turn, commits, &commits->end_of_turn);
    if (r >= 0)
        r = loop_add_timer(loop, end_of_turn, commits, &commits->retry);
    if (r < 0) {
        commits_free(commits);
        return r;
    }
    *ret = commits;
    return 0;
}

void commits_set_stamp(struct commits *commits, const struct commit_stamp *stamp)
{
    commits->stamp = *stamp;
}

void commits_finish(struct commits *commits)
{
    /* What was written may bring more up, such as the end of a pause. */
    commits_flush(commits);
    for (int i = 0; i < FINISH_ROUNDS_MAX && commits_pending(commits) && !commits->failing; i++)
        commits_flush(commits);
    for (struct commit *commit = queue_pop(&commits->waiting); commit;
         commit = queue_pop(&commits->waiting)) {
        if (commit->kind == COMMIT_MUST)
            log_error("what came of a refresh could not be stored before the end: %s",
                      commits->problem);
        commit->done(commit->userdata, -ECANCELED);
        free(commit);
    }
}

struct commits *commits_free(struct commits *commits)
{
    if (!commits)
        return NULL;
    loop_source_free(commits->end_of_turn);
    loop_source_free(commits->retry);
    buffer_release(&commits->said);
    free(commits);
    return NULL;
}

struct commit *commit_new(void)
{
    return calloc(1, sizeof(struct commit));
}

struct commit *commit_free(struct commit *commit)
{
    free(commit);
    return NULL;
}

void commits_add_prepared(struct commits *commits, struct commit *commit, enum commit_kind kind,
                          commit_apply apply, commit_done done, void *userdata)
{
    *commit = (struct commit){ .kind = kind, .apply = apply, .done = done, .userdata = userdata };
    /* Should memory be short, the timer does the same. */
    if (loop_idle_set(commits->end_of_turn) < 0)
        (void)loop_timer_set(commits->retry, 0);
    queue_push(&commits->waiting, commit);
}

int commits_add(struct commits *commits, enum commit_kind kind, commit_apply apply,
                commit_done done, void *userdata)
{
    struct commit *commit = commit_new();
    if (!commit)
        return -ENOMEM;
    commits_add_prepared(commits, commit, kind, apply, done, userdata);
    return 0;
}

bool commits_pending(const struct commits *commits)
{
    return commits->waiting.first != NULL;
}

void commits_count(const struct commits *commits, uint64_t *ret_groups, uint64_t *ret_failures)
{
    *ret_groups = commits->groups;
    *ret_failures = commits->failures;
}

const char *commits_problem(const struct commits *commits)
{
    return commits->failing ? commits->problem : NULL;
}

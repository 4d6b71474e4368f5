/* What the front asks about links. */

#include <errno.h>
#include <string.h>

#include "back/job.h"
#include "back/links.h"
#include "back/questions.h"
#include "base/clock.h"
#include "base/log.h"

/* The answer's row, which has nothing but the name and the link, which is taken over. */
static int set_link(struct account_row *row, struct link_row *link)
{
    row->name = link->name;
    row->link = malloc(sizeof *row->link);
    if (!row->link)
        return -ENOMEM;
    *row->link = *link;
    *link = (struct link_row){ 0 };
    return 0;
}

static int set_job_link(struct job *job, struct link_row *link)
{
    CLEANUP(cleanup_account_row) struct account_row row = { 0 };
    links_unseal(job->keeper, link);
    int r = set_link(&row, link);
    if (r == 0)
        job_set_row(job, &row);
    return r;
}

/* --- making, ending --- */

static int apply_link(void *userdata, struct store *store)
{
    struct job *job = userdata;
    const struct message *question = job->question;
    CLEANUP(cleanup_link_row) struct link_row link = { 0 };
    int r = links_make(job->keeper, store, &question->account, question->link_order, &link);
    return r == 0 ? set_job_link(job, &link) : r;
}

static void tell_linked(struct job *job)
{
    char name[ACCOUNT_TEXT_SIZE];
    log_info("%s: a link was made", account_text(&job->question->account, name));
    job_answer_row(job);
}

void change_link(struct keeper *keeper, struct message *question)
{
    job_begin(keeper, question, apply_link, tell_linked);
}

static int apply_unlink(void *userdata, struct store *store)
{
    struct job *job = userdata;
    int r = store_end_link(store, &job->question->account, LINK_WITHDRAWN, clock_now());
    return r == STORE_NOT_FOUND ? JOB_NO_LINK : r;
}

void change_unlink(struct keeper *keeper, struct message *question)
{
    job_begin(keeper, question, apply_unlink, job_answer_empty);
}

/* --- clicks --- */

static bool count_click(struct link_row *link, int64_t now)
{
    if (now - link->hour_began_at >= LINK_HOUR_MS) {
        link->hour_began_at = now;
        link->hour_clicks = 0;
    }
    if (link->hour_clicks >= LINK_CLICKS_PER_HOUR)
        return false;
    link->hour_clicks++;
    link->clicks += link->clicks < UINT32_MAX;
    return true;
}

/* One that is over is told as it is, and not counted. */
static int apply_click(void *userdata, struct store *store)
{
    struct job *job = userdata;
    CLEANUP(cleanup_link_row) struct link_row link = { 0 };
    const int64_t now = clock_now();
    int r = store_read_link(store, job->question->link_digest, &link);
    if (r == STORE_NOT_FOUND)
        return JOB_NO_LINK;
    if (r == 0 && link.ending == LINK_OPEN && link.expires_at > now) {
        if (!count_click(&link, now))
            return JOB_LINK_BUSY;
        r = store_count_click(store, &link);
    }
    return r == 0 ? set_job_link(job, &link) : r;
}

void change_link_click(struct keeper *keeper, struct message *question)
{
    job_begin(keeper, question, apply_click, job_answer_row);
}

/* --- looking --- */

static int read_link(struct keeper *keeper, const struct message *question, struct link_row *ret)
{
    return question->kind == ASK_LINK_LOOK
               ? store_read_link(keeper->store, question->link_digest, ret)
               : store_open_link(keeper->store, &question->account, ret);
}

void ask_link(struct keeper *keeper, struct message *question)
{
    CLEANUP(cleanup_message) struct message *answer = message_new(ANSWER);
    CLEANUP(cleanup_link_row) struct link_row link = { 0 };
    char name[ACCOUNT_TEXT_SIZE] = "";
    int r = read_link(keeper, question, &link);
    if (r == STORE_NOT_FOUND) {
        if (question->account.provider[0])
            account_text(&question->account, name);
        const struct failure failure = links_refusal(JOB_NO_LINK, name);
        keeper_refuse(keeper, question->id, &failure);
        return;
    }
    if (r != 0) {
        question_refuse_store(keeper, question->id);
        return;
    }
    links_unseal(keeper, &link);
    if (!answer || !(answer->rows = calloc(1, sizeof *answer->rows)) ||
        set_link(&answer->rows[0], &link) != 0) {
        question_refuse_memory(keeper, question->id);
        return;
    }
    answer->row_count = 1;
    keeper_answer(keeper, question->id, steal(answer));
}

/* Rows of a listing, copied out of the store's hands. */
struct link_collector {
    struct account_row *rows;
    size_t count;
    size_t room;
    int error;
};

static bool collect(void *userdata, const struct link_row *row)
{
    struct link_collector *collector = userdata;
    CLEANUP(cleanup_link_row) struct link_row copy = { 0 };
    if (collector->count == collector->room)
        return false;
    collector->error = link_row_copy(row, &copy);
    if (collector->error == 0)
        collector->error = set_link(&collector->rows[collector->count], &copy);
    collector->count += collector->error == 0;
    return collector->error == 0;
}

void ask_links(struct keeper *keeper, struct message *question)
{
    CLEANUP(cleanup_message) struct message *answer = message_new(ANSWER);
    const size_t limit =
        question->limit < WIRE_LIST_LIMIT_MAX ? question->limit : WIRE_LIST_LIMIT_MAX;
    struct link_collector collector = { .rows = calloc(limit + 1, sizeof(struct account_row)),
                                        .room = limit };
    if (!answer || !collector.rows) {
        free(collector.rows);
        question_refuse_memory(keeper, question->id);
        return;
    }
    const struct account_name *after = question->account.provider[0] ? &question->account : NULL;
    int r = store_list_links(keeper->store, after, limit, collect, &collector);
    for (size_t i = 0; i < collector.count; i++)
        links_unseal(keeper, collector.rows[i].link);
    answer->rows = collector.rows;
    answer->row_count = collector.count;
    if (r != 0)
        question_refuse_store(keeper, question->id);
    else if (collector.error != 0)
        question_refuse_memory(keeper, question->id);
    else
        keeper_answer(keeper, question->id, steal(answer));
}

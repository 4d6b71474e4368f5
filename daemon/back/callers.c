#include "back/callers.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "back/questions.h"
#include "base/clock.h"
#include "base/log.h"

enum { MINUTE_MS = 60 * 1000 };

/* When somebody was last told of callers: a ring, the oldest next. */
struct callers {
    size_t next;
    struct {
        int64_t at; /* 0: never */
        uint32_t uid;
        int64_t id;
    } told[CALLERS_TOLD_PER_MINUTE];
};

enum caller_result {
    CALLER_NOT_FOUND = STORE_NOT_FOUND,
    CALLERS_FULL_WAITING = 50,
    CALLERS_FULL_OF_UID,
    CALLERS_FULL_APPROVED,
    CALLER_AS_IT_IS, /* nothing was to be written */
};

/* One change, in the group commit. */
struct change {
    struct keeper *keeper;
    struct message *question; /* or TELL_DECISION */
    struct caller_row row;    /* as it is then */
    bool is_new;
    struct message *letter; /* for the front, when it is durable; NULL: none */
    int (*apply)(struct change *change, struct store *store);
    void (*tell)(struct change *change);
};

/* --- what the front knows --- */

static bool collect(void *userdata, const struct caller_row *row)
{
    struct message *letter = userdata;
    if (row->approved_at > 0)
        letter->callers[letter->caller_count++] = *row;
    return true;
}

/* All who are approved, as a letter; NULL where ret is an error. */
static int make_letter(struct store *store, struct message **ret)
{
    CLEANUP(cleanup_message) struct message *letter = message_new(CALLERS);
    if (letter)
        letter->callers = calloc(CALLERS_MAX, sizeof *letter->callers);
    if (!letter || !letter->callers)
        return -ENOMEM;
    int r = store_each_caller(store, CALLERS_MAX, collect, letter);
    if (r == 0)
        *ret = steal(letter);
    return r;
}

static void *make_forget_all(void)
{
    return message_new(NOTICE);
}

/* Takes the letter over. */
static void tell_front(struct keeper *keeper, struct message *letter)
{
    mailbox_notify(keeper->front, "callers", letter, make_forget_all);
}

int callers_new(struct keeper *keeper, struct callers **ret)
{
    struct callers *callers = calloc(1, sizeof *callers);
    CLEANUP(cleanup_message) struct message *letter = NULL;
    if (!callers)
        return -ENOMEM;
    *ret = callers;
    if (make_letter(keeper->store, &letter) != 0)
        log_error("who is approved cannot be read: %s", store_message(keeper->store));
    else if (letter->caller_count > 0)
        tell_front(keeper, steal(letter));
    return 0;
}

struct callers *callers_free(struct callers *callers)
{
    free(callers);
    return NULL;
}

/* --- telling somebody --- */

/* Notes it where it is allowed: a burst of callers must not become one of programs. */
static bool may_tell(struct callers *callers, const struct caller_row *row)
{
    const int64_t since = clock_now() - MINUTE_MS;
    size_t of_uid = 0;
    for (size_t i = 0; i < CALLERS_TOLD_PER_MINUTE; i++) {
        if (callers->told[i].at == 0 || callers->told[i].at <= since)
            continue;
        if (callers->told[i].id == row->id)
            return false;
        of_uid += callers->told[i].uid == row->uid;
    }
    size_t *next = &callers->next;
    if (of_uid >= CALLERS_TOLD_PER_UID ||
        (callers->told[*next].at != 0 && callers->told[*next].at > since))
        return false;
    callers->told[*next].at = clock_now();
    callers->told[*next].uid = row->uid;
    callers->told[*next].id = row->id;
    *next = (*next + 1) % CALLERS_TOLD_PER_MINUTE;
    return true;
}

static struct message *event_letter(const struct caller_row *row)
{
    CLEANUP(cleanup_message) struct message *letter = message_new(EVENT);
    if (letter)
        letter->callers = calloc(1, sizeof *letter->callers);
    if (!letter || !letter->callers)
        return NULL;
    letter->callers[0] = *row;
    letter->caller_count = 1;
    (void)account_name_parse(row->account, &letter->account);
    (void)snprintf(letter->event.name, sizeof letter->event.name, "caller_waits");
    (void)snprintf(
        letter->event.text, sizeof letter->event.text,
        "uid %u%s%.64s asks under access rule %s: approve with `tokenbroker approve %lld`",
        (unsigned)row->uid, *row->unit ? ", " : "", row->unit, row->rule, (long long)row->id);
    return steal(letter);
}

/* A program that approves is asked again when the caller asks again; one that calls a person is
 * not. Those who follow learn of the account, but not of who asks. */
static void tell_somebody(struct keeper *keeper, const struct caller_row *row, bool is_new)
{
    if (!is_new && !keeper->settings->on_caller)
        return;
    if (!may_tell(keeper->callers, row))
        return;
    struct message *letter = event_letter(row);
    if (is_new && letter)
        keeper_remark(keeper, &letter->account, letter->event.name,
                      "somebody asks for the first time: see `tokenbroker callers`");
    if (letter && keeper->main && mailbox_send(keeper->main, letter) == 0)
        return;
    log_warning("caller %lld waits, and nobody was told", (long long)row->id);
    message_free(letter);
}

/* --- changes --- */

static void free_change(struct change *change)
{
    message_free(change->question);
    message_free(change->letter);
    free(change);
}

static struct failure refusal(const struct change *change, int result)
{
    switch (result) {
    case CALLER_NOT_FOUND:
        return failure_make(WIRE_NOT_FOUND, 0, "there is no caller %lld (any more)",
                            (long long)change->question->caller_id);
    case CALLERS_FULL_OF_UID:
        return failure_make(WIRE_TOO_MANY_REQUESTS, MINUTE_MS / 1000,
                            "%d callers of this uid wait for approval already: an admin runs "
                            "`tokenbroker callers`",
                            CALLERS_WAITING_PER_UID_MAX);
    case CALLERS_FULL_WAITING:
        return failure_make(WIRE_TOO_MANY_REQUESTS, MINUTE_MS / 1000,
                            "%d callers wait for approval already: an admin runs `tokenbroker "
                            "callers`",
                            CALLERS_WAITING_MAX);
    case CALLERS_FULL_APPROVED:
        return failure_make(WIRE_TOO_MANY_REQUESTS, MINUTE_MS / 1000,
                            "%d callers are approved: forget one first, with `tokenbroker callers "
                            "--forget ID`",
                            CALLERS_APPROVED_MAX);
    default:
        return failure_make(WIRE_BUSY, 1,
                            "the broker's store refuses writes (%s): nobody is "
                            "approved by this",
                            store_message(change->keeper->store));
    }
}

static int apply(void *userdata, struct store *store)
{
    struct change *change = userdata;
    change->letter = message_free(change->letter); /* of a commit that failed */
    return change->apply(change, store);
}

static void done(void *userdata, int result)
{
    struct change *change = userdata;
    if (result == 0 && change->letter)
        tell_front(change->keeper, steal(change->letter));
    if (result == 0 || result == CALLER_AS_IT_IS) {
        change->tell(change);
    } else if (change->question->kind != TELL_DECISION) {
        const struct failure failure = refusal(change, result);
        keeper_refuse(change->keeper, change->question->id, &failure);
    } else {
        log_warning("caller %lld: what on_caller said came to nothing",
                    (long long)change->question->caller_id);
    }
    free_change(change);
}

/* Takes the question over. */
static void begin(struct keeper *keeper, struct message *question,
                  int (*what)(struct change *change, struct store *store),
                  void (*tell)(struct change *change))
{
    struct change *change = calloc(1, sizeof *change);
    if (!change) {
        if (question->kind != TELL_DECISION)
            question_refuse_memory(keeper, question->id);
        message_free(question);
        return;
    }
    *change =
        (struct change){ .keeper = keeper, .question = question, .apply = what, .tell = tell };
    int r = commits_add(keeper->commits, COMMIT_MAY, apply, done, change);
    if (r != 0)
        done(change, r);
}

static void answer_row(struct keeper *keeper, uint64_t id, const struct caller_row *row)
{
    CLEANUP(cleanup_message) struct message *answer = message_new(ANSWER);
    if (answer)
        answer->callers = calloc(1, sizeof *answer->callers);
    if (!answer || !answer->callers) {
        question_refuse_memory(keeper, id);
        return;
    }
    answer->callers[0] = *row;
    answer->caller_count = 1;
    keeper_answer(keeper, id, steal(answer));
}

static void tell_row(struct change *change)
{
    answer_row(change->keeper, change->question->id, &change->row);
}

/* --- who asks --- */

static int check_room(struct store *store, uint32_t uid, int64_t now)
{
    struct caller_counts counts = { 0 };
    int r = store_forget_callers(store, now - CALLER_FORGET_MS);
    if (r == 0)
        r = store_count_callers(store, uid, &counts);
    if (r == 0 && counts.waiting_of_uid >= CALLERS_WAITING_PER_UID_MAX)
        r = CALLERS_FULL_OF_UID;
    if (r == 0 && counts.waiting >= CALLERS_WAITING_MAX)
        r = CALLERS_FULL_WAITING;
    return r;
}

static int apply_asked(struct change *change, struct store *store)
{
    const struct caller_row *who = &change->question->callers[0];
    const int64_t now = clock_now();
    int r = store_find_caller(store, who->rule, who->uid, who->unit, &change->row);
    change->is_new = r == STORE_NOT_FOUND;
    if (change->is_new) {
        r = check_room(store, who->uid, now);
        change->row = *who;
        change->row.id = 0;
    }
    if (r != 0)
        return r;
    if (change->row.approved_at > 0)
        return CALLER_AS_IT_IS;
    change->row.asked_at = now;
    return store_put_caller(store, &change->row);
}

static void tell_asked(struct change *change)
{
    if (change->is_new)
        log_info("caller %lld waits for approval: uid %u, %s, access rule %s",
                 (long long)change->row.id, (unsigned)change->row.uid,
                 *change->row.unit ? change->row.unit : "no unit", change->row.rule);
    if (change->row.approved_at == 0)
        tell_somebody(change->keeper, &change->row, change->is_new);
    tell_row(change);
}

/* The front has forgotten who is approved: it is told before the answer. */
static void answer_approved(struct keeper *keeper, const struct message *question,
                            const struct caller_row *row)
{
    struct message *letter = NULL;
    int r = make_letter(keeper->store, &letter);
    if (r != 0) {
        r == -ENOMEM ? question_refuse_memory(keeper, question->id)
                     : question_refuse_store(keeper, question->id);
        return;
    }
    tell_front(keeper, letter);
    answer_row(keeper, question->id, row);
}

/* Who asks again and again costs no write. */
void ask_caller(struct keeper *keeper, struct message *question)
{
    const struct caller_row *who = &question->callers[0];
    struct caller_row row = { 0 };
    int r = store_find_caller(keeper->store, who->rule, who->uid, who->unit, &row);
    if (r == STORE_NOT_FOUND ||
        (r == 0 && row.approved_at == 0 && clock_now() - row.asked_at >= MINUTE_MS)) {
        begin(keeper, question, apply_asked, tell_asked);
        return;
    }
    if (r != 0) {
        question_refuse_store(keeper, question->id);
    } else if (row.approved_at > 0) {
        answer_approved(keeper, question, &row);
    } else {
        tell_somebody(keeper, &row, false);
        answer_row(keeper, question->id, &row);
    }
    message_free(question);
}

/* --- what admins do --- */

static bool collect_any(void *userdata, const struct caller_row *row)
{
    struct message *answer = userdata;
    answer->callers[answer->caller_count++] = *row;
    return answer->caller_count < CALLERS_MAX;
}

void ask_callers(struct keeper *keeper, struct message *question)
{
    CLEANUP(cleanup_message) struct message *answer = message_new(ANSWER);
    if (answer)
        answer->callers = calloc(CALLERS_MAX, sizeof *answer->callers);
    if (!answer || !answer->callers)
        question_refuse_memory(keeper, question->id);
    else if (store_each_caller(keeper->store, CALLERS_MAX, collect_any, answer) != 0)
        question_refuse_store(keeper, question->id);
    else
        keeper_answer(keeper, question->id, steal(answer));
}

static int approve(struct change *change, struct store *store, uint32_t by)
{
    struct caller_counts counts = { 0 };
    int r = store_read_caller(store, change->question->caller_id, &change->row);
    if (r == 0 && change->row.approved_at > 0)
        return CALLER_AS_IT_IS;
    if (r == 0)
        r = store_count_callers(store, change->row.uid, &counts);
    if (r != 0)
        return r;
    if (counts.approved >= CALLERS_APPROVED_MAX)
        return CALLERS_FULL_APPROVED;
    change->row.approved_at = clock_now();
    change->row.approved_by = by;
    r = store_put_caller(store, &change->row);
    return r == 0 ? make_letter(store, &change->letter) : r;
}

static int apply_approve(struct change *change, struct store *store)
{
    return approve(change, store, change->question->uid);
}

void change_approve(struct keeper *keeper, struct message *question)
{
    begin(keeper, question, apply_approve, tell_row);
}

static int apply_unapprove(struct change *change, struct store *store)
{
    int r = store_read_caller(store, change->question->caller_id, &change->row);
    if (r == 0)
        r = store_drop_caller(store, change->row.id);
    return r == 0 ? make_letter(store, &change->letter) : r;
}

void change_unapprove(struct keeper *keeper, struct message *question)
{
    begin(keeper, question, apply_unapprove, tell_row);
}

/* --- what on_caller says --- */

static int apply_decision(struct change *change, struct store *store)
{
    return approve(change, store, CALLER_BY_PROGRAM);
}

static void tell_nobody(struct change *change)
{
    log_info("caller %lld: on_caller approved it", (long long)change->row.id);
}

static void refuse_those_who_wait(struct keeper *keeper, int64_t id)
{
    char key[MAILBOX_KEY_SIZE];
    struct message *letter = message_new(CALLER_REFUSED);
    if (!letter)
        return; /* they wait until their time is over */
    letter->caller_id = id;
    (void)snprintf(key, sizeof key, "caller %lld", (long long)id);
    mailbox_notify(keeper->front, key, letter, make_forget_all);
}

void callers_decision(struct keeper *keeper, struct message *letter)
{
    if (letter->accept) {
        begin(keeper, letter, apply_decision, tell_nobody);
        return;
    }
    log_info("caller %lld: on_caller did not approve it", (long long)letter->caller_id);
    refuse_those_who_wait(keeper, letter->caller_id);
    message_free(letter);
}

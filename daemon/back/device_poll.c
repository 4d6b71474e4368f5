#include "back/device_poll.h"

#include <errno.h>

#include "back/client_call.h"
#include "back/lanes.h"
#include "back/settle.h"
#include "base/clock.h"

enum { MS_PER_S = 1000 };

struct device_poll {
    struct device_poll *next;
    struct settle settle;
    struct loop_source *timer; /* the next poll, or the end */
    struct http_transfer *transfer;
    struct lane_visit visit;
    struct device_pace pace;
    int64_t expires_at;
    bool storing;
};

struct device_polls {
    struct keeper *keeper;
    struct device_poll *first;
};

int device_polls_new(struct keeper *keeper, struct device_polls **ret)
{
    struct device_polls *polls = calloc(1, sizeof *polls);
    if (!polls)
        return -ENOMEM;
    polls->keeper = keeper;
    *ret = polls;
    return 0;
}

static struct lane *lane_of(const struct device_poll *poll)
{
    return lanes_any(poll->settle.keeper->lanes, poll->settle.question->account.provider);
}

static void end(void *userdata)
{
    struct device_poll *poll = userdata;
    struct device_polls *polls = poll->settle.keeper->device_polls;
    struct device_poll **link = &polls->first;
    while (*link != poll)
        link = &(*link)->next;
    *link = poll->next;
    lane_unresolve(lane_of(poll), poll);
    http_cancel(poll->transfer);
    lane_leave(&poll->visit);
    loop_source_free(poll->timer);
    settle_release(&poll->settle);
    free(poll);
}

struct device_polls *device_polls_free(struct device_polls *polls)
{
    if (!polls)
        return NULL;
    const struct failure failure =
        failure_make(WIRE_BUSY, 1, "the broker is stopping: log in again");
    while (polls->first)
        settle_refuse(&polls->first->settle, &failure);
    free(polls);
    return NULL;
}

/* Those that were cancelled on the wire are the lanes' to bound, and end soon. */
static size_t count_awaited(const struct device_polls *polls)
{
    size_t count = 0;
    for (const struct device_poll *poll = polls->first; poll; poll = poll->next)
        count += !poll->settle.write.cancelled;
    return count;
}

bool device_polls_on_wire(const struct device_polls *polls)
{
    for (const struct device_poll *poll = polls->first; poll; poll = poll->next)
        if (poll->transfer)
            return true;
    return false;
}

bool device_polls_refuse(struct device_polls *polls, const struct failure *failure)
{
    struct device_poll *next = NULL;
    for (struct device_poll *poll = polls->first; poll; poll = next) {
        next = poll->next;
        if (!poll->transfer && !poll->storing)
            settle_refuse(&poll->settle, failure); /* which ends it */
    }
    return !polls->first;
}

/* Polls again after wait_ms; the codes' end comes first. */
static void wait_again(struct device_poll *poll, int64_t wait_ms)
{
    const int64_t left = poll->expires_at - clock_now();
    if (left <= 0)
        settle_say(&poll->settle, CONSENT_EXPIRED);
    else
        (void)loop_timer_set(poll->timer, wait_ms < left ? wait_ms : left);
}

static void take_outcome(struct device_poll *poll, enum device_poll_outcome outcome,
                         int64_t retry_after_ms)
{
    struct settle *settle = &poll->settle;
    int64_t wait_ms = 0;
    if (!settle_has_to_store(settle))
        settle_give_room_back(settle);
    switch (outcome) {
    case DEVICE_POLL_OVER:
        poll->storing = settle_has_to_store(settle);
        if (poll->storing)
            settle_store(settle);
        else
            settle_refuse_by_reply(settle);
        break;
    case DEVICE_POLL_DENIED:
        settle_say(settle, CONSENT_DENIED);
        break;
    case DEVICE_POLL_EXPIRED:
        settle_say(settle, CONSENT_EXPIRED);
        break;
    case DEVICE_POLL_PENDING:
    case DEVICE_POLL_SLOW_DOWN:
    case DEVICE_POLL_UNANSWERED:
        wait_ms = device_pace_next(&poll->pace, outcome);
        wait_again(poll, wait_ms > retry_after_ms ? wait_ms : retry_after_ms);
    }
}

static void replied(void *userdata, const struct http_reply *http)
{
    struct device_poll *poll = userdata;
    enum device_poll_outcome outcome = DEVICE_POLL_UNANSWERED;
    poll->transfer = NULL;
    lane_leave(&poll->visit);
    if (http->outcome != HTTP_NOT_SENT && settle_judge(&poll->settle, http) == 0)
        outcome = device_poll_judge(&poll->settle.write.reply);
    /* What came before a connection broke may be a whole grant; less than that says nothing. */
    if (http->outcome != HTTP_ANSWERED && !settle_has_to_store(&poll->settle))
        outcome = DEVICE_POLL_UNANSWERED;
    if (poll->settle.write.cancelled && outcome != DEVICE_POLL_OVER)
        end(poll);
    else
        take_outcome(poll, outcome, http->retry_after_s * MS_PER_S);
}

static int send_poll(struct device_poll *poll)
{
    const struct setup *setup = poll->settle.write.setup;
    CLEANUP(cleanup_secret) struct secret *proof = NULL;
    struct token_request request = { 0 };
    int r = client_proof(setup, &proof);
    if (r == 0)
        r = token_request_device(setup->provider, proof, poll->settle.question->device->device_code,
                                 &request);
    if (r != 0)
        return r;
    poll->settle.write.sent_at = clock_now();
    return client_send(poll->settle.keeper, setup, &request, replied, poll, &poll->transfer);
}

/* A token that cannot be stored, or finds no room when it comes, must not be asked for. */
static bool may_send(struct device_poll *poll)
{
    const struct keeper *keeper = poll->settle.keeper;
    return !keeper->stopping && !commits_problem(keeper->commits) &&
           settle_take_room(&poll->settle) == 0;
}

static void admitted(void *userdata, const struct failure *why)
{
    struct device_poll *poll = userdata;
    const struct keeper *keeper = poll->settle.keeper;
    if (why) {
        wait_again(poll, why->retry_after_s * MS_PER_S);
        return;
    }
    settle_asks_anew(&poll->settle);
    if (settle_is_over(&poll->settle))
        return;
    const bool may = may_send(poll);
    if (may && send_poll(poll) == 0)
        return;
    settle_give_room_back(&poll->settle);
    lane_leave_unsent(&poll->visit);
    if (!keeper->stopping)
        wait_again(poll, may ? device_pace_next(&poll->pace, DEVICE_POLL_UNANSWERED)
                             : poll->pace.interval_ms);
}

static void on_timer(void *userdata)
{
    struct device_poll *poll = userdata;
    const int64_t left = poll->expires_at - clock_now();
    if (poll->settle.keeper->stopping || poll->transfer || poll->storing)
        return;
    if (left <= 0) {
        settle_say(&poll->settle, CONSENT_EXPIRED);
        return;
    }
    (void)loop_timer_set(poll->timer, left);
    if (poll->visit.stage == LANE_VISIT_NONE)
        lane_visit(lane_of(poll), &poll->visit, admitted, poll);
}

static void resolved(void *userdata, const struct failure *why)
{
    struct device_poll *poll = userdata;
    if (settle_resolved(&poll->settle, why))
        wait_again(poll, poll->pace.interval_ms);
}

static struct device_poll *new_poll(struct keeper *keeper, struct message *question)
{
    const struct device_authorization *device = question->device;
    struct device_poll *poll = calloc(1, sizeof *poll);
    if (!poll || loop_add_timer(keeper->loop, on_timer, poll, &poll->timer) != 0) {
        free(poll);
        return NULL;
    }
    settle_init(&poll->settle, keeper, question, end, poll);
    poll->pace.interval_ms = device->interval_ms;
    poll->expires_at = clock_now() + device->lifetime_ms;
    poll->next = keeper->device_polls->first;
    keeper->device_polls->first = poll;
    return poll;
}

void device_poll_begin(struct keeper *keeper, struct message *question)
{
    struct lane *lane = lanes_find(keeper->lanes, question->account.provider);
    struct device_poll *poll = NULL;
    if (lane && count_awaited(keeper->device_polls) < LOGINS_IN_BACK_MAX && !keeper->stopping)
        poll = new_poll(keeper, question);
    if (poll) {
        lane_resolve(lane, resolved, poll);
        return;
    }
    const struct failure failure =
        lane ? failure_make(WIRE_BUSY, 1, "too many device logins at once: try again")
             : failure_make(WIRE_UNKNOWN_PROVIDER, 0, "provider %s is not configured",
                            question->account.provider);
    keeper_refuse(keeper, question->id, &failure);
    message_free(question);
}

void device_poll_cancel(struct keeper *keeper, struct message *letter)
{
    CLEANUP(cleanup_message) struct message *owned = letter;
    struct device_poll *poll = keeper->device_polls->first;
    while (poll && poll->settle.question->id != owned->id)
        poll = poll->next;
    if (!poll || poll->storing || poll->settle.write.cancelled)
        return;
    settle_cancel(&poll->settle);
    /* The reply that is awaited may be a grant, which would live on unknown. */
    if (!poll->transfer)
        end(poll);
}

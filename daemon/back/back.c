#include "back/back.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>

#include "back/audit_held.h"
#include "back/authority.h"
#include "back/backup.h"
#include "back/callers.h"
#include "back/device_poll.h"
#include "back/errand.h"
#include "back/exchange.h"
#include "back/lanes.h"
#include "back/questions.h"
#include "back/rekey.h"
#include "back/replan.h"
#include "back/restored.h"
#include "back/revoke.h"
#include "back/warn.h"
#include "base/clock.h"
#include "base/log.h"

enum {
    LETTERS_PER_TURN = 256, /* so that a flood of questions leaves room for replies */
    /* For a code to be let in at its provider, and after the last reply for the disk. */
    STOP_PATIENCE_MS = 5 * 1000,
    /* The last code is sent at the end of the first patience. The units' TimeoutStopSec= is longer.
     */
    STOP_WHOLE_MS = STOP_PATIENCE_MS + HTTP_WHOLE_TIMEOUT_MS + STOP_PATIENCE_MS,
    STOP_CHECK_MS = 20,
};

struct back {
    struct keeper keeper;
    struct settings *settings;
    struct mailbox *inbox;
    struct mailbox *pulses;
    struct loop_source *letters;
    struct loop_source *clock_timer;
    struct loop_source *stop_timer;
    int64_t stop_by;      /* moves on while a grant may still come */
    int64_t sends_until;  /* nothing at all is sent any more */
    int64_t stop_at_last; /* whatever there is */
    char clock_text[32];
};

/* Replies that may hold the only copy of a grant: each is waited for until its own time is up. */
static bool grants_may_come(const struct keeper *keeper)
{
    return lanes_on_wire(keeper->lanes) || exchanges_on_wire(keeper->exchanges) ||
           device_polls_on_wire(keeper->device_polls);
}

static void check_stopped(void *userdata)
{
    struct back *back = userdata;
    struct keeper *keeper = &back->keeper;
    const int64_t now = clock_now();
    keeper->closed = now >= back->sends_until;
    const bool on_wire = grants_may_come(keeper);
    if (on_wire)
        back->stop_by = now + STOP_PATIENCE_MS;
    const bool busy = on_wire || commits_pending(keeper->commits) ||
                      (!keeper->closed && exchanges_busy(keeper->exchanges));
    if (busy && now < back->stop_by && now < back->stop_at_last)
        (void)loop_timer_set(back->stop_timer, STOP_CHECK_MS);
    else
        loop_exit(keeper->loop, 0);
}

static void begin_stop(struct back *back)
{
    const int64_t now = clock_now();
    back->keeper.stopping = true;
    back->stop_by = back->sends_until = now + STOP_PATIENCE_MS;
    back->stop_at_last = now + STOP_WHOLE_MS;
    if (grants_may_come(&back->keeper))
        log_info("a provider's answer is under way, which may hold a new token: it is waited for, "
                 "%d s at most",
                 STOP_WHOLE_MS / 1000);
    check_stopped(back);
}

static void take_settings(struct back *back, struct message *letter)
{
    if (!letter->settings)
        return;
    settings_free(back->settings);
    back->settings = steal(letter->settings);
    back->keeper.settings = back->settings;
    authority_configure(back->keeper.authority, back->settings);
    rekey_configure(back->keeper.rekey, steal(letter->key_next));
    int r = lanes_configure(back->keeper.lanes, back->settings);
    if (r != 0)
        log_error("some providers keep their old configuration: %s", strerror(-r));
    warn_again(&back->keeper);
    replan_again(&back->keeper);
}

static void take_letter(struct back *back, struct message *letter)
{
    switch (letter->kind) {
    case NEW_SETTINGS:
        take_settings(back, letter);
        message_free(letter);
        break;
    case PULSE:
        if (!back->pulses || mailbox_send(back->pulses, letter) != 0)
            message_free(letter);
        break;
    case STOP:
        begin_stop(back);
        message_free(letter);
        break;
    default:
        question_take(&back->keeper, letter);
    }
}

static void letters_came(void *userdata, int fd, uint32_t events)
{
    struct back *back = userdata;
    (void)fd;
    (void)events;
    for (int i = 0; i < LETTERS_PER_TURN; i++) {
        struct message *letter = mailbox_take(back->inbox);
        if (!letter)
            return;
        take_letter(back, letter);
    }
}

static int write_clock(void *userdata, struct store *store)
{
    const struct back *back = userdata;
    return store_put_fact(store, "clock_last", back->clock_text);
}

static void clock_written(void *userdata, int result)
{
    struct back *back = userdata;
    (void)result; /* the next one is soon enough */
    (void)loop_timer_set(back->clock_timer, CLOCK_STORE_MS);
}

static void keep_clock(void *userdata)
{
    struct back *back = userdata;
    (void)snprintf(back->clock_text, sizeof back->clock_text, "%" PRId64, clock_now());
    int r = commits_add(back->keeper.commits, COMMIT_MAY, write_clock, clock_written, back);
    if (r != 0)
        clock_written(back, r);
}

static int build_rooms(struct back *back, const struct back_options *options)
{
    struct keeper *keeper = &back->keeper;
    keeper->spare_answer = message_new(ANSWER);
    int r = keeper->spare_answer ? 0 : -ENOMEM;
    if (r == 0)
        r = commits_new(keeper->loop, keeper->store, &keeper->commits);
    if (r == 0)
        r = audit_held_new(keeper, &keeper->audit);
    if (r == 0)
        r = restored_new(keeper, options->machine, &keeper->restored);
    if (r == 0)
        r = callers_new(keeper, &keeper->callers);
    if (r == 0)
        r = http_client_new(keeper->loop, &keeper->http);
    if (r == 0)
        r = exchanges_new(keeper, &keeper->exchanges);
    if (r == 0)
        r = errands_new(keeper, &keeper->errands);
    if (r == 0)
        r = device_polls_new(keeper, &keeper->device_polls);
    if (r == 0)
        r = lanes_new(keeper, back->settings, &keeper->lanes);
    if (r == 0)
        r = replan_new(keeper, &keeper->replan);
    if (r == 0)
        r = revocations_new(keeper, &keeper->revocations);
    if (r == 0)
        r = authority_new(keeper, back->settings, &keeper->authority);
    if (r == 0)
        r = warn_new(keeper, &keeper->warn);
    if (r == 0)
        r = rekey_new(keeper, options->key_folder, &keeper->rekey);
    if (r == 0)
        r = backup_new(keeper, &keeper->backup);
    return r;
}

static int build(struct back *back, const struct back_options *options)
{
    struct loop *loop = back->keeper.loop;
    int r = build_rooms(back, options);
    if (r == 0)
        r = loop_add_fd(loop, mailbox_fd(back->inbox), EPOLLIN, letters_came, back, &back->letters);
    if (r == 0)
        r = loop_add_timer(loop, keep_clock, back, &back->clock_timer);
    if (r == 0)
        r = loop_add_timer(loop, check_stopped, back, &back->stop_timer);
    if (r == 0)
        r = loop_timer_set(back->clock_timer, CLOCK_STORE_MS);
    return r;
}

/* Everything but what the caller gave. */
static void tear_down(struct back *back)
{
    struct keeper *keeper = &back->keeper;
    keeper->stopping = true; /* also where no STOP came */
    if (keeper->lanes)
        lanes_give_up(keeper->lanes);
    if (keeper->commits)
        commits_finish(keeper->commits); /* while those who wait for it are still there */
    audit_held_finish(keeper->audit);
    loop_source_free(back->letters);
    loop_source_free(back->clock_timer);
    loop_source_free(back->stop_timer);
    backup_free(keeper->backup);
    rekey_free(keeper->rekey);
    replan_free(keeper->replan);
    warn_free(keeper->warn);
    authority_free(keeper->authority);
    revocations_free(keeper->revocations);
    errands_free(keeper->errands);
    device_polls_free(keeper->device_polls);
    exchanges_free(keeper->exchanges);
    lanes_free(keeper->lanes);
    http_client_free(keeper->http);
    audit_held_free(keeper->audit);
    commits_free(keeper->commits);
    callers_free(keeper->callers);
    restored_free(keeper->restored);
    message_free(keeper->spare_answer);
    loop_free(keeper->loop);
}

int back_new(const struct back_options *options, struct back **ret, struct complaint *complaint)
{
    struct back *back = calloc(1, sizeof *back);
    if (!back)
        return -ENOMEM;
    back->settings = options->settings;
    back->inbox = options->inbox;
    back->pulses = options->pulses;
    back->keeper = (struct keeper){
        .store = options->store,
        .key = options->key,
        .front = options->front,
        .settings = options->settings,
        .main = options->main,
    };
    int r = loop_new(&back->keeper.loop);
    if (r == 0)
        r = build(back, options);
    if (r != 0) {
        complain(complaint, "the thread that keeps the tokens cannot be set up: %s", strerror(-r));
        if (back->keeper.loop)
            tear_down(back);
        free(back);
        return r;
    }
    rekey_configure(back->keeper.rekey, options->key_next);
    restored_guard(back->keeper.restored, options->guard);
    *ret = back;
    return 0;
}

int back_run(struct back *back)
{
    return loop_run(back->keeper.loop);
}

struct back *back_free(struct back *back)
{
    if (!back)
        return NULL;
    tear_down(back);
    settings_free(back->settings);
    seal_key_free(back->keeper.key);
    store_close(back->keeper.store);
    free(back);
    return NULL;
}

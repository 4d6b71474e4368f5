#include "main/watchdog.h"

#include <errno.h>
#include <sys/epoll.h>
#include <systemd/sd-daemon.h>

#include "main/notify.h"
#include "messages.h"

enum { ASKS_IN_AN_INTERVAL = 3, PULSES_WAITING_MAX = 16 };

struct watchdog {
    struct mailbox *pulses;
    struct loop_source *letters;
    struct loop_source *timer;
    struct threads *threads;
    int64_t ask_every_ms; /* 0: nobody watches */
    uint64_t reload;      /* the latest one */
    int unsettled;        /* threads that have not come to it */
};

static void ask(void *userdata)
{
    struct watchdog *watchdog = userdata;
    threads_ask_pulse(watchdog->threads);
    (void)loop_timer_set(watchdog->timer, watchdog->ask_every_ms);
}

static void pulse_came(void *userdata, int fd, uint32_t events)
{
    struct watchdog *watchdog = userdata;
    (void)fd;
    (void)events;
    for (struct message *letter = mailbox_take(watchdog->pulses); letter;
         letter = mailbox_take(watchdog->pulses)) {
        if (letter->id == 0)
            notify_manager("WATCHDOG=1");
        else if (letter->id == watchdog->reload && --watchdog->unsettled == 0)
            notify_manager("READY=1");
        message_free(letter);
    }
}

void watchdog_look(void *userdata)
{
    struct watchdog *watchdog = userdata;
    if (!watchdog->threads) {
        notify_manager("EXTEND_TIMEOUT_USEC=30000000"); /* of the start */
        return;
    }
    watchdog->reload++; /* the one before is overtaken by the one that we are in */
    pulse_came(watchdog, -1, 0);
    threads_ask_pulse(watchdog->threads);
}

void watchdog_ready_when_settled(struct watchdog *watchdog)
{
    watchdog->reload++;
    watchdog->unsettled = threads_ask_both(watchdog->threads, watchdog->reload);
    if (watchdog->unsettled == 0)
        notify_manager("READY=1");
}

int watchdog_new(struct loop *loop, struct watchdog **ret)
{
    uint64_t usec = 0;
    struct watchdog *watchdog = calloc(1, sizeof *watchdog);
    if (!watchdog)
        return -ENOMEM;
    if (sd_watchdog_enabled(0, &usec) > 0)
        watchdog->ask_every_ms = (int64_t)(usec / 1000 / ASKS_IN_AN_INTERVAL);
    int r = mailbox_new(PULSES_WAITING_MAX, 1, message_destroy, &watchdog->pulses);
    if (r == 0)
        r = loop_add_fd(loop, mailbox_fd(watchdog->pulses), EPOLLIN, pulse_came, watchdog,
                        &watchdog->letters);
    if (r == 0)
        r = loop_add_timer(loop, ask, watchdog, &watchdog->timer);
    if (r != 0) {
        watchdog_free(watchdog);
        return r;
    }
    *ret = watchdog;
    return 0;
}

struct watchdog *watchdog_free(struct watchdog *watchdog)
{
    if (!watchdog)
        return NULL;
    loop_source_free(watchdog->letters);
    loop_source_free(watchdog->timer);
    mailbox_free(watchdog->pulses);
    free(watchdog);
    return NULL;
}

struct mailbox *watchdog_pulses(struct watchdog *watchdog)
{
    return watchdog->pulses;
}

void watchdog_start(struct watchdog *watchdog, struct threads *threads)
{
    watchdog->threads = threads;
    if (watchdog->ask_every_ms > 0)
        (void)loop_timer_set(watchdog->timer, 0);
}

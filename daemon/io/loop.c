#include "io/loop.h"

#include <errno.h>
#include <time.h>

#include <systemd/sd-event.h>

enum {
    TIMER_ACCURACY_US = 1000,
    US_PER_MS = 1000,
    MS_PER_S = 1000,
    NS_PER_MS = 1000 * 1000,
};

static const int64_t timer_delay_max_ms = INT64_C(365) * 24 * 3600 * MS_PER_S;

struct loop {
    sd_event *event;
    unsigned idles_waiting;
    unsigned descriptors_served; /* while an idle waits */
    struct loop_source *idles;
};

struct loop_source {
    sd_event_source *event_source;
    struct loop *loop;
    void *userdata;
    union {
        void (*ready)(void *userdata, int fd, uint32_t events);
        void (*fired)(void *userdata);
        void (*got)(void *userdata, int signal);
    };
    bool is_idle;
    bool idle_waits;
    struct loop_source *next_idle;
};

int loop_new(struct loop **ret)
{
    struct loop *loop = calloc(1, sizeof *loop);
    if (!loop)
        return -ENOMEM;

    int r = sd_event_new(&loop->event);
    if (r < 0) {
        free(loop);
        return r;
    }
    *ret = loop;
    return 0;
}

struct loop *loop_free(struct loop *loop)
{
    if (!loop)
        return NULL;

    sd_event_unref(loop->event);
    free(loop);
    return NULL;
}

int loop_run(struct loop *loop)
{
    return sd_event_loop(loop->event);
}

void loop_exit(struct loop *loop, int code)
{
    /* Fails only when the loop has ended already, and then there is nothing to do. */
    (void)sd_event_exit(loop->event, code);
}

/* An idle has the lowest priority, so endless traffic would keep it from ever running: after a
 * while it goes before the descriptors, once. */
static void hurry_idles(struct loop *loop)
{
    for (struct loop_source *idle = loop->idles; idle; idle = idle->next_idle) {
        if (idle->idle_waits)
            /* Should memory be short, the idle only waits longer. */
            (void)sd_event_source_set_priority(idle->event_source, SD_EVENT_PRIORITY_IMPORTANT);
    }
    loop->descriptors_served = 0;
}

static int on_ready(sd_event_source *event_source, int fd, uint32_t events, void *userdata)
{
    struct loop_source *source = userdata;
    struct loop *loop = source->loop;

    source->ready(source->userdata, fd, events);
    if (loop->idles_waiting > 0 && ++loop->descriptors_served >= LOOP_IDLE_PATIENCE)
        hurry_idles(loop);
    return 0;
}

static int on_timer(sd_event_source *event_source, uint64_t usec, void *userdata)
{
    struct loop_source *source = userdata;

    source->fired(source->userdata);
    return 0;
}

static void idle_done(struct loop_source *idle)
{
    if (!idle->idle_waits)
        return;
    idle->idle_waits = false;
    if (--idle->loop->idles_waiting == 0)
        idle->loop->descriptors_served = 0;
}

static int on_idle(sd_event_source *event_source, void *userdata)
{
    struct loop_source *source = userdata;

    idle_done(source);
    /* Should memory be short, the next run only comes earlier than it need. */
    (void)sd_event_source_set_priority(event_source, SD_EVENT_PRIORITY_IDLE);
    source->fired(source->userdata);
    return 0;
}

static int on_signal(sd_event_source *event_source, const struct signalfd_siginfo *info,
                     void *userdata)
{
    struct loop_source *source = userdata;

    source->got(source->userdata, (int)info->ssi_signo);
    return 0;
}

static struct loop_source *source_new(struct loop *loop, void *userdata)
{
    struct loop_source *source = calloc(1, sizeof *source);
    if (!source)
        return NULL;
    source->loop = loop;
    source->userdata = userdata;
    return source;
}

/* Ends a construction: hands the source out, or frees it when r says that it failed. */
static int source_finish(struct loop_source *source, int r, struct loop_source **ret)
{
    if (r < 0) {
        loop_source_free(source);
        return r;
    }
    *ret = source;
    return 0;
}

int loop_add_fd(struct loop *loop, int fd, uint32_t events,
                void (*ready)(void *userdata, int fd, uint32_t events), void *userdata,
                struct loop_source **ret)
{
    struct loop_source *source = source_new(loop, userdata);
    if (!source)
        return -ENOMEM;

    source->ready = ready;
    int r = sd_event_add_io(loop->event, &source->event_source, fd, events, on_ready, source);
    return source_finish(source, r, ret);
}

int loop_source_set_events(struct loop_source *source, uint32_t events)
{
    int r = sd_event_source_set_io_events(source->event_source, events);
    return r < 0 ? r : 0;
}

int loop_add_timer(struct loop *loop, void (*fired)(void *userdata), void *userdata,
                   struct loop_source **ret)
{
    struct loop_source *source = source_new(loop, userdata);
    if (!source)
        return -ENOMEM;

    source->fired = fired;
    int r = sd_event_add_time(loop->event, &source->event_source, CLOCK_BOOTTIME, UINT64_MAX,
                              TIMER_ACCURACY_US, on_timer, source);
    if (r >= 0)
        r = sd_event_source_set_enabled(source->event_source, SD_EVENT_OFF);
    return source_finish(source, r, ret);
}

int loop_timer_set(struct loop_source *timer, int64_t delay_ms)
{
    if (delay_ms < 0)
        delay_ms = 0;
    if (delay_ms > timer_delay_max_ms)
        delay_ms = timer_delay_max_ms;

    /* Not the loop's own idea of now: that is as old as the turn, and a turn may have been long. */
    struct timespec now;
    if (clock_gettime(CLOCK_BOOTTIME, &now) < 0)
        return -errno;
    int64_t now_ms = (int64_t)now.tv_sec * MS_PER_S + now.tv_nsec / NS_PER_MS;
    /* A part of a millisecond was cut off; a timer must not fire before its time. */
    int64_t due_ms = now_ms + delay_ms + (delay_ms > 0 ? 1 : 0);

    int r = sd_event_source_set_time(timer->event_source, (uint64_t)due_ms * US_PER_MS);
    if (r >= 0)
        r = sd_event_source_set_enabled(timer->event_source, SD_EVENT_ONESHOT);
    return r < 0 ? r : 0;
}

void loop_timer_stop(struct loop_source *timer)
{
    /* Switching off takes nothing that could be short. */
    (void)sd_event_source_set_enabled(timer->event_source, SD_EVENT_OFF);
}

int loop_add_idle(struct loop *loop, void (*run)(void *userdata), void *userdata,
                  struct loop_source **ret)
{
    struct loop_source *source = source_new(loop, userdata);
    if (!source)
        return -ENOMEM;

    source->fired = run;
    int r = sd_event_add_defer(loop->event, &source->event_source, on_idle, source);
    if (r >= 0)
        r = sd_event_source_set_enabled(source->event_source, SD_EVENT_OFF);
    if (r >= 0)
        r = sd_event_source_set_priority(source->event_source, SD_EVENT_PRIORITY_IDLE);
    if (r >= 0) {
        source->is_idle = true;
        source->next_idle = loop->idles;
        loop->idles = source;
    }
    return source_finish(source, r, ret);
}

int loop_idle_set(struct loop_source *idle)
{
    int r = sd_event_source_set_enabled(idle->event_source, SD_EVENT_ONESHOT);
    if (r < 0)
        return r;
    if (!idle->idle_waits) {
        idle->idle_waits = true;
        idle->loop->idles_waiting++;
    }
    return 0;
}

int loop_add_signal(struct loop *loop, int signal, void (*got)(void *userdata, int signal),
                    void *userdata, struct loop_source **ret)
{
    struct loop_source *source = source_new(loop, userdata);
    if (!source)
        return -ENOMEM;

    source->got = got;
    int r = sd_event_add_signal(loop->event, &source->event_source, signal, on_signal, source);
    return source_finish(source, r, ret);
}

static void unlink_idle(struct loop_source *source)
{
    struct loop_source **link = &source->loop->idles;

    idle_done(source);
    while (*link && *link != source)
        link = &(*link)->next_idle;
    if (*link)
        *link = source->next_idle;
}

struct loop_source *loop_source_free(struct loop_source *source)
{
    if (!source)
        return NULL;

    if (source->is_idle)
        unlink_idle(source);
    sd_event_source_disable_unref(source->event_source);
    free(source);
    return NULL;
}

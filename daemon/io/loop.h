#pragma once

/*
 * One thread's event loop, around sd-event. Everything here belongs to the thread that runs the
 * loop, but loop_new() and loop_free() may be called before it starts and after it ended.
 *
 * Callbacks may free their own source. Timers run on CLOCK_BOOTTIME.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/cleanup.h"

struct loop;
struct loop_source;

/* Returns 0 or -errno. */
int loop_new(struct loop **ret);
struct loop *loop_free(struct loop *loop);

/* Runs until loop_exit(); returns the code given there, or -errno. */
int loop_run(struct loop *loop);
void loop_exit(struct loop *loop, int code);

/* events: EPOLLIN and so on. The descriptor stays the caller's. Returns 0 or -errno; *ret is owned
 * by the caller and freed with loop_source_free(), before the loop. */
int loop_add_fd(struct loop *loop, int fd, uint32_t events,
                void (*ready)(void *userdata, int fd, uint32_t events), void *userdata,
                struct loop_source **ret);
int loop_source_set_events(struct loop_source *source, uint32_t events);

/* A timer that is off until loop_timer_set(); it fires once for each set. accuracy: 1 ms. */
int loop_add_timer(struct loop *loop, void (*fired)(void *userdata), void *userdata,
                   struct loop_source **ret);
/* delay_ms from now, 0 at the next turn; a new set replaces the old. Delays over a year are a year.
 */
int loop_timer_set(struct loop_source *timer, int64_t delay_ms);
void loop_timer_stop(struct loop_source *timer);

/* Work for the end of a turn, when no descriptor has anything more: off until loop_idle_set(),
 * runs once for each set. Under endless traffic it runs after LOOP_IDLE_PATIENCE descriptors. */
enum { LOOP_IDLE_PATIENCE = 64 };
int loop_add_idle(struct loop *loop, void (*run)(void *userdata), void *userdata,
                  struct loop_source **ret);
int loop_idle_set(struct loop_source *idle);

/* Signals (blocked in every thread by the caller). */
int loop_add_signal(struct loop *loop, int signal, void (*got)(void *userdata, int signal),
                    void *userdata, struct loop_source **ret);

/* What was due does not come any more. NULL is fine; returns NULL. */
struct loop_source *loop_source_free(struct loop_source *source);

DEFINE_CLEANUP(struct loop *, loop, loop_free)

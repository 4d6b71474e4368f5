#pragma once

/* What the threads' PULSE letters are for: systemd's watchdog is fed only while the thread that
 * answers gives signs of life, and a reload is over when both have come to it. */

#include "base/mailbox.h"
#include "io/loop.h"
#include "main/threads.h"

struct watchdog;

/* Returns 0 or -errno. Without WATCHDOG_USEC it does nothing. */
int watchdog_new(struct loop *loop, struct watchdog **ret);
struct watchdog *watchdog_free(struct watchdog *watchdog);

/* Where the signs of life go. Owned by the watchdog. */
struct mailbox *watchdog_pulses(struct watchdog *watchdog);

/* Starts asking. */
void watchdog_start(struct watchdog *watchdog, struct threads *threads);

/* Does once what the loop would do, amid something long: the manager's patience is for one step of
 * it. userdata is the watchdog. */
void watchdog_look(void *userdata);

/* Tells systemd READY=1 when both threads have handled all letters sent so far. */
void watchdog_ready_when_settled(struct watchdog *watchdog);

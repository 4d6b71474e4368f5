#include "main/notify.h"

#include <string.h>
#include <systemd/sd-daemon.h>
#include <time.h>

#include "base/log.h"

enum { TRIES = 5, PAUSE_NS = 20 * 1000 * 1000 };

void notify_manager(const char *lines)
{
    const struct timespec pause = { .tv_nsec = PAUSE_NS };
    int r = sd_notify(0, lines);
    for (int i = 1; i < TRIES && r < 0; i++) {
        (void)nanosleep(&pause, NULL); /* should a signal end it, the next try comes earlier */
        r = sd_notify(0, lines);
    }
    if (r < 0)
        log_warning("the service manager could not be told %.*s: %s", (int)strcspn(lines, "\n"),
                    lines, strerror(-r));
}

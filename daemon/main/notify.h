#pragma once

/* Tells the service manager, where there is one, of lines such as "READY=1" (sd_notify(3)). A
 * message that is lost would leave it waiting, so one that cannot be sent is tried a few times
 * more; then it is said in the log. */
void notify_manager(const char *lines);

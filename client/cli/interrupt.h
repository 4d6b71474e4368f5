#pragma once

/* Signals that ask us to end, as a descriptor, so that there is time to undo what was begun. */

/* Takes SIGINT, SIGTERM and SIGHUP; the descriptor is readable when one came. -1: it cannot be, and
 * signals end us as always. Never closed: the process ends soon. */
int interrupt_take(void);

/* Ends the process by the signal that came, as if it had not been taken; returns only if none did.
 */
void interrupt_die(int fd);

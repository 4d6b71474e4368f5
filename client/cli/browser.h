#pragma once

#include <stdbool.h>
#include <stddef.h>

/* Whether there is a display and an xdg-open. Not for somebody who is root for this command alone:
 * browsers do not run as root, and the person's own would not be root's. */
bool browser_possible(void);

/* Opens an address in the person's browser; false when that is not possible. Nothing is waited for.
 * Every user of the machine can read the address in the arguments of xdg-open. */
bool browser_open(const char *url);

/* The port of an address on this machine's loopback; 0 for an address elsewhere. */
unsigned browser_loopback_port(const char *url);

/* Says which ssh command lets a browser on another machine reach such a port here. */
void browser_say_tunnel(unsigned port);

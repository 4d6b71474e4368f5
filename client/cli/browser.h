#pragma once

#include <stdbool.h>
#include <stddef.h>

/* Whether there is a display and an xdg-open, and the browser would be this user's: not so for who
 * is another user for this command alone, nor for a browser of Windows. */
bool browser_possible(void);

/* Whether browsers are those of Windows (WSL), by uname()'s release: they come to this machine's
 * loopback through a relay that runs as root. */
bool browser_is_of_windows(const char *kernel_release);

/* Opens an address in the person's browser; false when that is not possible. Nothing is waited for.
 * Every user of the machine can read the address in the arguments of xdg-open. */
bool browser_open(const char *url);

/* The port of an address on this machine's loopback; 0 for an address elsewhere. */
unsigned browser_loopback_port(const char *url);

/* Says which ssh command lets a browser on another machine reach such a port here. */
void browser_say_tunnel(unsigned port);

#pragma once

#include <stdbool.h>
#include <stddef.h>

/* Opens an address in the person's browser, if there is a display; false when there is none, or no
 * xdg-open. Nothing is waited for. */
bool browser_open(const char *url);

/* The port of an address on this machine's loopback; 0 for an address elsewhere. */
unsigned browser_loopback_port(const char *url);

/* Says which ssh command lets a browser on another machine reach such a port here. */
void browser_say_tunnel(unsigned port);

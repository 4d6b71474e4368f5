#pragma once

/* What requests of the socket API carry in their path and query, as plain values. */

#include <stdbool.h>
#include <stdint.h>

#include "base/account.h"

/* What follows a route's path. */
enum path_shape {
    PATH_EXACT,   /* nothing */
    PATH_WORD,    /* one segment */
    PATH_ACCOUNT, /* provider/label */
};

/* True when the path has the shape of one of the routes. */
bool path_has_shape(const char *rest, enum path_shape shape);

/* Reads "provider/label", percent-encoded or not. False when it is no name. */
bool path_account(const char *rest, struct account_name *ret);

/* Reads "provider/label" that is decoded already. False when it is no name. */
bool text_to_account(const char *text, struct account_name *ret);

/* Reads one percent-encoded segment as a provider's name; ret has room for PROVIDER_NAME_MAX + 1
 * bytes. False when it is none. */
bool path_provider(const char *rest, char *ret);

/* Reads a parameter's text of decimal digits alone. False when it is anything else or outside of
 * the range. */
bool text_to_integer(const char *text, int64_t least, int64_t most, int64_t *ret);

#pragma once

/* Names: a provider `[a-z0-9][a-z0-9-]{0,31}`, an account `provider/label`. */

#include <stdbool.h>
#include <stddef.h>

enum {
    PROVIDER_NAME_MAX = 32,
    LABEL_MAX = 64,
    ACCOUNT_TEXT_SIZE = PROVIDER_NAME_MAX + 1 + LABEL_MAX + 1, /* with the slash and the NUL */
};

struct account_name {
    char provider[PROVIDER_NAME_MAX + 1];
    char label[LABEL_MAX + 1];
};

/* Whether text is such a name; NULL is none. */
bool provider_name_valid(const char *text);
bool label_valid(const char *text);

/* Sets *ret from a provider and a label; false, and *ret untouched, when either is not a name. */
bool account_name_make(const char *provider, const char *label, struct account_name *ret);

/* The same from "provider/label". */
bool account_name_parse(const char *text, struct account_name *ret);

/* Whether provider and label are the same, byte for byte. */
bool account_name_equal(const struct account_name *a, const struct account_name *b);

/* Writes "provider/label" to out and returns out, so that it can stand in a call's arguments. */
const char *account_text(const struct account_name *name, char out[static ACCOUNT_TEXT_SIZE]);

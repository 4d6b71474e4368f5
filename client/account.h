#pragma once

#include <stdbool.h>

enum { PROVIDER_MAX = 32, LABEL_MAX = 64, ACCOUNT_SIZE = PROVIDER_MAX + 1 + LABEL_MAX + 1 };

/* Writes an account's whole name: "zenegy/acme" as it is, "zenegy" as "zenegy/default". False, and
 * out untouched, for what is no account's name. */
bool account_complete(const char *name, char out[static ACCOUNT_SIZE]);

/* The order of the API's lists, as strcmp() says it: by provider, then label; "" before all. */
int account_compare(const char *left, const char *right);

/* Whether it can be a provider's name. */
bool provider_valid(const char *name);

#pragma once

/* When the grants of an account's row die: what a forecast needs to know of a row. Both threads ask
 * here, so that who is called and what is listed never differ. */

#include "io/store.h"
#include "oauth/forecast.h"

/* As of now; provider is the account's, NULL when it is not configured. */
struct forecast forecast_of_account(const struct account_row *row, const struct provider *provider);

/* The same of the consent that is held for it. */
struct forecast forecast_of_held(const struct account_row *row, const struct provider *provider);

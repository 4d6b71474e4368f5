#pragma once

/* A row, and the circumstances in which it is judged. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* after the four above */
#include <cmocka.h>

#include "back/judgement.h"

enum { SECOND = 1000, MINUTE = 60 * SECOND, HOUR = 60 * MINUTE };
static const int64_t start = INT64_C(1700000000) * SECOND;

static struct provider provider = { .name = "acme" };

static inline struct circumstances at(int64_t now)
{
    return (struct circumstances){ .provider = &provider, .now = now, .random = 500 };
}

static inline struct account_row fresh_row(void)
{
    return (struct account_row){ .name = { "acme", "dk" },
                                 .generation = 7,
                                 .has_refresh_token = true,
                                 .refreshed_at = start,
                                 .lifetime_ms = HOUR,
                                 .expires_at = start + HOUR };
}

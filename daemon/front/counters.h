#pragma once

/* What the front counts since its start, for GET /metrics. */

#include <stdint.h>

#include "schema/wire.h"

enum counted_login {
    COUNTED_GRANTED,
    COUNTED_HELD,
    COUNTED_FAILED,
    COUNTED_EXPIRED,
    COUNTED_CANCELLED
};
enum { COUNTED_LOGINS = COUNTED_CANCELLED + 1 };

struct counters {
    uint64_t tokens_hit;    /* answered at once */
    uint64_t tokens_waited; /* answered after a question to the back */
    uint64_t tokens_refused[WIRE_ERROR_COUNT];
    uint64_t logins_started;
    uint64_t logins[COUNTED_LOGINS]; /* that ended so */
};

#pragma once

/* The parts of the front that its handlers use. Each is owned by front.c; handlers borrow. settings
 * is replaced at a reload: never keep a pointer into it beyond the call. */

#include <stdbool.h>
#include <stdint.h>

#include "front/access.h"
#include "front/counters.h"

#include "io/loop.h"
#include "settings/settings.h"

struct asks;
struct audit;
struct callback;
struct newcomers;
struct consumers;
struct deadlines;
struct events;
struct logins;
struct tokens;

struct context {
    struct loop *loop;
    struct settings *settings;
    struct asks *asks;
    struct access_default access;
    struct deadlines *deadlines; /* of requests that wait */
    int64_t wait_max_ms;         /* how long a request may wait at most */
    struct audit *audit;
    struct events *events; /* NULL: nobody can follow */
    struct tokens *tokens;
    struct logins *logins;
    struct callback *callback;
    struct consumers *consumers; /* NULL: none can ask */
    struct newcomers *newcomers;
    struct counters counters;
    int64_t started_at; /* broker time */
};

#include "client/cli/words.h"

#include <inttypes.h>
#include <stdio.h>
#include <time.h>

/* From here on the next larger unit is used, so that two digits tell enough. */
static const struct {
    int64_t below;
    int64_t seconds;
    const char *name;
} units[] = {
    { 120, 1, "s" },
    { 120 * 60, 60, "min" },
    { (int64_t)48 * 3600, 3600, "h" },
    { INT64_MAX, (int64_t)24 * 3600, "d" },
};

const char *words_span(int64_t seconds, char out[static WORDS_SIZE])
{
    size_t i = 0;

    while (seconds >= units[i].below && units[i].below != INT64_MAX)
        i++;
    (void)snprintf(out, WORDS_SIZE, "%" PRId64 " %s", seconds / units[i].seconds, units[i].name);
    return out;
}

const char *words_moment(int64_t at, int64_t now, char out[static WORDS_SIZE])
{
    char span[WORDS_SIZE];
    int64_t distance = 0;

    if (__builtin_sub_overflow(at, now, &distance) || distance == INT64_MIN)
        distance = at > now ? INT64_MAX : -INT64_MAX;
    if (distance == 0)
        (void)snprintf(out, WORDS_SIZE, "now");
    else if (distance > 0)
        (void)snprintf(out, WORDS_SIZE, "in %.40s", words_span(distance, span));
    else
        (void)snprintf(out, WORDS_SIZE, "%.40s ago", words_span(-distance, span));
    return out;
}

int64_t words_now(void)
{
    return (int64_t)time(NULL);
}

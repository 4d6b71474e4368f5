#include "client/cli/duration.h"

#include <stddef.h>
#include <string.h>

static const struct {
    const char *name;
    int64_t seconds;
} units[] = { { "", 1 },     { "s", 1 },         { "min", 60 },
              { "h", 3600 }, { "d", 24 * 3600 }, { "w", 7 * 24 * 3600 } };

static int64_t unit_seconds(const char *name)
{
    for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
        if (strcmp(name, units[i].name) == 0)
            return units[i].seconds;
    }
    return 0;
}

bool duration_parse(const char *text, int64_t *ret_s)
{
    int64_t number = 0;
    const char *c = text;

    for (; *c >= '0' && *c <= '9'; c++) {
        number = number * 10 + (*c - '0');
        if (number > DURATION_MAX_S)
            return false;
    }
    int64_t seconds = number * unit_seconds(c);
    if (c == text || unit_seconds(c) == 0 || seconds > DURATION_MAX_S)
        return false;
    *ret_s = seconds;
    return true;
}

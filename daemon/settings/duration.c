#include "settings/duration.h"

#include <ctype.h>
#include <string.h>

struct unit {
    const char *name;
    int64_t ms;
};

static const struct unit units[] = {
    { "ms", 1 },
    { "s", 1000 },
    { "min", INT64_C(60) * 1000 },
    { "h", INT64_C(3600) * 1000 },
    { "d", INT64_C(24) * 3600 * 1000 },
    { "w", INT64_C(7) * 24 * 3600 * 1000 },
    { "y", INT64_C(365) * 24 * 3600 * 1000 },
};

static const struct unit *unit_named(const char *name)
{
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++)
        if (strcmp(units[i].name, name) == 0)
            return &units[i];
    return NULL;
}

/* Reads digits into *ret; the text after them, or NULL when there are none or too many. */
static const char *read_digits(const char *text, int64_t *ret)
{
    int64_t number = 0;
    const char *p = text;
    for (; isdigit((unsigned char)*p); p++) {
        number = number * 10 + (*p - '0');
        if (number > DURATION_MAX_MS)
            return NULL;
    }
    if (p == text)
        return NULL;
    *ret = number;
    return p;
}

bool duration_parse(const char *text, int64_t *ret_ms, const char **ret_problem)
{
    int64_t number = 0;
    const char *rest = read_digits(text, &number);
    const struct unit *unit = rest != NULL ? unit_named(rest) : NULL;

    if (rest == NULL)
        *ret_problem = "is no duration, such as \"90s\", \"5min\", \"2h\" or \"14d\"";
    else if (*rest == '\0')
        *ret_problem = "has no unit: add \"s\", \"min\", \"h\" or \"d\"";
    else if (unit == NULL)
        *ret_problem =
            "has an unknown unit: take \"ms\", \"s\", \"min\", \"h\", \"d\", \"w\" or \"y\"";
    else if (number == 0)
        *ret_problem = "must be above zero";
    else if (number > DURATION_MAX_MS / unit->ms)
        *ret_problem = "is above 100 years";
    else {
        *ret_ms = number * unit->ms;
        return true;
    }
    return false;
}

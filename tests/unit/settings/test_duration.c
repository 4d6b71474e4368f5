#include "settings/duration.h"

#include "support.h"

struct duration_row {
    const char *text;
    bool should_fail;
    int64_t ms;
    const char *problem; /* a part of it */
};

static const struct duration_row rows[] = {
    { "500ms", false, 500 },
    { "90s", false, 90000 },
    { "5min", false, 300000 },
    { "2h", false, 7200000 },
    { "14d", false, INT64_C(14) * 86400000 },
    { "1w", false, INT64_C(7) * 86400000 },
    { "1y", false, INT64_C(365) * 86400000 },
    { "100y", false, DURATION_MAX_MS },
    { "007s", false, 7000 },
    { "0s", true, 0, "above zero" },
    { "101y", true, 0, "100 years" },
    { "3153600000001ms", true, 0, "is no duration" },
    { "99999999999999999999999s", true, 0, "is no duration" },
    { "3153600000000s", true, 0, "100 years" },
    { "90", true, 0, "has no unit" },
    { "5m", true, 0, "unknown unit" },
    { "5 min", true, 0, "unknown unit" },
    { "1h30min", true, 0, "unknown unit" },
    { "1.5h", true, 0, "unknown unit" },
    { "5MIN", true, 0, "unknown unit" },
    { "-5s", true, 0, "is no duration" },
    { "+5s", true, 0, "is no duration" },
    { " 5s", true, 0, "is no duration" },
    { "", true, 0, "is no duration" },
    { "s", true, 0, "is no duration" },
    { "two days", true, 0, "is no duration" },
};

static void reads_durations(void **state)
{
    for (size_t i = 0; i < LENGTH_OF(rows); i++) {
        const struct duration_row *row = &rows[i];
        int64_t ms = -1;
        const char *problem = "";
        if (duration_parse(row->text, &ms, &problem) == row->should_fail)
            fail_row(i, row->text);
        if (ms != (row->should_fail ? -1 : row->ms))
            fail_row(i, row->text);
        if (row->should_fail && strstr(problem, row->problem) == NULL)
            fail_row(i, problem);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(reads_durations) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

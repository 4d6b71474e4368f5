#include "front/approvals.h"

#include <stdlib.h>
#include <string.h>

struct wanted {
    uid_t uid;
    const char *rule, *unit;
};

static int order(const struct wanted *wanted, const struct caller_row *row)
{
    if (wanted->uid != row->uid)
        return wanted->uid < row->uid ? -1 : 1;
    int rule = strcmp(wanted->rule, row->rule);
    return rule ? rule : strcmp(wanted->unit, row->unit);
}

static int compare_wanted(const void *key, const void *element)
{
    return order(key, element);
}

static int compare_rows(const void *a, const void *b)
{
    const struct caller_row *row = a;
    const struct wanted wanted = { row->uid, row->rule, row->unit };

    return order(&wanted, b);
}

void approvals_set(struct approvals *approvals, struct caller_row *rows, size_t count)
{
    free(approvals->rows);
    approvals->rows = rows;
    approvals->count = rows ? count : 0;
    if (approvals->count > 1)
        qsort(rows, count, sizeof(*rows), compare_rows);
}

bool approvals_have(const struct approvals *approvals, const char *rule, uid_t uid,
                    const char *unit)
{
    const struct wanted wanted = { uid, rule, unit };

    return approvals && approvals->count > 0 &&
           bsearch(&wanted, approvals->rows, approvals->count, sizeof(*approvals->rows),
                   compare_wanted);
}

#include "back/waiters.h"

#include <errno.h>

struct waiter {
    struct waiter *next;
    uint64_t id;
    bool with_rows;
};

static void refuse_memory(struct keeper *keeper, uint64_t id)
{
    const struct failure failure = failure_make(WIRE_BUSY, 1, "memory is short: ask again");
    keeper_refuse(keeper, id, &failure);
}

void waiters_add(struct waiter **list, struct keeper *keeper, uint64_t id, bool with_rows)
{
    struct waiter *waiter = calloc(1, sizeof *waiter);
    if (!waiter) {
        refuse_memory(keeper, id);
        return;
    }
    *waiter = (struct waiter){ .next = *list, .id = id, .with_rows = with_rows };
    *list = waiter;
}

static void answer(struct keeper *keeper, const struct waiter *waiter,
                   const struct issued_token *issued, const struct account_row *row)
{
    CLEANUP(cleanup_message) struct message *answer = message_new(ANSWER);
    int r = answer ? issued_token_copy(issued, &answer->token) : -ENOMEM;
    if (r == 0 && waiter->with_rows) {
        answer->rows = calloc(1, sizeof *answer->rows);
        r = answer->rows ? account_row_copy(row, answer->rows) : -ENOMEM;
        answer->row_count = r == 0 ? 1 : 0;
    }
    if (r == 0)
        keeper_answer(keeper, waiter->id, steal(answer));
    else
        refuse_memory(keeper, waiter->id);
}

void waiters_answer(struct waiter **list, struct keeper *keeper, const struct issued_token *issued,
                    const struct account_row *row)
{
    for (struct waiter *waiter = *list; waiter; waiter = *list) {
        *list = waiter->next;
        answer(keeper, waiter, issued, row);
        free(waiter);
    }
}

void waiters_refuse(struct waiter **list, struct keeper *keeper, const struct failure *failure)
{
    for (struct waiter *waiter = *list; waiter; waiter = *list) {
        *list = waiter->next;
        keeper_refuse(keeper, waiter->id, failure);
        free(waiter);
    }
}

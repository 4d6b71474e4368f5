#pragma once

/* Who waits for one outcome: questions of the front, each answered once. */

#include "back/keeper.h"

struct waiter;

/* with_rows: wants the account's row too. Refused at once when memory is short. */
void waiters_add(struct waiter **list, struct keeper *keeper, uint64_t id, bool with_rows);

/* Everybody gets that answer; the list is empty then. issued and row stay the caller's. */
void waiters_answer(struct waiter **list, struct keeper *keeper, const struct issued_token *issued,
                    const struct account_row *row);
void waiters_refuse(struct waiter **list, struct keeper *keeper, const struct failure *failure);

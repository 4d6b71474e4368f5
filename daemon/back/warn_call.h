#pragma once

/* What a row says that a person is to be called for, and how it is put to the hook. */

#include "back/keeper.h"

enum warn_subject { WARN_ACCOUNT, WARN_HELD, WARN_IDENTITY, WARN_PAUSE };

struct warning {
    enum warn_subject subject;
    struct account_name name; /* label "": the provider */
    unsigned level;           /* as in warned_days */
    int64_t since; /* which of several: of a pause, a refusal, what is held, …; else 0 */
    uint64_t receipt;
};

/* What the row says, without a receipt. */
struct warning warn_of(const struct keeper *keeper, const struct account_row *row,
                       enum warn_subject subject);

/* Whether two are one matter, and whether the row still says the same. */
bool warn_is_same(const struct warning *one, const struct warning *other);
bool warn_is_still(const struct keeper *keeper, const struct account_row *row,
                   const struct warning *warning);

/* What a person was told of the account, or of what is held for it. */
unsigned warn_told(const struct account_row *row, enum warn_subject subject);

/* False: it is to be noted alone, as the end has moved away. */
bool warn_is_news(unsigned level, unsigned told);

/* keeper_call_hook(); of a grant that dies those who follow are told too, since nothing else tells
 * them. */
int warn_call(struct keeper *keeper, const struct warning *warning, const struct account_row *row);
int warn_call_pause(struct keeper *keeper, const struct warning *warning,
                    const struct pause_row *row);

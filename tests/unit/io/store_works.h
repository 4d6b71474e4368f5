#pragma once

/* Everything that a store does, each thing once, on a store that holds one of everything. */

#include "store_fixture.h"

struct store_work {
    const char *name;
    int (*work)(struct store *store); /* returns what the store said; asserts what it gave */
    bool writes;
};

extern const struct store_work store_works[];
extern const size_t store_work_count;

/* alice has one of everything, bob nothing. */
extern struct account_name alice, bob;
void fill_store(struct store *store);

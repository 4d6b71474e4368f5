#pragma once

/* A hash table by account. Its nodes are parts of what is kept; it owns none of them. */

#include <stddef.h>
#include <stdint.h>

#include "base/account.h"

/* The first member of whatever is kept in a map. */
struct account_node {
    struct account_name name;
    struct account_node *next;
};

struct account_map {
    struct account_node **buckets;
    size_t bucket_count; /* a power of two */
    uint64_t seed;       /* random: nobody can choose names that fall together */
};

/* expected: how many nodes it will hold at most. Returns 0 or -ENOMEM. */
int account_map_init(struct account_map *map, size_t expected);
void account_map_release(struct account_map *map);

/* NULL when there is none. */
struct account_node *account_map_find(const struct account_map *map,
                                      const struct account_name *name);

/* The node's name is set and is not in the map yet. */
void account_map_add(struct account_map *map, struct account_node *node);
void account_map_remove(struct account_map *map, struct account_node *node);

/* Calls each for every node; it may remove and free the node it is called with. */
void account_map_each(struct account_map *map,
                      void (*each)(void *userdata, struct account_node *node), void *userdata);

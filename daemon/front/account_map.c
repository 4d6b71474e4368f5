#include "front/account_map.h"

#include <errno.h>
#include <stdlib.h>

#include "base/secret.h"

int account_map_init(struct account_map *map, size_t expected)
{
    size_t count = 16;

    while (count < expected && count < SIZE_MAX / 2 / sizeof(void *))
        count *= 2;
    struct account_node **buckets = calloc(count, sizeof(struct account_node *));
    if (!buckets)
        return -ENOMEM;
    *map = (struct account_map){ .buckets = buckets, .bucket_count = count };
    random_bytes(&map->seed, sizeof(map->seed));
    return 0;
}

void account_map_release(struct account_map *map)
{
    free(map->buckets);
    *map = (struct account_map){ 0 };
}

/* FNV-1a. */
static uint64_t mix(uint64_t hash, const char *text)
{
    for (; *text; text++)
        hash = (hash ^ (unsigned char)*text) * UINT64_C(0x100000001b3);
    return (hash ^ '/') * UINT64_C(0x100000001b3);
}

static struct account_node **bucket_of(const struct account_map *map,
                                       const struct account_name *name)
{
    uint64_t hash = mix(mix(map->seed, name->provider), name->label);
    hash ^= hash >> 32;
    return &map->buckets[hash & (map->bucket_count - 1)];
}

struct account_node *account_map_find(const struct account_map *map,
                                      const struct account_name *name)
{
    struct account_node *node = *bucket_of(map, name);

    while (node && !account_name_equal(&node->name, name))
        node = node->next;
    return node;
}

void account_map_add(struct account_map *map, struct account_node *node)
{
    struct account_node **bucket = bucket_of(map, &node->name);

    node->next = *bucket;
    *bucket = node;
}

void account_map_remove(struct account_map *map, struct account_node *node)
{
    struct account_node **link = bucket_of(map, &node->name);

    while (*link && *link != node)
        link = &(*link)->next;
    if (*link)
        *link = node->next;
}

void account_map_each(struct account_map *map,
                      void (*each)(void *userdata, struct account_node *node), void *userdata)
{
    for (size_t i = 0; i < map->bucket_count; i++) {
        struct account_node *node = map->buckets[i];
        while (node) {
            struct account_node *next = node->next;
            each(userdata, node);
            node = next;
        }
    }
}

#include "io/store_audit_table.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/secret.h"

enum { PLACES_PER_ROW = 4 }; /* the index is mostly empty */
static_assert((int)AUDIT_TABLE_ROOM_MAX < (int)UINT16_MAX, "the index holds each row's number + 1");

int audit_table_new(size_t room, struct audit_table **ret)
{
    CLEANUP(cleanup_audit_table) struct audit_table *table = calloc(1, sizeof(*table));

    assert(room > 0 && room <= AUDIT_TABLE_ROOM_MAX);
    if (!table)
        return -ENOMEM;
    table->room = room;
    table->rows = calloc(room, sizeof(table->rows[0]));
    table->index = calloc(PLACES_PER_ROW * room, sizeof(table->index[0]));
    if (!table->rows || !table->index)
        return -ENOMEM;
    random_bytes(&table->seed, sizeof(table->seed));
    *ret = steal(table);
    return 0;
}

struct audit_table *audit_table_free(struct audit_table *table)
{
    if (!table)
        return NULL;
    free(table->rows);
    free(table->index);
    free(table);
    return NULL;
}

/* FNV-1a. */
static uint32_t mix(uint32_t hash, const void *bytes, size_t length)
{
    const unsigned char *at = bytes;

    for (size_t i = 0; i < length; i++)
        hash = (hash ^ at[i]) * UINT32_C(0x01000193);
    return hash;
}

uint32_t audit_table_hash(const struct audit_table *table, const struct audit_event *event)
{
    uint32_t hash = mix(table->seed, event->account, strlen(event->account));
    hash = mix(hash, &event->uid, sizeof(event->uid));
    hash = mix(hash, event->unit, strnlen(event->unit, AUDIT_UNIT_SIZE - 1));
    hash = mix(hash, event->verdict, strlen(event->verdict));
    return mix(hash, &event->generation, sizeof(event->generation));
}

static bool row_is(const struct audit_row *row, const struct audit_event *event)
{
    return row->uid == event->uid && row->generation == event->generation &&
           strcmp(row->account, event->account) == 0 && strcmp(row->verdict, event->verdict) == 0 &&
           strncmp(row->unit, event->unit, AUDIT_UNIT_SIZE - 1) == 0;
}

/* The place in the index of the event's row, or where it would go. */
static uint16_t *place_of(struct audit_table *table, const struct audit_event *event)
{
    const size_t places = PLACES_PER_ROW * table->room;
    size_t at = audit_table_hash(table, event) % places;

    while (table->index[at] && !row_is(&table->rows[table->index[at] - 1], event))
        at = (at + 1) % places;
    return &table->index[at];
}

struct audit_row *audit_table_find(struct audit_table *table, const struct audit_event *event)
{
    const uint16_t number = *place_of(table, event);

    return number ? &table->rows[number - 1] : NULL;
}

static struct audit_row *add_row(struct audit_table *table, uint16_t *place,
                                 const struct audit_event *event)
{
    struct audit_row *row = &table->rows[table->count++];

    *row = (struct audit_row){ .uid = event->uid, .generation = event->generation };
    /* Names and verdicts are shorter than their fields; a unit's name may be cut. */
    (void)snprintf(row->account, sizeof(row->account), "%s", event->account);
    (void)snprintf(row->verdict, sizeof(row->verdict), "%s", event->verdict);
    (void)snprintf(row->unit, sizeof(row->unit), "%s", event->unit);
    *place = (uint16_t)table->count;
    return row;
}

struct audit_row *audit_table_row(struct audit_table *table, const struct audit_event *event)
{
    uint16_t *place = place_of(table, event);

    if (*place)
        return &table->rows[*place - 1];
    return table->count < table->room ? add_row(table, place, event) : NULL;
}

void audit_table_drop(struct audit_table *table, size_t count)
{
    const size_t left = table->count - count;

    memmove(table->rows, table->rows + count, left * sizeof(table->rows[0]));
    memset(table->index, 0, PLACES_PER_ROW * table->room * sizeof(table->index[0]));
    table->count = left;
    for (size_t i = 0; i < left; i++) {
        const struct audit_row *row = &table->rows[i];
        *place_of(table, &(struct audit_event){ row->account, row->uid, row->unit, row->verdict,
                                                row->generation }) = (uint16_t)(i + 1);
    }
}

uint64_t audit_table_events(const struct audit_table *table)
{
    uint64_t events = 0;

    for (size_t i = 0; i < table->count; i++)
        events += table->rows[i].count;
    return events;
}

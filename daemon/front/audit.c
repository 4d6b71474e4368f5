#include "front/audit.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/secret.h"
#include "front/asks.h"
#include "io/loop.h"

enum {
    INDEX_SIZE = 4 * AUDIT_PENDING_MAX, /* a power of two, mostly empty */
    REFUSED_SIZE = 2 * AUDIT_REFUSED_NAMES_MAX,
    MS_PER_MINUTE = 60 * 1000,
};

/* Refusals that were counted by name within a window. */
struct refused {
    int64_t until; /* broker time */
    size_t count;
    uint32_t hashes[REFUSED_SIZE]; /* 0: empty */
};

struct audit {
    struct context *context;
    struct loop_source *timer;
    size_t count;
    uint32_t seed;
    struct refused refused;
    uint64_t lost;              /* events that found no row since the last flush */
    uint16_t index[INDEX_SIZE]; /* row number + 1, by hash; 0: empty */
    struct audit_row rows[AUDIT_PENDING_MAX];
};

static void flush_timer(void *userdata)
{
    audit_flush(userdata);
}

int audit_new(struct context *context, struct audit **ret)
{
    struct audit *audit = calloc(1, sizeof(*audit));
    if (!audit)
        return -ENOMEM;
    audit->context = context;
    random_bytes(&audit->seed, sizeof audit->seed);
    int r = loop_add_timer(context->loop, flush_timer, audit, &audit->timer);
    if (r < 0) {
        audit_free(audit);
        return r;
    }
    *ret = audit;
    return 0;
}

struct audit *audit_free(struct audit *audit)
{
    if (!audit)
        return NULL;
    loop_source_free(audit->timer);
    free(audit);
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

/* The seed is not known to who could look for names that fall together. */
static uint32_t hash_of(const struct audit *audit, const struct audit_event *event)
{
    uint32_t hash = mix(audit->seed, event->account, strlen(event->account));
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
static uint16_t *place_of(struct audit *audit, const struct audit_event *event)
{
    uint32_t at = hash_of(audit, event) % INDEX_SIZE;

    while (audit->index[at] && !row_is(&audit->rows[audit->index[at] - 1], event))
        at = (at + 1) % INDEX_SIZE;
    return &audit->index[at];
}

static struct audit_row *add_row(struct audit *audit, uint16_t *place,
                                 const struct audit_event *event)
{
    if (audit->count == 0)
        /* It fails only for a source that is no timer. */
        (void)loop_timer_set(audit->timer, AUDIT_FLUSH_MS);
    struct audit_row *row = &audit->rows[audit->count++];
    *row = (struct audit_row){
        .uid = event->uid,
        .generation = event->generation,
        .first_at = clock_now(),
    };
    /* Names and verdicts are shorter than their fields; a unit's name may be cut. */
    (void)snprintf(row->account, sizeof(row->account), "%s", event->account);
    (void)snprintf(row->verdict, sizeof(row->verdict), "%s", event->verdict);
    (void)snprintf(row->unit, sizeof(row->unit), "%s", event->unit);
    *place = (uint16_t)audit->count;
    return row;
}

/* The event's row; NULL when it is new and there is no room. */
static struct audit_row *row_of(struct audit *audit, const struct audit_event *event)
{
    uint16_t *place = place_of(audit, event);

    if (*place)
        return &audit->rows[*place - 1];
    if (audit->count == AUDIT_PENDING_MAX)
        return NULL;
    return add_row(audit, place, event);
}

void audit_count(struct audit *audit, const struct audit_event *event)
{
    struct audit_row *row = row_of(audit, event);

    if (!row) {
        audit_flush(audit);
        row = row_of(audit, event);
    }
    if (!row) {
        audit->lost++;
        return;
    }
    row->count++;
    row->last_at = clock_now();
}

/* One that was named before is so again, also after a flush. */
static bool may_be_named(struct audit *audit, const struct audit_event *event)
{
    struct refused *refused = &audit->refused;
    const uint32_t hash = hash_of(audit, event) | 1;
    uint32_t at = hash / 2 % REFUSED_SIZE;

    if (clock_now() >= refused->until)
        *refused = (struct refused){ .until = clock_now() + AUDIT_REFUSED_WINDOW_MS };
    while (refused->hashes[at] && refused->hashes[at] != hash)
        at = (at + 1) % REFUSED_SIZE;
    if (!refused->hashes[at] && refused->count < AUDIT_REFUSED_NAMES_MAX) {
        refused->hashes[at] = hash;
        refused->count++;
    }
    return refused->hashes[at] != 0;
}

void audit_count_refusal(struct audit *audit, const char *account, uid_t uid, const char *unit)
{
    struct audit_event event = {
        .account = account,
        .uid = uid,
        .unit = unit,
        .verdict = AUDIT_FORBIDDEN,
        .generation = (uint64_t)(clock_now() / MS_PER_MINUTE),
    };

    if (!may_be_named(audit, &event))
        event.account = "";
    audit_count(audit, &event);
}

/* The rows as a letter; NULL when memory is short. */
static struct message *make_letter(const struct audit *audit)
{
    CLEANUP(cleanup_message) struct message *letter = message_new(TELL_AUDIT);
    if (!letter)
        return NULL;
    letter->audit = calloc(audit->count, sizeof(audit->rows[0]));
    if (!letter->audit)
        return NULL;
    memcpy(letter->audit, audit->rows, audit->count * sizeof(audit->rows[0]));
    letter->audit_count = audit->count;
    return steal(letter);
}

void audit_flush(struct audit *audit)
{
    if (audit->count == 0)
        return;
    if (asks_tell(audit->context->asks, make_letter(audit))) {
        (void)loop_timer_set(audit->timer, AUDIT_FLUSH_MS);
        return;
    }
    if (audit->lost > 0)
        log_warning("the audit had no room for %llu events", (unsigned long long)audit->lost);
    audit->lost = 0;
    audit->count = 0;
    memset(audit->index, 0, sizeof(audit->index));
    loop_timer_stop(audit->timer);
}

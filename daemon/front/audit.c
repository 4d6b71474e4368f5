#include "front/audit.h"

#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "front/asks.h"
#include "io/loop.h"

enum {
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
    struct audit_table *table;
    struct refused refused;
    uint64_t lost;   /* events that found no row */
    uint64_t untold; /* of them, since the last flush */
};

static void flush_timer(void *userdata)
{
    (void)audit_flush(userdata);
}

int audit_new(struct context *context, struct audit **ret)
{
    struct audit *audit = calloc(1, sizeof(*audit));
    if (!audit)
        return -ENOMEM;
    audit->context = context;
    int r = audit_table_new(AUDIT_PENDING_MAX, &audit->table);
    if (r == 0)
        r = loop_add_timer(context->loop, flush_timer, audit, &audit->timer);
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
    const uint64_t lost = audit->untold + (audit->table ? audit_table_events(audit->table) : 0);
    if (lost > 0)
        log_warning("at the end, %llu events of the audit could not be handed over, and are lost",
                    (unsigned long long)lost);
    loop_source_free(audit->timer);
    audit_table_free(audit->table);
    free(audit);
    return NULL;
}

uint64_t audit_lost(const struct audit *audit)
{
    return audit->lost;
}

/* The event's row; NULL when it is new and there is no room. */
static struct audit_row *row_of(struct audit *audit, const struct audit_event *event)
{
    struct audit_row *row = audit_table_row(audit->table, event);

    if (!row || row->count > 0)
        return row;
    row->first_at = clock_now();
    if (audit->table->count == 1)
        /* It fails only for a source that is no timer. */
        (void)loop_timer_set(audit->timer, AUDIT_FLUSH_MS);
    return row;
}

void audit_count(struct audit *audit, const struct audit_event *event)
{
    struct audit_row *row = row_of(audit, event);

    if (!row && audit_flush(audit))
        row = row_of(audit, event);
    if (!row) {
        audit->lost++;
        audit->untold++;
        return;
    }
    row->count++;
    row->last_at = clock_now();
}

/* One that was named before is so again, also after a flush. */
static bool may_be_named(struct audit *audit, const struct audit_event *event)
{
    struct refused *refused = &audit->refused;
    const uint32_t hash = audit_table_hash(audit->table, event) | 1;
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
static struct message *make_letter(const struct audit_table *table)
{
    CLEANUP(cleanup_message) struct message *letter = message_new(TELL_AUDIT);
    if (!letter)
        return NULL;
    letter->audit = calloc(table->count, sizeof(table->rows[0]));
    if (!letter->audit)
        return NULL;
    memcpy(letter->audit, table->rows, table->count * sizeof(table->rows[0]));
    letter->audit_count = table->count;
    return steal(letter);
}

bool audit_flush(struct audit *audit)
{
    struct asks *asks = audit->context->asks;
    if (audit->table->count == 0)
        return true;
    if (!asks_take_bulky(asks) || asks_tell_bulky(asks, make_letter(audit->table)) != 0) {
        (void)loop_timer_set(audit->timer, AUDIT_FLUSH_MS);
        return false;
    }
    if (audit->untold > 0)
        log_warning("the audit had no room for %llu events", (unsigned long long)audit->untold);
    audit->untold = 0;
    audit_table_drop(audit->table, audit->table->count);
    loop_timer_stop(audit->timer);
    return true;
}

#include "front/audit.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "front/asks.h"
#include "io/loop.h"

enum {
    INDEX_SIZE = 4 * AUDIT_PENDING_MAX, /* a power of two, mostly empty */
    MS_PER_MINUTE = 60 * 1000,
};

struct audit {
    struct context *context;
    struct loop_source *timer;
    size_t count;
    size_t refused_names;
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

static uint32_t hash_of(const char *account, uint32_t uid, const char *verdict, uint64_t generation)
{
    uint32_t hash = mix(UINT32_C(0x811c9dc5), account, strlen(account));
    hash = mix(hash, &uid, sizeof(uid));
    hash = mix(hash, verdict, strlen(verdict));
    return mix(hash, &generation, sizeof(generation));
}

/* The place in the index of the row with this key, or where it would go. */
static uint16_t *place_of(struct audit *audit, const char *account, uint32_t uid,
                          const char *verdict, uint64_t generation)
{
    uint32_t at = hash_of(account, uid, verdict, generation) % INDEX_SIZE;

    for (; audit->index[at]; at = (at + 1) % INDEX_SIZE) {
        const struct audit_row *row = &audit->rows[audit->index[at] - 1];
        if (row->uid == uid && row->generation == generation &&
            strcmp(row->account, account) == 0 && strcmp(row->verdict, verdict) == 0)
            break;
    }
    return &audit->index[at];
}

static struct audit_row *add_row(struct audit *audit, uint16_t *place, const char *account,
                                 uint32_t uid, const char *verdict, uint64_t generation)
{
    if (audit->count == 0)
        /* It fails only for a source that is no timer. */
        (void)loop_timer_set(audit->timer, AUDIT_FLUSH_MS);
    struct audit_row *row = &audit->rows[audit->count++];
    *row = (struct audit_row){ .uid = uid, .generation = generation, .first_at = clock_now() };
    /* Names and verdicts are shorter than their fields. */
    (void)snprintf(row->account, sizeof(row->account), "%s", account);
    (void)snprintf(row->verdict, sizeof(row->verdict), "%s", verdict);
    *place = (uint16_t)audit->count;
    return row;
}

/* The row with this key; NULL when it is new and there is no room. */
static struct audit_row *row_of(struct audit *audit, const char *account, uint32_t uid,
                                const char *verdict, uint64_t generation)
{
    uint16_t *place = place_of(audit, account, uid, verdict, generation);

    if (*place)
        return &audit->rows[*place - 1];
    if (audit->count == AUDIT_PENDING_MAX)
        return NULL;
    return add_row(audit, place, account, uid, verdict, generation);
}

void audit_count(struct audit *audit, const char *account, uid_t uid, const char *verdict,
                 uint64_t generation)
{
    struct audit_row *row = row_of(audit, account, uid, verdict, generation);

    if (!row) {
        audit_flush(audit);
        row = row_of(audit, account, uid, verdict, generation);
    }
    if (!row) {
        audit->lost++;
        return;
    }
    row->count++;
    row->last_at = clock_now();
}

void audit_count_refusal(struct audit *audit, const char *account, uid_t uid)
{
    uint64_t minute = (uint64_t)(clock_now() / MS_PER_MINUTE);

    if (!*place_of(audit, account, uid, AUDIT_FORBIDDEN, minute)) {
        if (audit->refused_names == AUDIT_REFUSED_NAMES_MAX)
            account = "";
        else
            audit->refused_names++;
    }
    audit_count(audit, account, uid, AUDIT_FORBIDDEN, minute);
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
    audit->refused_names = 0;
    memset(audit->index, 0, sizeof(audit->index));
    loop_timer_stop(audit->timer);
}

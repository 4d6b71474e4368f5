#include "back/audit_held.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "back/asked.h"
#include "back/lanes.h"
#include "back/questions.h"
#include "base/log.h"

struct audit_held {
    struct keeper *keeper;
    struct audit_table *table;
    struct loop_source *retry;
    size_t others;   /* rows that tell of no token */
    size_t written;  /* rows, the first ones, that the commit under way wrote */
    bool committing; /* it is under way */
    bool waits;      /* until the retry */
    bool planned;    /* a refresh may be due earlier than it was */
    size_t group;    /* rows in the next transaction */
    int64_t pause_ms;
    uint64_t lost;   /* events, since the start */
    uint64_t losing; /* of them, since there was room last */
};

static void pump(struct audit_held *held);

static bool is_token(const struct audit_row *row)
{
    return strcmp(row->verdict, AUDIT_TOKEN) == 0;
}

static void lose(struct audit_held *held, const struct audit_row *row)
{
    if (held->losing == 0)
        log_warning("%zu rows of the audit wait for the store, and there is no room for others: "
                    "what they would count is lost until it takes writes",
                    held->table->count);
    held->lost += row->count;
    held->losing += row->count;
}

static struct audit_row *place_of(struct audit_held *held, const struct audit_row *row)
{
    const struct audit_event event = { row->account, row->uid, row->unit, row->verdict,
                                       row->generation };
    if (!is_token(row) && held->others == AUDIT_HELD_OTHERS_MAX)
        return audit_table_find(held->table, &event);
    return audit_table_row(held->table, &event);
}

/* Writes some at once, unless the store refused them a moment ago. True when it took them. */
static bool make_room(struct audit_held *held)
{
    const size_t before = held->table->count;
    pump(held);
    if (held->committing)
        commits_flush(held->keeper->commits);
    return held->table->count < before;
}

static void hold(struct audit_held *held, const struct audit_row *row)
{
    struct audit_row *place = place_of(held, row);
    if (!place && make_room(held))
        place = place_of(held, row);
    if (!place) {
        lose(held, row);
        return;
    }
    if (place->count == 0) {
        held->others += !is_token(row);
        place->first_at = row->first_at;
    }
    place->count += row->count;
    if (row->first_at < place->first_at)
        place->first_at = row->first_at;
    if (row->last_at > place->last_at)
        place->last_at = row->last_at;
}

/* Those that are in the store now. */
static void drop_written(struct audit_held *held)
{
    for (size_t i = 0; i < held->written; i++)
        held->others -= !is_token(&held->table->rows[i]);
    audit_table_drop(held->table, held->written);
    held->written = 0;
    if (held->losing > 0)
        log_warning("%llu events of the audit were lost while the store refused writes",
                    (unsigned long long)held->losing);
    held->losing = 0;
}

static int write_row(struct audit_held *held, struct store *store, const struct audit_row *row)
{
    struct account_name name;
    int r = store_add_audit(store, row);
    if (r == 0 && is_token(row) && account_name_parse(row->account, &name))
        r = asked_write(held->keeper, store, &name, row->last_at, &held->planned);
    return r < 0 ? r : 0; /* what is in the store must not count twice */
}

static int apply(void *userdata, struct store *store)
{
    struct audit_held *held = userdata;
    const struct audit_table *table = held->table;
    int r = 0;
    held->planned = false;
    held->written = table->count < held->group ? table->count : held->group;
    for (size_t i = 0; i < held->written && r == 0; i++)
        r = write_row(held, store, &table->rows[i]);
    return r;
}

static void wait_ms(struct audit_held *held, int64_t ms)
{
    held->waits = true;
    /* It fails only for a source that is no timer. */
    (void)loop_timer_set(held->retry, ms);
}

/* Later each time, and fewer: what never fits must not spoil the commits of others for ever. */
static void put_off(struct audit_held *held)
{
    wait_ms(held, held->pause_ms);
    if (held->pause_ms < AUDIT_RETRY_LONGEST_MS)
        held->pause_ms *= 2;
    if (held->group > AUDIT_GROUP_MIN)
        held->group /= 4;
}

static void written(void *userdata, int result)
{
    struct audit_held *held = userdata;
    held->committing = false;
    if (result != 0) {
        put_off(held);
        return;
    }
    held->pause_ms = AUDIT_RETRY_MS;
    if (held->group < AUDIT_GROUP_MAX)
        held->group *= 4;
    drop_written(held);
    if (held->planned && !held->keeper->stopping)
        lanes_pump(held->keeper->lanes);
    pump(held);
}

static void begin(struct audit_held *held)
{
    held->committing = true;
    int r = commits_add(held->keeper->commits, COMMIT_MAY, apply, written, held);
    if (r != 0)
        written(held, r);
}

/* At the end nothing goes into a commit that may be a new token's last: audit_held_finish() has one
 * of its own. */
static void pump(struct audit_held *held)
{
    const struct keeper *keeper = held->keeper;
    if (held->table->count == 0 || held->committing || held->waits || keeper->stopping)
        return;
    /* The commits find out for themselves when the store is well again. */
    if (commits_problem(keeper->commits))
        wait_ms(held, AUDIT_RETRY_MS);
    else
        begin(held);
}

static void retry(void *userdata)
{
    struct audit_held *held = userdata;
    held->waits = false;
    pump(held);
}

int audit_held_new(struct keeper *keeper, struct audit_held **ret)
{
    struct audit_held *held = calloc(1, sizeof *held);
    if (!held)
        return -ENOMEM;
    held->keeper = keeper;
    held->pause_ms = AUDIT_RETRY_MS;
    held->group = AUDIT_GROUP_MAX;
    int r = audit_table_new(AUDIT_HELD_MAX, &held->table);
    if (r == 0)
        r = loop_add_timer(keeper->loop, retry, held, &held->retry);
    if (r < 0) {
        audit_held_free(held);
        return r;
    }
    *ret = held;
    return 0;
}

/* True when it brought anything: rows into the store, or a smaller group to try. */
static bool finish_some(struct audit_held *held)
{
    const size_t rows = held->table->count, group = held->group;
    begin(held);
    commits_flush(held->keeper->commits);
    return held->table->count < rows || held->group < group;
}

void audit_held_finish(struct audit_held *held)
{
    while (held && held->table->count > 0 && finish_some(held))
        ;
}

struct audit_held *audit_held_free(struct audit_held *held)
{
    if (!held)
        return NULL;
    const uint64_t left = held->table ? audit_table_events(held->table) : 0;
    if (left + held->losing > 0)
        log_error("the store refuses writes at the end: %llu events of the audit are lost",
                  (unsigned long long)(left + held->losing));
    loop_source_free(held->retry);
    audit_table_free(held->table);
    free(held);
    return NULL;
}

void audit_held_count(const struct audit_held *held, uint64_t *ret_rows, uint64_t *ret_lost)
{
    *ret_rows = held->table->count;
    *ret_lost = held->lost;
}

void change_audit(struct keeper *keeper, struct message *question)
{
    for (size_t i = 0; i < question->audit_count; i++)
        hold(keeper->audit, &question->audit[i]);
    message_free(question);
    pump(keeper->audit);
}

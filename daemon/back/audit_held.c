#include "back/audit_held.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "back/asked.h"
#include "back/portion.h"
#include "back/questions.h"
#include "base/clock.h"
#include "base/log.h"

enum {
    TRIM_PAUSE_MS = 60 * 60 * 1000, /* after damage was met where it trims */
    SAID_PAUSE_MS = 60 * 60 * 1000, /* between two lines on rows that are damaged */
};

/* What lay on damaged pages and was not said yet. */
struct damage {
    uint64_t rows, events;
    int64_t say_at; /* not before */
};

struct audit_held {
    struct keeper *keeper;
    struct audit_table *table;
    struct loop_source *retry;
    size_t others;   /* rows that tell of no token */
    size_t written;  /* rows, the first ones, that the commit under way wrote */
    bool committing; /* it is under way */
    bool waits;      /* until the retry */
    bool trimming;   /* a commit of its own is under way */
    int64_t trim_at; /* not before */
    struct damage damage;
    struct portion group;
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

/* The first rows, so many. */
static void drop(struct audit_held *held, size_t count)
{
    for (size_t i = 0; i < count; i++)
        held->others -= !is_token(&held->table->rows[i]);
    audit_table_drop(held->table, count);
}

/* Those that are in the store now. */
static void drop_written(struct audit_held *held)
{
    drop(held, held->written);
    held->written = 0;
    if (held->losing > 0)
        log_warning("%llu events of the audit were lost while the store refused writes",
                    (unsigned long long)held->losing);
    held->losing = 0;
}

static int apply(void *userdata, struct store *store)
{
    struct audit_held *held = userdata;
    const struct audit_table *table = held->table;
    const size_t count = table->count < held->group.now ? table->count : held->group.now;
    int r = 0;
    held->written = 0;
    while (r == 0 && held->written < count) {
        r = store_add_audit(store, &table->rows[held->written]);
        held->written += r == 0;
    }
    return r < 0 ? r : 0; /* what is in the store must not count twice */
}

static void wait_ms(struct audit_held *held, int64_t ms)
{
    held->waits = true;
    /* It fails only for a source that is no timer. */
    (void)loop_timer_set(held->retry, ms);
}

/* Where the row of the store lies that it would be counted in, the store is damaged; those before
 * it are written first. */
static void leave_out_damaged(struct audit_held *held)
{
    const struct audit_row *first = &held->table->rows[0];
    if (held->written > 0) {
        held->group.now = held->written;
        return;
    }
    held->damage.rows++;
    held->damage.events += first->count;
    held->lost += first->count;
    drop(held, 1);
}

/* Each row of such a page would be a line, and who asks makes rows. */
static void say_damaged(struct damage *damage)
{
    if (damage->rows == 0)
        return;
    log_error(
        "%llu rows of the audit lie on a damaged page: %llu events are lost; restore a backup",
        (unsigned long long)damage->rows, (unsigned long long)damage->events);
    *damage = (struct damage){ .say_at = clock_now() + SAID_PAUSE_MS };
}

/* Whose tokens were asked for; the audit depends on nothing that is read for that. */
static void note_asked(const struct audit_held *held)
{
    struct account_name name;
    for (size_t i = 0; i < held->written; i++) {
        const struct audit_row *row = &held->table->rows[i];
        if (is_token(row) && account_name_parse(row->account, &name))
            asked_note_at(held->keeper, &name, row->last_at);
    }
}

static int apply_trim(void *userdata, struct store *store)
{
    (void)userdata;
    return store_trim_audit(store);
}

static void trimmed(void *userdata, int result)
{
    struct audit_held *held = userdata;
    held->trimming = false;
    if (result != -EBADMSG) /* whatever else it is, the next try is soon enough */
        return;
    log_error("the oldest rows of the audit are damaged and stay: it grows beyond %d rows until a "
              "backup is restored",
              AUDIT_ROWS_MAX);
    held->trim_at = clock_now() + TRIM_PAUSE_MS;
}

/* Beside the rows, in the same transaction, but damage that it meets fails it alone. */
static void trim(struct audit_held *held)
{
    if (held->trimming || clock_now() < held->trim_at)
        return;
    /* Where memory is short the next group of rows does it. */
    held->trimming = commits_add(held->keeper->commits, COMMIT_MAY, apply_trim, trimmed, held) == 0;
}

static void written(void *userdata, int result)
{
    struct audit_held *held = userdata;
    held->committing = false;
    if (result == -EBADMSG) {
        leave_out_damaged(held);
    } else if (result != 0) {
        wait_ms(held, portion_refused(&held->group));
        return;
    } else {
        portion_taken(&held->group);
        note_asked(held);
        drop_written(held);
    }
    pump(held);
}

static void begin(struct audit_held *held)
{
    held->committing = true;
    int r = commits_add(held->keeper->commits, COMMIT_MAY, apply, written, held);
    if (r != 0)
        written(held, r);
    else
        trim(held);
}

/* At the end nothing goes into a commit that may be a new token's last: audit_held_finish() has one
 * of its own. */
static void pump(struct audit_held *held)
{
    const struct keeper *keeper = held->keeper;
    if (held->table->count == 0 && clock_now() >= held->damage.say_at)
        say_damaged(&held->damage);
    if (held->table->count == 0 || held->committing || held->waits || keeper->stopping)
        return;
    /* The commits find out for themselves when the store is well again. */
    if (commits_problem(keeper->commits))
        wait_ms(held, PORTION_PAUSE_MS);
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
    held->group = PORTION(AUDIT_GROUP_MIN, AUDIT_GROUP_MAX);
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
    const size_t rows = held->table->count, group = held->group.now;
    begin(held);
    commits_flush(held->keeper->commits);
    return held->table->count < rows || held->group.now < group;
}

void audit_held_finish(struct audit_held *held)
{
    if (!held || held->table->count == 0)
        return;
    while (held->table->count > 0 && finish_some(held))
        ;
    commits_flush(held->keeper->commits); /* when they were asked for */
}

struct audit_held *audit_held_free(struct audit_held *held)
{
    if (!held)
        return NULL;
    say_damaged(&held->damage);
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

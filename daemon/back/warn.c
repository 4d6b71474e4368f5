#include "back/warn.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "back/lanes.h"
#include "back/restored.h"
#include "back/warn_call.h"

enum {
    WARN_FIRST_MS = 1000,
    WARN_SOON_MS = 1000,
    FINDINGS_MAX = 64,
    FACT_SIZE = 64,
};

enum stage {
    STAGE_NONE,  /* the place is free */
    STAGE_CALL,  /* the hook has it */
    STAGE_HEARD, /* it is to be noted */
    STAGE_WRITE, /* that is being written */
};

/* One row that says another thing than what was told of it. */
struct finding {
    enum stage stage;
    struct warning warning;
};

struct warn {
    struct keeper *keeper;
    struct loop_source *timer;
    struct account_name after; /* provider "": from the start */
    size_t rows;               /* of this turn */
    bool stands;               /* the next row found no place */
    bool again;                /* something else did: the next sweep is soon */
    bool rests;                /* until the next sweep */
    uint64_t receipts;
    struct finding findings[FINDINGS_MAX];
};

/* --- places --- */

static bool same(const struct warning *one, const struct warning *other)
{
    return one->subject == other->subject && one->level == other->level &&
           one->since == other->since && account_name_equal(&one->name, &other->name);
}

/* True when it is under way; else *ret is a place for it, NULL where there is none. */
static bool find_place(struct warn *warn, const struct warning *warning, struct finding **ret)
{
    *ret = NULL;
    for (size_t i = 0; i < FINDINGS_MAX; i++) {
        struct finding *place = &warn->findings[i];
        if (place->stage == STAGE_NONE)
            *ret = place;
        else if (same(&place->warning, warning))
            return true;
    }
    return false;
}

static bool may_call(const struct warn *warn, enum warn_subject subject)
{
    size_t all = 0, accounts = 0;
    for (size_t i = 0; i < FINDINGS_MAX; i++) {
        const bool called = warn->findings[i].stage == STAGE_CALL;
        all += called;
        accounts += called && warn->findings[i].warning.subject != WARN_PAUSE;
    }
    return all < WARN_CALLS_MAX &&
           (subject == WARN_PAUSE || accounts < WARN_CALLS_FOR_ACCOUNTS_MAX);
}

/* --- looking --- */

static enum stage called(const struct warn *warn)
{
    return warn->keeper->main ? STAGE_CALL : STAGE_HEARD; /* nobody is there to hear it */
}

/* False when there is no place for what the row says. */
static bool look(struct warn *warn, const struct account_row *row, enum warn_subject subject)
{
    struct warning warning = { .subject = subject,
                               .name = row->name,
                               .level = warn_level(warn->keeper, row, subject),
                               .receipt = ++warn->receipts };
    const unsigned told = warn_told(row, subject);
    struct finding *place = NULL;
    if (warning.level == told || find_place(warn, &warning, &place))
        return true;
    const bool is_news = warn_is_news(warning.level, told);
    if (!place ||
        (is_news && (!may_call(warn, subject) || warn_call(warn->keeper, &warning, row) != 0)))
        return false;
    *place = (struct finding){ .stage = is_news ? called(warn) : STAGE_HEARD, .warning = warning };
    return true;
}

static bool look_at_both(struct warn *warn, const struct account_row *row)
{
    const bool looked = look(warn, row, WARN_ACCOUNT);
    return (row->held_at == 0 || look(warn, row, WARN_HELD)) && looked;
}

/* --- pauses --- */

static const char *pause_fact(const char *provider, char out[static FACT_SIZE])
{
    (void)snprintf(out, FACT_SIZE, "pause_told %s", provider);
    return out;
}

/* Which pause was told; 0: none. */
static int64_t told_pause(const struct warn *warn, const char *provider)
{
    CLEANUP(cleanup_string) char *value = NULL;
    char fact[FACT_SIZE];
    if (store_get_fact(warn->keeper->store, pause_fact(provider, fact), &value) != 0)
        return 0;
    return strtoll(value, NULL, 10);
}

static bool look_at_pause(struct warn *warn, const struct pause_row *row)
{
    struct warning warning = { .subject = WARN_PAUSE,
                               .since = row->paused_since,
                               .receipt = ++warn->receipts };
    struct finding *place = NULL;
    memcpy(warning.name.provider, row->provider, sizeof warning.name.provider);
    if (row->paused_since == 0 || told_pause(warn, row->provider) == row->paused_since ||
        find_place(warn, &warning, &place))
        return true;
    if (!place || !may_call(warn, WARN_PAUSE) || warn_call_pause(warn->keeper, &warning, row) != 0)
        return false;
    *place = (struct finding){ .stage = called(warn), .warning = warning };
    return true;
}

static void look_at_pauses(struct warn *warn)
{
    const struct keeper *keeper = warn->keeper;
    struct lane *lane;
    for (size_t i = 0; (lane = lanes_at(keeper->lanes, i)); i++) {
        struct pause_row row = { 0 };
        if (store_get_pause(keeper->store, lane_setup(lane)->provider->name, &row) == 0 &&
            !look_at_pause(warn, &row))
            warn->again = true;
    }
}

/* --- noting what was heard --- */

static int note_account(const struct keeper *keeper, struct store *store,
                        const struct warning *warning)
{
    CLEANUP(cleanup_account_row) struct account_row row = { 0 };
    int r = store_read(store, &warning->name, &row);
    if (r != 0 || warn_level(keeper, &row, WARN_ACCOUNT) != warning->level)
        return r; /* it has changed since */
    row.warned_days = warning->level;
    return store_put_facts(store, &row);
}

static int note_held(const struct keeper *keeper, struct store *store,
                     const struct warning *warning)
{
    CLEANUP(cleanup_account_row) struct account_row row = { 0 };
    CLEANUP(cleanup_held_row) struct held_row held = { 0 };
    int r = store_read(store, &warning->name, &row);
    if (r != 0 || row.held_at == 0 || warn_level(keeper, &row, WARN_HELD) != warning->level)
        return r;
    r = store_read_held(store, &warning->name, &held);
    held.warned_days = warning->level;
    return r == 0 ? store_put_held(store, &held) : r;
}

static int note_pause(const struct keeper *keeper, struct store *store,
                      const struct warning *warning)
{
    char fact[FACT_SIZE], value[24];
    (void)keeper;
    (void)snprintf(value, sizeof value, "%" PRId64, warning->since);
    return store_put_fact(store, pause_fact(warning->name.provider, fact), value);
}

static int note(void *userdata, struct store *store)
{
    static int (*const notes[])(const struct keeper *, struct store *, const struct warning *) = {
        [WARN_ACCOUNT] = note_account,
        [WARN_HELD] = note_held,
        [WARN_PAUSE] = note_pause,
    };
    const struct warn *warn = userdata;
    int r = 0;
    for (size_t i = 0; i < FINDINGS_MAX && r >= 0; i++) {
        const struct warning *warning = &warn->findings[i].warning;
        if (warn->findings[i].stage == STAGE_WRITE)
            r = notes[warning->subject](warn->keeper, store, warning);
    }
    return r < 0 ? r : 0;
}

/* Returns how many there were. */
static size_t move(struct warn *warn, enum stage from, enum stage to)
{
    size_t moved = 0;
    for (size_t i = 0; i < FINDINGS_MAX; i++) {
        if (warn->findings[i].stage != from)
            continue;
        warn->findings[i].stage = to;
        moved++;
    }
    return moved;
}

static void go_on_soon(struct warn *warn, int64_t after_ms)
{
    warn->rests = false;
    (void)loop_timer_set(warn->timer, after_ms);
}

static void noted(void *userdata, int result);

/* What cannot be noted keeps its place, so that nobody is told again and again. While the store
 * refuses writes nothing is tried: it would share its commit with a grant's newest token. */
static void write_down(struct warn *warn)
{
    if (commits_problem(warn->keeper->commits)) {
        go_on_soon(warn, WARN_SOON_MS);
        return;
    }
    for (size_t i = 0; i < FINDINGS_MAX; i++)
        if (warn->findings[i].stage == STAGE_WRITE)
            return; /* noted() comes back */
    if (move(warn, STAGE_HEARD, STAGE_WRITE) == 0)
        return;
    int r = commits_add(warn->keeper->commits, COMMIT_MAY, note, noted, warn);
    if (r != 0)
        noted(warn, r);
}

static void noted(void *userdata, int result)
{
    struct warn *warn = userdata;
    (void)move(warn, STAGE_WRITE, result == 0 ? STAGE_NONE : STAGE_HEARD);
    if (result != 0) {
        go_on_soon(warn, WARN_SOON_MS);
        return;
    }
    write_down(warn);
    if (warn->stands)
        go_on_soon(warn, 0);
}

/* --- the sweep --- */

static bool look_at(void *userdata, const struct account_row *row)
{
    struct warn *warn = userdata;
    if (!look_at_both(warn, row)) {
        warn->stands = true;
        return false;
    }
    warn->after = row->name;
    warn->rows++;
    return true;
}

static void end_sweep(struct warn *warn)
{
    warn->after = (struct account_name){ "", "" };
    warn->rests = !warn->again;
    (void)loop_timer_set(warn->timer, warn->again ? WARN_SOON_MS : WARN_EVERY_MS);
    warn->again = false;
}

static void sweep(void *userdata)
{
    struct warn *warn = userdata;
    struct keeper *keeper = warn->keeper;
    const bool begins = warn->after.provider[0] == '\0';
    warn->rows = 0;
    warn->stands = false;
    write_down(warn);
    if (keeper->stopping || restored_fenced(keeper)) {
        end_sweep(warn); /* its grants live elsewhere */
        return;
    }
    if (commits_problem(keeper->commits)) {
        go_on_soon(warn, WARN_SOON_MS); /* what is told could not be noted */
        return;
    }
    if (begins)
        look_at_pauses(warn);
    int r =
        store_list(keeper->store, begins ? NULL : &warn->after, WARN_ROWS_PER_TURN, look_at, warn);
    write_down(warn);
    if (warn->stands)
        go_on_soon(warn, WARN_SOON_MS);
    else if (r == 0 && warn->rows == WARN_ROWS_PER_TURN)
        go_on_soon(warn, 0);
    else
        end_sweep(warn);
}

/* --- what happens meanwhile --- */

/* What has found no place is found again. */
static void sweep_again_unless(struct warn *warn, bool placed)
{
    write_down(warn);
    if (placed)
        return;
    if (warn->rests)
        go_on_soon(warn, WARN_SOON_MS);
    else
        warn->again = true;
}

static bool is_silent(const struct keeper *keeper)
{
    return !keeper->warn || keeper->stopping || restored_fenced(keeper);
}

void warn_look(struct keeper *keeper, const struct account_name *name)
{
    CLEANUP(cleanup_account_row) struct account_row row = { 0 };
    if (is_silent(keeper))
        return;
    int r = store_read(keeper->store, name, &row);
    sweep_again_unless(keeper->warn,
                       r == STORE_NOT_FOUND || (r == 0 && look_at_both(keeper->warn, &row)));
}

void warn_needs_consent(struct keeper *keeper, const struct account_row *row)
{
    if (row->warned_days == WARNED_NEEDS_CONSENT)
        return;
    keeper_remark(keeper, &row->name, "consent_required", "%s",
                  row->last_error ? row->last_error : "");
    warn_look(keeper, &row->name);
}

void warn_paused(struct keeper *keeper, const struct pause_row *row)
{
    struct account_name provider = { "", "" };
    memcpy(provider.provider, row->provider, sizeof provider.provider);
    keeper_remark(keeper, &provider, "provider_paused", "%s", row->reason);
    if (!is_silent(keeper))
        sweep_again_unless(keeper->warn, look_at_pause(keeper->warn, row));
}

void warn_again(struct keeper *keeper)
{
    if (keeper->warn)
        sweep_again_unless(keeper->warn, false);
}

void warn_heard(struct keeper *keeper, struct message *letter)
{
    struct warn *warn = keeper->warn;
    for (size_t i = 0; i < FINDINGS_MAX; i++) {
        struct finding *finding = &warn->findings[i];
        if (finding->stage == STAGE_CALL && finding->warning.receipt == letter->id)
            finding->stage = letter->accept ? STAGE_HEARD : STAGE_NONE;
    }
    write_down(warn);
    if (warn->stands)
        go_on_soon(warn, 0);
}

int warn_new(struct keeper *keeper, struct warn **ret)
{
    struct warn *warn = calloc(1, sizeof *warn);
    if (!warn)
        return -ENOMEM;
    warn->keeper = keeper;
    int r = loop_add_timer(keeper->loop, sweep, warn, &warn->timer);
    if (r == 0)
        r = loop_timer_set(warn->timer, WARN_FIRST_MS);
    if (r != 0) {
        warn_free(warn);
        return r;
    }
    *ret = warn;
    return 0;
}

struct warn *warn_free(struct warn *warn)
{
    if (!warn)
        return NULL;
    loop_source_free(warn->timer);
    free(warn);
    return NULL;
}

#include "back/warn.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "back/lanes.h"
#include "back/restored.h"
#include "back/warn_findings.h"

enum { WARN_FIRST_MS = 1000, WARN_SOON_MS = 1000 };

struct warn {
    struct keeper *keeper;
    struct findings *findings;
    struct loop_source *timer;
    struct account_name after; /* provider "": from the start */
    size_t rows;               /* of this turn */
    bool stands;               /* the next row found no place */
    bool again;                /* something else did: the next sweep is soon */
    bool rests;                /* until the next sweep */
    uint64_t receipts;
};

/* --- looking --- */

/* False when there is no place for what the row says. */
static bool look(struct warn *warn, const struct account_row *row, enum warn_subject subject)
{
    struct keeper *keeper = warn->keeper;
    struct warning warning = warn_of(keeper, row, subject);
    const unsigned told = warn_told(row, subject);
    warning.receipt = ++warn->receipts;
    if (warning.level == told || findings_have(warn->findings, &warning))
        return true;
    const bool is_news = warn_is_news(warning.level, told);
    if (!findings_have_room(warn->findings) ||
        (is_news &&
         (!findings_may_call(warn->findings, subject) || warn_call(keeper, &warning, row) != 0)))
        return false;
    findings_add(warn->findings, &warning, is_news && keeper->main);
    return true;
}

/* False when there is no place for something that it says. */
static bool look_at_all(struct warn *warn, const struct account_row *row)
{
    bool looked = look(warn, row, WARN_ACCOUNT);
    looked &= row->identity_changed_at == 0 || look(warn, row, WARN_IDENTITY);
    looked &= row->held_at == 0 || look(warn, row, WARN_HELD);
    return looked;
}

static bool look_at_pause(struct warn *warn, const struct pause_row *row)
{
    struct findings *findings = warn->findings;
    struct warning warning = { .subject = WARN_PAUSE,
                               .since = row->paused_since,
                               .receipt = ++warn->receipts };
    memcpy(warning.name.provider, row->provider, sizeof warning.name.provider);
    if (row->paused_since == 0 || findings_pause_was_told(findings, row) ||
        findings_have(findings, &warning))
        return true;
    if (!findings_may_call(findings, WARN_PAUSE) ||
        warn_call_pause(warn->keeper, &warning, row) != 0)
        return false;
    findings_add(findings, &warning, warn->keeper->main != NULL);
    return true;
}

static void look_at_pauses(struct warn *warn)
{
    const struct lane *lane;
    for (size_t i = 0; (lane = lanes_at(warn->keeper->lanes, i)); i++)
        if (!look_at_pause(warn, lane_pause_row(lane)))
            warn->again = true;
}

/* --- the sweep --- */

static void go_on_soon(struct warn *warn, int64_t after_ms)
{
    warn->rests = false;
    (void)loop_timer_set(warn->timer, after_ms);
}

static void place_is_free(void *userdata)
{
    struct warn *warn = userdata;
    if (warn->stands)
        go_on_soon(warn, 0);
}

static bool look_at(void *userdata, const struct account_row *row)
{
    struct warn *warn = userdata;
    if (!look_at_all(warn, row)) {
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
    if (keeper->stopping || restored_fenced(keeper)) {
        end_sweep(warn); /* its grants live elsewhere */
        return;
    }
    if (commits_problem(keeper->commits)) {
        go_on_soon(warn, WARN_SOON_MS); /* nobody may be called */
        return;
    }
    if (begins)
        look_at_pauses(warn);
    int r =
        store_list(keeper->store, begins ? NULL : &warn->after, WARN_ROWS_PER_TURN, look_at, warn);
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
                       r == STORE_NOT_FOUND || (r == 0 && look_at_all(keeper->warn, &row)));
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
    findings_heard(keeper->warn->findings, letter->id, letter->accept);
}

int warn_new(struct keeper *keeper, struct warn **ret)
{
    struct warn *warn = calloc(1, sizeof *warn);
    if (!warn)
        return -ENOMEM;
    warn->keeper = keeper;
    int r = findings_new(keeper, place_is_free, warn, &warn->findings);
    if (r == 0)
        r = loop_add_timer(keeper->loop, sweep, warn, &warn->timer);
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
    findings_free(warn->findings);
    free(warn);
    return NULL;
}

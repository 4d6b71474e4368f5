#include "back/warn_findings.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "back/portion.h"
#include "back/warn.h"
#include "base/log.h"

enum { FACT_SIZE = 64 };

enum stage {
    STAGE_NONE,  /* the place is free */
    STAGE_CALL,  /* the hook has it */
    STAGE_HEARD, /* it is to be noted */
    STAGE_WRITE, /* that is being written */
    STAGE_STUCK, /* it cannot be: its place is given up last */
};

struct finding {
    struct findings *findings;
    enum stage stage;
    struct warning warning;
};

struct findings {
    struct keeper *keeper;
    struct loop_source *retry;
    void (*freed)(void *userdata);
    void *userdata;
    struct portion portion; /* how many are noted at once */
    size_t writing;
    bool refused; /* one of those that were being written */
    bool waits;   /* until the retry */
    struct finding places[FINDINGS_MAX];
};

/* --- what the store says --- */

static int note_account(const struct keeper *keeper, struct store *store,
                        const struct warning *warning)
{
    CLEANUP(cleanup_account_row) struct account_row row = { 0 };
    int r = store_read(store, &warning->name, &row);
    if (r != 0 || !warn_is_still(keeper, &row, warning))
        return r;
    row.warned_days = warning->level;
    return store_put_facts(store, &row);
}

static int note_held(const struct keeper *keeper, struct store *store,
                     const struct warning *warning)
{
    CLEANUP(cleanup_account_row) struct account_row row = { 0 };
    CLEANUP(cleanup_held_row) struct held_row held = { 0 };
    int r = store_read(store, &warning->name, &row);
    if (r != 0 || row.held_at == 0 || !warn_is_still(keeper, &row, warning))
        return r;
    r = store_read_held(store, &warning->name, &held);
    held.warned_days = warning->level;
    return r == 0 ? store_put_held(store, &held) : r;
}

static int note_identity(const struct keeper *keeper, struct store *store,
                         const struct warning *warning)
{
    CLEANUP(cleanup_account_row) struct account_row row = { 0 };
    int r = store_read(store, &warning->name, &row);
    if (r != 0 || !warn_is_still(keeper, &row, warning))
        return r;
    row.identity_changed_at = 0;
    free(row.identity_before);
    row.identity_before = NULL;
    return store_put_facts(store, &row);
}

static const char *pause_fact(const char *provider, char out[static FACT_SIZE])
{
    (void)snprintf(out, FACT_SIZE, "pause_told %s", provider);
    return out;
}

static int note_pause(const struct keeper *keeper, struct store *store,
                      const struct warning *warning)
{
    char fact[FACT_SIZE], value[24];
    (void)keeper;
    (void)snprintf(value, sizeof value, "%" PRId64, warning->since);
    return store_put_fact(store, pause_fact(warning->name.provider, fact), value);
}

bool findings_pause_was_told(const struct findings *findings, const struct pause_row *row)
{
    CLEANUP(cleanup_string) char *value = NULL;
    char fact[FACT_SIZE];
    return store_get_fact(findings->keeper->store, pause_fact(row->provider, fact), &value) == 0 &&
           strtoll(value, NULL, 10) == row->paused_since;
}

static int note(void *userdata, struct store *store)
{
    static int (*const notes[])(const struct keeper *, struct store *, const struct warning *) = {
        [WARN_ACCOUNT] = note_account,
        [WARN_HELD] = note_held,
        [WARN_IDENTITY] = note_identity,
        [WARN_PAUSE] = note_pause,
    };
    const struct finding *finding = userdata;
    const struct warning *warning = &finding->warning;
    return notes[warning->subject](finding->findings->keeper, store, warning);
}

/* --- noting what was heard --- */

static void pump(struct findings *findings);

static void wait_ms(struct findings *findings, int64_t ms)
{
    findings->waits = true;
    /* It fails only for a source that is no timer. */
    (void)loop_timer_set(findings->retry, ms);
}

static void retry(void *userdata)
{
    struct findings *findings = userdata;
    findings->waits = false;
    pump(findings);
}

static void end_one(struct findings *findings)
{
    if (--findings->writing > 0)
        return;
    if (findings->refused) {
        findings->refused = false;
        wait_ms(findings, portion_refused(&findings->portion));
        return;
    }
    portion_taken(&findings->portion);
    pump(findings);
    findings->freed(findings->userdata);
}

/* What cannot be noted keeps its place, so that nobody is told again and again. */
static void noted(void *userdata, int result)
{
    struct finding *finding = userdata;
    if (result == -EBADMSG)
        log_error("%s %s: the store is damaged there: that a person was called is not noted",
                  finding->warning.name.provider, finding->warning.name.label);
    if (result >= 0)
        finding->stage = STAGE_NONE; /* a positive one: it is gone, or is damaged itself */
    else
        finding->stage = result == -EBADMSG ? STAGE_STUCK : STAGE_HEARD;
    finding->findings->refused |= finding->stage == STAGE_HEARD;
    end_one(finding->findings);
}

static struct finding *next_heard(struct findings *findings)
{
    for (size_t i = 0; i < FINDINGS_MAX; i++)
        if (findings->places[i].stage == STAGE_HEARD)
            return &findings->places[i];
    return NULL;
}

static void begin(struct findings *findings)
{
    struct finding *finding = next_heard(findings);
    findings->writing = 1; /* this function itself */
    for (size_t i = 0; finding && !findings->refused && i < findings->portion.now; i++) {
        findings->writing++;
        finding->stage = STAGE_WRITE;
        int r = commits_add(findings->keeper->commits, COMMIT_MAY, note, noted, finding);
        if (r != 0)
            noted(finding, r);
        finding = next_heard(findings);
    }
    end_one(findings);
}

/* At the end nothing goes into a commit that may be a new token's last. */
static void pump(struct findings *findings)
{
    const struct keeper *keeper = findings->keeper;
    if (findings->writing > 0 || findings->waits || keeper->stopping || !next_heard(findings))
        return;
    if (commits_problem(keeper->commits))
        wait_ms(findings, PORTION_PAUSE_MS);
    else
        begin(findings);
}

/* --- places --- */

bool findings_have(const struct findings *findings, const struct warning *warning)
{
    for (size_t i = 0; i < FINDINGS_MAX; i++)
        if (findings->places[i].stage != STAGE_NONE &&
            warn_is_same(&findings->places[i].warning, warning))
            return true;
    return false;
}

/* NULL where there is none. */
static const struct finding *find_room(const struct findings *findings)
{
    const struct finding *stuck = NULL;
    for (size_t i = 0; i < FINDINGS_MAX; i++) {
        const struct finding *place = &findings->places[i];
        if (place->stage == STAGE_NONE)
            return place;
        if (place->stage == STAGE_STUCK)
            stuck = place;
    }
    return stuck;
}

bool findings_have_room(const struct findings *findings)
{
    return find_room(findings) != NULL;
}

bool findings_may_call(const struct findings *findings, enum warn_subject subject)
{
    size_t all = 0, accounts = 0;
    for (size_t i = 0; i < FINDINGS_MAX; i++) {
        const bool called = findings->places[i].stage == STAGE_CALL;
        all += called;
        accounts += called && findings->places[i].warning.subject != WARN_PAUSE;
    }
    return find_room(findings) && !commits_problem(findings->keeper->commits) &&
           all < WARN_CALLS_MAX &&
           (subject == WARN_PAUSE || accounts < WARN_CALLS_FOR_ACCOUNTS_MAX);
}

void findings_add(struct findings *findings, const struct warning *warning, bool called)
{
    struct finding *place = &findings->places[find_room(findings) - findings->places];
    *place = (struct finding){ .findings = findings,
                               .stage = called ? STAGE_CALL : STAGE_HEARD,
                               .warning = *warning };
    pump(findings);
}

void findings_heard(struct findings *findings, uint64_t receipt, bool heard)
{
    for (size_t i = 0; i < FINDINGS_MAX; i++) {
        struct finding *finding = &findings->places[i];
        if (finding->stage == STAGE_CALL && finding->warning.receipt == receipt)
            finding->stage = heard ? STAGE_HEARD : STAGE_NONE;
    }
    pump(findings);
    findings->freed(findings->userdata);
}

int findings_new(struct keeper *keeper, void (*freed)(void *userdata), void *userdata,
                 struct findings **ret)
{
    struct findings *findings = calloc(1, sizeof *findings);
    if (!findings)
        return -ENOMEM;
    findings->keeper = keeper;
    findings->freed = freed;
    findings->userdata = userdata;
    findings->portion = PORTION(1, FINDINGS_NOTED_AT_ONCE);
    int r = loop_add_timer(keeper->loop, retry, findings, &findings->retry);
    if (r < 0) {
        findings_free(findings);
        return r;
    }
    *ret = findings;
    return 0;
}

struct findings *findings_free(struct findings *findings)
{
    if (!findings)
        return NULL;
    loop_source_free(findings->retry);
    free(findings);
    return NULL;
}

#include "back/rekey.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "back/authority.h"
#include "back/own_key.h"
#include "back/vault.h"
#include "base/clock.h"
#include "base/log.h"

enum stage {
    STAGE_IDLE,
    STAGE_BEGINNING,
    STAGE_SEALING,
    STAGE_ENDING,  /* all rows are done */
    STAGE_TIDYING, /* the older key is of no use any more */
};

/* What one step did, to be believed once it is durable. */
struct step {
    int64_t until;
    int64_t after; /* the last row that was looked at */
    size_t rows;
    uint64_t resealed;
    uint64_t unreadable;
    bool stopped; /* before the end of the table */
    int result;
};

struct rekey {
    struct keeper *keeper;
    char *folder;
    struct seal_key *next; /* of the configuration; NULL: none */
    struct seal_key *target;
    struct loop_source *timer;
    struct message *question; /* that began it */
    enum stage stage;
    enum sealed_kind kind; /* where the pass over all tables is */
    int64_t after;
    bool took_next; /* `next` is the key in use */
    bool clean;     /* nothing had to be sealed anew in this pass */
    uint64_t resealed;
    uint64_t unreadable; /* in this pass */
    struct step step;
    struct failure waits; /* for another try of what has failed; description "": it does not */
};

static void turn_after(struct rekey *rekey, int64_t delay_ms)
{
    /* It fails only for a source that is no timer. */
    (void)loop_timer_set(rekey->timer, delay_ms);
}

static void fail(struct rekey *rekey, const char *what, int error)
{
    const bool told = rekey->waits.description[0];
    if (rekey->keeper->stopping)
        return;
    rekey->waits = failure_make(
        WIRE_BUSY, REKEY_RETRY_MS / 1000,
        "sealing the store anew waits: %s: %s; it goes on by itself after that, and both keys are "
        "needed until its end",
        what, error == -ENOSPC ? "the disk is full, free some" : strerror(-error));
    if (!told)
        log_warning("%s", rekey->waits.description);
    turn_after(rekey, REKEY_RETRY_MS);
}

/* --- rows --- */

static int seal_row_anew(struct rekey *rekey, const struct sealed_row *row)
{
    CLEANUP(cleanup_buffer)
    struct buffer out = BUFFER_WITH_MAXIMUM(SEAL_PLAIN_MAX + SEAL_OVERHEAD);
    int r = vault_seal_again(rekey->keeper->key, rekey->kind, row, &out);
    if (r == VAULT_BROKEN) {
        rekey->step.unreadable++; /* it stays as it is: no key that is known opens it */
        return 0;
    }
    if (r == 0)
        r = store_put_sealed(rekey->keeper->store, rekey->kind, row->id, out.data, out.length);
    if (r == 0)
        rekey->step.resealed++;
    return r;
}

static bool visit_row(void *userdata, const struct sealed_row *row)
{
    struct rekey *rekey = userdata;
    struct step *step = &rekey->step;
    step->after = row->id;
    step->rows++;
    if (!seal_is_by(rekey->keeper->key, row->sealed, row->sealed_length))
        step->result = seal_row_anew(rekey, row);
    step->stopped =
        step->result != 0 || step->rows == REKEY_STEP_ROWS || clock_now() >= step->until;
    return !step->stopped;
}

static int write_step(void *userdata, struct store *store)
{
    struct rekey *rekey = userdata;
    rekey->step = (struct step){ .after = rekey->after, .until = clock_now() + REKEY_STEP_MS };
    int r = store_each_sealed(store, rekey->kind, rekey->after, REKEY_STEP_ROWS, visit_row, rekey);
    return r != 0 ? r : rekey->step.result;
}

/* What was added meanwhile is sealed by the new key; a whole pass without work proves it. */
static void end_table(struct rekey *rekey)
{
    rekey->after = 0;
    rekey->kind++;
    if (rekey->kind < SEALED_KINDS)
        return;
    rekey->kind = 0;
    if (rekey->clean)
        rekey->stage = STAGE_ENDING;
    else
        rekey->unreadable = 0;
    rekey->clean = true;
}

static void step_written(void *userdata, int result)
{
    struct rekey *rekey = userdata;
    const struct step *step = &rekey->step;
    if (result != 0) {
        fail(rekey, "a row cannot be written", result < 0 ? result : -EIO);
        return;
    }
    rekey->waits.description[0] = '\0';
    rekey->after = step->after;
    rekey->resealed += step->resealed;
    rekey->unreadable += step->unreadable;
    if (step->resealed > 0)
        rekey->clean = false;
    if (!step->stopped)
        end_table(rekey);
    turn_after(rekey, REKEY_REST_MS);
}

/* --- the end --- */

static int write_end(void *userdata, struct store *store)
{
    struct rekey *rekey = userdata;
    CLEANUP(cleanup_string) char *proof = NULL;
    int r = authority_seal_again(rekey->keeper->key, store);
    if (r == 0)
        r = seal_key_prove(rekey->keeper->key, &proof);
    if (r == 0)
        r = store_put_fact(store, "key_proof", proof);
    if (r == 0)
        r = store_put_fact(store, "key_proof_next", "");
    if (r == 0)
        r = store_put_fact(store, "rekey", "tidying");
    return r;
}

static void end_written(void *userdata, int result)
{
    struct rekey *rekey = userdata;
    if (result != 0) {
        fail(rekey, "its end cannot be written", result);
        return;
    }
    rekey->waits.description[0] = '\0';
    seal_key_set_older(rekey->keeper->key, NULL);
    rekey->stage = STAGE_TIDYING;
    log_info("the store is sealed with the new key: %" PRIu64 " rows were sealed anew",
             rekey->resealed);
    if (rekey->unreadable > 0)
        log_warning("%" PRIu64 " rows could be opened by neither key and stay as they are: log "
                    "those accounts in anew",
                    rekey->unreadable);
    turn_after(rekey, 0);
}

static int write_tidied(void *userdata, struct store *store)
{
    (void)userdata;
    return store_put_fact(store, "rekey", "");
}

static void tidied(void *userdata, int result)
{
    struct rekey *rekey = userdata;
    if (result != 0) {
        fail(rekey, "its end cannot be written", result);
        return;
    }
    rekey->waits.description[0] = '\0';
    rekey->stage = STAGE_IDLE;
}

/* First what the older key has sealed leaves the disk, then that key. */
static int tidy(struct rekey *rekey)
{
    int r = store_checkpoint(rekey->keeper->store);
    if (r == 0)
        r = own_key_tidy(rekey->folder, rekey->keeper->key);
    if (r == 0)
        r = commits_add(rekey->keeper->commits, COMMIT_MAY, write_tidied, tidied, rekey);
    return r;
}

/* --- the beginning --- */

static int write_begin(void *userdata, struct store *store)
{
    const struct rekey *rekey = userdata;
    CLEANUP(cleanup_string) char *proof = NULL;
    int r = seal_key_prove(rekey->target, &proof);
    if (r == 0)
        r = store_put_fact(store, "key_proof_next", proof);
    if (r == 0)
        r = store_put_fact(store, "rekey", "sealing");
    return r;
}

static void answer(struct rekey *rekey, const struct message *question)
{
    struct message *answer = message_new(ANSWER);
    if (answer) {
        answer->rekey = (struct rekey_progress){ .running = rekey->stage != STAGE_IDLE,
                                                 .resealed = rekey->resealed,
                                                 .unreadable = rekey->unreadable };
        seal_key_id(rekey->keeper->key, answer->rekey.key_id);
    }
    keeper_answer(rekey->keeper, question->id, answer);
}

/* key_next is there for another try. */
static void give_target_back(struct rekey *rekey)
{
    if (rekey->target && rekey->took_next) {
        rekey->next = steal(rekey->target);
        rekey->took_next = false;
    }
    rekey->target = seal_key_free(rekey->target);
}

/* From here on all that is written is sealed by the new key. */
static void begin_written(void *userdata, int result)
{
    struct rekey *rekey = userdata;
    struct keeper *keeper = rekey->keeper;
    CLEANUP(cleanup_message) struct message *question = steal(rekey->question);
    if (result != 0) {
        const struct failure failure = failure_make(
            WIRE_BUSY, 1, "the broker's store refuses writes (%s): the key is as it was",
            store_message(keeper->store));
        rekey->stage = STAGE_IDLE;
        give_target_back(rekey);
        keeper_refuse(keeper, question->id, &failure);
        return;
    }
    seal_key_set_older(rekey->target, keeper->key);
    keeper->key = steal(rekey->target);
    rekey->stage = STAGE_SEALING;
    log_info("the store is being sealed anew, with another key");
    answer(rekey, question);
    turn_after(rekey, 0);
}

static int choose_target(struct rekey *rekey, struct complaint *complaint)
{
    const struct settings *settings = rekey->keeper->settings;
    const char *source = settings->key_next ? settings->key_next : settings->key;
    complain(complaint, "memory is short");
    if (rekey->next && !seal_key_equal(rekey->next, rekey->keeper->key)) {
        rekey->target = steal(rekey->next);
        rekey->took_next = true;
        return 0;
    }
    if (rekey->folder && strcmp(source, "auto") == 0)
        return own_key_next(rekey->folder, &rekey->target, complaint);
    if (settings->key_next)
        complain(complaint, "the store is sealed with key_next already: make it key, and give "
                            "another key_next to change it once more");
    else
        complain(complaint,
                 "the key comes from %.*s: give the new one as broker { key_next = … }, reload, "
                 "and run this again",
                 (int)strcspn(source, ":"), source);
    return -EINVAL;
}

static void begin(struct rekey *rekey, struct message *question)
{
    struct complaint complaint = { "" };
    int r = choose_target(rekey, &complaint);
    if (r == 0)
        r = commits_add(rekey->keeper->commits, COMMIT_MAY, write_begin, begin_written, rekey);
    if (r == 0) {
        rekey->resealed = rekey->unreadable = 0;
        rekey->kind = 0;
        rekey->after = 0;
        rekey->clean = true;
        rekey->stage = STAGE_BEGINNING;
        rekey->question = question;
        return;
    }
    const struct failure failure =
        failure_make(r == -EINVAL ? WIRE_BAD_REQUEST : WIRE_INTERNAL, 0, "%s", complaint.text);
    give_target_back(rekey);
    keeper_refuse(rekey->keeper, question->id, &failure);
    message_free(question);
}

void rekey_ask(struct keeper *keeper, struct message *question)
{
    struct rekey *rekey = keeper->rekey;
    if (question->accept && rekey->stage == STAGE_IDLE) {
        begin(rekey, question);
        return;
    }
    if (rekey->waits.description[0])
        keeper_refuse(keeper, question->id, &rekey->waits);
    else
        answer(rekey, question);
    message_free(question);
}

/* --- what others may know --- */

bool rekey_runs(const struct rekey *rekey)
{
    return rekey->stage != STAGE_IDLE;
}

char *rekey_own_file(const struct rekey *rekey)
{
    return own_key_file(rekey->folder, rekey->keeper->key);
}

const char *rekey_source(const struct rekey *rekey)
{
    static const char file[] = "file:";
    const struct keeper *keeper = rekey->keeper;
    const bool next = rekey->took_next || (rekey->next && seal_key_equal(rekey->next, keeper->key));
    const char *source = next ? keeper->settings->key_next : keeper->settings->key;
    if (strcmp(source, "auto") == 0)
        return NULL;
    const bool is_file = strncmp(source, file, sizeof file - 1) == 0;
    return is_file && !own_key_holds(source + sizeof file - 1, keeper->key) ? NULL : source;
}

/* --- its life --- */

static void turn(void *userdata)
{
    struct rekey *rekey = userdata;
    struct commits *commits = rekey->keeper->commits;
    int r = 0;
    if (rekey->keeper->stopping)
        return;
    if (rekey->stage == STAGE_SEALING)
        r = commits_add(commits, COMMIT_MAY, write_step, step_written, rekey);
    else if (rekey->stage == STAGE_ENDING)
        r = commits_add(commits, COMMIT_MAY, write_end, end_written, rekey);
    else if (rekey->stage == STAGE_TIDYING)
        r = tidy(rekey);
    if (r != 0)
        fail(rekey, "a step of it failed", r);
}

static int go_on(struct rekey *rekey)
{
    CLEANUP(cleanup_string) char *fact = NULL;
    int r = store_get_fact(rekey->keeper->store, "rekey", &fact);
    if (r != 0)
        return r < 0 ? r : 0;
    if (strcmp(fact, "sealing") == 0)
        rekey->stage = STAGE_SEALING;
    else if (strcmp(fact, "tidying") == 0)
        rekey->stage = STAGE_TIDYING;
    else
        return 0;
    log_info("sealing the store anew goes on");
    turn_after(rekey, 0);
    return 0;
}

int rekey_new(struct keeper *keeper, const char *folder, struct rekey **ret)
{
    struct rekey *rekey = calloc(1, sizeof *rekey);
    if (!rekey)
        return -ENOMEM;
    *rekey = (struct rekey){ .keeper = keeper, .clean = true };
    int r = loop_add_timer(keeper->loop, turn, rekey, &rekey->timer);
    if (r == 0 && folder) {
        rekey->folder = strdup(folder);
        r = rekey->folder ? 0 : -ENOMEM;
    }
    if (r == 0)
        r = go_on(rekey);
    if (r != 0) {
        rekey_free(rekey);
        return r;
    }
    *ret = rekey;
    return 0;
}

void rekey_configure(struct rekey *rekey, struct seal_key *next)
{
    seal_key_free(rekey->next);
    rekey->next = next;
    rekey->took_next = false;
}

struct rekey *rekey_free(struct rekey *rekey)
{
    if (!rekey)
        return NULL;
    loop_source_free(rekey->timer);
    message_free(rekey->question);
    seal_key_free(rekey->next);
    seal_key_free(rekey->target);
    free(rekey->folder);
    free(rekey);
    return NULL;
}

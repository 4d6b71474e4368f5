#include "back/backup.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "back/device_poll.h"
#include "back/errand.h"
#include "back/exchange.h"
#include "back/lanes.h"
#include "back/questions.h"
#include "back/rekey.h"
#include "back/restored.h"
#include "back/revoke.h"
#include "base/clock.h"
#include "base/log.h"

enum { ID_BYTES = 16 };

enum stage {
    STAGE_NONE,
    STAGE_QUIETING, /* a move waits for what is under way */
    STAGE_COPYING,
    STAGE_FENCING,
    STAGE_WHOLE,
    STAGE_FAILED,
};

struct backup {
    struct keeper *keeper;
    struct loop_source *timer;
    enum stage stage;
    struct store_copy *copy;
    struct backup_order order;
    struct backup_facts facts;
    struct failure failure; /* STAGE_FAILED */
    int64_t began_at;
    int64_t looked_at; /* when the asker last looked */
};

static void turn_after(struct backup *backup, int64_t delay_ms)
{
    /* It fails only for a source that is no timer. */
    (void)loop_timer_set(backup->timer, delay_ms);
}

/* --- its end --- */

static void release_hold(struct backup *backup)
{
    if (backup->order.moves)
        restored_hold(backup->keeper, false);
}

static void drop(struct backup *backup)
{
    backup->stage = STAGE_NONE;
    backup->copy = store_copy_free(backup->copy);
    release_hold(backup);
    backup->order = (struct backup_order){ .offset = -1 };
    backup->facts = (struct backup_facts){ .whole = false };
}

/* It is told to who looks. */
static void fail(struct backup *backup, const struct failure *failure)
{
    backup->stage = STAGE_FAILED;
    backup->failure = *failure;
    backup->copy = store_copy_free(backup->copy);
    release_hold(backup);
    log_warning("%s", failure->description);
    turn_after(backup, BACKUP_IDLE_MS);
}

static void fail_by_store(struct backup *backup, int error)
{
    const struct failure failure =
        error == -ENOSPC
            ? failure_make(WIRE_INTERNAL, 0,
                           "the disk of the state folder has too little room for a copy of the "
                           "store: free some; nothing was changed")
            : failure_make(WIRE_INTERNAL, 0, "the store cannot be copied: %.120s",
                           error == -ENOMEM ? "memory is short"
                                            : store_message(backup->keeper->store));
    fail(backup, &failure);
}

/* --- the key that opens it --- */

/* ret_own: it is a file of the broker's own, which no backup holds. */
static void describe_key(struct backup *backup, bool *ret_own)
{
    static const char command[] = "command:";
    const struct rekey *rekey = backup->keeper->rekey;
    CLEANUP(cleanup_string) char *own = rekey_own_file(rekey);
    const char *source = rekey_source(rekey);
    const bool runs = source && strncmp(source, command, sizeof command - 1) == 0;
    (void)snprintf(backup->facts.key, sizeof backup->facts.key, "%s%s", own ? "file:" : "",
                   own      ? own
                   : runs   ? "command" /* its arguments may say more than they should */
                   : source ? source
                            : "");
    seal_key_id(backup->keeper->key, backup->facts.key_id);
    *ret_own = own != NULL;
}

/* The key that the asker keeps is not the one that would open the copy. */
static bool other_key_is_kept(const struct backup *backup, struct failure *ret)
{
    const struct backup_facts *facts = &backup->facts;
    if (!backup->order.key_id[0] || strcmp(backup->order.key_id, facts->key_id) == 0)
        return false;
    *ret =
        failure_make(WIRE_BAD_REQUEST, 0,
                     "the key %s that is kept does not open it: the store is sealed with the key "
                     "%s by now. Keep a copy of that one (%.90s) and say --key-kept=%s",
                     backup->order.key_id, facts->key_id, facts->key, facts->key_id);
    return true;
}

/* True where the copy could be opened by nobody, or by two keys. */
static bool key_is_in_the_way(struct backup *backup, struct failure *ret)
{
    bool own = false;
    if (rekey_runs(backup->keeper->rekey)) {
        *ret = failure_make(WIRE_BUSY, 1,
                            "the store is being sealed anew with another key: back it up after "
                            "that");
        return true;
    }
    describe_key(backup, &own);
    if (!backup->facts.key[0]) {
        *ret = failure_make(WIRE_BAD_REQUEST, 0,
                            "the store is not sealed with the key that broker { key } names by "
                            "now: set that right and reload");
        return true;
    }
    if (other_key_is_kept(backup, ret))
        return true;
    if (!own || backup->order.key_kept)
        return false;
    *ret = failure_make(WIRE_BAD_REQUEST, 0,
                        "%.90s opens it and is not in it: keep a copy of that file elsewhere and "
                        "add --key-kept; or give broker { key_next } and run `tokenbroker rekey`",
                        backup->facts.key + strlen("file:"));
    return true;
}

/* --- the copy --- */

static void whole(struct backup *backup)
{
    backup->stage = STAGE_WHOLE;
    backup->facts.whole = true;
    backup->facts.bytes = store_copy_size(backup->copy);
    log_info("the store was copied: %llu bytes", (unsigned long long)backup->facts.bytes);
    turn_after(backup, BACKUP_IDLE_MS);
}

static void fenced(void *userdata, int result)
{
    struct backup *backup = userdata;
    if (result == 0) {
        release_hold(backup); /* the fence is there instead */
        whole(backup);
    } else if (backup->stage == STAGE_FENCING) {
        fail_by_store(backup, result);
    }
}

static void copied(struct backup *backup)
{
    struct commits *commits = backup->keeper->commits;
    struct failure failure;
    if (key_is_in_the_way(backup, &failure)) {
        fail(backup, &failure);
    } else if (!backup->order.moves) {
        whole(backup);
    } else {
        backup->stage = STAGE_FENCING;
        if (restored_fence(backup->keeper, fenced, backup) != 0)
            fail_by_store(backup, -ENOMEM);
        else
            commits_flush(commits); /* nothing comes between the copy and the fence */
    }
}

static void copy_on(struct backup *backup)
{
    const int64_t until = clock_now() + BACKUP_STEP_MS;
    int r = STORE_COPY_MORE;
    while (r == STORE_COPY_MORE && clock_now() < until) {
        if (backup->order.moves)
            commits_flush(backup->keeper->commits); /* what waits belongs into the copy */
        r = store_copy_step(backup->copy);
    }
    if (r == STORE_COPY_MORE)
        turn_after(backup, BACKUP_REST_MS);
    else if (r == 0)
        copied(backup);
    else
        fail_by_store(backup, r);
}

static void begin_copy(struct backup *backup)
{
    int r = store_copy_begin(backup->keeper->store, &backup->copy);
    if (r != 0) {
        fail_by_store(backup, r);
        return;
    }
    backup->stage = STAGE_COPYING;
    turn_after(backup, 0);
}

/* --- a move --- */

static bool is_quiet(const struct backup *backup)
{
    struct keeper *keeper = backup->keeper;
    const struct failure failure =
        failure_make(WIRE_BUSY, 0, "the broker's store is being moved: log in there");
    return device_polls_refuse(keeper->device_polls, &failure) && !lanes_busy(keeper->lanes) &&
           !exchanges_busy(keeper->exchanges) && !errands_busy(keeper->errands) &&
           !revocations_busy(keeper->revocations) && !commits_pending(keeper->commits);
}

static void wait_for_quiet(struct backup *backup)
{
    const struct failure failure =
        failure_make(WIRE_BUSY, 1,
                     "refreshes or logins have been under way for %d s: nothing was moved, try "
                     "again",
                     BACKUP_PATIENCE_MS / 1000);
    if (is_quiet(backup))
        begin_copy(backup);
    else if (clock_now() - backup->began_at >= BACKUP_PATIENCE_MS)
        fail(backup, &failure);
    else
        turn_after(backup, BACKUP_CHECK_MS);
}

/* --- its life --- */

static void turn(void *userdata)
{
    struct backup *backup = userdata;
    const int64_t idle_ms = clock_now() - backup->looked_at;
    if (backup->keeper->stopping || backup->stage == STAGE_NONE || backup->stage == STAGE_FENCING)
        return;
    if (idle_ms >= BACKUP_IDLE_MS) {
        log_info("the copy of the store is deleted: nobody fetched it");
        drop(backup);
    } else if (backup->stage == STAGE_QUIETING) {
        wait_for_quiet(backup);
    } else if (backup->stage == STAGE_COPYING) {
        copy_on(backup);
    } else {
        turn_after(backup, BACKUP_IDLE_MS - idle_ms);
    }
}

static void answer(struct backup *backup, const struct message *question, struct message *answer)
{
    if (!answer) {
        question_refuse_memory(backup->keeper, question->id);
        return;
    }
    answer->backup = backup->facts;
    keeper_answer(backup->keeper, question->id, answer);
}

static bool may_begin(struct backup *backup, struct failure *ret)
{
    const struct keeper *keeper = backup->keeper;
    if (commits_problem(keeper->commits))
        *ret = failure_make(WIRE_BUSY, 1, "the broker's store refuses writes (%s)",
                            commits_problem(keeper->commits));
    else if (backup->order.moves && restored_why(keeper))
        *ret = failure_make(WIRE_BAD_REQUEST, 0,
                            "the store is a copy itself (%.80s): resume it first, or move what it "
                            "was copied from",
                            restored_why(keeper));
    else
        return !key_is_in_the_way(backup, ret);
    return false;
}

static void name_it(struct backup *backup)
{
    unsigned char bytes[ID_BYTES];
    char text[FINGERPRINT_SIZE];
    random_bytes(bytes, sizeof bytes);
    /* It tells copies apart; who may look is the access rules' matter. */
    (void)snprintf(backup->facts.id, sizeof backup->facts.id, "%.22s",
                   digest_text(bytes, sizeof bytes, text));
}

static void begin(struct backup *backup, struct message *question)
{
    struct failure failure;
    backup->order = question->backup_order;
    if (!may_begin(backup, &failure)) {
        backup->order.moves = false; /* nothing is held for it */
        drop(backup);
        keeper_refuse(backup->keeper, question->id, &failure);
        return;
    }
    name_it(backup);
    backup->began_at = backup->looked_at = clock_now();
    backup->stage = STAGE_QUIETING;
    if (backup->order.moves)
        restored_hold(backup->keeper, true);
    else
        begin_copy(backup);
    turn_after(backup, 0);
    answer(backup, question, message_new(ANSWER));
}

void backup_ask(struct keeper *keeper, struct message *question)
{
    CLEANUP(cleanup_message) struct message *owned = question;
    struct backup *backup = keeper->backup;
    const struct failure failure =
        failure_make(WIRE_BUSY, 1, "another backup is being made: try again when it is over");
    if (backup->stage == STAGE_NONE || backup->stage == STAGE_FAILED)
        begin(backup, question);
    else
        keeper_refuse(keeper, question->id, &failure);
}

/* NULL, and answered: it is another one, or has failed. */
static struct backup *find(struct keeper *keeper, const struct message *question)
{
    struct backup *backup = keeper->backup;
    const struct failure gone = failure_make(
        WIRE_NOT_FOUND, 0, "there is no such backup: it has ended, or nobody looked at it for %d s",
        BACKUP_IDLE_MS / 1000);
    if (backup->stage == STAGE_NONE || strcmp(backup->facts.id, question->backup_order.id) != 0) {
        keeper_refuse(keeper, question->id, &gone);
        return NULL;
    }
    backup->looked_at = clock_now();
    if (backup->stage != STAGE_FAILED)
        return backup;
    keeper_refuse(keeper, question->id, &backup->failure);
    return NULL;
}

/* Returns 0 or -errno; the piece is the answer's. */
static int read_piece(const struct backup *backup, uint64_t offset, struct message *answer)
{
    answer->piece = malloc(WIRE_BACKUP_PIECE_MAX);
    if (!answer->piece)
        return -ENOMEM;
    return store_copy_read(backup->copy, offset, answer->piece, WIRE_BACKUP_PIECE_MAX,
                           &answer->piece_length);
}

void backup_look(struct keeper *keeper, struct message *question)
{
    struct backup *backup = find(keeper, question);
    if (!backup)
        return;
    CLEANUP(cleanup_message) struct message *letter = message_new(ANSWER);
    const int64_t offset = question->backup_order.offset;
    struct failure failure = failure_make(WIRE_BAD_REQUEST, 0, "the backup is not whole yet");
    int r = 0;
    if (letter && offset >= 0)
        r = backup->facts.whole ? read_piece(backup, (uint64_t)offset, letter) : -EAGAIN;
    if (r == 0) {
        answer(backup, question, steal(letter));
        return;
    }
    if (r != -EAGAIN)
        failure = failure_make(r == -EINVAL ? WIRE_BAD_REQUEST : WIRE_INTERNAL, 0,
                               "the backup cannot be read there: %s", strerror(-r));
    keeper_refuse(keeper, question->id, &failure);
}

void backup_end(struct keeper *keeper, struct message *question)
{
    struct backup *backup = find(keeper, question);
    struct message *letter = backup ? message_new(ANSWER) : NULL;
    if (!backup)
        return;
    if (backup->stage == STAGE_FENCING)
        backup->looked_at = 0; /* its turn comes when the fence is there */
    else
        drop(backup);
    if (letter)
        keeper_answer(keeper, question->id, letter);
    else
        question_refuse_memory(keeper, question->id);
}

int backup_new(struct keeper *keeper, struct backup **ret)
{
    struct backup *backup = calloc(1, sizeof *backup);
    if (!backup)
        return -ENOMEM;
    backup->keeper = keeper;
    int r = loop_add_timer(keeper->loop, turn, backup, &backup->timer);
    if (r != 0) {
        free(backup);
        return r;
    }
    *ret = backup;
    return 0;
}

struct backup *backup_free(struct backup *backup)
{
    if (!backup)
        return NULL;
    store_copy_free(backup->copy);
    loop_source_free(backup->timer);
    free(backup);
    return NULL;
}

#include "back/restored.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "back/lanes.h"
#include "back/pause.h"
#include "back/replan.h"
#include "back/revoke.h"
#include "back/warn.h"
#include "base/clock.h"
#include "base/log.h"

enum { RETRY_AFTER_S = 60, MOMENT_SIZE = 32 };

struct restored {
    struct keeper *keeper;
    struct guard *guard;
    char *machine;
    char *why;        /* "": it is not */
    int64_t moved_at; /* 0: it was not */
    bool held;        /* it is being moved */
    uint64_t generation;
    char generation_text[24];
    struct message *question; /* that resumes */
    int64_t fence_at;
    commit_done fence_done;
    void *fence_userdata;
};

/* --- how far the store has come --- */

static int stamp(void *userdata, struct store *store)
{
    struct restored *restored = userdata;
    (void)snprintf(restored->generation_text, sizeof restored->generation_text, "%" PRIu64,
                   restored->generation + 1);
    return store_put_fact(store, "generation", restored->generation_text);
}

/* A copy leaves the note as it is: it is what it is known by. */
static void stamped(void *userdata)
{
    struct restored *restored = userdata;
    restored->generation++;
    if (restored->guard && !restored->why[0])
        guard_note(restored->guard, restored->generation);
}

/* --- the pause --- */

const char *restored_why(const struct keeper *keeper)
{
    const struct restored *restored = keeper->restored;
    return restored && restored->why[0] ? restored->why : NULL;
}

int64_t restored_moved_at(const struct keeper *keeper)
{
    return keeper->restored ? keeper->restored->moved_at : 0;
}

bool restored_fenced(const struct keeper *keeper)
{
    return keeper->restored && (keeper->restored->held || keeper->restored->moved_at > 0);
}

bool restored_holds(const struct keeper *keeper)
{
    return restored_fenced(keeper) || restored_why(keeper);
}

/* UTC, to the minute. */
static const char *moment(int64_t wall_s, char out[static MOMENT_SIZE])
{
    const time_t at = (time_t)wall_s;
    struct tm parts;
    if (!gmtime_r(&at, &parts) || strftime(out, MOMENT_SIZE, "%Y-%m-%d %H:%M UTC", &parts) == 0)
        (void)snprintf(out, MOMENT_SIZE, "an unknown time");
    return out;
}

static struct failure fence_failure(const struct restored *restored)
{
    char at[MOMENT_SIZE];
    if (restored->moved_at == 0)
        return failure_make(WIRE_BUSY, 1, "the broker's store is being moved: ask again");
    return failure_make(WIRE_PROVIDER_UNAVAILABLE, RETRY_AFTER_S,
                        "the broker's store was moved at %s: ask the broker that has it now. If "
                        "the move failed and none has, an admin runs `tokenbroker resume "
                        "--moved-back`",
                        moment(restored->moved_at, at));
}

struct failure restored_failure(const struct keeper *keeper)
{
    if (restored_fenced(keeper))
        return fence_failure(keeper->restored);
    return failure_make(WIRE_PROVIDER_UNAVAILABLE, RETRY_AFTER_S,
                        "the broker's store is a copy (%.80s): nothing is refreshed until an admin "
                        "runs `tokenbroker resume`",
                        restored_why(keeper));
}

static void tell(struct restored *restored, const char *event, const char *text)
{
    const struct account_name nobody = { "", "" };
    keeper_event(restored->keeper, &nobody, event, "%s", text);
}

static int write_resume(void *userdata, struct store *store)
{
    const struct restored *restored = userdata;
    int r = store_put_fact(store, "restored", "");
    if (r == 0)
        r = store_put_fact(store, "moved", "");
    if (r == 0)
        r = store_put_fact(store, "machine", restored->machine);
    return r == 0 ? pause_all_copied(store) : r;
}

/* All that waited for it; people were told of nothing meanwhile. */
static void go_on(struct keeper *keeper)
{
    lanes_pump(keeper->lanes);
    revocations_pump(keeper->revocations);
    warn_again(keeper);
    replan_again(keeper);
}

static void answer(struct restored *restored, const struct message *question, bool resumed)
{
    struct message *answer = message_new(ANSWER);
    if (answer)
        answer->accept = resumed;
    keeper_answer(restored->keeper, question->id, answer);
}

static void resume_written(void *userdata, int result)
{
    struct restored *restored = userdata;
    struct keeper *keeper = restored->keeper;
    CLEANUP(cleanup_message) struct message *question = steal(restored->question);
    if (result != 0) {
        const struct failure failure =
            failure_make(WIRE_BUSY, 1, "the broker's store refuses writes (%s): it stays paused",
                         store_message(keeper->store));
        keeper_refuse(keeper, question->id, &failure);
        return;
    }
    restored->why[0] = '\0';
    restored->moved_at = 0;
    log_info("resumed: each provider tries one account first");
    tell(restored, "broker_resumed", "each provider tries one account first");
    lanes_resume(keeper->lanes);
    go_on(keeper);
    answer(restored, question, true);
}

static bool may_resume(struct restored *restored, bool moved_back, struct failure *ret)
{
    char at[MOMENT_SIZE];
    if (restored->question || restored->held)
        *ret = failure_make(WIRE_BUSY, 1, "somebody else resumes or moves it just now");
    else if (restored->moved_at > 0 && !moved_back)
        *ret = failure_make(WIRE_BAD_REQUEST, 0,
                            "the store was moved at %s: two brokers that refresh one grant end it. "
                            "Where no other broker uses it, say `tokenbroker resume --moved-back`",
                            moment(restored->moved_at, at));
    else if (restored->guard && !guard_take(restored->guard))
        *ret = failure_make(WIRE_BAD_REQUEST, 0,
                            "another broker on this machine uses a copy of this store: stop one "
                            "of them first");
    else
        return true;
    return false;
}

void restored_resume(struct keeper *keeper, struct message *question)
{
    struct restored *restored = keeper->restored;
    CLEANUP(cleanup_message) struct message *owned = question;
    struct failure failure;
    if (!restored_holds(keeper)) {
        answer(restored, question, false);
        return;
    }
    if (!may_resume(restored, question->accept, &failure)) {
        keeper_refuse(keeper, question->id, &failure);
        return;
    }
    /* From here on it is the newest there is. */
    if (restored->guard && guard_generation(restored->guard) > restored->generation)
        restored->generation = guard_generation(restored->guard);
    int r = commits_add(keeper->commits, COMMIT_MAY, write_resume, resume_written, restored);
    if (r == 0) {
        restored->question = steal(owned);
        return;
    }
    failure = failure_make(WIRE_BUSY, 1, "memory is short: ask again");
    keeper_refuse(keeper, question->id, &failure);
}

/* --- the fence --- */

void restored_hold(struct keeper *keeper, bool hold)
{
    keeper->restored->held = hold;
    if (!hold)
        go_on(keeper);
}

static int write_fence(void *userdata, struct store *store)
{
    const struct restored *restored = userdata;
    char text[24];
    (void)snprintf(text, sizeof text, "%" PRId64, restored->fence_at);
    return store_put_fact(store, "moved", text);
}

static void fence_written(void *userdata, int result)
{
    struct restored *restored = userdata;
    if (result == 0) {
        restored->moved_at = restored->fence_at;
        log_warning("the store was moved: nothing is refreshed here any more");
        tell(restored, "broker_moved", "nothing is refreshed here any more");
    }
    restored->fence_done(restored->fence_userdata, result);
}

int restored_fence(struct keeper *keeper, commit_done done, void *userdata)
{
    struct restored *restored = keeper->restored;
    restored->fence_at = clock_to_wall(clock_now()) / 1000;
    restored->fence_done = done;
    restored->fence_userdata = userdata;
    return commits_add(keeper->commits, COMMIT_MAY, write_fence, fence_written, restored);
}

/* --- its life --- */

static int read_facts(struct restored *restored)
{
    CLEANUP(cleanup_string) char *generation = NULL;
    CLEANUP(cleanup_string) char *moved = NULL;
    int r = store_get_fact(restored->keeper->store, "generation", &generation);
    if (r == 0)
        restored->generation = strtoull(generation, NULL, 10);
    if (r >= 0)
        r = store_get_fact(restored->keeper->store, "restored", &restored->why);
    if (r >= 0)
        r = store_get_fact(restored->keeper->store, "moved", &moved);
    if (moved)
        restored->moved_at = strtoll(moved, NULL, 10);
    if (r >= 0 && !restored->why)
        restored->why = strdup("");
    if (r < 0)
        return r;
    return restored->why ? 0 : -ENOMEM;
}

void restored_guard(struct restored *restored, struct guard *guard)
{
    guard_close(restored->guard);
    restored->guard = guard;
}

int restored_new(struct keeper *keeper, const char *machine, struct restored **ret)
{
    struct restored *restored = calloc(1, sizeof *restored);
    if (!restored)
        return -ENOMEM;
    restored->keeper = keeper;
    restored->machine = strdup(machine ? machine : "");
    int r = restored->machine ? read_facts(restored) : -ENOMEM;
    if (r != 0) {
        restored_free(restored);
        return r;
    }
    commits_set_stamp(
        keeper->commits,
        &(struct commit_stamp){ .write = stamp, .written = stamped, .userdata = restored });
    *ret = restored;
    if (restored->moved_at > 0)
        log_warning("%s", fence_failure(restored).description);
    if (!restored->why[0])
        return 0;
    log_error(
        "the store is a copy: %s; live tokens are served, nothing is refreshed: when no other "
        "broker uses these grants, run `tokenbroker resume`",
        restored->why);
    tell(restored, "broker_paused", restored->why);
    return 0;
}

struct restored *restored_free(struct restored *restored)
{
    if (!restored)
        return NULL;
    message_free(restored->question);
    guard_close(restored->guard);
    free(restored->machine);
    free(restored->why);
    free(restored);
    return NULL;
}

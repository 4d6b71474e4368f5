/* Copies of the store, and the fence of one that was moved. */

#include "fixture.h"

#include <stdio.h>
#include <string.h>

#define MOVED "INSERT OR REPLACE INTO facts (name, value) VALUES ('moved', '1790000000')"

enum { LOOKS_MAX = 2000, LOOK_AGAIN_MS = 5 };

static uint64_t ask_backup(struct stage *stage, bool moves)
{
    struct message *question = message_new(ASK_BACKUP);
    question->backup_order = (struct backup_order){ .moves = moves, .offset = -1 };
    return post(stage, question);
}

static uint64_t ask_about(struct stage *stage, enum message_kind kind, const char *id,
                          int64_t offset)
{
    struct message *question = message_new(kind);
    (void)snprintf(question->backup_order.id, BACKUP_ID_SIZE, "%s", id);
    question->backup_order.offset = offset;
    return post(stage, question);
}

static void begin(struct stage *stage, bool moves, char id[static BACKUP_ID_SIZE])
{
    CLEANUP(cleanup_message) struct message *got = answer(stage, ask_backup(stage, moves));
    assert_false(got->failed);
    (void)snprintf(id, BACKUP_ID_SIZE, "%s", got->backup.id);
}

/* Until it is whole (0) or has failed (1). */
static int await_end(struct stage *stage, const char *id, uint64_t *ret_bytes)
{
    for (int i = 0; i < LOOKS_MAX; i++) {
        CLEANUP(cleanup_message)
        struct message *got = answer(stage, ask_about(stage, ASK_BACKUP_PIECE, id, -1));
        if (got->failed)
            return 1;
        *ret_bytes = got->backup.bytes;
        if (got->backup.whole)
            return 0;
        rest(LOOK_AGAIN_MS);
    }
    fail();
    return 1;
}

static void a_copy_is_fetched_in_pieces(void **state)
{
    struct stage *stage = *state;
    char id[BACKUP_ID_SIZE];
    uint64_t bytes = 0;
    begin(stage, false, id);
    expect_failure(stage, ask_backup(stage, false), WIRE_BUSY);
    assert_int_equal(await_end(stage, id, &bytes), 0);
    assert_true(bytes >= 8192);
    {
        CLEANUP(cleanup_message)
        struct message *got = answer(stage, ask_about(stage, ASK_BACKUP_PIECE, id, 0));
        assert_non_null(got->piece);
        assert_memory_equal(got->piece, "SQLite format 3", 16);
    }
    {
        CLEANUP(cleanup_message)
        struct message *got =
            answer(stage, ask_about(stage, ASK_BACKUP_PIECE, id, (int64_t)bytes - 5));
        assert_int_equal(got->piece_length, 5);
    }
    expect_failure(stage, ask_about(stage, ASK_BACKUP_PIECE, id, (int64_t)bytes + 1),
                   WIRE_BAD_REQUEST);
    expect_failure(stage, ask_about(stage, ASK_BACKUP_PIECE, "another", -1), WIRE_NOT_FOUND);
    expect_ok(stage, ask_about(stage, ASK_BACKUP_END, id, -1));
    expect_failure(stage, ask_about(stage, ASK_BACKUP_END, id, -1), WIRE_NOT_FOUND);
    expect_failure(stage, ask_about(stage, ASK_BACKUP_PIECE, id, -1), WIRE_NOT_FOUND);
}

static void one_that_nobody_fetches_goes(void **state)
{
    struct stage *stage = *state;
    char id[BACKUP_ID_SIZE];
    uint64_t bytes;
    set_speed(20);
    begin(stage, false, id);
    assert_int_equal(await_end(stage, id, &bytes), 0);
    rest(1000);
    expect_failure(stage, ask_about(stage, ASK_BACKUP_PIECE, id, -1), WIRE_NOT_FOUND);
}

static int64_t moved_at(struct stage *stage)
{
    CLEANUP(cleanup_message) struct message *got = answer(stage, ask(stage, ASK_HEALTH, ""));
    return got->health->moved_at;
}

static void a_move_fences_what_it_copied(void **state)
{
    struct stage *stage = *state;
    char id[BACKUP_ID_SIZE];
    uint64_t bytes;
    begin(stage, true, id);
    assert_int_equal(await_end(stage, id, &bytes), 0);
    assert_true(moved_at(stage) > 0);
    stop(stage);
    start(stage);
    assert_true(moved_at(stage) > 0);
}

static void a_fence_that_cannot_be_written_moves_nothing(void **state)
{
    struct stage *stage = *state;
    char id[BACKUP_ID_SIZE];
    uint64_t bytes;
    refuse_commits(1);
    begin(stage, true, id);
    assert_int_equal(await_end(stage, id, &bytes), 1);
    refuse_commits(0);
    assert_int_equal(moved_at(stage), 0);
    begin(stage, false, id);
    assert_int_equal(await_end(stage, id, &bytes), 0);
}

static void moved(struct stage *stage)
{
    run_sql(stage, MOVED);
    start(stage);
}

static void only_live_tokens_are_left_of_it(void **state)
{
    struct stage *stage = *state;
    seed_live_and_ended(stage);
    moved(stage);
    expect_token(stage, ask(stage, ASK_TOKEN, "dk"), "at-secret");
    expect_failure(stage, ask(stage, ASK_TOKEN, "se"), WIRE_PROVIDER_UNAVAILABLE);
    expect_failure(stage, ask(stage, ASK_REFRESH, "se"), WIRE_PROVIDER_UNAVAILABLE);
    rest(100);
    assert_int_equal(server_count(stage->server, NULL), 0);
}

static void nothing_changes_in_it(void **state)
{
    static const enum message_kind kinds[] = {
        ASK_FORGET, ASK_RETRY,  ASK_PROVIDER,   ASK_DECIDE, ASK_RENAME, ASK_LINK,
        ASK_UNLINK, ASK_DEVICE, ASK_LINK_CLICK, ASK_POLL,   ASK_PUSH,
    };
    struct stage *stage = *state;
    seed(stage, (struct seed){ .label = "dk", .refresh_token = "rt-secret", .refresh_at = 1 });
    moved(stage);
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
        expect_failure(stage, ask(stage, kinds[i], "dk"), WIRE_PROVIDER_UNAVAILABLE);
    expect_failure(stage, ask_import(stage, "fi", "rt-secret-fi"), WIRE_PROVIDER_UNAVAILABLE);
    expect_failure(stage, ask_exchange(stage, "fi", "code-secret", NULL),
                   WIRE_PROVIDER_UNAVAILABLE);
    rest(100);
    assert_int_equal(server_count(stage->server, NULL), 0);
}

static uint64_t ask_resume(struct stage *stage, bool moved_back)
{
    struct message *question = message_new(ASK_RESUME);
    question->accept = moved_back;
    return post(stage, question);
}

static void it_goes_on_when_it_is_said_so(void **state)
{
    struct stage *stage = *state;
    seed(stage, (struct seed){ .label = "dk", .refresh_token = "rt-secret-dk", .refresh_at = 1 });
    server_script(stage->server, (struct canned){ .status = 200, .body = GRANT_ROTATED });
    moved(stage);
    expect_failure(stage, ask_resume(stage, false), WIRE_BAD_REQUEST);
    refuse_commits(1);
    expect_failure(stage, ask_resume(stage, true), WIRE_BUSY);
    assert_int_equal(moved_at(stage), 1790000000);
    expect_ok(stage, ask_resume(stage, true));
    await_generation(stage, "dk", 2);
    assert_int_equal(moved_at(stage), 0);
    stop(stage);
    start(stage);
    assert_int_equal(moved_at(stage), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_STARTED(a_copy_is_fetched_in_pieces),
        TEST_STARTED(one_that_nobody_fetches_goes),
        TEST_STARTED(a_move_fences_what_it_copied),
        TEST_STARTED(a_fence_that_cannot_be_written_moves_nothing),
        TEST(only_live_tokens_are_left_of_it),
        TEST(nothing_changes_in_it),
        TEST(it_goes_on_when_it_is_said_so),
    };
    return RUN(tests);
}

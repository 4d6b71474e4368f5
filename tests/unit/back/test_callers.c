/* Callers: noted once, told of within limits, approved durably before anybody hears of it. */

#include "fixture.h"

#include "back/callers.h"

#include <stdio.h>

/* With a main thread that hears of events; */
static void begin(struct stage *stage, bool on_caller)
{
    assert_int_equal(mailbox_new(256, 1, message_destroy, &stage->main), 0);
    if (on_caller)
        set_text(&stage->settings->on_caller, "/bin/true");
    start(stage);
}

static void end(struct stage *stage)
{
    stop(stage);
    stage->main = mailbox_free(stage->main);
}

static struct message *ask_as(struct stage *stage, uint32_t uid, const char *unit)
{
    struct message *message = question(ASK_CALLER, NULL);
    message->callers = calloc(1, sizeof *message->callers);
    assert_non_null(message->callers);
    message->caller_count = 1;
    message->callers[0].uid = uid;
    (void)snprintf(message->callers[0].rule, CALLER_RULE_SIZE, "sync");
    (void)snprintf(message->callers[0].unit, CALLER_UNIT_SIZE, "%s", unit);
    return answer(stage, post(stage, message));
}

static int64_t ask_id(struct stage *stage, uint32_t uid, const char *unit)
{
    CLEANUP(cleanup_message) struct message *came = ask_as(stage, uid, unit);
    if (came->failed)
        fail_msg("%s", came->failure.description);
    assert_int_equal(came->caller_count, 1);
    return came->callers[0].id;
}

static bool is_approved(struct stage *stage, uint32_t uid, const char *unit)
{
    CLEANUP(cleanup_message) struct message *came = ask_as(stage, uid, unit);
    return !came->failed && came->callers[0].approved_at > 0;
}

static struct message *about(struct stage *stage, enum message_kind kind, int64_t id)
{
    struct message *message = question(kind, NULL);
    message->caller_id = id;
    message->uid = 7;
    return answer(stage, post(stage, message));
}

static void do_about(struct stage *stage, enum message_kind kind, int64_t id)
{
    CLEANUP(cleanup_message) struct message *came = about(stage, kind, id);
    if (came->failed)
        fail_msg("%s", came->failure.description);
}

static void decide(struct stage *stage, int64_t id, bool approved)
{
    struct message *letter = question(TELL_DECISION, NULL);
    letter->caller_id = id;
    letter->accept = approved;
    (void)post(stage, letter);
}

/* How many the main thread heard of since the last call. */
static size_t told(struct stage *stage)
{
    size_t count = 0;
    for (struct message *letter = mailbox_take(stage->main); letter;
         letter = mailbox_take(stage->main)) {
        assert_string_equal(letter->event.name, "caller_waits");
        assert_int_equal(letter->caller_count, 1);
        message_free(letter);
        count++;
    }
    return count;
}

/* How many the front believes to be approved; -1: it was not told. */
static int front_knows(struct stage *stage)
{
    int count = -1;
    for (size_t i = 0; i < stage->notice_count; i++)
        if (stage->notices[i]->kind == CALLERS)
            count = (int)stage->notices[i]->caller_count;
    return count;
}

static void test_noted_once_and_told_once(void **state)
{
    struct stage *stage = *state;
    begin(stage, false);
    const int64_t id = ask_id(stage, 1000, "");
    assert_int_equal(ask_id(stage, 1000, ""), id);
    assert_true(ask_id(stage, 1000, "a.service") != id);
    assert_int_equal(told(stage), 2);
    end(stage);
}

static void test_approved_is_durable_and_told_first(void **state)
{
    struct stage *stage = *state;
    begin(stage, false);
    const int64_t id = ask_id(stage, 1000, "");
    do_about(stage, ASK_APPROVE, id);
    assert_int_equal(front_knows(stage), 1); /* it came before the answer */
    assert_true(is_approved(stage, 1000, ""));
    assert_false(is_approved(stage, 1001, ""));
    stop(stage);
    start(stage);
    assert_true(is_approved(stage, 1000, ""));
    do_about(stage, ASK_UNAPPROVE, id);
    assert_int_equal(front_knows(stage), 0);
    assert_false(is_approved(stage, 1000, ""));
    CLEANUP(cleanup_message) struct message *gone = about(stage, ASK_APPROVE, id);
    assert_true(gone->failed && gone->failure.error == WIRE_NOT_FOUND);
    end(stage);
}

/* Neither the answer nor the front says what the disk does not. */
static void test_a_disk_that_takes_nothing_approves_nobody(void **state)
{
    struct stage *stage = *state;
    begin(stage, false);
    const int64_t id = ask_id(stage, 1000, "");
    refuse_commits(1);
    CLEANUP(cleanup_message) struct message *refused = about(stage, ASK_APPROVE, id);
    assert_true(refused->failed && refused->failure.error == WIRE_BUSY);
    assert_int_equal(front_knows(stage), -1);
    assert_false(is_approved(stage, 1000, ""));
    refuse_commits(1);
    CLEANUP(cleanup_message) struct message *unknown = ask_as(stage, 2000, "");
    assert_true(unknown->failed);
    do_about(stage, ASK_APPROVE, id);
    refuse_commits(1);
    CLEANUP(cleanup_message) struct message *kept = about(stage, ASK_UNAPPROVE, id);
    assert_true(kept->failed); /* whoever withdraws it learns that it was not */
    end(stage);
}

static void test_what_on_caller_says(void **state)
{
    struct stage *stage = *state;
    begin(stage, true);
    const int64_t yes = ask_id(stage, 1000, ""), no = ask_id(stage, 1001, "");
    decide(stage, no, false);
    decide(stage, yes, true);
    decide(stage, yes + 100, true); /* of one that is gone */
    for (int tries = 0; !is_approved(stage, 1000, ""); rest(10))
        assert_true(++tries < 1000);
    assert_false(is_approved(stage, 1001, ""));
    assert_int_equal(front_knows(stage), 1);
    end(stage);
}

/* It is asked again about the same one after a minute, and about few of a uid. */
static void test_programs_are_few(void **state)
{
    struct stage *stage = *state;
    char unit[CALLER_UNIT_SIZE];
    begin(stage, true);
    for (int again = 0; again < 5; again++)
        (void)ask_id(stage, 1000, "");
    assert_int_equal(told(stage), 1);
    for (int i = 0; i < CALLERS_WAITING_PER_UID_MAX - 1; i++) {
        (void)snprintf(unit, sizeof unit, "u%d.service", i);
        (void)ask_id(stage, 1000, unit);
    }
    assert_int_equal(told(stage), CALLERS_TOLD_PER_UID - 1);
    for (uint32_t uid = 2000; uid < 2000 + CALLERS_TOLD_PER_MINUTE; uid++)
        (void)ask_id(stage, uid, "");
    assert_int_equal(told(stage), CALLERS_TOLD_PER_MINUTE - CALLERS_TOLD_PER_UID);
    set_speed(100);
    for (size_t count = 0; count == 0; rest(20)) {
        (void)ask_id(stage, 1000, "");
        count = told(stage);
        assert_true(count <= 1);
    }
    end(stage);
}

static void test_few_wait(void **state)
{
    struct stage *stage = *state;
    char unit[CALLER_UNIT_SIZE];
    begin(stage, false);
    for (int i = 0; i < CALLERS_WAITING_PER_UID_MAX; i++) {
        (void)snprintf(unit, sizeof unit, "u%d.service", i);
        (void)ask_id(stage, 1000, unit);
    }
    CLEANUP(cleanup_message) struct message *full = ask_as(stage, 1000, "one-more.service");
    assert_true(full->failed && full->failure.error == WIRE_TOO_MANY_REQUESTS);
    assert_true(full->failure.retry_after_s > 0);
    for (uint32_t uid = 1; uid <= CALLERS_WAITING_MAX - CALLERS_WAITING_PER_UID_MAX; uid++)
        (void)ask_id(stage, uid, "");
    CLEANUP(cleanup_message) struct message *all = ask_as(stage, 5000, "");
    assert_true(all->failed && all->failure.error == WIRE_TOO_MANY_REQUESTS);
    CLEANUP(cleanup_message) struct message *list = about(stage, ASK_CALLERS, 0);
    assert_int_equal(list->caller_count, CALLERS_WAITING_MAX);
    end(stage);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_noted_once_and_told_once),
        TEST(test_approved_is_durable_and_told_first),
        TEST(test_a_disk_that_takes_nothing_approves_nobody),
        TEST(test_what_on_caller_says),
        TEST(test_programs_are_few),
        TEST(test_few_wait),
    };
    return RUN(tests);
}

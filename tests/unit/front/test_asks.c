#include "fixture.h"

struct heard {
    int times;
    uint64_t generation;
};

static void hear(void *userdata, struct message *answer)
{
    struct heard *heard = userdata;

    heard->times++;
    heard->generation = answer->generation;
}

static void answer_with(struct fixture *fixture, struct message *question, uint64_t generation)
{
    struct message *answer = fixture_answer(question);

    answer->generation = generation;
    fixture_deliver(fixture, answer);
}

static void test_each_answer_goes_to_its_question(void **state)
{
    struct fixture *fixture = *state;
    struct asks *asks = fixture->context.asks;
    struct heard heard[3] = { { 0 } };

    for (int i = 0; i < 3; i++)
        assert_int_equal(asks_send(asks, message_new(ASK_HEALTH), hear, &heard[i], NULL), 0);
    struct message *first = fixture_take(fixture, ASK_HEALTH);
    struct message *second = fixture_take(fixture, ASK_HEALTH);
    struct message *third = fixture_take(fixture, ASK_HEALTH);
    answer_with(fixture, third, 3);
    answer_with(fixture, first, 1);
    answer_with(fixture, second, 2);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(heard[i].times, 1);
        assert_int_equal(heard[i].generation, i + 1);
    }
}

static void test_forgotten(void **state)
{
    struct fixture *fixture = *state;
    struct asks *asks = fixture->context.asks;
    struct heard gone = { 0 }, there = { 0 };
    uint64_t id = 0;

    assert_int_equal(asks_send(asks, message_new(ASK_HEALTH), hear, &gone, &id), 0);
    asks_forget(asks, id);
    asks_forget(asks, 0);
    asks_forget(asks, UINT64_MAX);
    answer_with(fixture, fixture_take(fixture, ASK_HEALTH), 1);
    assert_int_equal(gone.times, 0);

    /* The slot is used again, and the old id means nothing any more. */
    assert_int_equal(asks_send(asks, message_new(ASK_HEALTH), hear, &there, NULL), 0);
    asks_forget(asks, id);
    answer_with(fixture, fixture_take(fixture, ASK_HEALTH), 2);
    assert_int_equal(there.times, 1);
}

static void test_unknown_and_doubled_answers(void **state)
{
    struct fixture *fixture = *state;
    struct asks *asks = fixture->context.asks;
    struct heard heard = { 0 };
    struct message *stray = message_new(ANSWER);

    stray->id = 77;
    asks_deliver(asks, stray);
    assert_int_equal(asks_send(asks, message_new(ASK_HEALTH), hear, &heard, NULL), 0);
    struct message *question = fixture_take(fixture, ASK_HEALTH);
    struct message *again = message_new(ANSWER);
    again->id = question->id;
    answer_with(fixture, question, 1);
    asks_deliver(asks, again);
    assert_int_equal(heard.times, 1);
}

static void test_no_memory_for_a_question(void **state)
{
    struct fixture *fixture = *state;
    struct heard heard = { 0 };

    assert_int_equal(asks_send(fixture->context.asks, NULL, hear, &heard, NULL), -12);
    assert_int_equal(asks_tell(fixture->context.asks, NULL), -12);
}

static void test_tell(void **state)
{
    struct fixture *fixture = *state;

    assert_int_equal(asks_tell(fixture->context.asks, message_new(TELL_AUDIT)), 0);
    struct message *letter = fixture_take(fixture, TELL_AUDIT);
    assert_int_equal(letter->id, 0);
    message_free(letter);
}

static int set_up_narrow(void **state)
{
    *state = fixture_new(2);
    return 0;
}

static void test_back_full(void **state)
{
    struct fixture *fixture = *state;
    struct asks *asks = fixture->context.asks;
    struct heard heard = { 0 };

    assert_int_equal(asks_send(asks, message_new(ASK_HEALTH), hear, &heard, NULL), 0);
    assert_int_equal(asks_send(asks, message_new(ASK_HEALTH), hear, &heard, NULL), 0);
    /* More often than there are slots: a refusal gives back what it had reserved. */
    for (int i = 0; i < 5000; i++)
        assert_int_equal(asks_send(asks, message_new(ASK_HEALTH), hear, &heard, NULL), ASKS_BUSY);
    assert_int_equal(asks_tell(asks, message_new(TELL_AUDIT)), ASKS_BUSY);
    answer_with(fixture, fixture_take(fixture, ASK_HEALTH), 1);
    assert_int_equal(asks_send(asks, message_new(ASK_HEALTH), hear, &heard, NULL), 0);

    /* The back has taken what it had room for: there is room for as much again. */
    for (int i = 0; i < 10; i++) {
        message_free(fixture_take(fixture, ASK_HEALTH));
        assert_int_equal(asks_send(asks, message_new(ASK_HEALTH), hear, &heard, NULL), 0);
    }
}

static void test_quota_counts_whom_nobody_waits_for(void **state)
{
    struct fixture *fixture = *state;
    struct asks *asks = fixture->context.asks;
    struct heard heard = { 0 };
    struct message *question = NULL;
    uint64_t id = 0;

    for (int i = 0; i < ASKS_PER_UID_MAX; i++) {
        assert_int_equal(asks_send_for(asks, 7, message_new(ASK_HEALTH), hear, &heard, &id), 0);
        asks_forget(asks, id);
        message_free(question);
        question = fixture_take(fixture, ASK_HEALTH);
    }
    assert_int_equal(asks_send_for(asks, 7, message_new(ASK_HEALTH), hear, &heard, &id),
                     ASKS_QUOTA);
    assert_int_equal(asks_send_for(asks, 7, NULL, hear, &heard, &id), -12);
    assert_int_equal(asks_send_for(asks, 8, message_new(ASK_HEALTH), hear, &heard, &id), 0);
    assert_int_equal(asks_send(asks, message_new(ASK_HEALTH), hear, &heard, NULL), 0);
    answer_with(fixture, question, 1);
    assert_int_equal(heard.times, 0);
    assert_int_equal(asks_send_for(asks, 7, message_new(ASK_HEALTH), hear, &heard, &id), 0);
    assert_int_equal(asks_send_for(asks, 7, message_new(ASK_HEALTH), hear, &heard, &id),
                     ASKS_QUOTA);
}

/* Who comes and leaves, and comes again, takes no more than the visitors' few. */
static void test_visitors_share_a_quota(void **state)
{
    struct fixture *fixture = *state;
    struct asks *asks = fixture->context.asks;
    struct heard heard = { 0 };
    struct message *question = NULL;
    uint64_t id = 0;

    for (int i = 0; i < ASKS_VISITORS_MAX; i++) {
        assert_int_equal(asks_send_for_visitor(asks, message_new(ASK_LINK_LOOK), hear, &heard, &id),
                         0);
        asks_forget(asks, id);
        message_free(question);
        question = fixture_take(fixture, ASK_LINK_LOOK);
    }
    assert_int_equal(asks_send_for_visitor(asks, message_new(ASK_LINK_LOOK), hear, &heard, &id),
                     ASKS_BUSY);
    assert_int_equal(asks_send_for(asks, 7, message_new(ASK_HEALTH), hear, &heard, &id), 0);
    message_free(fixture_take(fixture, ASK_HEALTH));
    answer_with(fixture, question, 1);
    assert_int_equal(heard.times, 0);
    assert_int_equal(asks_send_for_visitor(asks, NULL, hear, &heard, &id), -12);
    assert_int_equal(asks_send_for_visitor(asks, message_new(ASK_LINK_LOOK), hear, &heard, &id), 0);
    answer_with(fixture, fixture_take(fixture, ASK_LINK_LOOK), 2);
    assert_int_equal(heard.times, 1);
}

static struct message *import_of(size_t length)
{
    struct message *question = message_new(ASK_IMPORT);
    char *text = malloc(length);

    memset(text, 'r', length);
    question->import = calloc(1, sizeof(*question->import));
    assert_int_equal(secret_new(text, length, &question->import->refresh_token), 0);
    free(text);
    return question;
}

static struct message *push_of(size_t length)
{
    struct message *question = import_of(length);

    question->kind = ASK_PUSH;
    question->parameters = question->import->refresh_token;
    question->import->refresh_token = NULL;
    return question;
}

/* The region of all secrets cannot be filled by one uid. */
static void check_quota(struct fixture *fixture, struct message *(*question_of)(size_t length))
{
    struct asks *asks = fixture->context.asks;
    struct heard heard = { 0 };
    struct message *question = NULL;
    uint64_t id = 0;
    size_t sent = 0;

    while (asks_send_for(asks, 7, question_of(SECRET_MAX), hear, &heard, &id) == 0) {
        sent++;
        message_free(question);
        question = mailbox_take(fixture->back);
    }
    assert_in_range(sent, 4, SECRET_REGION_MAX / SECRET_MAX / 16);
    assert_int_equal(asks_send_for(asks, 7, question_of(200), hear, &heard, &id), 0);
    assert_int_equal(asks_send_for(asks, 8, question_of(SECRET_MAX), hear, &heard, &id), 0);
    answer_with(fixture, question, 1);
    assert_int_equal(asks_send_for(asks, 7, question_of(SECRET_MAX), hear, &heard, &id), 0);
    assert_int_equal(asks_send_for(asks, 7, question_of(SECRET_MAX), hear, &heard, &id),
                     ASKS_QUOTA);
}

static void test_quota_counts_imports(void **state)
{
    check_quota(*state, import_of);
}

static void test_quota_counts_pushes(void **state)
{
    check_quota(*state, push_of);
}

static void test_every_slot_taken(void **state)
{
    struct fixture *fixture = *state;
    struct asks *asks = fixture->context.asks;
    struct heard heard = { 0 };
    struct message *question = NULL;

    /* The back takes them from its mailbox and is slow to answer. */
    for (int i = 0; i < 4096; i++) {
        assert_int_equal(asks_send(asks, message_new(ASK_HEALTH), hear, &heard, NULL), 0);
        message_free(question);
        question = fixture_take(fixture, ASK_HEALTH);
    }
    assert_int_equal(asks_send(asks, message_new(ASK_HEALTH), hear, &heard, NULL), ASKS_BUSY);
    answer_with(fixture, question, 1);
    assert_int_equal(heard.times, 1);
    assert_int_equal(asks_send(asks, message_new(ASK_HEALTH), hear, &heard, NULL), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_each_answer_goes_to_its_question, fixture_set_up,
                                        fixture_tear_down),
        cmocka_unit_test_setup_teardown(test_forgotten, fixture_set_up, fixture_tear_down),
        cmocka_unit_test_setup_teardown(test_unknown_and_doubled_answers, fixture_set_up,
                                        fixture_tear_down),
        cmocka_unit_test_setup_teardown(test_no_memory_for_a_question, fixture_set_up,
                                        fixture_tear_down),
        cmocka_unit_test_setup_teardown(test_tell, fixture_set_up, fixture_tear_down),
        cmocka_unit_test_setup_teardown(test_back_full, set_up_narrow, fixture_tear_down),
        cmocka_unit_test_setup_teardown(test_quota_counts_whom_nobody_waits_for, fixture_set_up,
                                        fixture_tear_down),
        cmocka_unit_test_setup_teardown(test_visitors_share_a_quota, fixture_set_up,
                                        fixture_tear_down),
        cmocka_unit_test_setup_teardown(test_quota_counts_imports, fixture_set_up,
                                        fixture_tear_down),
        cmocka_unit_test_setup_teardown(test_quota_counts_pushes, fixture_set_up,
                                        fixture_tear_down),
        cmocka_unit_test_setup_teardown(test_every_slot_taken, fixture_set_up, fixture_tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

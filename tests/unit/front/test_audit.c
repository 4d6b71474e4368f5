#include "fixture.h"

static void count_unit(struct fixture *fixture, const char *account, uid_t uid, const char *unit,
                       const char *verdict, uint64_t generation)
{
    audit_count(fixture->context.audit,
                &(struct audit_event){ account, uid, unit, verdict, generation });
}

static void count(struct fixture *fixture, const char *account, uid_t uid, const char *verdict,
                  uint64_t generation)
{
    count_unit(fixture, account, uid, "", verdict, generation);
}

static struct message *flush(struct fixture *fixture)
{
    audit_flush(fixture->context.audit);
    return fixture_take(fixture, TELL_AUDIT);
}

static void test_same_key_same_row(void **state)
{
    struct fixture *fixture = *state;
    int64_t first_at = clock_now();

    for (int i = 0; i < 40; i++) {
        count(fixture, "zenegy/acme", 1, "token", 7);
        fixture_now += 10;
    }
    count(fixture, "zenegy/acme", 2, "token", 7);
    count(fixture, "zenegy/acme", 1, "token", 8);
    count(fixture, "zenegy/acme", 1, "reject", 7);
    count(fixture, "zenegy/other", 1, "token", 7);
    struct message *letter = flush(fixture);
    assert_int_equal(letter->audit_count, 5);
    const struct audit_row *row = &letter->audit[0];
    assert_string_equal(row->account, "zenegy/acme");
    assert_string_equal(row->verdict, "token");
    assert_string_equal(row->unit, "");
    assert_int_equal(row->uid, 1);
    assert_int_equal(row->generation, 7);
    assert_int_equal(row->count, 40);
    assert_int_equal(row->first_at, first_at);
    assert_int_equal(row->last_at, first_at + 390);
    for (size_t i = 1; i < letter->audit_count; i++)
        assert_int_equal(letter->audit[i].count, 1);
    message_free(letter);
}

/* Units are part of the key; a name that is too long counts as its beginning. */
static void test_units(void **state)
{
    struct fixture *fixture = *state;
    char longest[AUDIT_UNIT_SIZE + 20];

    memset(longest, 'u', sizeof longest - 1);
    longest[sizeof longest - 1] = '\0';
    for (int i = 0; i < 2; i++) {
        count_unit(fixture, "zenegy/acme", 1, "a.service", "token", 7);
        count_unit(fixture, "zenegy/acme", 1, "b.service", "token", 7);
        count_unit(fixture, "zenegy/acme", 1, "", "token", 7);
        count_unit(fixture, "zenegy/acme", 1, longest, "token", 7);
    }
    audit_count_refusal(fixture->context.audit, "zenegy/acme", 1, "a.service");
    audit_count_refusal(fixture->context.audit, "zenegy/acme", 1, "b.service");
    struct message *letter = flush(fixture);
    assert_int_equal(letter->audit_count, 6);
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(letter->audit[i].count, 2);
    assert_string_equal(letter->audit[1].unit, "b.service");
    assert_int_equal(strlen(letter->audit[3].unit), AUDIT_UNIT_SIZE - 1);
    assert_string_equal(letter->audit[4].unit, "a.service");
    message_free(letter);
}

static void test_flushed_once(void **state)
{
    struct fixture *fixture = *state;

    audit_flush(fixture->context.audit);
    fixture_quiet(fixture);
    count(fixture, "zenegy/acme", 1, "token", 7);
    message_free(flush(fixture));
    audit_flush(fixture->context.audit);
    fixture_quiet(fixture);
    count(fixture, "zenegy/acme", 1, "token", 7);
    struct message *letter = flush(fixture);
    assert_int_equal(letter->audit_count, 1);
    assert_int_equal(letter->audit[0].count, 1);
    message_free(letter);
}

static void test_refusals_by_minute(void **state)
{
    struct fixture *fixture = *state;

    fixture_now = 60 * 1000 * 100;
    audit_count_refusal(fixture->context.audit, "zenegy/acme", 1, "");
    fixture_now += 59 * 1000;
    audit_count_refusal(fixture->context.audit, "zenegy/acme", 1, "");
    fixture_now += 1000;
    audit_count_refusal(fixture->context.audit, "zenegy/acme", 1, "");
    struct message *letter = flush(fixture);
    assert_int_equal(letter->audit_count, 2);
    assert_string_equal(letter->audit[0].verdict, "forbidden");
    assert_int_equal(letter->audit[0].count, 2);
    assert_int_equal(letter->audit[0].generation, 100);
    assert_int_equal(letter->audit[1].generation, 101);
    message_free(letter);
}

/* Asking for ever other names leaves few rows, and none of the events uncounted. */
static void test_refused_names_bounded(void **state)
{
    struct fixture *fixture = *state;
    uint64_t events = 0;
    char account[ACCOUNT_TEXT_SIZE];

    for (int i = 0; i < 5000; i++) {
        snprintf(account, sizeof(account), "zenegy/a%d", i);
        audit_count_refusal(fixture->context.audit, account, 1, "");
    }
    audit_count_refusal(fixture->context.audit, "zenegy/a1", 1, "");
    struct message *letter = flush(fixture);
    assert_int_equal(letter->audit_count, AUDIT_REFUSED_NAMES_MAX + 1);
    assert_int_equal(letter->audit[1].count, 2);
    assert_string_equal(letter->audit[AUDIT_REFUSED_NAMES_MAX].account, "");
    for (size_t i = 0; i < letter->audit_count; i++)
        events += letter->audit[i].count;
    assert_int_equal(events, 5001);
    message_free(letter);

    /* Over flushes too: else they would push out the history within hours. */
    audit_count_refusal(fixture->context.audit, "zenegy/new", 1, "");
    audit_count_refusal(fixture->context.audit, "zenegy/a1", 1, "");
    letter = flush(fixture);
    assert_string_equal(letter->audit[0].account, "");
    assert_string_equal(letter->audit[1].account, "zenegy/a1");
    message_free(letter);
    fixture_now += AUDIT_REFUSED_WINDOW_MS;
    audit_count_refusal(fixture->context.audit, "zenegy/new", 1, "");
    letter = flush(fixture);
    assert_string_equal(letter->audit[0].account, "zenegy/new");
    message_free(letter);
}

static void test_full_is_flushed(void **state)
{
    struct fixture *fixture = *state;
    size_t rows = 0;

    for (uint64_t i = 0; i < 3 * AUDIT_PENDING_MAX; i++)
        count(fixture, "zenegy/acme", 1, "token", i + 1);
    for (int i = 0; i < 2; i++) {
        struct message *letter = fixture_take(fixture, TELL_AUDIT);
        rows += letter->audit_count;
        message_free(letter);
    }
    struct message *letter = flush(fixture);
    assert_int_equal(rows + letter->audit_count, 3 * AUDIT_PENDING_MAX);
    message_free(letter);
}

static int set_up_full(void **state)
{
    *state = fixture_new(1);
    return 0;
}

static void test_kept_while_the_back_is_full(void **state)
{
    struct fixture *fixture = *state;

    assert_int_equal(asks_tell(fixture->context.asks, message_new(TELL_AUDIT)), 0);
    count(fixture, "zenegy/acme", 1, "token", 7);
    audit_flush(fixture->context.audit);
    message_free(fixture_take(fixture, TELL_AUDIT));
    fixture_quiet(fixture);
    count(fixture, "zenegy/acme", 1, "token", 7);
    struct message *letter = flush(fixture);
    assert_int_equal(letter->audit[0].count, 2);
    message_free(letter);
}

/* Neither room here nor in the back's mailbox: old rows go on counting, and no letter is made of a
 * full table for each event in vain. */
static void test_full_and_the_back_is_full(void **state)
{
    struct fixture *fixture = *state;
    uint64_t ignored, refused;

    assert_int_equal(asks_tell(fixture->context.asks, message_new(TELL_AUDIT)), 0);
    for (uint64_t i = 0; i < 3 * AUDIT_PENDING_MAX; i++)
        count(fixture, "zenegy/acme", 1, "token", i + 1);
    count(fixture, "zenegy/acme", 1, "token", 1);
    assert_int_equal(audit_lost(fixture->context.audit), 2 * AUDIT_PENDING_MAX);
    asks_refusals(fixture->context.asks, &ignored, &refused);
    assert_int_equal(refused, 0);
    message_free(fixture_take(fixture, TELL_AUDIT));
    struct message *letter = flush(fixture);
    assert_int_equal(letter->audit_count, AUDIT_PENDING_MAX);
    assert_int_equal(letter->audit[0].count, 2);
    message_free(letter);
}

/* A disk that hangs holds the back up: what it did not take yet costs little memory. */
static void test_few_letters_wait(void **state)
{
    enum { ROOM = (MAILBOX_BULKY_MAX + 1) * AUDIT_PENDING_MAX };
    struct fixture *fixture = *state;
    size_t letters = 0, rows = 0;

    for (uint64_t i = 0; i < ROOM + 10; i++)
        count(fixture, "zenegy/acme", 1, "token", i + 1);
    assert_int_equal(audit_lost(fixture->context.audit), 10);
    for (struct message *letter = mailbox_take(fixture->back); letter;
         letter = mailbox_take(fixture->back)) {
        letters++;
        rows += letter->audit_count;
        message_free(letter);
    }
    assert_int_equal(letters, MAILBOX_BULKY_MAX);
    struct message *last = flush(fixture);
    assert_int_equal(rows + last->audit_count, ROOM);
    message_free(last);
}

static void test_requests_are_counted(void **state)
{
    struct fixture *fixture = *state;
    struct web_request *request = fixture_send(fixture, "GET", "/v1/token/zenegy/acme", NULL);

    fixture_issue(fixture, fixture_take(fixture, ASK_TOKEN), "tok", 9, 3600 * 1000);
    expect_answer(request, 200, "tok");
    expect_answer(fixture_send(fixture, "GET", "/v1/token/zenegy/acme", NULL), 200, "tok");
    expect_answer(fixture_send_as(fixture, STRANGER_UID, "GET", "/v1/token/zenegy/acme", NULL), 403,
                  "");
    struct message *letter = flush(fixture);
    assert_int_equal(letter->audit_count, 2);
    assert_int_equal(letter->audit[0].count, 2);
    assert_int_equal(letter->audit[0].generation, 9);
    assert_int_equal(letter->audit[0].uid, FIXTURE_UID);
    assert_string_equal(letter->audit[1].verdict, "forbidden");
    assert_int_equal(letter->audit[1].uid, STRANGER_UID);
    message_free(letter);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_set_up, fixture_tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_same_key_same_row),
        TEST(test_units),
        TEST(test_flushed_once),
        TEST(test_refusals_by_minute),
        TEST(test_refused_names_bounded),
        TEST(test_full_is_flushed),
        TEST(test_few_letters_wait),
        cmocka_unit_test_setup_teardown(test_full_and_the_back_is_full, set_up_full,
                                        fixture_tear_down),
        cmocka_unit_test_setup_teardown(test_kept_while_the_back_is_full, set_up_full,
                                        fixture_tear_down),
        TEST(test_requests_are_counted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

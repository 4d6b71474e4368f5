#include "login_support.h"

#include "base/clock.h"

/* --- places --- */

static void begin_for(struct fixture *f, uid_t uid, struct login **ret)
{
    struct login_seat *seat = NULL;
    assert_int_equal(logins_take_seat(f->context.logins, uid, &seat), 0);
    login_seat_free(seat);
    *ret = fixture_begin(f, PROVIDER_ABSENT, LOGIN_PASTE);
    (*ret)->uid = uid;
}

static void test_quota_of_a_uid(void **state)
{
    struct fixture *f = *state;
    struct login *first = NULL, *login = NULL;
    struct login_seat *seat = NULL;
    begin_for(f, 7, &first);
    for (unsigned i = 2; i < LOGINS_PER_UID_MAX; i++)
        begin_for(f, 7, &login);
    assert_int_equal(logins_take_seat(f->context.logins, 7, &seat), 0);
    /* A seat counts like a login. */
    struct login_seat *more = NULL;
    assert_int_equal(logins_take_seat(f->context.logins, 7, &more), LOGINS_QUOTA);
    login_seat_free(seat);
    begin_for(f, 7, &login);
    assert_int_equal(logins_take_seat(f->context.logins, 7, &more), LOGINS_QUOTA);
    assert_int_equal(logins_take_seat(f->context.logins, 8, &more), 0);
    login_seat_free(more);

    char id[LOGIN_ID_SIZE];
    memcpy(id, first->id, sizeof(id));
    login_set_status(first, LOGIN_CANCELLED, NULL, NULL);
    begin_for(f, 7, &login);
    assert_null(logins_find(f->context.logins, id));
}

static void test_table_is_bounded(void **state)
{
    struct fixture *f = *state;
    struct login *login = NULL;
    struct login_seat *seat = NULL;
    for (unsigned i = 0; i < LOGINS_MAX; i++)
        begin_for(f, i / LOGINS_PER_UID_MAX, &login);
    assert_int_equal(logins_take_seat(f->context.logins, 1234, &seat), LOGINS_FULL);
    login_set_status(login, LOGIN_FAILED, NULL, NULL);
    assert_int_equal(logins_take_seat(f->context.logins, 1234, &seat), 0);
    login_seat_free(seat);
}

/* Who makes links could have all others forgotten with them. */
static void test_those_by_links_give_way(void **state)
{
    struct fixture *f = *state;
    struct login *login = NULL, *by_link[2] = { NULL }, *ended = NULL;
    struct login_seat *seats[3] = { NULL };
    char kept[LOGIN_ID_SIZE], second[LOGIN_ID_SIZE];
    begin_for(f, 0, &ended);
    begin_for(f, 0, &by_link[0]);
    begin_for(f, 0, &by_link[1]);
    for (unsigned i = 3; i < LOGINS_MAX; i++)
        begin_for(f, i / LOGINS_PER_UID_MAX, &login);
    memcpy(kept, ended->id, sizeof kept);
    memcpy(second, by_link[1]->id, sizeof second);
    login_set_status(ended, LOGIN_DONE, NULL, NULL);
    for (size_t i = 0; i < 2; i++) {
        by_link[i]->link[0] = 'l';
        login_set_status(by_link[i], LOGIN_DONE, NULL, NULL);
    }
    assert_int_equal(logins_take_seat(f->context.logins, 1234, &seats[0]), 0);
    assert_non_null(logins_find(f->context.logins, second)); /* it is the newer one */
    assert_int_equal(logins_take_seat(f->context.logins, 1234, &seats[1]), 0);
    assert_null(logins_find(f->context.logins, second));
    assert_non_null(logins_find(f->context.logins, kept));
    assert_int_equal(logins_take_seat(f->context.logins, 1234, &seats[2]), 0);
    assert_null(logins_find(f->context.logins, kept));
    for (size_t i = 0; i < sizeof seats / sizeof seats[0]; i++)
        login_seat_free(seats[i]);
}

/* --- who waits --- */

struct told {
    unsigned times;
    enum login_status status;
};

static void note(void *userdata, struct login *login)
{
    struct told *told = userdata;
    told->times++;
    told->status = login->status;
}

static void test_waiters(void **state)
{
    struct fixture *f = *state;
    CLEANUP(cleanup_message) struct message *question = NULL;
    struct told next = { 0 }, end = { 0 }, gone = { 0 };
    struct login_waiter *waiter = NULL, *leaving = NULL;
    char cookies[FIXTURE_TEXT_MAX], query[FIXTURE_TEXT_MAX];
    struct login *login = login_opened(f, PROVIDER_ZENEGY, cookies), *found = NULL;
    assert_int_equal(login_wait(login, false, 60000, note, &next, &waiter), 0);
    assert_int_equal(login_wait(login, true, 60000, note, &end, &waiter), 0);
    assert_int_equal(login_wait(login, false, 60000, note, &gone, &leaving), 0);
    login_unwait(leaving);

    login_fill_state("code=c&state=STATE", login, query);
    login_land(f, login->redirect_target, cookies, query, &found);
    assert_int_equal(next.times, 1);
    assert_int_equal(next.status, LOGIN_EXCHANGING);
    assert_int_equal(end.times, 0);
    question = fixture_question(f);
    fixture_deliver(f, fixture_consent_for(question, CONSENT_GRANTED));
    assert_int_equal(next.times, 1);
    assert_int_equal(end.times, 1);
    assert_int_equal(end.status, LOGIN_DONE);
    assert_int_equal(gone.times, 0);
}

static void test_waiters_are_bounded(void **state)
{
    struct fixture *f = *state;
    struct told told = { 0 };
    struct login_waiter *waiter = NULL;
    struct login *login = fixture_begin(f, PROVIDER_ZENEGY, LOGIN_BROWSER);
    for (unsigned i = 0; i < LOGIN_WAITERS_PER_LOGIN_MAX; i++)
        assert_int_equal(login_wait(login, false, 60000, note, &told, &waiter), 0);
    assert_int_equal(login_wait(login, false, 60000, note, &told, &waiter), LOGIN_WAITERS_FULL);
    login_set_status(login, LOGIN_CANCELLED, NULL, NULL);
    assert_int_equal(told.times, LOGIN_WAITERS_PER_LOGIN_MAX);
}

/* Two hostile users could fill the places of all. */
static void test_waiters_of_a_uid_are_bounded(void **state)
{
    struct fixture *f = *state;
    struct told told = { 0 };
    struct login_waiter *waiter = NULL;
    struct login *login = NULL;
    for (unsigned i = 0; i < LOGIN_WAITERS_PER_UID_MAX; i++) {
        if (i % LOGIN_WAITERS_PER_LOGIN_MAX == 0)
            begin_for(f, 7, &login);
        assert_int_equal(login_wait(login, false, 60000, note, &told, &waiter), 0);
    }
    begin_for(f, 7, &login);
    assert_int_equal(login_wait(login, false, 60000, note, &told, &waiter), LOGIN_WAITERS_FULL);
    login->link[0] = 'l'; /* attempts by its links have places of their own */
    assert_int_equal(login_wait(login, false, 60000, note, &told, &waiter), 0);
    login->link[0] = '\0';
    begin_for(f, 8, &login);
    assert_int_equal(login_wait(login, false, 60000, note, &told, &waiter), 0);
}

/* --- time --- */

static int64_t fake_now = 1000000;

static int64_t fake_clock(void)
{
    return fake_now;
}

/* Whoever comes back from the provider would make it anew. */
static void test_the_account_is_gone(void **state)
{
    struct fixture *f = *state;
    struct login *done = fixture_begin(f, PROVIDER_ZENEGY, LOGIN_BROWSER);
    struct login *pending = fixture_begin(f, PROVIDER_ZENEGY, LOGIN_BROWSER);
    struct login *others = fixture_begin(f, PROVIDER_STRICT, LOGIN_BROWSER);
    struct message notice = { .account = pending->account, .generation = 7 };
    login_set_status(done, LOGIN_DONE, NULL, NULL);
    logins_notice(f->context.logins, &notice); /* its tokens alone are forgotten */
    assert_int_equal(pending->status, LOGIN_PENDING);
    notice.generation = UINT64_MAX;
    logins_notice(f->context.logins, &notice);
    assert_int_equal(pending->status, LOGIN_CANCELLED);
    assert_string_equal(pending->error, "account_gone");
    assert_int_equal(done->status, LOGIN_DONE);
    assert_int_equal(others->status, LOGIN_PENDING);
}

static void stop_loop(void *loop)
{
    loop_exit(loop, 0);
}

/* Lets the table's timer fire that is due at the fake time. */
static void run_timers(struct fixture *f)
{
    struct loop_source *timer = NULL;
    assert_int_equal(loop_add_timer(f->context.loop, stop_loop, f->context.loop, &timer), 0);
    assert_int_equal(loop_timer_set(timer, 50), 0);
    assert_int_equal(loop_run(f->context.loop), 0);
    loop_source_free(timer);
}

static const struct clock_source fake_source = { fake_clock, fake_clock };

static void test_expiry(void **state)
{
    struct fixture *f = *state;
    struct told told = { 0 }, waited = { 0 };
    struct login_waiter *waiter = NULL;
    clock_use_source(&fake_source);
    struct login *old = fixture_begin(f, PROVIDER_ZENEGY, LOGIN_BROWSER);
    struct login *ended = fixture_begin(f, PROVIDER_ZENEGY, LOGIN_BROWSER);
    char id[LOGIN_ID_SIZE];
    memcpy(id, ended->id, sizeof(id));
    login_set_status(ended, LOGIN_DONE, NULL, NULL);
    assert_int_equal(login_wait(old, true, LOGIN_LIFETIME_MS * 2, note, &told, &waiter), 0);

    fake_now += LOGIN_LIFETIME_MS;
    struct login *young = fixture_begin(f, PROVIDER_ZENEGY, LOGIN_BROWSER);
    assert_int_equal(login_wait(young, true, 0, note, &waited, &waiter), 0);
    run_timers(f);
    assert_int_equal(old->status, LOGIN_EXPIRED);
    assert_string_equal(old->error, "expired");
    assert_int_equal(told.times, 1);
    assert_null(logins_find(f->context.logins, id));
    assert_int_equal(young->status, LOGIN_PENDING);
    assert_int_equal(waited.times, 1);
    assert_int_equal(waited.status, LOGIN_PENDING);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_quota_of_a_uid, login_set_up, login_tear_down),
        cmocka_unit_test_setup_teardown(test_table_is_bounded, login_set_up, login_tear_down),
        cmocka_unit_test_setup_teardown(test_those_by_links_give_way, login_set_up,
                                        login_tear_down),
        cmocka_unit_test_setup_teardown(test_waiters, login_set_up, login_tear_down),
        cmocka_unit_test_setup_teardown(test_waiters_are_bounded, login_set_up, login_tear_down),
        cmocka_unit_test_setup_teardown(test_waiters_of_a_uid_are_bounded, login_set_up,
                                        login_tear_down),
        cmocka_unit_test_setup_teardown(test_the_account_is_gone, login_set_up, login_tear_down),
        cmocka_unit_test_setup_teardown(test_expiry, login_set_up, login_tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

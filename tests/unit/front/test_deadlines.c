#include "fixture.h"

enum { MANY = 200 };

struct wait {
    struct deadline deadline;
    int expired;
    int order; /* when it expired among all */
};

static int expiries;

static void note(struct deadline *deadline)
{
    struct wait *wait = (struct wait *)deadline;

    assert_int_equal(deadline->place, 0);
    wait->expired++;
    wait->order = ++expiries;
}

static void add(struct fixture *fixture, struct wait *wait, uid_t uid, int64_t delay_ms)
{
    assert_int_equal(
        deadlines_add(fixture->context.deadlines, &wait->deadline, uid, delay_ms, note), 0);
}

static void test_in_order(void **state)
{
    struct fixture *fixture = *state;
    static struct wait waits[MANY];

    memset(waits, 0, sizeof(waits));
    expiries = 0;
    /* 7 and MANY have no common divisor: every delay once, in a scattered order. */
    for (int i = 0; i < MANY; i++)
        add(fixture, &waits[i], 1, 10 + (i * 7) % MANY);
    fixture_pass(fixture, 9);
    assert_int_equal(expiries, 0);
    fixture_pass(fixture, MANY);
    for (int i = 0; i < MANY; i++) {
        assert_int_equal(waits[i].expired, 1);
        assert_int_equal(waits[i].order, 1 + (i * 7) % MANY);
    }
}

/* Random waits, some of them removed: each of the others expires in its millisecond. */
static void removed_round(struct fixture *fixture, struct wait waits[static MANY])
{
    int64_t begin = clock_now();

    memset(waits, 0, MANY * sizeof(*waits));
    for (int i = 0; i < MANY; i++)
        add(fixture, &waits[i], 1, 1 + rand() % MANY);
    for (int i = 0; i < MANY; i += 3)
        deadlines_remove(fixture->context.deadlines, &waits[i].deadline);
    deadlines_remove(fixture->context.deadlines, &waits[0].deadline);
    while (clock_now() < begin + MANY) {
        fixture_pass(fixture, 1);
        for (int i = 0; i < MANY; i++)
            assert_int_equal(waits[i].expired, i % 3 && waits[i].deadline.at <= clock_now());
    }
}

static void test_removed(void **state)
{
    static struct wait waits[MANY];

    srand(1);
    for (int round = 0; round < 20; round++)
        removed_round(*state, waits);
}

static void test_each_uid_has_its_share(void **state)
{
    struct fixture *fixture = *state;
    struct deadlines *deadlines = fixture->context.deadlines;
    struct wait *waits = calloc(DEADLINES_PER_UID_MAX + 2, sizeof(*waits));

    for (int i = 0; i < DEADLINES_PER_UID_MAX; i++)
        add(fixture, &waits[i], 1, 100);
    struct wait *next = &waits[DEADLINES_PER_UID_MAX];
    assert_int_equal(deadlines_add(deadlines, &next->deadline, 1, 100, note), DEADLINES_QUOTA);
    add(fixture, &waits[DEADLINES_PER_UID_MAX + 1], 65, 100); /* of the same bucket */
    deadlines_remove(deadlines, &waits[5].deadline);
    add(fixture, next, 1, 100);
    for (int i = 0; i < DEADLINES_PER_UID_MAX + 2; i++)
        deadlines_remove(deadlines, &waits[i].deadline);
    free(waits);
}

static void test_bounded(void **state)
{
    struct fixture *fixture = *state;
    struct wait *waits = calloc(DEADLINES_MAX + 1, sizeof(*waits));

    for (int i = 0; i < DEADLINES_MAX; i++)
        add(fixture, &waits[i], (uid_t)i % 10, 100);
    assert_int_equal(
        deadlines_add(fixture->context.deadlines, &waits[DEADLINES_MAX].deadline, 77, 100, note),
        DEADLINES_FULL);
    fixture_pass(fixture, 100);
    assert_int_equal(waits[DEADLINES_MAX - 1].expired, 1);
    free(waits);
}

static void stop_loop(struct deadline *deadline)
{
    note(deadline);
}

static void end_loop(void *userdata)
{
    loop_exit(userdata, 0);
}

/* The one test with the kernel's clock: the timer itself. */
static void test_timer_fires(void **state)
{
    struct fixture *fixture = *state;
    struct wait early = { { 0 }, 0, 0 }, late = { { 0 }, 0, 0 };
    struct loop_source *end;

    clock_use_source(NULL);
    expiries = 0;
    assert_int_equal(deadlines_add(fixture->context.deadlines, &late.deadline, 1, 40, stop_loop),
                     0);
    assert_int_equal(deadlines_add(fixture->context.deadlines, &early.deadline, 1, 10, stop_loop),
                     0);
    assert_int_equal(loop_add_timer(fixture->context.loop, end_loop, fixture->context.loop, &end),
                     0);
    assert_int_equal(loop_timer_set(end, 400), 0);
    assert_int_equal(loop_run(fixture->context.loop), 0);
    loop_source_free(end);
    assert_int_equal(early.order, 1);
    assert_int_equal(late.order, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_in_order, fixture_set_up, fixture_tear_down),
        cmocka_unit_test_setup_teardown(test_removed, fixture_set_up, fixture_tear_down),
        cmocka_unit_test_setup_teardown(test_each_uid_has_its_share, fixture_set_up,
                                        fixture_tear_down),
        cmocka_unit_test_setup_teardown(test_bounded, fixture_set_up, fixture_tear_down),
        cmocka_unit_test_setup_teardown(test_timer_fires, fixture_set_up, fixture_tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

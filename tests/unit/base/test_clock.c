#include "unit.h"

#include "base/clock.h"

#define BOOT_A "11111111-1111-1111-1111-111111111111"
#define BOOT_B "22222222-2222-2222-2222-222222222222"

enum { SECOND = 1000, MINUTE = 60 * SECOND, HOUR = 60 * MINUTE };

static const int64_t day = 24 * (int64_t)HOUR;
static const int64_t margin = 2 * CLOCK_STORE_MS;
static const int64_t month = 30 * 24 * (int64_t)HOUR;
static const int64_t wall = INT64_C(1790000000000); /* some day in 2026 */

static struct clock_record record(const char *boot_id, int64_t offset_ms, int64_t last_ms)
{
    struct clock_record r = { .offset_ms = offset_ms, .last_ms = last_ms, .doubt_ms = 7 };

    memcpy(r.boot_id, boot_id, strlen(boot_id));
    return r;
}

static void test_decide(void **state)
{
    const struct {
        const char *what;
        struct clock_record stored;
        const char *boot_id;
        int64_t boottime_ms, wall_ms;
        int64_t now_ms; /* broker time that must follow */
        bool doubts;    /* whether what was before is of an unknown age then */
    } rows[] = {
        { "first start ever", record("", 0, 0), BOOT_A, 5 * SECOND, wall, wall },
        { "first start, wall before 1970", record("", 0, 0), BOOT_A, 5 * SECOND, -day, -day },
        { "second start in a boot", record(BOOT_A, wall, wall + MINUTE), BOOT_A, HOUR, wall + HOUR,
          wall + HOUR },
        { "wall forward 30 days in a boot", record(BOOT_A, wall, wall + MINUTE), BOOT_A, HOUR,
          wall + HOUR + month, wall + HOUR },
        { "wall back 30 days in a boot", record(BOOT_A, wall, wall + MINUTE), BOOT_A, HOUR,
          wall + HOUR - month, wall + HOUR },
        { "a week of suspend in a boot", record(BOOT_A, wall, wall + MINUTE), BOOT_A, 7 * day,
          wall + 7 * day, wall + 7 * day },
        { "a boot that went back (a machine's snapshot)", record(BOOT_A, wall, wall + HOUR), BOOT_A,
          MINUTE, wall + MINUTE, wall + HOUR + margin, true },
        { "reboot", record(BOOT_A, wall, wall + HOUR), BOOT_B, MINUTE, wall + 2 * HOUR,
          wall + 2 * HOUR },
        { "reboot, wall forward 30 days", record(BOOT_A, wall, wall + HOUR), BOOT_B, MINUTE,
          wall + month, wall + month },
        { "reboot, wall back 30 days", record(BOOT_A, wall, wall + HOUR), BOOT_B, MINUTE,
          wall - month, wall + HOUR + margin, true },
        { "reboot, wall at 1970", record(BOOT_A, wall, wall + HOUR), BOOT_B, MINUTE, 0,
          wall + HOUR + margin, true },
        { "reboot after a month ahead", record(BOOT_A, wall + month, wall + month + HOUR), BOOT_B,
          MINUTE, wall + 2 * HOUR, wall + month + HOUR + margin, true },
    };

    for (size_t i = 0; i < LENGTH_OF(rows); i++) {
        struct clock_record ret =
            clock_decide(&rows[i].stored, rows[i].boot_id, rows[i].boottime_ms, rows[i].wall_ms);

        if (ret.doubt_ms != (rows[i].doubts ? rows[i].now_ms : rows[i].stored.doubt_ms) ||
            ret.offset_ms + rows[i].boottime_ms != rows[i].now_ms ||
            ret.last_ms != rows[i].now_ms || strcmp(ret.boot_id, rows[i].boot_id) != 0)
            fail_row(i, rows[i].what);
    }
}

/* Numbers out of a damaged store must not overflow (the sanitizer would say). */
static void test_decide_damaged(void **state)
{
    static const int64_t extremes[] = { INT64_MIN, INT64_MIN + 1, -1, 0, 1, INT64_MAX };

    for (size_t i = 0; i < LENGTH_OF(extremes); i++)
        for (size_t j = 0; j < LENGTH_OF(extremes); j++) {
            struct clock_record same = record(BOOT_A, extremes[i], extremes[j]);
            struct clock_record other = record(BOOT_B, extremes[i], extremes[j]);

            (void)clock_decide(&same, BOOT_A, HOUR, wall);
            assert_true(clock_decide(&other, BOOT_A, HOUR, wall).last_ms >= extremes[j]);
        }
}

static void test_decide_cuts_a_long_boot_id(void **state)
{
    struct clock_record stored = { 0 };
    struct clock_record ret = clock_decide(&stored, BOOT_A "and more", HOUR, wall);

    assert_string_equal(ret.boot_id, BOOT_A);
}

/* Life of a store over boots, suspend and steps: broker time never goes back. */
static void test_never_goes_back(void **state)
{
    static const int64_t steps[] = { 0, -1, 1, -HOUR, HOUR };
    struct clock_record stored = { 0 };
    int64_t last = INT64_MIN;
    unsigned seed = 1;

    for (int boot = 0; boot < 500; boot++) {
        char boot_id[BOOT_ID_SIZE] = BOOT_A;
        int64_t boottime = MINUTE;

        boot_id[0] = (char)('a' + boot % 26);
        for (int start = 0; start < 5; start++) {
            int64_t now;

            seed = seed * 1103515245u + 12345u;
            boottime += seed % 7 == 0 ? 3 * day : SECOND; /* suspended, or not */
            stored = clock_decide(&stored, boot_id, boottime,
                                  wall + (seed % 3) * month - month + steps[seed % 5]);
            now = stored.offset_ms + boottime;
            assert_true(now >= last);
            last = stored.last_ms = now + MINUTE; /* what ran since, and was stored */
            boottime += MINUTE;
        }
    }
}

static int64_t fake_boottime, fake_wall, fake_suspend;

/* Each reading may be followed by a suspend. */
static int64_t read_then_suspend(const int64_t *clock)
{
    const int64_t reading = *clock;

    fake_boottime += fake_suspend;
    fake_wall += fake_suspend;
    return reading;
}

static int64_t boottime_source(void)
{
    return read_then_suspend(&fake_boottime);
}

static int64_t wall_source(void)
{
    return read_then_suspend(&fake_wall);
}

static const struct clock_source fakes = { boottime_source, wall_source };

static void test_start_and_now(void **state)
{
    struct clock_record stored = { 0 };
    struct clock_record ret;

    clock_use_source(&fakes);
    fake_boottime = HOUR;
    fake_wall = wall;
    assert_int_equal(clock_now(), HOUR);
    assert_int_equal(clock_start(&stored, &ret), 0);
    assert_int_equal(strlen(ret.boot_id), BOOT_ID_SIZE - 1);
    assert_int_equal(clock_now(), wall);

    fake_boottime += MINUTE; /* with the wall stepped back a month meanwhile */
    fake_wall += MINUTE - month;
    assert_int_equal(clock_now(), wall + MINUTE);
    assert_int_equal(clock_to_wall(clock_now()), fake_wall);
    assert_int_equal(clock_to_wall(clock_now() + HOUR), fake_wall + HOUR);
    assert_int_equal(clock_to_wall(clock_now() - HOUR), fake_wall - HOUR);

    /* A restart of the broker in the same boot, after the step. */
    assert_int_equal(clock_start(&ret, &ret), 0);
    assert_int_equal(clock_now(), wall + MINUTE);
    assert_false(clock_doubts(wall));

    /* The clock is a month behind when the machine comes up; also later in the same boot. */
    ret.boot_id[0] ^= 1;
    for (int start = 0; start < 2; start++) {
        const int64_t begun = wall + MINUTE + margin;
        assert_int_equal(clock_start(&ret, &ret), 0);
        assert_true(clock_now() == begun && clock_doubts(begun - 1) && !clock_doubts(begun));
    }
    clock_use_source(NULL);
}

static void test_to_wall_within_a_suspend(void **state)
{
    struct clock_record stored = { 0 };
    struct clock_record ret;

    clock_use_source(&fakes);
    fake_wall = wall;
    assert_int_equal(clock_start(&stored, &ret), 0);
    const int64_t end = clock_now() + HOUR;
    fake_suspend = day;
    assert_true(clock_to_wall(end) <= wall + HOUR);
    fake_suspend = 0;
    clock_use_source(NULL);
}

static void test_kernel_clocks(void **state)
{
    struct clock_record stored = { 0 };
    struct clock_record ret;
    int64_t before;

    assert_int_equal(clock_start(&stored, &ret), 0);
    before = clock_now();
    assert_true(before >= ret.last_ms);
    assert_true(before - ret.last_ms < MINUTE);
    assert_true(llabs(clock_to_wall(before) - before) < MINUTE);
    assert_true(clock_now() >= before);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_decide),
        cmocka_unit_test(test_decide_damaged),
        cmocka_unit_test(test_decide_cuts_a_long_boot_id),
        cmocka_unit_test(test_never_goes_back),
        cmocka_unit_test(test_start_and_now),
        cmocka_unit_test(test_to_wall_within_a_suspend),
        cmocka_unit_test(test_kernel_clocks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

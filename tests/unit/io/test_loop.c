#include <errno.h>
#include <signal.h>
#include <time.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include <cmocka.h>

#include "io/loop.h"

struct fixture {
    struct loop *loop;
    struct loop_source *source;
    struct loop_source *other;
    unsigned count;
    unsigned other_count;
    int64_t started_ms;
    int64_t fired_ms;
    uint32_t events;
    int fd;
    int signal;
};

static int64_t now_ms(void)
{
    struct timespec now;

    assert_int_equal(clock_gettime(CLOCK_BOOTTIME, &now), 0);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static int setup(void **state)
{
    static struct fixture fixture;

    fixture = (struct fixture){ .started_ms = now_ms(), .fd = -1 };
    *state = &fixture;
    return loop_new(&fixture.loop);
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    f->source = loop_source_free(f->source);
    f->other = loop_source_free(f->other);
    f->loop = loop_free(f->loop);
    cleanup_fd(&f->fd);
    return 0;
}

static void fire_once(void *userdata)
{
    struct fixture *f = userdata;

    f->count++;
    f->fired_ms = now_ms();
    loop_exit(f->loop, 7);
}

static void test_nothing_is_freed(void **state)
{
    assert_null(loop_free(NULL));
    assert_null(loop_source_free(NULL));
}

static void test_timer_waits_and_exit_code_comes_back(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(loop_add_timer(f->loop, fire_once, f, &f->source), 0);
    assert_int_equal(loop_timer_set(f->source, 30), 0);
    assert_int_equal(loop_run(f->loop), 7);
    assert_int_equal(f->count, 1);
    assert_true(f->fired_ms - f->started_ms >= 30);
    assert_true(f->fired_ms - f->started_ms < 3000);
}

static void test_timer_takes_the_last_set(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(loop_add_timer(f->loop, fire_once, f, &f->source), 0);
    assert_int_equal(loop_timer_set(f->source, INT64_MAX), 0);
    assert_int_equal(loop_timer_set(f->source, INT64_MIN), 0);
    assert_int_equal(loop_run(f->loop), 7);
    assert_true(f->fired_ms - f->started_ms < 3000);
}

static void count_other(void *userdata)
{
    struct fixture *f = userdata;

    f->other_count++;
}

static void test_stopped_timer_is_silent_and_fires_once_for_each_set(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(loop_add_timer(f->loop, count_other, f, &f->other), 0);
    assert_int_equal(loop_timer_set(f->other, 1), 0);
    loop_timer_stop(f->other);
    assert_int_equal(loop_add_timer(f->loop, fire_once, f, &f->source), 0);
    assert_int_equal(loop_timer_set(f->source, 20), 0);
    assert_int_equal(loop_run(f->loop), 7);
    assert_int_equal(f->other_count, 0);
    assert_int_equal(f->count, 1);
}

static void fire_again(void *userdata)
{
    struct fixture *f = userdata;

    if (++f->count == 3)
        loop_exit(f->loop, 0);
    else
        assert_int_equal(loop_timer_set(f->source, 0), 0);
}

static void test_timer_can_be_set_from_its_callback(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(loop_add_timer(f->loop, fire_again, f, &f->source), 0);
    assert_int_equal(loop_timer_set(f->source, 0), 0);
    assert_int_equal(loop_run(f->loop), 0);
    assert_int_equal(f->count, 3);
}

static void free_oneself(void *userdata)
{
    struct fixture *f = userdata;

    f->count++;
    f->source = loop_source_free(f->source);
    loop_exit(f->loop, 0);
}

static void test_timer_and_idle_may_free_themselves(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(loop_add_timer(f->loop, free_oneself, f, &f->source), 0);
    assert_int_equal(loop_timer_set(f->source, 0), 0);
    assert_int_equal(loop_run(f->loop), 0);
    f->loop = loop_free(f->loop);
    assert_int_equal(loop_new(&f->loop), 0);
    assert_int_equal(loop_add_idle(f->loop, free_oneself, f, &f->source), 0);
    assert_int_equal(loop_idle_set(f->source), 0);
    assert_int_equal(loop_run(f->loop), 0);
    assert_int_equal(f->count, 2);
}

static void note_ready(void *userdata, int fd, uint32_t events)
{
    struct fixture *f = userdata;

    f->count++;
    f->events = events;
    assert_int_equal(fd, f->fd);
    f->source = loop_source_free(f->source);
    loop_exit(f->loop, 0);
}

static void test_descriptor_is_reported_and_stays_open(void **state)
{
    struct fixture *f = *state;

    f->fd = eventfd(1, EFD_CLOEXEC | EFD_NONBLOCK);
    assert_int_equal(loop_add_fd(f->loop, f->fd, EPOLLIN, note_ready, f, &f->source), 0);
    assert_int_equal(loop_run(f->loop), 0);
    assert_int_equal(f->count, 1);
    assert_int_equal(f->events, EPOLLIN);
    eventfd_t value;
    assert_int_equal(eventfd_read(f->fd, &value), 0);
}

static void test_events_can_be_changed(void **state)
{
    struct fixture *f = *state;

    f->fd = eventfd(1, EFD_CLOEXEC | EFD_NONBLOCK);
    assert_int_equal(loop_add_fd(f->loop, f->fd, 0, note_ready, f, &f->source), 0);
    assert_int_equal(loop_source_set_events(f->source, EPOLLOUT), 0);
    assert_int_equal(loop_run(f->loop), 0);
    assert_int_equal(f->events, EPOLLOUT);
}

static void test_bad_descriptor_is_an_error(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(loop_add_fd(f->loop, 1000000, EPOLLIN, note_ready, f, &f->source), -EBADF);
    assert_null(f->source);
}

static void count_busy(void *userdata, int fd, uint32_t events)
{
    struct fixture *f = userdata;

    f->count++;
    assert_true(f->count < 10 * LOOP_IDLE_PATIENCE);
}

static void drain_one(void *userdata, int fd, uint32_t events)
{
    struct fixture *f = userdata;
    eventfd_t value;

    assert_int_equal(eventfd_read(fd, &value), 0);
    assert_int_equal(f->count, 0);
    f->other_count++;
}

static void test_idle_runs_once_after_the_descriptors(void **state)
{
    struct fixture *f = *state;

    f->fd = eventfd(5, EFD_CLOEXEC | EFD_NONBLOCK | EFD_SEMAPHORE);
    assert_int_equal(loop_add_idle(f->loop, fire_once, f, &f->source), 0);
    assert_int_equal(loop_idle_set(f->source), 0);
    assert_int_equal(loop_idle_set(f->source), 0);
    assert_int_equal(loop_add_fd(f->loop, f->fd, EPOLLIN, drain_one, f, &f->other), 0);
    assert_int_equal(loop_run(f->loop), 7);
    assert_int_equal(f->count, 1);
    assert_int_equal(f->other_count, 5);
}

static void end_and_set_again(void *userdata)
{
    struct fixture *f = userdata;

    /* The descriptor is always ready: only the bound on patience lets the idle run. */
    assert_in_range(f->count, LOOP_IDLE_PATIENCE, LOOP_IDLE_PATIENCE + 2);
    f->count = 0;
    if (++f->other_count == 3)
        loop_exit(f->loop, 0);
    else
        assert_int_equal(loop_idle_set(f->source), 0);
}

static void test_idle_does_not_starve(void **state)
{
    struct fixture *f = *state;

    f->fd = eventfd(1, EFD_CLOEXEC | EFD_NONBLOCK);
    assert_int_equal(loop_add_fd(f->loop, f->fd, EPOLLIN, count_busy, f, &f->other), 0);
    assert_int_equal(loop_add_idle(f->loop, end_and_set_again, f, &f->source), 0);
    assert_int_equal(loop_idle_set(f->source), 0);
    assert_int_equal(loop_run(f->loop), 0);
    assert_int_equal(f->other_count, 3);
}

static void test_freed_idle_does_not_run(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(loop_add_idle(f->loop, count_other, f, &f->other), 0);
    assert_int_equal(loop_idle_set(f->other), 0);
    f->other = loop_source_free(f->other);
    assert_int_equal(loop_add_timer(f->loop, fire_once, f, &f->source), 0);
    assert_int_equal(loop_timer_set(f->source, 5), 0);
    assert_int_equal(loop_run(f->loop), 7);
    assert_int_equal(f->other_count, 0);
}

static void note_signal(void *userdata, int signal)
{
    struct fixture *f = userdata;

    f->signal = signal;
    loop_exit(f->loop, 0);
}

static void test_signal_arrives(void **state)
{
    struct fixture *f = *state;
    sigset_t set;

    assert_int_equal(sigemptyset(&set), 0);
    assert_int_equal(sigaddset(&set, SIGUSR1), 0);
    assert_int_equal(sigprocmask(SIG_BLOCK, &set, NULL), 0);
    assert_int_equal(loop_add_signal(f->loop, SIGUSR1, note_signal, f, &f->source), 0);
    assert_int_equal(raise(SIGUSR1), 0);
    assert_int_equal(loop_run(f->loop), 0);
    assert_int_equal(f->signal, SIGUSR1);
}

static void test_signal_must_be_blocked(void **state)
{
    struct fixture *f = *state;

    assert_true(loop_add_signal(f->loop, SIGUSR2, note_signal, f, &f->source) < 0);
    assert_null(f->source);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nothing_is_freed),
        TEST(test_timer_waits_and_exit_code_comes_back),
        TEST(test_timer_takes_the_last_set),
        TEST(test_stopped_timer_is_silent_and_fires_once_for_each_set),
        TEST(test_timer_can_be_set_from_its_callback),
        TEST(test_timer_and_idle_may_free_themselves),
        TEST(test_descriptor_is_reported_and_stays_open),
        TEST(test_events_can_be_changed),
        TEST(test_bad_descriptor_is_an_error),
        TEST(test_idle_runs_once_after_the_descriptors),
        TEST(test_idle_does_not_starve),
        TEST(test_freed_idle_does_not_run),
        TEST(test_signal_arrives),
        TEST(test_signal_must_be_blocked),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* The end of a transfer's time, in a thread that is held by something else: a disk that hangs. */

#include "http_fixture.h"

#include <unistd.h>

enum { TIMEOUT_MS = 200, MANY = 32, US_PER_MS = 1000, HOLDS_MAX = 50 };

struct trial {
    struct fixture *f;
    unsigned requests; /* that have to be at the server before the thread is held */
    unsigned held_ms;
    bool again; /* and again */
    struct loop_source *holder;
    unsigned holds;
    unsigned whole; /* answers that came whole */
};

static void hold(void *userdata)
{
    struct trial *trial = userdata;
    const bool sent = atomic_load(&trial->f->server.requests) >= trial->requests;

    if (sent) {
        assert_int_equal(usleep(trial->held_ms * US_PER_MS), 0);
        trial->holds++;
    }
    if (!sent || trial->again)
        assert_int_equal(loop_timer_set(trial->holder, 1), 0);
}

static void on_each(void *userdata, const struct http_reply *reply)
{
    struct trial *trial = userdata;

    trial->whole += reply->outcome == HTTP_ANSWERED && reply->length == HTTP_REPLY_MAX;
    on_done(&trial->f->seen, reply);
}

static void run(struct fixture *f, const char *path, struct trial *trial)
{
    struct http_transfer *transfer;
    const struct http_request request = { .method = "GET",
                                          .url = address_of(f, path),
                                          .timeout_ms = TIMEOUT_MS };

    f->awaited = trial->requests;
    trial->f = f;
    assert_int_equal(loop_add_timer(f->loop, hold, trial, &trial->holder), 0);
    assert_int_equal(loop_timer_set(trial->holder, 0), 0);
    for (unsigned i = 0; i < trial->requests; i++)
        assert_int_equal(http_send(f->client, &request, on_each, trial, &transfer), 0);
    assert_int_equal(loop_run(f->loop), 0);
    trial->holder = loop_source_free(trial->holder);
}

static void test_what_came_while_the_thread_was_held_is_read(void **state)
{
    struct trial trial = { .requests = MANY, .held_ms = 3 * TIMEOUT_MS };

    run(*state, "/late", &trial);
    assert_int_equal(trial.whole, MANY);
}

static void test_a_thread_that_is_held_over_and_over_ends_it(void **state)
{
    struct fixture *f = *state;
    struct trial trial = { .requests = 1, .held_ms = TIMEOUT_MS, .again = true };

    run(f, "/slow", &trial);
    assert_int_equal(f->seen.outcome, HTTP_NO_ANSWER);
    assert_in_range(trial.holds, 2, HOLDS_MAX);
}

static void test_a_free_thread_ends_it_in_time(void **state)
{
    struct fixture *f = *state;

    run(f, "/slow", &(struct trial){ .requests = 1 });
    assert_int_equal(f->seen.outcome, HTTP_NO_ANSWER);
    assert_non_null(strstr(f->seen.problem, "no whole answer in time"));
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_what_came_while_the_thread_was_held_is_read, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_a_thread_that_is_held_over_and_over_ends_it, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_a_free_thread_ends_it_in_time, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

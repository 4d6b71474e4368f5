/* Transfers that are ended early, and many of them. */

#include "http_fixture.h"

static void cancel_victim(void *userdata, const struct http_reply *reply)
{
    struct seen *seen = userdata;

    http_cancel(seen->f->victim);
    record(seen, reply);
    loop_exit(seen->f->loop, 0);
}

static void test_cancel_within_done(void **state)
{
    struct fixture *f = *state;
    struct http_transfer *own;

    f->victim = begin(f, &(struct http_request){ .method = "GET", .url = address_of(f, "/slow") });
    assert_int_equal(
        http_send(f->client, &(struct http_request){ .method = "GET", .url = address_of(f, "/ok") },
                  cancel_victim, &f->seen, &own),
        0);
    assert_int_equal(loop_run(f->loop), 0);
    assert_int_equal(f->seen.calls, 1);
    assert_int_equal(f->seen.status, 200);
}

static void cancel_own(void *userdata, const struct http_reply *reply)
{
    struct seen *seen = userdata;

    http_cancel(seen->f->victim);
    cancel_victim(seen, reply);
}

static void test_cancel_of_itself(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(
        http_send(f->client, &(struct http_request){ .method = "GET", .url = address_of(f, "/ok") },
                  cancel_own, &f->seen, &f->victim),
        0);
    assert_int_equal(loop_run(f->loop), 0);
    assert_int_equal(f->seen.calls, 1);
    http_cancel(NULL);
}

static void free_client(void *userdata, const struct http_reply *reply)
{
    struct seen *seen = userdata;

    seen->f->client = http_client_free(seen->f->client);
    record(seen, reply);
    loop_exit(seen->f->loop, 0);
}

static void test_free_within_done(void **state)
{
    static const char *const urls[] = { "/ok", "ftp://refused/" };
    struct fixture *f = *state;
    struct http_transfer *transfer;

    for (size_t i = 0; i < 2; i++) {
        const char *url = urls[i][0] == '/' ? address_of(f, urls[i]) : urls[i];
        assert_int_equal(http_send(f->client, &(struct http_request){ .method = "GET", .url = url },
                                   free_client, &f->seen, &transfer),
                         0);
        for (int k = 0; k < 5; k++)
            (void)begin(f,
                        &(struct http_request){ .method = "GET", .url = address_of(f, "/slow") });
        assert_int_equal(loop_run(f->loop), 0);
        assert_int_equal(f->seen.calls, i + 1);
        loop_free(f->loop);
        assert_int_equal(loop_new(&f->loop), 0);
        assert_int_equal(http_client_new(f->loop, &f->client), 0);
    }
    http_client_free(NULL);
}

static void test_free_while_under_way(void **state)
{
    struct fixture *f = *state;

    for (int i = 0; i < 3; i++)
        (void)begin(f, &(struct http_request){ .method = "GET", .url = address_of(f, "/slow") });
    (void)begin(f, &(struct http_request){ .method = "GET", .url = "ftp://refused/" });
    f->client = http_client_free(f->client);
    assert_int_equal(f->seen.calls, 0);
}

static void test_many_at_once(void **state)
{
    struct fixture *f = *state;
    struct http_transfer *transfer;
    struct http_request request = { .method = "GET", .url = address_of(f, "/ok") };

    for (unsigned i = 0; i < HTTP_TRANSFERS_MAX; i++) {
        struct http_request refused = { .method = "GET", .url = "ftp://refused/" };
        (void)begin(f, i % 8 == 0 ? &refused : &request);
    }
    assert_int_equal(http_send(f->client, &request, on_done, &f->seen, &transfer), -EBUSY);
    f->awaited = HTTP_TRANSFERS_MAX;
    assert_int_equal(loop_run(f->loop), 0);
    assert_int_equal(f->seen.calls, HTTP_TRANSFERS_MAX);
    assert_int_equal(atomic_load(&f->server.requests), HTTP_TRANSFERS_MAX / 8 * 7);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_cancel_within_done, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_cancel_of_itself, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_free_within_done, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_free_while_under_way, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_many_at_once, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

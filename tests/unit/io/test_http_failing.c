/* Each allocation of a request failing once, libcurl's own among them: the transfer may end in any
 * way, but it ends, and the next one is served. */

#include "http_fixture.h"

enum { ALLOCATIONS_MAX = 2000 };

/* Of this thread: the server's are none of ours. 0: none fails; else this many are still to come.
 */
static _Thread_local unsigned countdown;

static bool fails_now(void)
{
    return countdown > 0 && --countdown == 0;
}

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
char *__real_strdup(const char *text);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
char *__wrap_strdup(const char *text);

void *__wrap_malloc(size_t size)
{
    return fails_now() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
    return fails_now() ? NULL : __real_calloc(count, size);
}

char *__wrap_strdup(const char *text)
{
    return fails_now() ? NULL : __real_strdup(text);
}

/* One request after the other on one connection; an allocation of one of them fails. */
struct row {
    struct fixture *f;
    unsigned sent, failing; /* of REQUESTS */
    unsigned which;         /* of its allocations */
    bool failed;
};

enum { REQUESTS = 4 };

static void send_next(struct row *row);

static void ended(void *userdata, const struct http_reply *reply)
{
    struct row *row = userdata;

    row->failed |= row->sent == row->failing && countdown == 0;
    countdown = 0;
    if (row->sent != row->failing)
        assert_true(reply->outcome == HTTP_ANSWERED && reply->status == 200);
    if (row->sent == REQUESTS)
        loop_exit(row->f->loop, 0);
    else
        send_next(row);
}

static void send_next(struct row *row)
{
    const struct http_request request = { .method = "GET", .url = address_of(row->f, "/ok") };
    struct http_transfer *transfer;

    row->sent++;
    countdown = row->sent == row->failing ? row->which : 0;
    int r = http_send(row->f->client, &request, ended, row, &transfer);
    if (r == 0)
        return;
    assert_true(row->sent == row->failing);
    row->failed = true;
    send_next(row);
}

/* Returns false when there is no such allocation. */
static bool send_row(struct fixture *f, unsigned failing, unsigned which)
{
    struct row row = { .f = f, .failing = failing, .which = which };

    assert_int_equal(loop_new(&f->loop), 0);
    assert_int_equal(http_client_new(f->loop, &f->client), 0);
    send_next(&row);
    assert_int_equal(loop_run(f->loop), 0);
    assert_int_equal(row.sent, REQUESTS);
    f->client = http_client_free(f->client);
    f->loop = loop_free(f->loop);
    return row.failed;
}

static void walk(struct fixture *f, unsigned failing)
{
    unsigned which = 1;

    f->client = http_client_free(f->client);
    f->loop = loop_free(f->loop);
    while (which < ALLOCATIONS_MAX && send_row(f, failing, which))
        which++;
    assert_in_range(which, 20, ALLOCATIONS_MAX - 1);
}

static void test_on_a_kept_connection(void **state)
{
    walk(*state, 2);
}

static void test_on_a_new_connection(void **state)
{
    walk(*state, 1);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_on_a_kept_connection, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_on_a_new_connection, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

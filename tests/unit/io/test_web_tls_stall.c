/* https: clients that begin a handshake and then say nothing more, or little by little. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <time.h>

#include <cmocka.h>

#include "io/local_ca.h"
#include "web_harness.h"

/* How a ClientHello begins. */
static const unsigned char hello[] = { 22, 3, 1, 2, 0, 1, 0, 1, 252, 3, 3 };

static struct web_tls *tls;
static struct harness harness;

static int setup(void **state)
{
    CLEANUP(cleanup_certified) struct certified *authority = NULL;
    CLEANUP(cleanup_certified) struct certified *leaf = NULL;
    bool locked;

    assert_int_equal(secret_start(&locked), 0);
    assert_int_equal(local_ca_new(time(NULL), &authority), 0);
    assert_int_equal(local_ca_issue(authority, local_ca_names, time(NULL), &leaf), 0);
    assert_int_equal(web_tls_new(&tls), 0);
    assert_int_equal(web_tls_set(tls, leaf->certificate, leaf->key), 0);
    harness_init(&harness, true);
    harness.options.tls = tls;
    *state = &harness;
    return 0;
}

static int teardown(void **state)
{
    harness_stop(*state);
    tls = web_tls_free(tls);
    return 0;
}

static void run(void **state, int (*client)(struct harness *h))
{
    harness_start(*state, echo);
    harness_run(*state, client);
}

/* Says nothing, or so slowly that it would take for ever. */
static int dawdle(struct harness *h)
{
    CLEANUP(cleanup_fd) int silent = client_connect(h);
    CLEANUP(cleanup_fd) int slow = client_connect(h);
    int64_t begun = client_now_ms();

    CHECK(silent >= 0 && slow >= 0);
    for (size_t i = 0; client_now_ms() - begun < 1500; i++) {
        (void)client_send(slow, i < sizeof hello ? &hello[i] : hello, 1);
        client_sleep_ms(100);
    }
    CHECK(client_at_end(silent) && client_at_end(slow));
    CHECK(client_now_ms() - begun < 6000);
    return 0;
}

static void test_dawdlers(void **state)
{
    struct harness *h = *state;

    h->options.request_deadline_s = 1;
    run(state, dawdle);
}

static int64_t cpu_ms(void)
{
    struct timespec used;

    return clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used) == 0
               ? used.tv_sec * 1000 + used.tv_nsec / (1000 * 1000)
               : 0;
}

/* Half a handshake that waits for the rest costs nothing meanwhile. */
static int dawdle_cheaply(struct harness *h)
{
    CLEANUP(cleanup_fd) int slow = client_connect(h);

    CHECK(slow >= 0 && client_send(slow, hello, sizeof hello));
    client_sleep_ms(100);
    int64_t begun_ms = cpu_ms();
    client_sleep_ms(2000);
    CHECK(cpu_ms() - begun_ms < 200);
    return 0;
}

static void test_cheap_dawdlers(void **state)
{
    run(state, dawdle_cheaply);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = { TEST(test_dawdlers), TEST(test_cheap_dawdlers) };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

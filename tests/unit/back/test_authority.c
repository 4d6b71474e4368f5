/* The authority in its store, and what the front hears of it, on a clock of the test's. */

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "back/authority.h"
#include "base/clock.h"

#define DAY_MS (INT64_C(24) * 60 * 60 * 1000)
#define BEGIN_MS (INT64_C(1800000000) * 1000)

static int64_t now_ms = BEGIN_MS;
static unsigned commits_to_refuse;

static int64_t clock_of_test(void)
{
    return now_ms;
}

static const struct clock_source test_clock = { clock_of_test, clock_of_test };

/* The authority's timer; the test lets it fire. */
static void (*timer_fired)(void *userdata);
static void *timer_userdata;
static const struct loop_source *timer;
static int64_t timer_delay_ms; /* -1: not set */

int __real_loop_add_timer(struct loop *loop, void (*fired)(void *userdata), void *userdata,
                          struct loop_source **ret);
int __wrap_loop_add_timer(struct loop *loop, void (*fired)(void *userdata), void *userdata,
                          struct loop_source **ret);
int __wrap_loop_add_timer(struct loop *loop, void (*fired)(void *userdata), void *userdata,
                          struct loop_source **ret)
{
    int r = __real_loop_add_timer(loop, fired, userdata, ret);

    timer_fired = fired;
    timer_userdata = userdata;
    timer = *ret;
    timer_delay_ms = -1;
    return r;
}

int __real_loop_timer_set(struct loop_source *source, int64_t delay_ms);
int __wrap_loop_timer_set(struct loop_source *source, int64_t delay_ms);
int __wrap_loop_timer_set(struct loop_source *source, int64_t delay_ms)
{
    if (source == timer)
        timer_delay_ms = delay_ms;
    return __real_loop_timer_set(source, delay_ms);
}

int __real_store_commit(struct store *store);
int __wrap_store_commit(struct store *store);
int __wrap_store_commit(struct store *store)
{
    if (commits_to_refuse == 0)
        return __real_store_commit(store);
    commits_to_refuse--;
    return -ENOSPC;
}

struct world {
    char folder[64];
    struct keeper keeper;
    struct settings settings;
    struct callback_listener listener;
    struct authority *authority;
    struct message *letter; /* the newest; the caller's before it asks again */
};

static void open_world(struct world *w, unsigned char key_byte)
{
    const unsigned char bytes[SEAL_KEY_BYTES] = { key_byte };
    struct complaint complaint;

    assert_int_equal(store_open(w->folder, &w->keeper.store, &complaint), 0);
    assert_int_equal(seal_key_new(bytes, &w->keeper.key), 0);
    assert_int_equal(loop_new(&w->keeper.loop), 0);
    assert_int_equal(commits_new(w->keeper.loop, w->keeper.store, &w->keeper.commits), 0);
    assert_int_equal(mailbox_new(16, 1, message_destroy, &w->keeper.front), 0);
}

static void close_world(struct world *w)
{
    w->keeper.stopping = true;
    commits_finish(w->keeper.commits);
    w->authority = authority_free(w->authority);
    w->letter = message_free(w->letter);
    commits_free(w->keeper.commits);
    mailbox_free(w->keeper.front);
    loop_free(w->keeper.loop);
    seal_key_free(w->keeper.key);
    store_close(w->keeper.store);
    w->keeper = (struct keeper){ 0 };
}

static int set_up(void **state)
{
    struct world *w = calloc(1, sizeof *w);
    bool locked;

    assert_non_null(w);
    assert_int_equal(secret_start(&locked), 0);
    clock_use_source(&test_clock);
    now_ms = BEGIN_MS;
    commits_to_refuse = 0;
    (void)snprintf(w->folder, sizeof w->folder, "/tmp/tb-authority-XXXXXX");
    assert_non_null(mkdtemp(w->folder));
    w->listener = (struct callback_listener){ .https = true, .address = "127.0.0.1", .port = 1 };
    w->settings.listeners = &w->listener;
    w->settings.listener_count = 1;
    open_world(w, 1);
    *state = w;
    return 0;
}

static int tear_down(void **state)
{
    struct world *w = *state;

    close_world(w);
    DIR *dir = opendir(w->folder);
    assert_non_null(dir);
    for (const struct dirent *entry = readdir(dir); entry; entry = readdir(dir))
        (void)unlinkat(dirfd(dir), entry->d_name, 0);
    (void)closedir(dir);
    assert_int_equal(rmdir(w->folder), 0);
    free(w);
    return 0;
}

static void start(struct world *w)
{
    assert_int_equal(authority_new(&w->keeper, &w->settings, &w->authority), 0);
}

static void restart(struct world *w, unsigned char key_byte)
{
    close_world(w);
    open_world(w, key_byte);
    start(w);
}

/* The timer's time comes, where it is set; then the turn of the loop ends. */
static void turn(struct world *w)
{
    const bool fires = timer_delay_ms >= 0;

    timer_delay_ms = -1;
    if (fires)
        timer_fired(timer_userdata);
    commits_flush(w->keeper.commits);
}

/* The oldest letter that waits; NULL when there is none. */
static struct message *take(struct world *w)
{
    message_free(w->letter);
    w->letter = mailbox_take(w->keeper.front);
    if (w->letter)
        assert_int_equal(w->letter->kind, CERTIFICATE);
    return w->letter;
}

/* A letter with a certificate, whose end it returns. */
static int64_t take_leaf(struct world *w)
{
    const struct message *letter = take(w);

    assert_non_null(letter);
    assert_non_null(letter->certified);
    assert_non_null(letter->authority);
    assert_true(letter->certified->until_s > now_ms / 1000);
    assert_true(letter->certified->from_s <= now_ms / 1000);
    return letter->certified->until_s;
}

static void fingerprint_of(struct world *w, char out[static CERTIFICATE_FINGERPRINT_SIZE])
{
    (void)take_leaf(w);
    memcpy(out, w->letter->authority_facts.fingerprint, CERTIFICATE_FINGERPRINT_SIZE);
    assert_int_equal(strlen(out), CERTIFICATE_FINGERPRINT_SIZE - 1);
}

static char *stored(struct world *w)
{
    char *fact = NULL;
    int r = store_get_fact(w->keeper.store, "authority", &fact);

    assert_true(r == 0 || r == STORE_NOT_FOUND);
    return fact;
}

/* --- tests --- */

static void test_not_wanted(void **state)
{
    struct world *w = *state;
    char text[] = "/a";

    w->listener.https = false;
    start(w);
    turn(w);
    assert_null(take(w));
    assert_null(stored(w));

    w->listener.https = true;
    w->settings.certificate = w->settings.certificate_key = text;
    restart(w, 1);
    turn(w);
    assert_null(take(w));
    assert_null(stored(w));
}

static void test_made_once(void **state)
{
    struct world *w = *state;
    char first[CERTIFICATE_FINGERPRINT_SIZE], second[CERTIFICATE_FINGERPRINT_SIZE];

    start(w);
    /* At once, and durable: the loop has not run yet. */
    CLEANUP(cleanup_string) char *fact = stored(w);
    assert_non_null(fact);
    assert_null(strstr(fact, "BEGIN"));
    fingerprint_of(w, first);
    assert_null(take(w));
    turn(w);
    assert_null(take(w));

    restart(w, 1);
    assert_non_null(take(w));
    assert_null(w->letter->certified); /* only who it is; the certificate follows */
    assert_string_equal(w->letter->authority_facts.fingerprint, first);
    fingerprint_of(w, second);
    assert_string_equal(first, second);
    assert_null(take(w));

    /* What is not served any more can still be asked for, to be trusted no longer. */
    w->listener.https = false;
    restart(w, 1);
    assert_string_equal(take(w)->authority_facts.fingerprint, first);
    assert_null(take(w));
}

static void test_renewed(void **state)
{
    struct world *w = *state;

    start(w);
    const int64_t first = take_leaf(w);
    assert_int_equal(timer_delay_ms, AUTHORITY_CHECK_MS);
    now_ms += 39 * DAY_MS;
    turn(w);
    assert_null(take(w));
    now_ms += 2 * DAY_MS;
    turn(w);
    const int64_t second = take_leaf(w);
    assert_true(second > first);
    assert_null(take(w));
    now_ms += 41 * DAY_MS;
    turn(w);
    assert_true(take_leaf(w) > second);
    /* The clock is set back to before it was made. */
    now_ms -= 82 * DAY_MS;
    turn(w);
    assert_true(take_leaf(w) <= second);
    turn(w);
    assert_null(take(w));
}

static void test_replaced_before_its_end(void **state)
{
    struct world *w = *state;
    char first[CERTIFICATE_FINGERPRINT_SIZE], second[CERTIFICATE_FINGERPRINT_SIZE];

    start(w);
    fingerprint_of(w, first);
    now_ms += (LOCAL_CA_LIFETIME_DAYS - LOCAL_LEAF_LIFETIME_DAYS + 1) * DAY_MS;
    turn(w);
    fingerprint_of(w, second);
    assert_string_not_equal(first, second);
    restart(w, 1);
    assert_string_equal(take(w)->authority_facts.fingerprint, second);
}

static void damage(struct world *w, const char *fact)
{
    assert_int_equal(store_begin(w->keeper.store), 0);
    assert_int_equal(store_put_fact(w->keeper.store, "authority", fact), 0);
    assert_int_equal(store_commit(w->keeper.store), 0);
}

static void test_damaged(void **state)
{
    static const char long_enough[] = "AbCdEfGhIjKlMnOpQrStUvWxYz0123456789AbCdEfGhIjKlMnOpQrSt"
                                      "UvWxYz0123456789AbCdEfGhIjKlMnOpQrStUvWxYz01";
    static const char *const facts[] = { "", "%%%", "AAAA", long_enough };
    struct world *w = *state;
    char before[CERTIFICATE_FINGERPRINT_SIZE], after[CERTIFICATE_FINGERPRINT_SIZE];

    start(w);
    fingerprint_of(w, before);
    for (size_t i = 0; i < sizeof facts / sizeof *facts; i++) {
        damage(w, facts[i]);
        restart(w, 1);
        fingerprint_of(w, after);
        assert_string_not_equal(before, after);
        memcpy(before, after, sizeof before);
    }
    restart(w, 2); /* another sealing key */
    fingerprint_of(w, after);
    assert_string_not_equal(before, after);
}

static void test_disk_is_full(void **state)
{
    struct world *w = *state;

    commits_to_refuse = 1;
    start(w);
    assert_null(take(w));
    assert_null(stored(w));
    assert_int_equal(timer_delay_ms, AUTHORITY_RETRY_MS);
    turn(w);
    (void)take_leaf(w);
    CLEANUP(cleanup_string) char *fact = stored(w);
    assert_non_null(fact);
}

static void test_new_settings(void **state)
{
    struct world *w = *state;
    char text[] = "/a";

    w->listener.https = false;
    start(w);
    assert_null(take(w));
    w->listener.https = true;
    authority_configure(w->authority, &w->settings);
    turn(w);
    const int64_t first = take_leaf(w);
    /* Files serve for a while, then ours again. */
    w->settings.certificate = w->settings.certificate_key = text;
    authority_configure(w->authority, &w->settings);
    now_ms += 50 * DAY_MS;
    turn(w);
    assert_null(take(w));
    w->settings.certificate = w->settings.certificate_key = NULL;
    authority_configure(w->authority, &w->settings);
    assert_true(take_leaf(w) > first);
    assert_null(authority_free(NULL));
}

static void test_front_is_full(void **state)
{
    struct world *w = *state;

    start(w);
    (void)take_leaf(w);
    while (mailbox_reserve(w->keeper.front) == 0)
        ;
    now_ms += 41 * DAY_MS;
    turn(w);
    assert_null(take(w));
    mailbox_unreserve(w->keeper.front);
    turn(w);
    (void)take_leaf(w);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_not_wanted),   TEST(test_made_once),
        TEST(test_renewed),      TEST(test_replaced_before_its_end),
        TEST(test_damaged),      TEST(test_disk_is_full),
        TEST(test_new_settings), TEST(test_front_is_full),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

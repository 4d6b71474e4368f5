/* A refresh token whose reply was lost, at a provider that takes it again for a while, and that
 * pauses meanwhile. */

#include "fixture.h"

#include <stdio.h>

#include "oauth/lifetime.h"

enum { GRACE = 2 * MINUTE, LAST = 12 * SECOND, FAST = 30 };

static const struct canned refusals = { .status = 400, .body = REFUSED };

static void lose(struct stage *stage)
{
    server_script(stage->server, (struct canned){ .match = RT("a"), .status = 503 });
}

/* The reply to "a" is lost, then three others are refused; nobody but "d" was ever refreshed. */
static void seed_incident(struct stage *stage)
{
    seed_due(stage, "a", NULL);
    seed_due(stage, "b", NULL);
    seed_due(stage, "c", NULL);
    seed(stage, (struct seed){ .label = "d",
                               .refresh_token = "rt-secret-d",
                               .access_token = "at-secret-d",
                               .lifetime_ms = HOUR,
                               .refresh_at = 1 });
    acme(stage)->retry_grace_ms = GRACE;
    set_speed(FAST);
}

static int64_t lost_at(struct stage *stage)
{
    CLEANUP(cleanup_account_row) struct account_row row = ask_row(stage, "a");
    return row.lost_at;
}

static int64_t await_lost(struct stage *stage)
{
    for (int i = 0; i < 250 && lost_at(stage) == 0; i++)
        rest(20);
    assert_true(lost_at(stage) > 0);
    return lost_at(stage);
}

/* Until the provider pauses and the row of "a" knows; returns since when. */
static int64_t meet_incident(struct stage *stage, struct canned others)
{
    seed_incident(stage);
    lose(stage);
    server_script(stage->server, others);
    start(stage);
    await_paused(stage, true);
    return await_lost(stage);
}

/* "a" alone is taken again. */
static void take_a_again(struct stage *stage)
{
    server_forget_script(stage->server);
    server_script(stage->server,
                  (struct canned){ .match = RT("a"), .status = 200, .body = GRANT_PLAIN });
    server_script(stage->server, refusals);
}

static void rest_until(int64_t at)
{
    while (broker_now() < at)
        rest(10);
}

static void assert_sent_in_time(struct stage *stage, int64_t lost)
{
    await_generation(stage, "a", 2);
    CLEANUP(cleanup_account_row) struct account_row row = ask_row(stage, "a");
    assert_true(row.refreshed_at >= lifetime_last_in_grace_at(acme(stage), lost));
    assert_true(row.refreshed_at < lifetime_grace_ends_at(acme(stage), lost));
}

static void what_rests_between_two_tries_goes_before_the_grace_ends(void **state)
{
    struct stage *stage = *state;
    const int64_t lost = meet_incident(stage, refusals);
    take_a_again(stage);
    assert_sent_in_time(stage, lost);
    await_paused(stage, false);
}

/* Where "a" is one of the three: what refuses it may be the incident, and its reply is lost still.
 */
static void a_refusal_does_not_bring_a_lost_reply_back(void **state)
{
    struct stage *stage = *state;
    seed_due(stage, "a", NULL);
    seed_due(stage, "b", NULL);
    seed_due(stage, "c", NULL);
    acme(stage)->retry_grace_ms = GRACE;
    server_script(stage->server, (struct canned){ .match = RT("a"), .times = 1, .status = 503 });
    server_script(stage->server, refusals);
    set_speed(10);
    start(stage);
    await_paused(stage, true);
    (void)await_lost(stage);
}

/* Another time of loss, as the next start finds it. */
static void put_lost_at(struct stage *stage, int64_t lost)
{
    char sql[128];
    (void)snprintf(sql, sizeof sql, "UPDATE accounts SET lost_at = %lld WHERE label = 'a'",
                   (long long)lost);
    run_sql(stage, sql);
}

/* Its row knows it, also at the next start. */
static void so_does_what_rests_in_its_row(void **state)
{
    struct stage *stage = *state;
    (void)meet_incident(stage, refusals);
    stop(stage);
    const int64_t lost = broker_now() - MINUTE;
    put_lost_at(stage, lost);
    take_a_again(stage);
    start(stage);
    assert_sent_in_time(stage, lost);
    await_paused(stage, false);
}

/* Starts seconds before the last try, at a server that hangs up on so many of them. Returns since
 * when its reply is lost. */
static int64_t start_before_the_last_try(struct stage *stage, unsigned hung_up)
{
    (void)meet_incident(stage, refusals);
    stop(stage);
    set_speed(5);
    const int64_t lost = broker_now() - GRACE + LAST + 3 * SECOND;
    put_lost_at(stage, lost);
    server_forget_script(stage->server);
    server_script(stage->server, (struct canned){ .match = RT("a"), .times = hung_up });
    server_script(stage->server,
                  (struct canned){ .match = RT("a"), .status = 200, .body = GRANT_PLAIN });
    server_script(stage->server, refusals);
    start(stage);
    return lost;
}

/* A computer that has just woken has no network yet. */
static void a_last_try_without_an_answer_goes_again(void **state)
{
    struct stage *stage = *state;
    const int64_t lost = start_before_the_last_try(stage, 2);
    assert_sent_in_time(stage, lost);
    await_paused(stage, false);
}

static void none_goes_after_the_grace(void **state)
{
    struct stage *stage = *state;
    const int64_t lost = start_before_the_last_try(stage, 0);
    const unsigned before = server_count(stage->server, RT("a"));
    rest_until(lost + GRACE);
    const unsigned sent = server_count(stage->server, RT("a")) - before;
    assert_in_range(sent, 3, 16);
    rest_until(lost + GRACE + 15 * SECOND);
    assert_int_equal(server_count(stage->server, RT("a")), before + sent);
    assert_int_equal(lost_at(stage), lost);
    assert_int_equal(ask_state(stage, "a"), ACCOUNT_ACTIVE);
}

/* It would be the last of the grace for ever. */
static void a_damaged_time_of_loss_is_no_reason_to_hurry(void **state)
{
    struct stage *stage = *state;
    (void)meet_incident(stage, refusals);
    stop(stage);
    put_lost_at(stage, INT64_MAX - SECOND);
    const unsigned before = server_count(stage->server, RT("a"));
    set_speed(1);
    start(stage);
    rest(500);
    assert_int_equal(server_count(stage->server, RT("a")), before);
}

static void a_stop_between_two_tries_tells_its_row(void **state)
{
    struct stage *stage = *state;
    seed_due(stage, "a", NULL);
    acme(stage)->retry_grace_ms = GRACE;
    lose(stage);
    start(stage);
    assert_true(server_wait(stage->server, RT("a"), 1));
    rest(100);
    stop(stage);
    const int64_t stopped = broker_now();
    start(stage);
    assert_true(await_lost(stage) < stopped);
}

/* Who is killed in the second of its rest has no other note of it. */
static void a_pause_tells_its_row_at_once(void **state)
{
    struct stage *stage = *state;
    seed_incident(stage);
    set_speed(1);
    lose(stage);
    server_script(stage->server, refusals);
    start(stage);
    assert_true(server_wait(stage->server, RT("a"), 1));
    const int64_t sent = broker_now();
    await_paused(stage, true);
    rest(100);
    const int64_t lost = lost_at(stage);
    if (broker_now() < sent + 700) /* else this machine is too slow to tell */
        assert_true(lost > 0);
}

static void a_full_disk_does_not_keep_it_from_its_row(void **state)
{
    struct stage *stage = *state;
    seed_incident(stage);
    set_speed(1);
    lose(stage);
    server_script(stage->server, (struct canned){ .times = 2, .status = 400, .body = REFUSED });
    server_script(stage->server, (struct canned){ .held = true, .status = 400, .body = REFUSED });
    start(stage);
    assert_true(server_wait(stage->server, NULL, 4));
    refuse_commits(2);
    server_release(stage->server);
    await_paused(stage, true);
    (void)await_lost(stage);
}

static int64_t probe_at(struct stage *stage)
{
    CLEANUP(cleanup_message) struct message *came = answer(stage, ask(stage, ASK_HEALTH, NULL));
    assert_true(came->health->providers[0].paused);
    return came->health->providers[0].probe_at;
}

/* An answer to it is the last, decides nothing, and none of the provider's own probes. */
static void its_refusal_is_no_verdict_and_moves_no_probe(void **state)
{
    struct stage *stage = *state;
    const int64_t lost = meet_incident(stage, refusals);
    server_forget_script(stage->server);
    server_script(stage->server, refusals);
    const unsigned before = server_count(stage->server, RT("a"));
    rest_until(lost + GRACE * 3 / 4); /* the first probe has been */
    const int64_t next = probe_at(stage);
    assert_true(next > broker_now() + 30 * MINUTE);
    assert_true(server_wait(stage->server, RT("a"), before + 1));
    rest_until(lost + GRACE + 10 * SECOND);
    assert_int_equal(server_count(stage->server, RT("a")), before + 1);
    assert_int_equal(ask_state(stage, "a"), ACCOUNT_SUSPECT);
    assert_int_equal(lost_at(stage), lost);
    assert_int_equal(probe_at(stage), next);
}

/* What is sent with a wrong client secret may be spent for it, and this one may yet be alive. */
static void none_is_put_to_a_wrong_secret(void **state)
{
    struct stage *stage = *state;
    const int64_t lost = meet_incident(stage, (struct canned){ .status = 401, .body = BAD_CLIENT });
    const unsigned before = server_count(stage->server, NULL);
    rest_until(lost + GRACE + 10 * SECOND);
    assert_int_equal(server_count(stage->server, NULL), before);
}

static unsigned others_sent(struct stage *stage)
{
    return server_count(stage->server, NULL) - server_count(stage->server, RT("a"));
}

/* Where it is found out between two of its tries. */
static void nor_is_one_that_had_no_answer(void **state)
{
    struct stage *stage = *state;
    (void)start_before_the_last_try(stage, 0);
    server_forget_script(stage->server);
    server_script(stage->server, (struct canned){ .match = RT("a") });
    server_script(stage->server, (struct canned){ .status = 401, .body = BAD_CLIENT });
    const unsigned before = server_count(stage->server, RT("a"));
    assert_true(server_wait(stage->server, RT("a"), before + 1));
    const unsigned others = others_sent(stage);
    expect_ok(stage, ask(stage, ASK_RETRY, "acme/"));
    for (int i = 0; i < 1000 && others_sent(stage) == others; i++)
        rest(5);
    assert_int_equal(others_sent(stage), others + 1);
    rest(50);
    const unsigned sent = server_count(stage->server, NULL);
    rest_until(broker_now() + 10 * SECOND);
    assert_int_equal(server_count(stage->server, NULL), sent);
}

static void a_rest_that_was_asked_for_is_kept(void **state)
{
    struct stage *stage = *state;
    seed_incident(stage);
    lose(stage);
    static const char *const others[] = { RT("b"), RT("c"), RT("d") };
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
        server_script(
            stage->server,
            (struct canned){ .match = others[i], .times = 1, .status = 400, .body = REFUSED });
    server_script(stage->server,
                  (struct canned){ .status = 429, .headers = "Retry-After: 3600\r\n" });
    start(stage);
    await_paused(stage, true);
    const int64_t lost = await_lost(stage);
    server_forget_script(stage->server);
    server_script(stage->server,
                  (struct canned){ .status = 429, .headers = "Retry-After: 3600\r\n" });
    rest_until(lost + GRACE * 3 / 4);
    const unsigned before = server_count(stage->server, NULL);
    rest_until(lost + GRACE + 10 * SECOND);
    assert_int_equal(server_count(stage->server, NULL), before);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_rests_between_two_tries_goes_before_the_grace_ends),
        TEST(a_refusal_does_not_bring_a_lost_reply_back),
        TEST(so_does_what_rests_in_its_row),
        TEST(a_last_try_without_an_answer_goes_again),
        TEST(none_goes_after_the_grace),
        TEST(a_damaged_time_of_loss_is_no_reason_to_hurry),
        TEST(a_stop_between_two_tries_tells_its_row),
        TEST(a_pause_tells_its_row_at_once),
        TEST(a_full_disk_does_not_keep_it_from_its_row),
        TEST(its_refusal_is_no_verdict_and_moves_no_probe),
        TEST(none_is_put_to_a_wrong_secret),
        TEST(nor_is_one_that_had_no_answer),
        TEST(a_rest_that_was_asked_for_is_kept),
    };
    return RUN(tests);
}

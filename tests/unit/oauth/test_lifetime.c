#include "oauth/lifetime.h"

#include "support.h"

enum { SECOND = 1000, MINUTE = 60 * SECOND, HOUR = 60 * MINUTE };

static void refreshes_in_time(void **state)
{
    static const struct {
        int64_t obtained, lifetime;
        unsigned random;
        int64_t at;
    } rows[] = {
        { 0, 3600 * SECOND, 0, 2880 * SECOND },           /* 80% */
        { 5000, 3600 * SECOND, 0, 5000 + 2880 * SECOND }, /* from when it was obtained */
        { 0, 3600 * SECOND, 500, 2700 * SECOND },         /* 5% of jitter */
        { 0, 1799 * SECOND, 0, 1439200 },                 /* Zenegy's */
        { 0, 300 * SECOND, 0, 240 * SECOND },             /* both bounds meet */
        { 0, 200 * SECOND, 0, 140 * SECOND },             /* a minute before the end */
        { 0, 200 * SECOND, 999, 140 * SECOND - 19980 },   /* … and jitter */
        { 0, 100 * SECOND, 0, 50 * SECOND },              /* never before half */
        { 0, 130 * SECOND, 999, 65 * SECOND },            /* not by jitter either */
        { 0, SECOND, 999, 500 },
        { 0, 0, 0, 0 },
        { 7, -5, 0, 7 },
        { INT64_MAX - 5, HOUR, 0, INT64_MAX },
        { 0, INT64_C(315360000000), 999, INT64_C(252288000000) - INT64_C(31504464000) },
    };
    for (size_t i = 0; i < LENGTH_OF(rows); i++)
        assert_int_equal(lifetime_refresh_at(rows[i].obtained, rows[i].lifetime, rows[i].random),
                         rows[i].at);
}

static void stays_between_half_and_the_end(void **state)
{
    for (int64_t lifetime = 1; lifetime < 24 * HOUR; lifetime = lifetime * 3 + 1) {
        for (unsigned random = 0; random < 1000; random += 37) {
            int64_t at = lifetime_refresh_at(0, lifetime, random);
            assert_true(at >= lifetime / 2);
            assert_true(at <= lifetime);
        }
    }
}

static void keeps_idle_grants_alive(void **state)
{
    struct provider provider = { 0 };
    assert_true(lifetime_keepalive_at(&provider, 5) == INT64_MAX);
    provider.refresh_token_idle_lifetime_ms = 14 * 24 * (int64_t)HOUR;
    assert_int_equal(lifetime_keepalive_at(&provider, 5), 5 + 7 * 24 * HOUR);
    assert_true(lifetime_keepalive_at(&provider, INT64_MAX - 1) == INT64_MAX);
}

static void bounds_min_ttl(void **state)
{
    assert_int_equal(lifetime_default_min_ttl(HOUR), 30 * SECOND);
    assert_int_equal(lifetime_default_min_ttl(300 * SECOND), 30 * SECOND);
    assert_int_equal(lifetime_default_min_ttl(100 * SECOND), 10 * SECOND);
    assert_int_equal(lifetime_default_min_ttl(-1), 0);
    assert_int_equal(lifetime_max_min_ttl(HOUR), HOUR / 2);
    assert_int_equal(lifetime_max_min_ttl(-1), 0);
}

struct backoff_row {
    int64_t (*wait)(unsigned attempt, unsigned random);
    unsigned attempt;
    int64_t middle;
};

static const struct backoff_row backoff_rows[] = {
    { backoff_ms, 0, 1 * SECOND },
    { backoff_ms, 1, 1 * SECOND },
    { backoff_ms, 2, 3 * SECOND },
    { backoff_ms, 3, 8 * SECOND },
    { backoff_ms, 4, 16 * SECOND },
    { backoff_ms, 5, 32 * SECOND },
    { backoff_ms, 9, 512 * SECOND },
    { backoff_ms, 10, 15 * MINUTE },
    { backoff_ms, 4000000000u, 15 * MINUTE },
    { backoff_suspect_ms, 1, 10 * MINUTE },
    { backoff_suspect_ms, 2, 20 * MINUTE },
    { backoff_suspect_ms, 6, 320 * MINUTE },
    { backoff_suspect_ms, 7, 6 * HOUR },
    { backoff_suspect_ms, 4000000000u, 6 * HOUR },
    { backoff_canary_ms, 1, HOUR },
    { backoff_canary_ms, 2, 2 * HOUR },
    { backoff_canary_ms, 4, 8 * HOUR },
    { backoff_canary_ms, 5, 16 * HOUR },
    { backoff_canary_ms, 6, 24 * HOUR },
    { backoff_canary_ms, 60, 24 * HOUR },
};

static void backs_off(void **state)
{
    for (size_t i = 0; i < LENGTH_OF(backoff_rows); i++) {
        const struct backoff_row *row = &backoff_rows[i];
        assert_int_equal(row->wait(row->attempt, 500), row->middle);
        assert_int_equal(row->wait(row->attempt, 0), row->middle / 10 * 8);
        int64_t longest = row->wait(row->attempt, 999);
        assert_true(longest > row->middle / 100 * 119 && longest <= row->middle / 10 * 12);
    }
}

/* The first three retries fall inside half a minute, which any retry_grace covers. */
static void retries_soon(void **state)
{
    assert_true(backoff_ms(1, 999) + backoff_ms(2, 999) + backoff_ms(3, 999) < 15 * SECOND);
}

static void knows_when_a_grace_ends(void **state)
{
    static const struct {
        int64_t grace, lost, end, last;
    } rows[] = {
        { 30 * MINUTE, 5 * HOUR, 5 * HOUR + 30 * MINUTE, 5 * HOUR + 29 * MINUTE },
        { 100 * SECOND, 5 * HOUR, 5 * HOUR + 100 * SECOND, 5 * HOUR + 90 * SECOND },
        { 0, 5 * HOUR, 0, 0 },
        { 30 * MINUTE, 0, 0, 0 },
    };
    for (size_t i = 0; i < LENGTH_OF(rows); i++) {
        const struct provider provider = { .retry_grace_ms = rows[i].grace };
        assert_int_equal(lifetime_grace_ends_at(&provider, rows[i].lost), rows[i].end);
        assert_int_equal(lifetime_last_in_grace_at(&provider, rows[i].lost), rows[i].last);
    }
    assert_int_equal(lifetime_grace_ends_at(NULL, HOUR), 0);
}

static void leaves_room_for_a_second_try(void **state)
{
    (void)state;
    struct provider provider = { .retry_grace_ms = 10 * 1000 };
    assert_int_equal(lifetime_first_try_ms(&provider), 5 * 1000);
    provider.retry_grace_ms = 1000;
    assert_int_equal(lifetime_first_try_ms(&provider), 2 * 1000);
    provider.retry_grace_ms = 0;
    assert_true(lifetime_first_try_ms(&provider) == INT64_MAX);
    assert_true(lifetime_first_try_ms(NULL) == INT64_MAX);
}

static void rests_a_day_after_the_last_request(void **state)
{
    const struct provider asked = { .keep = KEEP_ASKED }, always = { .keep = KEEP_ALWAYS };
    const int64_t now = INT64_C(1000) * HOUR;
    assert_false(lifetime_rests(&asked, now - LIFETIME_ASKED_MS, now));
    assert_true(lifetime_rests(&asked, now - LIFETIME_ASKED_MS - 1, now));
    assert_true(lifetime_rests(&asked, 0, now));
    assert_false(lifetime_rests(&always, 0, now));
    assert_false(lifetime_rests(NULL, 0, now));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refreshes_in_time),
        cmocka_unit_test(stays_between_half_and_the_end),
        cmocka_unit_test(keeps_idle_grants_alive),
        cmocka_unit_test(bounds_min_ttl),
        cmocka_unit_test(backs_off),
        cmocka_unit_test(retries_soon),
        cmocka_unit_test(knows_when_a_grace_ends),
        cmocka_unit_test(leaves_room_for_a_second_try),
        cmocka_unit_test(rests_a_day_after_the_last_request),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

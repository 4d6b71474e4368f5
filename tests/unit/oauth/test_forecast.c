#include "oauth/forecast.h"

#include "support.h"

#define DAY (INT64_C(24) * 60 * 60 * 1000)
#define HOUR (INT64_C(60) * 60 * 1000)

static const int64_t now = 1000 * DAY;

static const struct {
    struct forecast_facts facts;
    int64_t idle_ms, lifetime_ms; /* the provider's */
    enum grant_type grant;
    int64_t dies_at;
    enum forecast_reason reason;
    enum forecast_warning warning;
} rows[] = {
    /* no end is known */
    { .facts = { .has_refresh_token = true, .refreshed_at = 999 * DAY } },
    { .facts = { .granted_at = 1 }, .grant = GRANT_STATIC },
    { .facts = { .expires_at = 1000 * DAY + HOUR }, .grant = GRANT_CLIENT_CREDENTIALS },
    /* a year that counts from the consent */
    { .facts = { .has_refresh_token = true,
                 .refresh_token_expires_at = 1300 * DAY,
                 .refresh_token_life_ms = 365 * DAY },
      .dies_at = 1300 * DAY,
      .reason = FORECAST_ABSOLUTE },
    { .facts = { .has_refresh_token = true,
                 .refresh_token_expires_at = 1030 * DAY,
                 .refresh_token_life_ms = 365 * DAY },
      .dies_at = 1030 * DAY,
      .reason = FORECAST_ABSOLUTE },
    { .facts = { .has_refresh_token = true,
                 .refresh_token_expires_at = 1030 * DAY - 1,
                 .refresh_token_life_ms = 365 * DAY },
      .dies_at = 1030 * DAY - 1,
      .reason = FORECAST_ABSOLUTE,
      .warning = FORECAST_SOON },
    { .facts = { .has_refresh_token = true,
                 .refresh_token_expires_at = 1007 * DAY - 1,
                 .refresh_token_life_ms = 365 * DAY },
      .dies_at = 1007 * DAY - 1,
      .reason = FORECAST_ABSOLUTE,
      .warning = FORECAST_URGENT },
    { .facts = { .has_refresh_token = true,
                 .refresh_token_expires_at = 990 * DAY,
                 .refresh_token_life_ms = 365 * DAY },
      .dies_at = 990 * DAY,
      .reason = FORECAST_ABSOLUTE,
      .warning = FORECAST_URGENT },
    /* a year that the section says counts from the consent; the provider's own word comes first */
    { .facts = { .has_refresh_token = true, .granted_at = 990 * DAY, .refreshed_at = 999 * DAY },
      .lifetime_ms = 365 * DAY,
      .dies_at = 1355 * DAY,
      .reason = FORECAST_ABSOLUTE },
    { .facts = { .has_refresh_token = true, .granted_at = 650 * DAY, .refreshed_at = 999 * DAY },
      .lifetime_ms = 365 * DAY,
      .dies_at = 1015 * DAY,
      .reason = FORECAST_ABSOLUTE,
      .warning = FORECAST_SOON },
    { .facts = { .has_refresh_token = true,
                 .granted_at = 650 * DAY,
                 .refresh_token_expires_at = 1200 * DAY,
                 .refresh_token_life_ms = 365 * DAY },
      .lifetime_ms = 365 * DAY,
      .dies_at = 1200 * DAY,
      .reason = FORECAST_ABSOLUTE },
    { .facts = { .has_refresh_token = true,
                 .refreshed_at = 999 * DAY }, /* since when is not known */
      .lifetime_ms = 365 * DAY },
    /* its life was not noted: the provider's promise, else since the grant came */
    { .facts = { .has_refresh_token = true, .refresh_token_expires_at = 1020 * DAY },
      .lifetime_ms = 30 * DAY,
      .dies_at = 1020 * DAY,
      .reason = FORECAST_ABSOLUTE },
    { .facts = { .has_refresh_token = true,
                 .granted_at = 700 * DAY,
                 .refresh_token_expires_at = 1020 * DAY },
      .dies_at = 1020 * DAY,
      .reason = FORECAST_ABSOLUTE,
      .warning = FORECAST_SOON },
    /* one that slides with each refresh is not always about to die */
    { .facts = { .has_refresh_token = true,
                 .granted_at = 1,
                 .refresh_token_expires_at = 1000 * DAY + HOUR / 2,
                 .refresh_token_life_ms = HOUR },
      .dies_at = 1000 * DAY + HOUR / 2,
      .reason = FORECAST_ABSOLUTE },
    /* idle for 14 days; the broker refreshes after 7 */
    { .facts = { .has_refresh_token = true, .refreshed_at = 993 * DAY },
      .idle_ms = 14 * DAY,
      .dies_at = 1007 * DAY,
      .reason = FORECAST_IDLE },
    { .facts = { .has_refresh_token = true, .refreshed_at = 990 * DAY },
      .idle_ms = 14 * DAY,
      .dies_at = 1004 * DAY,
      .reason = FORECAST_IDLE,
      .warning = FORECAST_URGENT },
    { .facts = { .has_refresh_token = true, .refreshed_at = 930 * DAY },
      .idle_ms = 90 * DAY,
      .dies_at = 1020 * DAY,
      .reason = FORECAST_IDLE,
      .warning = FORECAST_SOON },
    { .facts = { .has_refresh_token = true, .granted_at = 995 * DAY }, /* imported, not used */
      .idle_ms = 14 * DAY,
      .dies_at = 1009 * DAY,
      .reason = FORECAST_IDLE },
    /* the sooner of both */
    { .facts = { .has_refresh_token = true,
                 .refreshed_at = 1000 * DAY,
                 .refresh_token_expires_at = 1010 * DAY,
                 .refresh_token_life_ms = 365 * DAY },
      .idle_ms = 14 * DAY,
      .dies_at = 1010 * DAY,
      .reason = FORECAST_ABSOLUTE,
      .warning = FORECAST_SOON },
    { .facts = { .has_refresh_token = true,
                 .refreshed_at = INT64_MAX - 1,
                 .refresh_token_expires_at = INT64_MAX - 1,
                 .refresh_token_life_ms = 365 * DAY },
      .idle_ms = 14 * DAY,
      .dies_at = INT64_MAX - 1,
      .reason = FORECAST_ABSOLUTE },
    /* a person is needed */
    { .facts = { .consent_required = true,
                 .has_refresh_token = true,
                 .expires_at = 1000 * DAY + HOUR,
                 .refresh_token_expires_at = 2000 * DAY },
      .dies_at = 1000 * DAY + HOUR,
      .reason = FORECAST_CONSENT_REQUIRED,
      .warning = FORECAST_URGENT },
    { .facts = { .consent_required = true },
      .reason = FORECAST_CONSENT_REQUIRED,
      .warning = FORECAST_URGENT },
    /* the access token is all there is */
    { .facts = { .expires_at = 1000 * DAY + HOUR },
      .dies_at = 1000 * DAY + HOUR,
      .reason = FORECAST_NO_REFRESH_TOKEN,
      .warning = FORECAST_URGENT },
    { .facts = { .expires_at = 1011 * DAY },
      .dies_at = 1011 * DAY,
      .reason = FORECAST_NO_REFRESH_TOKEN,
      .warning = FORECAST_SOON },
    { .facts = { .expires_at = 1060 * DAY },
      .dies_at = 1060 * DAY,
      .reason = FORECAST_NO_REFRESH_TOKEN },
};

static void tells_when_and_why(void **state)
{
    for (size_t i = 0; i < LENGTH_OF(rows); i++) {
        const struct provider provider = { .grant = rows[i].grant,
                                           .refresh_token_lifetime_ms = rows[i].lifetime_ms,
                                           .refresh_token_idle_lifetime_ms = rows[i].idle_ms };
        const struct forecast forecast = forecast_of(&rows[i].facts, &provider, now);
        if (forecast.dies_at != rows[i].dies_at || forecast.reason != rows[i].reason ||
            forecast.warning != rows[i].warning)
            fail_msg("row %zu: dies at %lld, reason %d, warning %d", i, (long long)forecast.dies_at,
                     (int)forecast.reason, (int)forecast.warning);
    }
}

static void does_without_a_provider(void **state)
{
    const struct forecast_facts facts = { .has_refresh_token = true,
                                          .granted_at = 1,
                                          .refreshed_at = 900 * DAY };
    assert_int_equal(forecast_of(&facts, NULL, now).reason, FORECAST_LIVES);
    const struct forecast_facts ends = { .expires_at = 1001 * DAY };
    assert_int_equal(forecast_of(&ends, NULL, now).reason, FORECAST_NO_REFRESH_TOKEN);
}

/* Of a year's life, and of a fortnight's, where the third of the life comes first. */
static void has_levels(void **state)
{
    static const struct {
        int64_t life, left;
        unsigned days;
    } levels[] = {
        { 365 * DAY, 30 * DAY, 0 },    { 365 * DAY, 30 * DAY - 1, 30 },
        { 365 * DAY, 14 * DAY, 30 },   { 365 * DAY, 14 * DAY - 1, 14 },
        { 365 * DAY, 7 * DAY - 1, 7 }, { 365 * DAY, 3 * DAY - 1, 3 },
        { 365 * DAY, DAY - 1, 1 },     { 365 * DAY, -DAY, 1 },
        { 14 * DAY, 5 * DAY, 0 },      { 14 * DAY, 4 * DAY, 7 },
    };
    for (size_t i = 0; i < LENGTH_OF(levels); i++) {
        const struct forecast_facts facts = { .has_refresh_token = true,
                                              .granted_at = 1,
                                              .refresh_token_expires_at = now + levels[i].left,
                                              .refresh_token_life_ms = levels[i].life };
        assert_int_equal(forecast_of(&facts, NULL, now).days, levels[i].days);
    }
}

/* It is shown whatever the grant dies of first. */
static void tells_the_refresh_tokens_end(void **state)
{
    const struct provider provider = { .refresh_token_lifetime_ms = 365 * DAY,
                                       .refresh_token_idle_lifetime_ms = 14 * DAY };
    struct forecast_facts facts = { .has_refresh_token = true,
                                    .granted_at = 900 * DAY,
                                    .refreshed_at = 999 * DAY };
    assert_int_equal(forecast_of(&facts, &provider, now).refresh_token_end, 1265 * DAY);
    assert_int_equal(forecast_of(&facts, &provider, now).reason, FORECAST_IDLE);
    assert_int_equal(forecast_of(&facts, NULL, now).refresh_token_end, 0);
    facts.refresh_token_expires_at = 1100 * DAY;
    assert_int_equal(forecast_of(&facts, &provider, now).refresh_token_end, 1100 * DAY);
    facts.has_refresh_token = false;
    assert_int_equal(forecast_of(&facts, &provider, now).refresh_token_end, 0);
}

static void has_names(void **state)
{
    assert_null(forecast_reason_name(FORECAST_LIVES));
    assert_string_equal(forecast_reason_name(FORECAST_IDLE), "idle");
    assert_string_equal(forecast_reason_name(FORECAST_ABSOLUTE), "absolute");
    assert_string_equal(forecast_reason_name(FORECAST_CONSENT_REQUIRED), "consent_required");
    assert_string_equal(forecast_reason_name(FORECAST_NO_REFRESH_TOKEN), "no_refresh_token");
    assert_string_equal(forecast_warning_name(FORECAST_CALM), "none");
    assert_string_equal(forecast_warning_name(FORECAST_SOON), "soon");
    assert_string_equal(forecast_warning_name(FORECAST_URGENT), "urgent");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tells_when_and_why), cmocka_unit_test(does_without_a_provider),
        cmocka_unit_test(has_levels),         cmocka_unit_test(tells_the_refresh_tokens_end),
        cmocka_unit_test(has_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

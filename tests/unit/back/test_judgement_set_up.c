/* Our set-up at a provider is refused: that is the provider's matter, until it is seen to be one
 * account's alone. */

#include "judgement_fixture.h"

static void the_words_of_a_past_incident_mean_nothing(void **state)
{
    CLEANUP(cleanup_account_row) struct account_row row = fresh_row();
    const struct token_grant grant = { .lifetime_ms = HOUR };
    struct circumstances c = at(start);
    (void)state;
    assert_true(judge_provider_refused(&row, &c));
    assert_int_equal(judge_note_error(&row, "invalid_client", "wrong secret", c.now), 0);
    assert_int_equal(judge_granted(&row, &grant, start + MINUTE, &c), 0);
    c.now += HOUR;
    c.others_succeeded_at = c.now - MINUTE;
    assert_true(judge_provider_refused(&row, &c));
    assert_int_equal(row.state, ACCOUNT_ACTIVE);
}

static void refused_credentials_are_the_providers_matter_first(void **state)
{
    CLEANUP(cleanup_account_row) struct account_row row = fresh_row();
    struct circumstances c = at(start);
    (void)state;
    assert_true(judge_provider_refused(&row, &c));
    assert_int_equal(judge_note_error(&row, "invalid_client", "wrong secret", c.now), 0);
    assert_true(judge_provider_refused(&row, &c));
    c.now += HOUR;
    c.others_succeeded_at = c.now - MINUTE;
    assert_false(judge_provider_refused(&row, &c));
    assert_int_equal(row.state, ACCOUNT_SUSPECT);
    /* From now on it is its own matter, also where no other was refreshed since the last try. */
    assert_int_equal(judge_note_error(&row, "invalid_client", "wrong secret", c.now), 0);
    c.now += MINUTE;
    assert_false(judge_provider_refused(&row, &c));
}

/* One that speaks in capitals says the same. */
static void refuse_set_up(struct account_row *row, const struct circumstances *c, bool provider_s)
{
    assert_int_equal(judge_provider_refused(row, c), provider_s);
    assert_int_equal(judge_note_error(row, "UNAUTHORIZED_CLIENT", "app not found", c->now), 0);
}

/* A person's tenant has thrown our app out; then the server is down for a moment. */
static void its_own_matter_stays_so_whatever_comes_between(void **state)
{
    CLEANUP(cleanup_account_row) struct account_row row = fresh_row();
    struct circumstances c = at(start);
    (void)state;
    refuse_set_up(&row, &c, true);
    c.others_succeeded_at = start + MINUTE;
    c.now = start + 2 * MINUTE;
    refuse_set_up(&row, &c, false);
    c.now = start + HOUR;
    judge_unanswered(&row, &c);
    assert_int_equal(judge_note_error(&row, "http_503", "down", c.now), 0);
    assert_int_equal(row.last_error_at, c.now);
    refuse_set_up(&row, &c, false);
    assert_int_equal(judge_rejected(&row, &provider, c.now), 0);
    refuse_set_up(&row, &c, false);
    /* The end of the grant is another thing. */
    assert_int_equal(judge_note_error(&row, "invalid_grant", "gone", c.now), 0);
    assert_string_equal(row.last_error, "invalid_grant");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_words_of_a_past_incident_mean_nothing),
        cmocka_unit_test(refused_credentials_are_the_providers_matter_first),
        cmocka_unit_test(its_own_matter_stays_so_whatever_comes_between),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

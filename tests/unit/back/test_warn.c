/* Who a person is called for: derived from the rows, noted once the hook has heard it, not before.
 */

#include "fixture.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>

#include "back/warn.h"

enum { MANY = 3 * WARN_CALLS_FOR_ACCOUNTS_MAX, AWAITED_MS = 10 * 1000, QUIET_MS = 250 };

#define ALL_DEAD                                                                                   \
    "UPDATE accounts SET state = 2, last_error = 'invalid_grant', refresh_at = 0, "                \
    "has_refresh_token = 1"

/* With a main thread that hears of events; the first sweep comes soon. */
static void begin(struct stage *stage)
{
    assert_int_equal(mailbox_new(256, 1, message_destroy, &stage->main), 0);
    set_speed(20);
    start(stage);
}

static void end(struct stage *stage)
{
    stop(stage);
    stage->main = mailbox_free(stage->main);
}

static void begin_again(struct stage *stage)
{
    end(stage);
    begin(stage);
}

/* The next event, the caller's; NULL when none comes. */
static struct message *await_event(struct stage *stage, int patience_ms)
{
    for (int waited = 0; waited <= patience_ms; waited += 10) {
        struct message *letter = mailbox_take(stage->main);
        if (letter)
            return letter;
        rest(10);
    }
    return NULL;
}

static struct message *event(struct stage *stage, const char *name)
{
    struct message *letter = await_event(stage, AWAITED_MS);
    assert_non_null(letter);
    assert_string_equal(letter->event.name, name);
    return letter;
}

static void expect_silence(struct stage *stage)
{
    CLEANUP(cleanup_message) struct message *letter = await_event(stage, QUIET_MS);
    if (letter)
        fail_msg("%s of %s", letter->event.name, letter->account.label);
}

/* As main does when the program has ended, or could not be started; takes the letter over. */
static void hear(struct stage *stage, struct message *letter, bool heard)
{
    assert_true(letter->id > 0);
    letter->kind = TELL_HEARD;
    letter->accept = heard;
    assert_int_equal(mailbox_send(stage->inbox, letter), 0);
}

static void seed_dead(struct stage *stage, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        char label[16], token[32];
        (void)snprintf(label, sizeof label, "a%02u", i);
        (void)snprintf(token, sizeof token, "rt-secret-%02u", i);
        seed(stage, (struct seed){ .label = label, .refresh_token = token });
    }
    run_sql(stage, ALL_DEAD);
}

static void what_was_not_heard_is_told_after_a_restart(void **state)
{
    struct stage *stage = *state;
    seed_dead(stage, 1);
    begin(stage);
    CLEANUP(cleanup_message) struct message *unheard = event(stage, "consent_required");
    assert_string_equal(unheard->account.label, "a00");
    assert_string_equal(unheard->event.text, "invalid_grant");
    expect_silence(stage);
    begin_again(stage);
    hear(stage, event(stage, "consent_required"), true);
    expect_silence(stage);
    begin_again(stage);
    expect_silence(stage);
    end(stage);
}

/* Its grants were another broker's until then, who told of them. */
static void what_a_fence_kept_back_is_told_once_it_is_lifted(void **state)
{
    struct stage *stage = *state;
    seed_dead(stage, 1);
    run_sql(stage, "INSERT OR REPLACE INTO facts (name, value) VALUES ('moved', '1790000000')");
    begin(stage);
    expect_silence(stage);
    struct message *resume = message_new(ASK_RESUME);
    resume->accept = true;
    expect_ok(stage, post(stage, resume));
    message_free(event(stage, "broker_resumed"));
    hear(stage, event(stage, "consent_required"), true);
    end(stage);
}

static void each_of_many_is_told_once_and_few_wait_for_the_hook(void **state)
{
    struct stage *stage = *state;
    bool told[MANY] = { false };
    seed_dead(stage, MANY);
    begin(stage);
    struct message *waiting[WARN_CALLS_FOR_ACCOUNTS_MAX];
    for (size_t i = 0; i < WARN_CALLS_FOR_ACCOUNTS_MAX; i++)
        waiting[i] = event(stage, "consent_required");
    expect_silence(stage);
    for (size_t i = 0; i < MANY; i++) {
        struct message **next = &waiting[i % WARN_CALLS_FOR_ACCOUNTS_MAX];
        const long number = strtol((*next)->account.label + 1, NULL, 10);
        assert_in_range(number, 0, MANY - 1);
        assert_false(told[number]);
        told[number] = true;
        hear(stage, *next, true);
        *next = i + WARN_CALLS_FOR_ACCOUNTS_MAX < MANY ? event(stage, "consent_required") : NULL;
    }
    expect_silence(stage);
    end(stage);
}

static void a_program_that_could_not_be_started_has_heard_nothing(void **state)
{
    struct stage *stage = *state;
    seed_dead(stage, 1);
    begin(stage);
    hear(stage, event(stage, "consent_required"), false);
    expect_silence(stage);
    reload(stage);
    hear(stage, event(stage, "consent_required"), true);
    expect_silence(stage);
    reload(stage);
    expect_silence(stage);
    end(stage);
}

static void a_full_disk_tells_nobody_twice(void **state)
{
    struct stage *stage = *state;
    seed_dead(stage, 1);
    begin(stage);
    struct message *letter = event(stage, "consent_required");
    refuse_commits(5);
    hear(stage, letter, true);
    expect_silence(stage);
    refuse_commits(0);
    rest(QUIET_MS);
    begin_again(stage);
    expect_silence(stage);
    end(stage);
}

/* What would share its transaction with a new token, and fail it, is not tried meanwhile. */
static void nothing_is_noted_while_the_store_refuses_writes(void **state)
{
    struct stage *stage = *state;
    seed_dead(stage, 1);
    begin(stage);
    struct message *letter = event(stage, "consent_required");
    refuse_commits(UINT_MAX);
    expect_failure(stage, ask_import(stage, "b", "rt-secret-b"), WIRE_BUSY);
    const unsigned before = notes_tried();
    hear(stage, letter, true);
    rest(QUIET_MS);
    assert_int_equal(notes_tried(), before);
    refuse_commits(0);
    rest(QUIET_MS);
    assert_true(notes_tried() > before);
    begin_again(stage);
    expect_silence(stage);
    end(stage);
}

/* Where the disk has room for a page or two, many are not tried for ever at once. */
static void what_does_not_fit_at_once_is_noted_one_by_one(void **state)
{
    struct stage *stage = *state;
    seed_dead(stage, MANY);
    refuse_notes_beyond(1);
    set_speed(100);
    start(stage);
    for (unsigned i = 0, patience = 1000; i < MANY; patience--) {
        char label[16];
        (void)snprintf(label, sizeof label, "a%02u", i);
        CLEANUP(cleanup_account_row) struct account_row row = ask_row(stage, label);
        i += row.warned_days == WARNED_NEEDS_CONSENT;
        assert_true(patience > 0);
        rest(10);
    }
}

/* One that cannot be noted for damage stands aside, and is not told over and over. */
static void a_damaged_row_keeps_no_note_from_others(void **state)
{
    struct stage *stage = *state;
    seed_dead(stage, 2);
    begin(stage);
    struct message *first = event(stage, "consent_required");
    struct message *second = event(stage, "consent_required");
    fail_reads("a00", -EBADMSG);
    hear(stage, first, true);
    hear(stage, second, true);
    expect_silence(stage);
    fail_reads(NULL, 0);
    end(stage);
    run_sql(stage, "CREATE TABLE told (n INTEGER NOT NULL CHECK (n = 1))");
    run_sql(stage, "INSERT INTO told SELECT count(*) FROM accounts WHERE warned_days = 1000");
}

/* It is told when it can be noted, and so once. */
static void a_pause_that_begins_on_a_full_disk_is_told_later(void **state)
{
    struct stage *stage = *state;
    server_script(stage->server,
                  (struct canned){ .times = 1, .status = 401, .body = BAD_CLIENT, .held = true });
    seed(stage, (struct seed){ .label = "a", .refresh_token = "rt-secret-a", .refresh_at = 1 });
    begin(stage);
    assert_true(server_wait(stage->server, NULL, 1));
    refuse_commits(UINT_MAX);
    expect_failure(stage, ask_import(stage, "b", "rt-secret-b"), WIRE_BUSY);
    server_release(stage->server);
    expect_silence(stage);
    const unsigned before = lists_made();
    expect_silence(stage);
    assert_int_equal(lists_made(), before); /* nobody is looked for in vain */
    refuse_commits(0);
    hear(stage, event(stage, "provider_paused"), true);
    expect_silence(stage);
    end(stage);
}

/* The account is brought back and dies once more: another matter, also within the hour of a sweep.
 */
static void expect_second_death(struct stage *stage, bool imported)
{
    seed(stage, (struct seed){ .label = "other", .refresh_token = "rt-secret-other" });
    seed(stage, (struct seed){ .label = "a", .refresh_token = "rt-secret-a" });
    run_sql(stage, ALL_DEAD ", warned_days = 1000");
    server_script(stage->server, (struct canned){ .status = 400, .body = REFUSED });
    begin(stage);
    expect_silence(stage);
    expect_ok(stage,
              imported ? ask_import(stage, "a", "rt-secret-new") : ask(stage, ASK_RETRY, "a"));
    expect_failure(stage, ask(stage, ASK_REFRESH, "a"), WIRE_CONSENT_REQUIRED);
    CLEANUP(cleanup_message) struct message *letter = event(stage, "consent_required");
    assert_string_equal(letter->account.label, "a");
    end(stage);
}

static void a_second_death_is_told_too(void **state)
{
    expect_second_death(*state, true);
}

static void also_after_a_retry(void **state)
{
    expect_second_death(*state, false);
}

static void a_level_is_told_once_and_the_next_too(void **state)
{
    struct stage *stage = *state;
    char sql[200];
    seed(stage, (struct seed){ .label = "a", .refresh_token = "rt-secret-a" });
    for (int days = 6; days >= 2; days -= 4) {
        (void)snprintf(sql, sizeof sql,
                       "UPDATE accounts SET refresh_token_life_ms = 31536000000,"
                       " refresh_token_expires_at = %lld",
                       (long long)(broker_now() + days * 24 * HOUR));
        run_sql(stage, sql);
        for (int again = 0; again < 2; again++) {
            begin(stage);
            if (again == 0)
                hear(stage, event(stage, "grant_dies_soon"), true);
            expect_silence(stage);
            end(stage);
        }
    }
}

static void a_pause_is_told_until_it_was_heard(void **state)
{
    struct stage *stage = *state;
    seed(stage, (struct seed){ .label = "a", .refresh_token = "rt-secret-a", .refresh_at = 1 });
    server_script(stage->server, (struct canned){ .status = 401, .body = BAD_CLIENT });
    begin(stage);
    CLEANUP(cleanup_message) struct message *unheard = event(stage, "provider_paused");
    assert_string_equal(unheard->account.provider, "acme");
    assert_string_equal(unheard->account.label, "");
    rest(QUIET_MS);
    begin_again(stage);
    hear(stage, event(stage, "provider_paused"), true);
    rest(QUIET_MS);
    begin_again(stage);
    expect_silence(stage);
    end(stage);
}

/* Many accounts that wait for a slow hook keep no pause from it. */
static void a_pause_does_not_wait_behind_accounts(void **state)
{
    struct stage *stage = *state;
    struct message *waiting[WARN_CALLS_FOR_ACCOUNTS_MAX];
    seed_dead(stage, MANY);
    seed(stage, (struct seed){ .label = "z", .refresh_token = "rt-secret-z" });
    server_script(stage->server, (struct canned){ .status = 401, .body = BAD_CLIENT });
    begin(stage);
    for (size_t i = 0; i < WARN_CALLS_FOR_ACCOUNTS_MAX; i++)
        waiting[i] = event(stage, "consent_required");
    CLEANUP(cleanup_message) struct message *refused = answer(stage, ask(stage, ASK_REFRESH, "z"));
    assert_true(refused->failed);
    CLEANUP(cleanup_message) struct message *paused = event(stage, "provider_paused");
    for (size_t i = 0; i < WARN_CALLS_FOR_ACCOUNTS_MAX; i++)
        message_free(waiting[i]);
    end(stage);
}

/* The account serves on; that another's consent waits is told, and that this one dies. */
static void what_is_held_is_told_before_it_dies(void **state)
{
    struct stage *stage = *state;
    char sql[400];
    seed(stage, (struct seed){ .label = "a", .refresh_token = "rt-secret-a", .identity = "one" });
    (void)snprintf(
        sql, sizeof sql,
        "INSERT INTO held SELECT provider, label, %lld, %lld, 0, 0, 0, %lld, 31536000000,"
        " NULL, 'two', sealed, 0, 0 FROM accounts",
        (long long)broker_now(), (long long)broker_now(),
        (long long)(broker_now() + 6 * 24 * HOUR));
    run_sql(stage, sql);
    begin(stage);
    CLEANUP(cleanup_message) struct message *unheard = event(stage, "identity_mismatch");
    assert_non_null(strstr(unheard->event.text, "(two)"));
    expect_silence(stage);
    begin_again(stage);
    hear(stage, event(stage, "identity_mismatch"), true);
    rest(QUIET_MS);
    reload(stage);
    struct message *dies = event(stage, "grant_dies_soon");
    assert_non_null(strstr(dies->event.text, "held"));
    hear(stage, dies, true);
    rest(QUIET_MS);
    begin_again(stage);
    expect_silence(stage);
    end(stage);
}

#define GRANT_OF(identity, number)                                                                 \
    "{\"access_token\":\"at-secret-" number "\",\"expires_in\":3600,\"refresh_token\":"            \
    "\"rt-secret-" number "\",\"company_id\":\"" identity "\"}"

/* While the hook is told of the first, somebody else puts another in its place. */
static void a_second_held_consent_is_told_too(void **state)
{
    struct stage *stage = *state;
    set_text(&acme(stage)->identity, "company_id");
    seed(stage, (struct seed){ .label = "a", .refresh_token = "rt-secret-1", .identity = "one" });
    server_script(
        stage->server,
        (struct canned){ .match = "code-secret-2", .status = 200, .body = GRANT_OF("two", "2") });
    server_script(
        stage->server,
        (struct canned){ .match = "code-secret-3", .status = 200, .body = GRANT_OF("three", "3") });
    begin(stage);
    expect_ok(stage, ask_exchange(stage, "a", "code-secret-2", NULL));
    struct message *first = event(stage, "identity_mismatch");
    expect_ok(stage, ask_exchange(stage, "a", "code-secret-3", NULL));
    struct message *second = event(stage, "identity_mismatch");
    assert_non_null(strstr(second->event.text, "(three)"));
    hear(stage, first, true);
    rest(QUIET_MS);
    message_free(second);
    begin_again(stage);
    second = event(stage, "identity_mismatch");
    assert_non_null(strstr(second->event.text, "(three)"));
    hear(stage, second, true);
    rest(QUIET_MS);
    begin_again(stage);
    expect_silence(stage);
    end(stage);
}

/* Another company's data comes under the account's name: a person has to hear of it. */
static void an_identity_that_changed_is_told_until_it_was_heard(void **state)
{
    struct stage *stage = *state;
    set_text(&acme(stage)->identity, "company_id");
    seed(stage, (struct seed){ .label = "a", .refresh_token = "rt-secret-1", .identity = "one" });
    server_script(stage->server,
                  (struct canned){ .times = 1, .status = 200, .body = GRANT_OF("two", "2") });
    begin(stage);
    CLEANUP(cleanup_message) struct message *came = answer(stage, ask(stage, ASK_REFRESH, "a"));
    assert_false(came->failed);
    CLEANUP(cleanup_message) struct message *unheard = event(stage, "identity_changed");
    assert_non_null(strstr(unheard->event.text, "(two) than before (one)"));
    expect_silence(stage);
    begin_again(stage);
    CLEANUP(cleanup_message) struct message *again = event(stage, "identity_changed");
    assert_string_equal(again->event.text, unheard->event.text);
    hear(stage, steal(again), true);
    rest(QUIET_MS);
    begin_again(stage);
    expect_silence(stage);
    end(stage);
}

/* Its hook runs still when the account was brought back and has died again. */
static void a_second_death_within_the_first_call_is_told_too(void **state)
{
    struct stage *stage = *state;
    seed_dead(stage, 1);
    server_script(stage->server, (struct canned){ .status = 400, .body = REFUSED });
    begin(stage);
    struct message *first = event(stage, "consent_required");
    expect_ok(stage, ask_import(stage, "a00", "rt-secret-new"));
    expect_failure(stage, ask(stage, ASK_REFRESH, "a00"), WIRE_CONSENT_REQUIRED);
    struct message *second = event(stage, "consent_required");
    hear(stage, first, true);
    hear(stage, second, true);
    rest(QUIET_MS);
    begin_again(stage);
    expect_silence(stage);
    end(stage);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_was_not_heard_is_told_after_a_restart),
        TEST(what_a_fence_kept_back_is_told_once_it_is_lifted),
        TEST(each_of_many_is_told_once_and_few_wait_for_the_hook),
        TEST(a_program_that_could_not_be_started_has_heard_nothing),
        TEST(a_full_disk_tells_nobody_twice),
        TEST(nothing_is_noted_while_the_store_refuses_writes),
        TEST(what_does_not_fit_at_once_is_noted_one_by_one),
        TEST(a_damaged_row_keeps_no_note_from_others),
        TEST(a_pause_that_begins_on_a_full_disk_is_told_later),
        TEST(a_second_held_consent_is_told_too),
        TEST(a_second_death_within_the_first_call_is_told_too),
        TEST(an_identity_that_changed_is_told_until_it_was_heard),
        TEST(a_second_death_is_told_too),
        TEST(also_after_a_retry),
        TEST(a_level_is_told_once_and_the_next_too),
        TEST(a_pause_is_told_until_it_was_heard),
        TEST(a_pause_does_not_wait_behind_accounts),
        TEST(what_is_held_is_told_before_it_dies),
    };
    return RUN(tests);
}

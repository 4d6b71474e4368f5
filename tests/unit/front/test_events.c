#include "fixture.h"

static struct account_name name_of(const char *provider, const char *label)
{
    struct account_name name = { "", "" };

    snprintf(name.provider, sizeof(name.provider), "%s", provider);
    snprintf(name.label, sizeof(name.label), "%s", label);
    return name;
}

static void happens(struct fixture *fixture, const char *provider, const char *label,
                    const char *event, const char *text)
{
    struct account_name about = name_of(provider, label);

    events_tell(fixture->context.events, &about, event, "%s", text);
}

/* Follows with the id of the last event seen, or NULL. */
static struct web_request *follow(struct fixture *fixture, uid_t uid, const char *target,
                                  const char *last_id)
{
    struct web_request *request = fake_request("GET", target, NULL, uid);

    request->last_event_id = last_id;
    api_handle(&fixture->context, request);
    return request;
}

static void expect_all(const struct web_request *request, const char *const *texts)
{
    const char *at = request->answer;

    for (; *texts; texts++) {
        const char *found = strstr(at, *texts);
        if (!found)
            print_error("no %s in %s\n", *texts, at);
        assert_non_null(found);
        at = found + strlen(*texts);
    }
}

static void hang_up(struct web_request *request)
{
    fake_hang_up(request);
    free(request);
}

static void test_an_event_as_it_goes_out(void **state)
{
    struct fixture *fixture = *state;
    struct web_request *request = follow(fixture, FIXTURE_UID, "/v1/events", NULL);

    assert_int_equal(request->status, 200);
    assert_string_equal(request->content_type, "text/event-stream");
    assert_true(strncmp(request->answer, "retry: 1000\nid: ", 16) == 0);
    happens(fixture, "zenegy", "acme", "consent_required", "a \"line\"\nand more");
    expect_all(request, (const char *const[]){
                            "\n\nid: ", "-1\nevent: consent_required\ndata: {\"event\":",
                            "\"provider\":\"zenegy\",\"account\":\"zenegy/acme\",\"text\":\"a "
                            "\\\"line\\\"\\nand more\",\"at\":2000}\n\n",
                            NULL });
    assert_int_equal(events_followers(fixture->context.events), 1);
    hang_up(request);
    assert_int_equal(events_followers(fixture->context.events), 0);
    happens(fixture, "zenegy", "acme", "refreshed", "nobody hears it");
}

static void test_rights(void **state)
{
    static const struct {
        unsigned may;
        const char *glob;
        bool sees_acme, sees_zeta, sees_provider;
    } rows[] = {
        { MAY_LIST, "zenegy/a*", true, false, false },
        { MAY_MONITOR, "zenegy/a*", true, false, true },
        { MAY_ADMIN, "*", true, true, true },
        { MAY_LIST | MAY_TOKEN, "zenegy/*", true, true, false },
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct fixture *fixture = fixture_new(4096);
        fixture_rule(fixture, STRANGER_UID, rows[i].may, rows[i].glob);
        struct web_request *request = follow(fixture, STRANGER_UID, "/v1/events", NULL);
        happens(fixture, "zenegy", "acme", "refreshed", "");
        happens(fixture, "zenegy", "zeta", "refreshed", "");
        happens(fixture, "zenegy", "", "provider_paused", "");
        assert_int_equal(strstr(request->answer, "zenegy/acme") != NULL, rows[i].sees_acme);
        assert_int_equal(strstr(request->answer, "zenegy/zeta") != NULL, rows[i].sees_zeta);
        assert_int_equal(strstr(request->answer, "paused") != NULL, rows[i].sees_provider);
        hang_up(request);
        void *own = fixture;
        fixture_tear_down(&own);
    }
}

static void test_rights_of_none(void **state)
{
    struct fixture *fixture = *state;

    fixture_rule(fixture, STRANGER_UID, MAY_TOKEN | MAY_LOGIN, "*");
    expect_answer(follow(fixture, STRANGER_UID, "/v1/events", NULL), 403, "forbidden");
    expect_answer(follow(fixture, FIXTURE_UID, "/v1/events", NULL), 403, "forbidden");
}

static void test_filters(void **state)
{
    static const struct {
        const char *query;
        bool account, provider, other;
    } rows[] = {
        { "", true, true, true },
        { "?account=zenegy", true, true, false },
        { "?account=zen*", true, true, true },
        { "?account=zenegy/acme", true, true, false },
        { "?account=zenegy/a?me", true, true, false },
        { "?account=zenegy/b*", false, true, false },
        { "?account=*/acme", true, true, true },
        { "?account=zenpayroll", false, false, true },
    };
    struct fixture *fixture = *state;

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char target[64];
        snprintf(target, sizeof(target), "/v1/events%s", rows[i].query);
        struct web_request *request = follow(fixture, FIXTURE_UID, target, NULL);
        happens(fixture, "zenegy", "acme", "refreshed", "");
        happens(fixture, "zenegy", "", "provider_paused", "");
        happens(fixture, "zenpayroll", "acme", "refresh_failed", "");
        assert_int_equal(strstr(request->answer, "refreshed") != NULL, rows[i].account);
        assert_int_equal(strstr(request->answer, "provider_paused") != NULL, rows[i].provider);
        assert_int_equal(strstr(request->answer, "refresh_failed") != NULL, rows[i].other);
        hang_up(request);
    }
    expect_answer(follow(fixture, FIXTURE_UID, "/v1/events?account=", NULL), 400, "glob");
    expect_answer(follow(fixture, FIXTURE_UID, "/v1/events?account=a%b", NULL), 400, "glob");
    expect_answer(follow(fixture, FIXTURE_UID, "/v1/events?since=1", NULL), 400, "since");
}

/* The id of the last event in what was streamed. */
static void last_id_of(const struct web_request *request, char *out, size_t size)
{
    const char *at = request->answer;

    for (const char *next; (next = strstr(at, "id: ")); at = next + 4)
        snprintf(out, size, "%.*s", (int)strcspn(next + 4, "\n"), next + 4);
}

static void test_what_was_missed_comes_again(void **state)
{
    struct fixture *fixture = *state;
    struct web_request *request = follow(fixture, FIXTURE_UID, "/v1/events", NULL);
    char id[64];

    happens(fixture, "zenegy", "a", "refreshed", "first");
    last_id_of(request, id, sizeof(id));
    hang_up(request);
    happens(fixture, "zenegy", "a", "refreshed", "second");
    happens(fixture, "zenpayroll", "a", "refreshed", "not wanted");
    happens(fixture, "zenegy", "a", "refreshed", "third");
    request = follow(fixture, FIXTURE_UID, "/v1/events?account=zenegy", id);
    expect_all(request, (const char *const[]){ "second", "third", NULL });
    assert_null(strstr(request->answer, "first"));
    assert_null(strstr(request->answer, "not wanted"));
    assert_null(strstr(request->answer, "lost"));
    hang_up(request);
}

static void test_what_is_not_kept_is_lost(void **state)
{
    struct fixture *fixture = *state;
    struct web_request *request = follow(fixture, FIXTURE_UID, "/v1/events", NULL);
    char id[64];

    last_id_of(request, id, sizeof(id));
    hang_up(request);
    for (int i = 0; i <= EVENTS_KEPT; i++)
        happens(fixture, "zenegy", "a", "refreshed", i == 0 ? "dropped" : i == 1 ? "kept" : "");
    request = follow(fixture, FIXTURE_UID, "/v1/events", id);
    expect_all(request, (const char *const[]){ "event: lost\n", "kept", NULL });
    assert_null(strstr(request->answer, "dropped"));
    hang_up(request);
}

static void test_ids_that_are_not_ours(void **state)
{
    static const char *const ids[] = {
        "", "1", "00000000-0", "zzzzzzzz-1", "-", "99999999999999999"
    };
    struct fixture *fixture = *state;
    struct web_request *request;
    char id[64], odd[80];

    happens(fixture, "zenegy", "a", "refreshed", "kept");
    for (size_t i = 0; i < sizeof(ids) / sizeof(ids[0]); i++) {
        request = follow(fixture, FIXTURE_UID, "/v1/events", ids[i]);
        expect_all(request, (const char *const[]){ "event: lost\n", "restarted", NULL });
        assert_null(strstr(request->answer, "kept"));
        last_id_of(request, id, sizeof(id));
        hang_up(request);
    }
    /* Ours, but of the future, or not a number. */
    snprintf(odd, sizeof(odd), "%s0", id);
    request = follow(fixture, FIXTURE_UID, "/v1/events", odd);
    expect_all(request, (const char *const[]){ "event: lost\n", NULL });
    hang_up(request);
    snprintf(odd, sizeof(odd), "%sx", id);
    request = follow(fixture, FIXTURE_UID, "/v1/events", odd);
    expect_all(request, (const char *const[]){ "event: lost\n", NULL });
    hang_up(request);
}

static void test_who_is_slow_is_told_what_it_lost(void **state)
{
    struct fixture *fixture = *state;
    struct web_request *request = follow(fixture, FIXTURE_UID, "/v1/events", NULL);

    request->stream_room = 0;
    happens(fixture, "zenegy", "a", "refreshed", "dropped");
    happens(fixture, "zenegy", "a", "refreshed", "dropped");
    request->stream_room = EVENTS_UNREAD_MAX;
    happens(fixture, "zenegy", "a", "refreshed", "heard");
    expect_all(request, (const char *const[]){ "event: lost\n", "2 events", "heard", NULL });
    assert_null(strstr(request->answer, "dropped"));
    happens(fixture, "zenegy", "a", "refreshed", "more");
    assert_null(strstr(strstr(request->answer, "heard"), "lost"));
    hang_up(request);
}

static void test_bounded(void **state)
{
    struct fixture *fixture = *state;
    struct web_request *requests[EVENTS_FOLLOWERS_MAX];

    fixture->context.settings->rule_count = 0;
    for (int i = 0; i < EVENTS_FOLLOWERS_PER_UID_MAX; i++)
        requests[i] = follow(fixture, FIXTURE_UID, "/v1/events", NULL);
    expect_answer(follow(fixture, FIXTURE_UID, "/v1/events", NULL), 429, "too many follow");
    hang_up(requests[0]);
    requests[0] = follow(fixture, FIXTURE_UID, "/v1/events", NULL);
    assert_true(requests[0]->streams);
    for (int i = 0; i < EVENTS_FOLLOWERS_PER_UID_MAX; i++)
        hang_up(requests[i]);

    /* Many users, each within its share. */
    for (int i = 0; i < EVENTS_FOLLOWERS_MAX; i++) {
        fixture->context.access.own_uid = (uid_t)(FIXTURE_UID + i);
        requests[i] = follow(fixture, (uid_t)(FIXTURE_UID + i), "/v1/events", NULL);
        assert_true(requests[i]->streams);
    }
    expect_answer(follow(fixture, fixture->context.access.own_uid, "/v1/events", NULL), 503,
                  "too many follow");
    for (int i = 0; i < EVENTS_FOLLOWERS_MAX; i++)
        hang_up(requests[i]);
}

static void test_end_of_all(void **state)
{
    struct fixture *fixture = *state;
    struct web_request *one = follow(fixture, FIXTURE_UID, "/v1/events", NULL);
    struct web_request *other = follow(fixture, FIXTURE_UID, "/v1/events", NULL);

    events_end_all(fixture->context.events);
    assert_true(one->stream_ended && other->stream_ended);
    assert_int_equal(events_followers(fixture->context.events), 0);
    happens(fixture, "zenegy", "a", "refreshed", "");
    free(one);
    free(other);
}

static void test_letters_of_the_back(void **state)
{
    struct fixture *fixture = *state;
    struct web_request *request = follow(fixture, FIXTURE_UID, "/v1/events", NULL);
    struct message *letter = fixture_notice("zenegy", "acme", NULL, 1);

    events_take(fixture->context.events, letter);
    assert_null(strstr(request->answer, "event:"));
    snprintf(letter->event.name, sizeof(letter->event.name), "refreshed");
    events_take(fixture->context.events, letter);
    expect_all(request, (const char *const[]){ "event: refreshed\n", "zenegy/acme", NULL });
    message_free(letter);

    /* One that stands for all: something of it may have been an event. */
    letter = message_new(NOTICE);
    events_take(fixture->context.events, letter);
    happens(fixture, "zenegy", "acme", "refresh_failed", "");
    expect_all(request, (const char *const[]){ "event: lost\n", "refresh_failed", NULL });
    message_free(letter);
    hang_up(request);
}

static void test_who_comes_again_is_told_what_the_back_dropped(void **state)
{
    struct fixture *fixture = *state;
    struct web_request *request = follow(fixture, FIXTURE_UID, "/v1/events", NULL);
    CLEANUP(cleanup_message) struct message *overflow = message_new(NOTICE);
    char id[64];

    last_id_of(request, id, sizeof(id));
    hang_up(request);
    happens(fixture, "zenegy", "a", "refreshed", "before");
    events_take(fixture->context.events, overflow);
    request = follow(fixture, FIXTURE_UID, "/v1/events", id);
    expect_all(request, (const char *const[]){ "before", "event: lost\n", NULL });
    last_id_of(request, id, sizeof(id));
    hang_up(request);
    request = follow(fixture, FIXTURE_UID, "/v1/events", id);
    assert_null(strstr(request->answer, "lost"));
    hang_up(request);
}

/* What follows the word of a loss is not part of it. */
static void test_what_does_not_fit_behind_a_loss_is_told_later(void **state)
{
    struct fixture *fixture = *state;
    struct web_request *request = follow(fixture, FIXTURE_UID, "/v1/events", NULL);
    char id[64], text[200] = "";

    request->stream_room = 0;
    happens(fixture, "zenegy", "a", "refreshed", "dropped");
    request->stream_room = 250;
    memset(text, 'x', sizeof(text) - 1);
    happens(fixture, "zenegy", "a", "refreshed", text);
    expect_all(request, (const char *const[]){ "event: lost\n", NULL });
    assert_null(strstr(request->answer, "event: refreshed"));
    last_id_of(request, id, sizeof(id));
    hang_up(request);
    request = follow(fixture, FIXTURE_UID, "/v1/events", id);
    expect_all(request, (const char *const[]){ "event: refreshed", NULL });
    hang_up(request);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_who_comes_again_is_told_what_the_back_dropped,
                                        fixture_set_up, fixture_tear_down),
        cmocka_unit_test_setup_teardown(test_what_does_not_fit_behind_a_loss_is_told_later,
                                        fixture_set_up, fixture_tear_down),
        cmocka_unit_test_setup_teardown(test_an_event_as_it_goes_out, fixture_set_up,
                                        fixture_tear_down),
        cmocka_unit_test(test_rights),
        cmocka_unit_test_setup_teardown(test_rights_of_none, fixture_set_up, fixture_tear_down),
        cmocka_unit_test_setup_teardown(test_filters, fixture_set_up, fixture_tear_down),
        cmocka_unit_test_setup_teardown(test_what_was_missed_comes_again, fixture_set_up,
                                        fixture_tear_down),
        cmocka_unit_test_setup_teardown(test_what_is_not_kept_is_lost, fixture_set_up,
                                        fixture_tear_down),
        cmocka_unit_test_setup_teardown(test_ids_that_are_not_ours, fixture_set_up,
                                        fixture_tear_down),
        cmocka_unit_test_setup_teardown(test_who_is_slow_is_told_what_it_lost, fixture_set_up,
                                        fixture_tear_down),
        cmocka_unit_test_setup_teardown(test_bounded, fixture_set_up, fixture_tear_down),
        cmocka_unit_test_setup_teardown(test_end_of_all, fixture_set_up, fixture_tear_down),
        cmocka_unit_test_setup_teardown(test_letters_of_the_back, fixture_set_up,
                                        fixture_tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

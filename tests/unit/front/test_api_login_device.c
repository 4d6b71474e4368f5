/* A login that is finished on another device: two questions to the back, and its word at the end.
 */

#include "fixture.h"

#define LOGIN "/v1/login/zenegy/acme"
#define BY_DEVICE "{\"mode\":\"device\",\"scope\":\"read\",\"params\":{\"audience\":\"x\"}}"

static struct provider *zenegy(struct fixture *f)
{
    return f->context.settings->providers[0];
}

static int set_up(void **state)
{
    fixture_set_up(state);
    struct provider *provider = zenegy(*state);
    provider->client_id = strdup("client");
    provider->redirect_uri = strdup("https://oauth.example/v1/callback");
    provider->authorization_endpoint = strdup("https://auth.example/authorize");
    provider->device_authorization_endpoint = strdup("https://auth.example/device");
    return 0;
}

static void answer_provider(struct fixture *f)
{
    struct message *answer = fixture_answer(fixture_take(f, ASK_PROVIDER));
    assert_int_equal(provider_copy(zenegy(f), &answer->provider), 0);
    answer->account_created_at = 17;
    fixture_deliver(f, answer);
}

static struct device_authorization *codes(void)
{
    struct device_authorization *device = calloc(1, sizeof *device);
    assert_non_null(device);
    assert_int_equal(secret_new("dc-1", 4, &device->device_code), 0);
    device->user_code = strdup("WDJB-MJHT");
    device->verification_uri = strdup("https://auth.example/go");
    device->interval_ms = 5000;
    device->lifetime_ms = 1800 * 1000;
    return device;
}

/* Until the codes are known; *ret_poll is the question that stays with the back. */
static struct login *start(struct fixture *f, struct message **ret_poll)
{
    struct web_request *request = fixture_send(f, "POST", LOGIN, BY_DEVICE);
    answer_provider(f);
    struct message *answer = fixture_answer(fixture_take(f, ASK_DEVICE));
    answer->device = codes();
    fixture_deliver(f, answer);
    expect_answer(request, 200, "\"login_id\":\"");
    *ret_poll = fixture_take(f, ASK_POLL);
    return logins_newest(f->context.logins);
}

static void end_with(struct fixture *f, struct message *poll, enum consent_outcome outcome)
{
    struct message *answer = fixture_answer(poll);
    answer->consent = calloc(1, sizeof *answer->consent);
    assert_non_null(answer->consent);
    answer->consent->outcome = outcome;
    fixture_deliver(f, answer);
}

static const char *target_of(const struct login *login, const char *query, char out[128])
{
    snprintf(out, 128, "/v1/logins/%s%s", login->id, query);
    return out;
}

static void test_start(void **state)
{
    struct fixture *f = *state;
    struct web_request *request = fixture_send(f, "POST", LOGIN, BY_DEVICE);
    answer_provider(f);
    struct message *question = fixture_take(f, ASK_DEVICE);
    assert_string_equal(question->device_request->scope, "read");
    assert_string_equal(parameters_find(&question->device_request->params, "audience"), "x");
    assert_int_equal(request->answers, 0);
    struct message *answer = fixture_answer(question);
    answer->device = codes();
    answer->device->verification_uri_complete = strdup("https://auth.example/go?c=W");
    fixture_deliver(f, answer);
    assert_null(strstr(request->answer, "dc-1"));
    assert_null(strstr(request->answer, "start_url"));
    expect_answer(request, 200,
                  "\"account\":\"zenegy/acme\",\"user_code\":\"WDJB-MJHT\","
                  "\"verification_uri\":\"https://auth.example/go\","
                  "\"verification_uri_complete\":\"https://auth.example/go?c=W\","
                  "\"interval\":5,\"expires_in\":1800}");
    struct message *poll = fixture_take(f, ASK_POLL);
    assert_string_equal(secret_reveal(poll->device->device_code), "dc-1");
    assert_string_equal(poll->exchange->scope, "read");
    assert_int_equal(poll->exchange->account_created_at, 17);
    assert_int_equal(poll->device->interval_ms, 5000);
    assert_int_equal(poll->device->lifetime_ms, 1800 * 1000);
    end_with(f, poll, CONSENT_GRANTED);
    assert_int_equal(logins_newest(f->context.logins)->status, LOGIN_DONE);
}

static void test_ends(void **state)
{
    static const struct {
        enum consent_outcome outcome;
        const char *says;
    } rows[] = {
        { CONSENT_GRANTED, "\"status\":\"done\"" },
        { CONSENT_WITHOUT_REFRESH_TOKEN, "\"warning\":" },
        { CONSENT_IDENTITY_MISMATCH, "\"status\":\"failed\",\"error\":\"identity_mismatch\"" },
        { CONSENT_UNTOLD, "\"status\":\"failed\",\"error\":\"consent_held\"" },
        { CONSENT_DENIED, "\"status\":\"failed\",\"error\":\"access_denied\"" },
        { CONSENT_EXPIRED, "\"status\":\"expired\",\"error\":\"expired\"" },
        { CONSENT_CANCELLED, "\"status\":\"cancelled\",\"error\":\"cancelled\"" },
    };
    struct fixture *f = *state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct message *poll = NULL;
        char target[128];
        struct login *login = start(f, &poll);
        struct web_request *waits =
            fixture_send(f, "GET", target_of(login, "?wait=60", target), NULL);
        assert_int_equal(waits->answers, 0);
        end_with(f, poll, rows[i].outcome);
        expect_answer(waits, 200, rows[i].says);
    }
}

static void test_end_with_a_failure(void **state)
{
    struct fixture *f = *state;
    struct message *poll = NULL;
    char target[128];
    struct login *login = start(f, &poll);
    fixture_fail(f, poll, WIRE_PROVIDER_REJECTED);
    expect_answer(fixture_send(f, "GET", target_of(login, "", target), NULL), 200,
                  "\"status\":\"failed\",\"error\":\"provider_rejected\"");
}

/* The back alone ends it, however long it takes. */
static void test_no_end_of_its_own(void **state)
{
    struct fixture *f = *state;
    struct message *poll = NULL;
    struct login *login = start(f, &poll);
    fixture_pass(f, 2 * LOGIN_LIFETIME_MS);
    assert_int_equal(login->status, LOGIN_PENDING);
    end_with(f, poll, CONSENT_EXPIRED);
    assert_int_equal(login->status, LOGIN_EXPIRED);
}

static void test_cancel(void **state)
{
    struct fixture *f = *state;
    struct message *poll = NULL;
    char target[128];
    struct login *login = start(f, &poll);
    struct web_request *request = fixture_send(f, "DELETE", target_of(login, "", target), NULL);
    assert_int_equal(request->answers, 0);
    struct message *letter = fixture_take(f, TELL_CANCEL);
    assert_int_equal(letter->id, poll->id);
    message_free(letter);
    end_with(f, poll, CONSENT_CANCELLED);
    expect_answer(request, 200, "\"status\":\"cancelled\"}");
    expect_answer(fixture_send(f, "DELETE", target, NULL), 200, "\"status\":\"cancelled\"}");
    fixture_quiet(f);
}

/* The grant had come already: it is not said to be cancelled. */
static void test_cancel_too_late(void **state)
{
    struct fixture *f = *state;
    struct message *poll = NULL;
    char target[128];
    struct login *login = start(f, &poll);
    struct web_request *request = fixture_send(f, "DELETE", target_of(login, "", target), NULL);
    message_free(fixture_take(f, TELL_CANCEL));
    end_with(f, poll, CONSENT_GRANTED);
    expect_answer(request, 400, "the login has ended already: done");
}

/* Nothing is to be polled for an account that was logged out. */
static void test_the_account_is_gone(void **state)
{
    struct fixture *f = *state;
    struct message *poll = NULL;
    struct login *login = start(f, &poll);
    const struct message notice = { .account = login->account, .generation = UINT64_MAX };
    logins_notice(f->context.logins, &notice);
    struct message *letter = fixture_take(f, TELL_CANCEL);
    assert_int_equal(letter->id, poll->id);
    message_free(letter);
    end_with(f, poll, CONSENT_CANCELLED);
    assert_int_equal(login->status, LOGIN_CANCELLED);
}

static void test_nothing_to_paste(void **state)
{
    struct fixture *f = *state;
    struct message *poll = NULL;
    char target[128];
    struct login *login = start(f, &poll);
    expect_answer(fixture_send(f, "POST", target_of(login, "", target),
                               "{\"redirect\":\"https://oauth.example/v1/callback?code=x\"}"),
                  400, "enter its code there");
    end_with(f, poll, CONSENT_DENIED);
}

static void test_back_cannot(void **state)
{
    struct fixture *f = *state;
    struct web_request *request = fixture_send(f, "POST", LOGIN, BY_DEVICE);
    answer_provider(f);
    fixture_fail(f, fixture_take(f, ASK_DEVICE), WIRE_PROVIDER_UNAVAILABLE);
    expect_answer(request, 503, "the test said no");

    request = fixture_send(f, "POST", LOGIN, BY_DEVICE);
    answer_provider(f);
    fixture_deliver(f, fixture_answer(fixture_take(f, ASK_DEVICE)));
    expect_answer(request, 500, "internal");

    request = fixture_send(f, "POST", LOGIN, BY_DEVICE);
    answer_provider(f);
    fake_hang_up(request);
    free(request);
    struct message *answer = fixture_answer(fixture_take(f, ASK_DEVICE));
    struct message *letter = fixture_take(f, TELL_CANCEL);
    assert_int_equal(letter->id, answer->id);
    message_free(letter);
    answer->device = codes();
    fixture_deliver(f, answer);
    fixture_quiet(f); /* whoever would follow it is gone: nothing is polled */
    assert_null(logins_newest(f->context.logins));
}

static void test_where(void **state)
{
    struct fixture *f = *state;
    struct provider *provider = zenegy(f);
    free(provider->device_authorization_endpoint);
    provider->device_authorization_endpoint = NULL;
    expect_answer(fixture_send(f, "POST", LOGIN, BY_DEVICE), 400, "device_authorization_endpoint");
    provider->issuer = strdup("https://auth.example");
    struct web_request *request = fixture_send(f, "POST", LOGIN, BY_DEVICE);
    answer_provider(f); /* which may have been discovered by now */
    fixture_fail(f, fixture_take(f, ASK_DEVICE), WIRE_BAD_REQUEST);
    expect_answer(request, 400, "the test said no");
}

/* grant = device_code: there is no redirect, and no other mode. */
static void test_grant(void **state)
{
    struct fixture *f = *state;
    struct provider *provider = zenegy(f);
    provider->grant = GRANT_DEVICE_CODE;
    free(provider->redirect_uri);
    provider->redirect_uri = NULL;
    expect_answer(fixture_send(f, "POST", LOGIN, "{\"mode\":\"browser\"}"), 400, "device_code");
    expect_answer(fixture_send(f, "POST", LOGIN, "{\"mode\":\"paste\"}"), 400, "device_code");
    struct web_request *request = fixture_send(f, "POST", LOGIN, NULL);
    answer_provider(f);
    fixture_fail(f, fixture_take(f, ASK_DEVICE), WIRE_PROVIDER_REJECTED);
    expect_answer(request, 502, "the test said no");
}

static void test_browser_says_it(void **state)
{
    struct fixture *f = *state;
    struct web_request *request = fixture_send(f, "POST", LOGIN, "{\"mode\":\"paste\"}");
    answer_provider(f);
    expect_answer(request, 200, "\"device\":true}");
}

/* The front ends while the back still polls: its answer, if it comes, finds nobody. */
static void test_end_of_the_front(void **state)
{
    struct message *poll = NULL;
    (void)start(*state, &poll);
    message_free(poll);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, fixture_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_start),
        TEST(test_ends),
        TEST(test_end_with_a_failure),
        TEST(test_no_end_of_its_own),
        TEST(test_cancel),
        TEST(test_cancel_too_late),
        TEST(test_the_account_is_gone),
        TEST(test_nothing_to_paste),
        TEST(test_back_cannot),
        TEST(test_where),
        TEST(test_grant),
        TEST(test_browser_says_it),
        TEST(test_end_of_the_front),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#include "oauth/device.h"

#include <errno.h>

#include "support.h"

#define CODES "\"device_code\":\"dc\",\"user_code\":\"WDJB-MJHT\""
#define URI ",\"verification_uri\":\"https://h/device\""
#define EXPIRES ",\"expires_in\":1800"

static int read_body(int status, const char *body, struct device_authorization **ret,
                     struct complaint *complaint)
{
    const struct token_answer answer = { .status = status, .body = body, .length = strlen(body) };
    return device_authorization_read(&answer, ret, complaint);
}

struct good_row {
    const char *body;
    const char *uri, *complete;
    int64_t lifetime_s, interval_s;
};

static const struct good_row good_rows[] = {
    { "{" CODES URI EXPIRES "}", "https://h/device", NULL, 1800, 5 },
    { "{" CODES URI EXPIRES ",\"interval\":1,\"verification_uri_complete\":\"https://h/d?c=W\"}",
      "https://h/device", "https://h/d?c=W", 1800, 1 },
    /* Google's word; digits as text; more than an hour is cut; null is absent. */
    { "{" CODES ",\"verification_url\":\"https://h/device\",\"expires_in\":\"1800\"}",
      "https://h/device", NULL, 1800, 5 },
    { "{" CODES URI ",\"expires_in\":999999,\"interval\":null}", "https://h/device", NULL, 3600,
      5 },
    { "{" CODES URI ",\"expires_in\":1,\"interval\":300}", "https://h/device", NULL, 1, 300 },
    /* http on this machine alone; what may not be shown is left out where it may be. */
    { "{" CODES ",\"verification_uri\":\"http://127.0.0.1:3/d\"" EXPIRES "}",
      "http://127.0.0.1:3/d", NULL, 1800, 5 },
    { "{" CODES URI EXPIRES ",\"verification_uri_complete\":\"http://h/d?c=W\"}",
      "https://h/device", NULL, 1800, 5 },
    { "{" CODES URI EXPIRES ",\"more\":[1]}", "https://h/device", NULL, 1800, 5 },
};

static void reads_what_a_provider_says(void **state)
{
    for (size_t i = 0; i < LENGTH_OF(good_rows); i++) {
        const struct good_row *row = &good_rows[i];
        CLEANUP(cleanup_device_authorization) struct device_authorization *device = NULL;
        assert_int_equal(read_body(200, row->body, &device, NULL), 0);
        assert_secret_text(device->device_code, "dc");
        assert_string_equal(device->user_code, "WDJB-MJHT");
        assert_string_equal(device->verification_uri, row->uri);
        assert_text(device->verification_uri_complete, row->complete);
        assert_int_equal(device->lifetime_ms, row->lifetime_s * 1000);
        assert_int_equal(device->interval_ms, row->interval_s * 1000);
    }
}

struct bad_row {
    int status;
    const char *body;
    int result;
    const char *says;
};

static const struct bad_row bad_rows[] = {
    { 200, "", DEVICE_NO_ANSWER, "no JSON object" },
    { 200, "<html>", DEVICE_NO_ANSWER, "no JSON object" },
    { 200, "[]", DEVICE_NO_ANSWER, "no JSON object" },
    { 200, "{\"user_code\":\"W\"" URI EXPIRES "}", DEVICE_NO_ANSWER, "device_code" },
    { 200, "{\"device_code\":\"\",\"user_code\":\"W\"" URI EXPIRES "}", DEVICE_NO_ANSWER,
      "device_code" },
    { 200, "{\"device_code\":\"a\\nb\",\"user_code\":\"W\"" URI EXPIRES "}", DEVICE_NO_ANSWER,
      "device_code" },
    { 200, "{\"device_code\":\"dc\"" URI EXPIRES "}", DEVICE_NO_ANSWER, "user_code" },
    { 200, "{\"device_code\":\"dc\",\"user_code\":7" URI EXPIRES "}", DEVICE_NO_ANSWER,
      "user_code" },
    { 200, "{\"device_code\":\"dc\",\"user_code\":\"A\\u001b[31mB\"" URI EXPIRES "}",
      DEVICE_NO_ANSWER, "user_code" },
    { 200, "{\"device_code\":\"dc\",\"user_code\":\"A\\u202eB\"" URI EXPIRES "}", DEVICE_NO_ANSWER,
      "user_code" },
    { 200, "{" CODES EXPIRES "}", DEVICE_NO_ANSWER, "verification_uri" },
    { 200, "{" CODES ",\"verification_uri\":\"http://h/device\"" EXPIRES "}", DEVICE_NO_ANSWER,
      "https" },
    { 200, "{" CODES ",\"verification_uri\":\"javascript:x\"" EXPIRES "}", DEVICE_NO_ANSWER,
      "https" },
    { 200, "{" CODES URI "}", DEVICE_NO_ANSWER, "expires_in" },
    { 200, "{" CODES URI ",\"expires_in\":0}", DEVICE_NO_ANSWER, "expires_in" },
    { 200, "{" CODES URI ",\"expires_in\":-5}", DEVICE_NO_ANSWER, "expires_in" },
    { 200, "{" CODES URI ",\"expires_in\":\"soon\"}", DEVICE_NO_ANSWER, "expires_in" },
    { 200, "{" CODES URI EXPIRES ",\"interval\":0}", DEVICE_NO_ANSWER, "interval" },
    { 200, "{" CODES URI EXPIRES ",\"interval\":301}", DEVICE_NO_ANSWER, "interval" },
    { 200, "{" CODES URI EXPIRES ",\"interval\":\"x\"}", DEVICE_NO_ANSWER, "interval" },
    { 200, "{\"error\":\"unauthorized_client\"}", DEVICE_REFUSED, "unauthorized_client" },
    { 400, "{\"error\":\"invalid_client\",\"error_description\":\"who\\u001b?\"}", DEVICE_REFUSED,
      "invalid_client: who ?" },
    { 404, "<html>", DEVICE_REFUSED, "status 404" },
    { 400, "{" CODES URI EXPIRES "}", DEVICE_REFUSED, "status 400" },
    { 429, "{}", DEVICE_NO_ANSWER, "status 429" },
    { 503, "<html>", DEVICE_NO_ANSWER, "status 503" },
    { 500, "{\"error\":\"server_error\"}", DEVICE_NO_ANSWER, "server_error" },
    { 302, "", DEVICE_NO_ANSWER, "status 302" },
};

static void refuses_what_cannot_be_shown_or_kept(void **state)
{
    for (size_t i = 0; i < LENGTH_OF(bad_rows); i++) {
        struct device_authorization *device = NULL;
        struct complaint complaint = { "" };
        const int r = read_body(bad_rows[i].status, bad_rows[i].body, &device, &complaint);
        if (r != bad_rows[i].result || !strstr(complaint.text, bad_rows[i].says))
            print_error("%s: %d %s\n", bad_rows[i].body, r, complaint.text);
        assert_int_equal(r, bad_rows[i].result);
        assert_non_null(strstr(complaint.text, bad_rows[i].says));
        assert_null(device);
    }
}

static int read_code_of(const char *member, size_t length)
{
    CLEANUP(cleanup_device_authorization) struct device_authorization *device = NULL;
    CLEANUP(cleanup_buffer) struct buffer body = BUFFER_WITH_MAXIMUM(64 * 1024);
    char *text = repeated('x', length);
    const bool user = strcmp(member, "user_code") == 0;
    buffer_append_format(&body, "{\"%s\":\"%s\",\"%s\":\"y\"" URI EXPIRES "}", member, text,
                         user ? "device_code" : "user_code");
    free(text);
    return read_body(200, buffer_text(&body), &device, NULL);
}

static void bounds_the_codes(void **state)
{
    assert_int_equal(read_code_of("device_code", DEVICE_CODE_MAX), 0);
    assert_int_equal(read_code_of("device_code", DEVICE_CODE_MAX + 1), DEVICE_NO_ANSWER);
    assert_int_equal(read_code_of("user_code", DEVICE_USER_CODE_MAX), 0);
    assert_int_equal(read_code_of("user_code", DEVICE_USER_CODE_MAX + 1), DEVICE_NO_ANSWER);
}

static void a_cut_answer_is_none(void **state)
{
    static const char body[] = "{" CODES URI EXPIRES "}";
    const struct token_answer answer = {
        .status = 200, .body = body, .length = sizeof(body) - 1, .truncated = true
    };
    struct device_authorization *device = NULL;
    assert_int_equal(device_authorization_read(&answer, &device, NULL), DEVICE_NO_ANSWER);
}

static const struct {
    int status;
    const char *body;
    enum device_poll_outcome outcome;
} polls[] = {
    { 400, "{\"error\":\"authorization_pending\"}", DEVICE_POLL_PENDING },
    { 428, "{\"error\":\"authorization_pending\"}", DEVICE_POLL_PENDING },
    { 200, "{\"error\":\"authorization_pending\"}", DEVICE_POLL_PENDING },
    { 400, "{\"error\":\"slow_down\"}", DEVICE_POLL_SLOW_DOWN },
    { 429, "{\"error\":\"slow_down\"}", DEVICE_POLL_SLOW_DOWN },
    { 400, "{\"error\":\"access_denied\"}", DEVICE_POLL_DENIED },
    { 403, "{\"error\":\"access_denied\"}", DEVICE_POLL_DENIED },
    { 200, "{\"error\":\"access_denied\"}", DEVICE_POLL_DENIED },
    { 400, "{\"error\":\"authorization_declined\"}", DEVICE_POLL_DENIED },
    { 400, "{\"error\":\"expired_token\"}", DEVICE_POLL_EXPIRED },
    { 400, "{\"error\":\"invalid_grant\"}", DEVICE_POLL_OVER },
    { 401, "{\"error\":\"invalid_client\"}", DEVICE_POLL_OVER },
    { 400, "{\"error\":\"out_of_cheese\"}", DEVICE_POLL_OVER },
    { 404, "", DEVICE_POLL_OVER },
    { 200, "{\"access_token\":\"a\"}", DEVICE_POLL_OVER },
    { 200, "{\"refresh_token\":\"r\"}", DEVICE_POLL_OVER },
    { 200, "{\"access_token\":", DEVICE_POLL_OVER },
    { 403, "<html>", DEVICE_POLL_UNANSWERED },
    { 500, "<html>", DEVICE_POLL_UNANSWERED },
    { 500, "{\"error\":\"access_denied\"}", DEVICE_POLL_UNANSWERED },
    { 503, "", DEVICE_POLL_UNANSWERED },
    { 429, "{}", DEVICE_POLL_UNANSWERED },
    { 302, "", DEVICE_POLL_UNANSWERED },
};

static void knows_what_a_poll_met(void **state)
{
    const struct provider provider = { .name = "x" };
    for (size_t i = 0; i < LENGTH_OF(polls); i++) {
        const struct token_answer answer = { .status = polls[i].status,
                                             .body = polls[i].body,
                                             .length = strlen(polls[i].body) };
        CLEANUP(cleanup_token_reply) struct token_reply reply = { 0 };
        assert_int_equal(token_reply_judge(&provider, &answer, &reply), 0);
        if (device_poll_judge(&reply) != polls[i].outcome)
            print_error("%d %s\n", polls[i].status, polls[i].body);
        assert_int_equal(device_poll_judge(&reply), polls[i].outcome);
    }
}

static void keeps_the_pace(void **state)
{
    static const struct {
        enum device_poll_outcome outcome;
        int64_t wait_s;
    } steps[] = {
        { DEVICE_POLL_PENDING, 5 },     { DEVICE_POLL_SLOW_DOWN, 10 },
        { DEVICE_POLL_PENDING, 10 },    { DEVICE_POLL_UNANSWERED, 20 },
        { DEVICE_POLL_UNANSWERED, 40 }, { DEVICE_POLL_UNANSWERED, 60 },
        { DEVICE_POLL_UNANSWERED, 60 }, { DEVICE_POLL_PENDING, 10 },
        { DEVICE_POLL_UNANSWERED, 20 }, { DEVICE_POLL_SLOW_DOWN, 15 },
        { DEVICE_POLL_PENDING, 15 },
    };
    struct device_pace pace = { .interval_ms = DEVICE_INTERVAL_DEFAULT_MS };
    for (size_t i = 0; i < LENGTH_OF(steps); i++)
        assert_int_equal(device_pace_next(&pace, steps[i].outcome), steps[i].wait_s * 1000);
}

/* A long interval is not cut by the bound of the back-off. */
static void never_polls_more_often_than_allowed(void **state)
{
    struct device_pace pace = { .interval_ms = DEVICE_INTERVAL_MAX_MS };
    assert_int_equal(device_pace_next(&pace, DEVICE_POLL_UNANSWERED), DEVICE_INTERVAL_MAX_MS);
    for (int i = 0; i < 1000; i++)
        assert_true(device_pace_next(&pace, DEVICE_POLL_UNANSWERED) >= pace.interval_ms);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_what_a_provider_says),
        cmocka_unit_test(refuses_what_cannot_be_shown_or_kept),
        cmocka_unit_test(bounds_the_codes),
        cmocka_unit_test(a_cut_answer_is_none),
        cmocka_unit_test(knows_what_a_poll_met),
        cmocka_unit_test(keeps_the_pace),
        cmocka_unit_test(never_polls_more_often_than_allowed),
    };
    return cmocka_run_group_tests(tests, start_secrets, NULL);
}

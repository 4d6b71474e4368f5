/* The HTTP client against a server that does all that servers do. */

#include "http_fixture.h"

#include <inttypes.h>

enum { TEST_TIMEOUT_MS = 300 };

static void run(struct fixture *f, const struct http_request *request)
{
    unsigned before = f->seen.calls;

    (void)begin(f, request);
    assert_int_equal(f->seen.calls, before);
    f->awaited = 1;
    assert_int_equal(loop_run(f->loop), 0);
    assert_int_equal(f->seen.calls, before + 1);
    /* A loop runs once. */
    f->client = http_client_free(f->client);
    f->loop = loop_free(f->loop);
    assert_int_equal(loop_new(&f->loop), 0);
    assert_int_equal(http_client_new(f->loop, &f->client), 0);
}

static void test_answers(void **state)
{
    static const struct {
        const char *path;
        enum http_outcome outcome;
        int status;
        int64_t retry_after_s;
        size_t length;
        bool truncated;
    } cases[] = {
        { "/ok", HTTP_ANSWERED, 200, -1, 7, false },
        { "/empty", HTTP_ANSWERED, 204, -1, 0, false },
        { "/bad", HTTP_ANSWERED, 400, -1, 2, false },
        { "/redirect", HTTP_ANSWERED, 302, -1, 0, false },
        { "/close", HTTP_ANSWERED, 200, -1, 10, false },
        { "/seconds", HTTP_ANSWERED, 429, 120, 0, false },
        { "/zero", HTTP_ANSWERED, 429, 0, 0, false },
        { "/odd", HTTP_ANSWERED, 429, -1, 0, false },
        { "/huge", HTTP_ANSWERED, 429, 365 * 24 * 3600, 0, false },
        { "/date", HTTP_ANSWERED, 429, 90, 0, false },
        { "/past", HTTP_ANSWERED, 503, 0, 0, false },
        { "/far", HTTP_ANSWERED, 503, 365 * 24 * 3600, 0, false },
        { "/doubled", HTTP_ANSWERED, 429, 120, 0, false },
        { "/doubled-odd", HTTP_ANSWERED, 429, 7, 0, false },
        { "/negative", HTTP_ANSWERED, 429, -1, 0, false },
        { "/largest", HTTP_ANSWERED, 200, -1, HTTP_REPLY_MAX, false },
        { "/too-large", HTTP_ANSWERED, 200, -1, HTTP_REPLY_MAX, true },
        { "/slow", HTTP_NO_ANSWER, 0, -1, 0, false },
        { "/reset", HTTP_NO_ANSWER, 0, -1, 0, false },
        { "/drop", HTTP_NO_ANSWER, 0, -1, 0, false },
        { "/truncated", HTTP_NO_ANSWER, 200, -1, 9, false },
        { "/cut-header", HTTP_NO_ANSWER, 200, -1, 0, false },
        { "/garbage", HTTP_NO_ANSWER, 0, -1, 0, false },
        { "/long-header", HTTP_NO_ANSWER, 200, -1, 0, false },
    };
    struct fixture *f = *state;

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char path[64];
        (void)snprintf(path, sizeof path, "%s?secret=1", cases[i].path);
        run(f, &(struct http_request){ .method = "POST",
                                       .url = address_of(f, path),
                                       .content_type = "application/x-www-form-urlencoded",
                                       .body = "grant_type=refresh_token&refresh_token=secret",
                                       .body_length = 45,
                                       .timeout_ms = TEST_TIMEOUT_MS });
        if (f->seen.outcome != cases[i].outcome || f->seen.status != cases[i].status ||
            f->seen.retry_after_s != cases[i].retry_after_s || f->seen.length != cases[i].length ||
            f->seen.truncated != cases[i].truncated)
            fail_msg("%s: outcome %d, status %d, retry %lld, length %zu: %s", cases[i].path,
                     f->seen.outcome, f->seen.status, (long long)f->seen.retry_after_s,
                     f->seen.length, f->seen.problem);
        assert_int_equal(f->seen.problem[0] != '\0', cases[i].outcome != HTTP_ANSWERED);
        assert_null(strstr(f->seen.problem, "secret"));
        assert_int_equal(atomic_load(&f->server.requests), i + 1);
    }
}

static void assert_not_sent(struct fixture *f, const char *url, const char *says)
{
    run(f, &(struct http_request){ .method = "GET", .url = url });
    if (f->seen.outcome != HTTP_NOT_SENT || !strstr(f->seen.problem, says))
        fail_msg("%s: outcome %d: \"%s\" (should say \"%s\")", url, f->seen.outcome,
                 f->seen.problem, says);
    assert_int_equal(f->seen.status, 0);
    assert_null(strstr(f->seen.problem, "secret"));
}

static void test_refused_by_our_rules(void **state)
{
    static const struct {
        const char *url;
        const char *says;
    } cases[] = {
        { "http://example.com/?secret=1", "use https" },
        { "http://10.0.0.1/", "use https" },
        { "http://128.0.0.1/", "use https" },
        { "http://localhost.example.com/", "use https" },
        { "http://127.0.0.1.example.com/", "use https" },
        { "http://[::2]/", "use https" },
        { "http://[::ffff:10.0.0.1]/", "use https" },
        { "http://0/", "use https" },
        { "http://2130706432@example.com/", "user name" },
        { "https://user:secret@example.com/", "user name" },
        { "ftp://127.0.0.1/", "only https" },
        { "file:///etc/passwd", "" },
        { "example.com/?secret=1", "no address" },
        { "", "no address" },
        { "https://", "no address" },
        { "https://secret secret/", "no address" },
    };
    struct fixture *f = *state;

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        assert_not_sent(f, cases[i].url, cases[i].says);
}

static void test_loopback_in_other_words(void **state)
{
    static const char *const hosts[] = { "localhost", "LOCALHOST", "127.0.0.1", "127.1",
                                         "2130706433" };
    struct fixture *f = *state;

    for (size_t i = 0; i < sizeof hosts / sizeof hosts[0]; i++) {
        char address[ADDRESS_MAX];
        (void)snprintf(address, sizeof address, "http://%s:%u/ok", hosts[i], f->server.port);
        run(f, &(struct http_request){ .method = "GET", .url = address });
        assert_int_equal(f->seen.outcome, HTTP_ANSWERED);
        assert_string_equal(f->seen.content_type, "application/json");
    }
}

static void test_not_sent(void **state)
{
    struct fixture *f = *state;
    char address[ADDRESS_MAX];
    uint16_t closed_port;

    /* Bound but not listening, so that nobody else takes it. */
    int fd = listen_on_loopback(&closed_port);
    (void)snprintf(address, sizeof address, "https://127.0.0.1:%u/?secret=1", closed_port);
    assert_not_sent(f, address, "127.0.0.1");
    assert_int_equal(close(fd), 0);
    assert_not_sent(f, "https://no-such-host.invalid/?secret=1", "no-such-host.invalid");

    /* No TLS there. */
    (void)snprintf(address, sizeof address, "https://127.0.0.1:%u/ok?secret=1", f->server.port);
    run(f,
        &(struct http_request){ .method = "GET", .url = address, .timeout_ms = TEST_TIMEOUT_MS });
    assert_int_equal(f->seen.outcome, HTTP_NOT_SENT);

    /* Not as text, and not as a proxy either. */
    char proxy[ADDRESS_MAX];
    (void)snprintf(proxy, sizeof proxy, "http://127.0.0.1:%u", f->server.port);
    run(f, &(struct http_request){ .method = "GET",
                                   .url = "https://example.invalid/?secret=1",
                                   .proxy = proxy,
                                   .timeout_ms = TEST_TIMEOUT_MS });
    assert_int_equal(f->seen.outcome, HTTP_NOT_SENT);
    assert_null(strstr(f->seen.problem, "secret"));
}

static void test_the_environment_is_not_asked(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(setenv("http_proxy", "http://127.0.0.1:1", 1), 0);
    assert_int_equal(setenv("all_proxy", "http://127.0.0.1:1", 1), 0);
    run(f, &(struct http_request){ .method = "GET", .url = address_of(f, "/ok") });
    assert_int_equal(unsetenv("http_proxy"), 0);
    assert_int_equal(unsetenv("all_proxy"), 0);
    assert_int_equal(f->seen.outcome, HTTP_ANSWERED);
}

static void test_what_is_sent(void **state)
{
    static const char *const expected[] = {
        "POST /echo?a=b HTTP/1.1\r\n",
        "\r\nUser-Agent: tokenbroker/" TOKENBROKER_VERSION "\r\n",
        "\r\nAccept: application/json\r\n",
        "\r\nContent-Type: text/x\r\n",
        "\r\nAuthorization: Basic eDp5\r\n",
        "\r\nContent-Length: 4\r\n",
        "\r\n\r\nbody",
    };
    static const char *const unexpected[] = { "Expect", "Cookie", "Accept-Encoding", "Referer" };
    struct fixture *f = *state;

    run(f, &(struct http_request){ .method = "POST",
                                   .url = address_of(f, "/echo?a=b"),
                                   .content_type = "text/x",
                                   .body = "body and more",
                                   .body_length = 4,
                                   .authorization = "Basic eDp5" });
    for (size_t i = 0; i < sizeof expected / sizeof expected[0]; i++) {
        if (!strstr(f->seen.body, expected[i]))
            fail_msg("%s is not in %s", expected[i], f->seen.body);
    }
    for (size_t i = 0; i < sizeof unexpected / sizeof unexpected[0]; i++)
        assert_null(strstr(f->seen.body, unexpected[i]));
}

static void test_post_without_a_body(void **state)
{
    struct fixture *f = *state;

    run(f, &(struct http_request){
               .method = "POST", .url = address_of(f, "/echo"), .accept = "text/plain" });
    assert_non_null(strstr(f->seen.body, "Content-Length: 0\r\n"));
    assert_non_null(strstr(f->seen.body, "Accept: text/plain\r\n"));
    assert_null(strstr(f->seen.body, "Content-Type"));
    assert_null(strstr(f->seen.body, "Authorization"));
}

static void test_large_body(void **state)
{
    struct fixture *f = *state;
    char *body = calloc(1, HTTP_REQUEST_MAX + 1);
    struct http_transfer *untouched = (void *)f;

    memset(body, 'b', HTTP_REQUEST_MAX);
    struct http_request request = { .method = "POST",
                                    .url = address_of(f, "/echo"),
                                    .content_type = "text/x",
                                    .body = body,
                                    .body_length = 100 * 1000 };
    run(f, &request);
    assert_true(f->seen.truncated);
    request.body_length = HTTP_REQUEST_MAX + 1;
    assert_int_equal(http_send(f->client, &request, on_done, &f->seen, &untouched), -E2BIG);
    request.body_length = 1;
    request.authorization = body;
    assert_int_equal(http_send(f->client, &request, on_done, &f->seen, &untouched), -E2BIG);
    assert_ptr_equal(untouched, f);
    free(body);
}

static void test_bad_requests(void **state)
{
    static const struct http_request cases[] = {
        { .method = "PUT", .url = "https://a/" },
        { .method = "GET", .url = "https://a/", .authorization = "Basic a\r\nX: y" },
        { .method = "GET", .url = "https://a/", .accept = "a\n" },
    };
    struct fixture *f = *state;
    struct http_transfer *transfer;

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        assert_int_equal(http_send(f->client, &cases[i], on_done, &f->seen, &transfer), -EINVAL);
}

/* How often the marker lies in the heap, without making a copy of it there. */
static unsigned found_in_heap(const char *marker)
{
    FILE *maps = fopen("/proc/self/maps", "re");
    char line[512];
    unsigned found = 0;

    assert_non_null(maps);
    while (fgets(line, sizeof line, maps)) {
        uintptr_t from, to;
        if (!strstr(line, "[heap]") || sscanf(line, "%" SCNxPTR "-%" SCNxPTR, &from, &to) != 2)
            continue;
        for (const char *p = (const char *)from; p + strlen(marker) <= (const char *)to; p++)
            found += memcmp(p, marker, strlen(marker)) == 0;
    }
    (void)fclose(maps);
    return found;
}

/* The server's threads have heaps of their own; with a sanitizer there is no such heap to look at.
 */
static void test_nothing_secret_stays_behind(void **state)
{
    struct fixture *f = *state;
    char marker[] = "tokem-0123456789abcdef", address[ADDRESS_MAX + sizeof marker + 8], header[64];

    marker[4] = 'n';
    (void)snprintf(address, sizeof address, "%s?t=%s", address_of(f, "/ok"), marker);
    (void)snprintf(header, sizeof header, "Basic %s", marker);
    struct http_request request = { .method = "POST",
                                    .url = address,
                                    .content_type = "text/x",
                                    .body = marker,
                                    .body_length = strlen(marker),
                                    .authorization = header };
    (void)begin(f, &request);
    f->awaited = 1;
    assert_int_equal(loop_run(f->loop), 0);
    assert_int_equal(f->seen.outcome, HTTP_ANSWERED);
    assert_int_equal(found_in_heap(marker), 0);
}

/* Sends "/drop" on the connection that "/ok" left open. */
static void then_drop(void *userdata, const struct http_reply *reply)
{
    struct seen *seen = userdata;
    struct fixture *f = seen->f;

    assert_int_equal(reply->outcome, HTTP_ANSWERED);
    (void)begin(f, &(struct http_request){ .method = "POST", .url = address_of(f, "/drop?t=1") });
}

/* libcurl would send it again, on a new connection. */
static void test_a_request_is_written_once(void **state)
{
    struct fixture *f = *state;
    struct http_transfer *transfer;

    assert_int_equal(
        http_send(f->client, &(struct http_request){ .method = "GET", .url = address_of(f, "/ok") },
                  then_drop, &f->seen, &transfer),
        0);
    f->awaited = 1;
    assert_int_equal(loop_run(f->loop), 0);
    assert_int_equal(f->seen.outcome, HTTP_NO_ANSWER);
    assert_non_null(strstr(f->seen.problem, "ended before a whole answer"));
    assert_int_equal(atomic_load(&f->server.requests), 2);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_answers, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_refused_by_our_rules, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_loopback_in_other_words, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_not_sent, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_the_environment_is_not_asked, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_what_is_sent, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_post_without_a_body, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_large_body, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_bad_requests, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_nothing_secret_stays_behind, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_request_is_written_once, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

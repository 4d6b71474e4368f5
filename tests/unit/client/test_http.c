#include "unit.h"

#include <errno.h>
#include <string.h>

#include "client/http.h"

enum { BODY_MAX = 64 };

/* Answers that end with the bytes or with the connection; body NULL: refused. */
static const struct {
    const char *bytes;
    const char *body;
    bool closes; /* the connection ends behind the bytes */
    bool keep;
    int failure;
} answers[] = {
    { "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc", "abc", false, true, 0 },
    { "HTTP/1.1 200\r\ncontent-length:3\r\n\r\nabc", "abc", false, true, 0 },
    { "HTTP/1.1 200 \r\nContent-Length: \t0 \r\n\r\n", "", false, true, 0 },
    { "HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\na", "a", false, false, 0 },
    { "HTTP/1.1 404 X\r\nConnection: close\r\nContent-Length: 1\r\n\r\na", "a", false, false, 0 },
    { "HTTP/1.1 200 OK\r\n\r\nuntil the end", "until the end", true, false, 0 },
    { "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n", "abc", false,
      true, 0 },
    { "HTTP/1.1 200 OK\r\ntransfer-encoding: Chunked\r\n\r\n1;x=y\r\na\r\n0A\r\n0123456789\r\n"
      "00\r\nA: b\r\nC: d\r\n\r\n",
      "a0123456789", false, true, 0 },
    { "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nab", NULL, true, false, -EBADMSG },
    { "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabcd", NULL, false, false, -EBADMSG },
    { "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\na", NULL, false, false, -EBADMSG },
    { "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\na", NULL, false, false,
      -EBADMSG },
    { "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n", NULL, false, false, -EBADMSG },
    { "HTTP/1.1 200 OK\r\nContent-Length: 1x\r\n\r\n", NULL, false, false, -EBADMSG },
    { "HTTP/1.1 200 OK\r\nContent-Length:\r\n\r\n", NULL, false, false, -EBADMSG },
    { "HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n", NULL, false, false, -EBADMSG },
    { "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na", NULL,
      false, false, -EBADMSG },
    { "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", NULL, false, false, -EBADMSG },
    { "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz", NULL, false, false, -EBADMSG },
    { "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n\r\n", NULL, false, false, -EBADMSG },
    { "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nab", NULL, false, false,
      -EBADMSG },
    { "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n111111111\r\n", NULL, false, false,
      -EBADMSG },
    { "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nx", NULL, false, false,
      -EBADMSG },
    { "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n", NULL, true, false,
      -EBADMSG },
    { "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\na\n0\n\n", NULL, false, false,
      -EBADMSG },
    { "HTTP/1.1 200 OK\r\nno colon\r\n\r\n", NULL, false, false, -EBADMSG },
    { "HTTP/1.1 200 OK\r\n: empty\r\n\r\n", NULL, false, false, -EBADMSG },
    { "HTTP/1.1 200 OK\r\nA : b\r\n\r\n", NULL, false, false, -EBADMSG },
    { "HTTP/1.1 200 OK\r\nA: b\r\n folded\r\n\r\n", NULL, false, false, -EBADMSG },
    { "HTTP/1.1 100 Continue\r\n\r\n", NULL, false, false, -EBADMSG },
    { "HTTP/1.1 20 OK\r\n\r\n", NULL, false, false, -EBADMSG },
    { "HTTP/1.1 2000 OK\r\n\r\n", NULL, false, false, -EBADMSG },
    { "HTTP/2 200 OK\r\n\r\n", NULL, false, false, -EBADMSG },
    { "SSH-2.0-OpenSSH_9.2p1\r\n\r\n", NULL, false, false, -EBADMSG },
    { "HTTP/1.1 200 OK\r\n", NULL, true, false, -EBADMSG },
    { "", NULL, true, false, -EBADMSG },
    { "HTTP/1.1 200 OK\r\nContent-Length: 65\r\n\r\n"
      "0123456789012345678901234567890123456789012345678901234567890123456789",
      NULL, false, false, -EMSGSIZE },
    { "HTTP/1.1 200 OK\r\n\r\n"
      "0123456789012345678901234567890123456789012345678901234567890123456789",
      NULL, false, false, -EMSGSIZE },
};

/* In pieces of step bytes; as the connection does it. */
static int feed(struct http_answer *answer, const char *bytes, bool closes, size_t step)
{
    size_t length = strlen(bytes);
    int r = HTTP_MORE;

    for (size_t i = 0; i < length && r == HTTP_MORE; i += step)
        r = http_answer_take(answer, bytes + i, step < length - i ? step : length - i);
    return r == HTTP_MORE && closes ? http_answer_end(answer) : r;
}

static void check_answer(size_t i, size_t step)
{
    CLEANUP(cleanup_http_answer) struct http_answer answer = HTTP_ANSWER(BODY_MAX);
    int r = feed(&answer, answers[i].bytes, answers[i].closes, step);

    if (answers[i].body) {
        if (r != 0)
            fail_msg("row %zu by %zu: %d", i, step, r);
        assert_string_equal(text_string(&answer.body), answers[i].body);
        assert_int_equal(answer.keep, answers[i].keep);
        return;
    }
    /* Byte by byte an answer is whole before what is too much comes. */
    bool too_much_is_later = step < strlen(answers[i].bytes) && r == 0;
    if (r != answers[i].failure && !too_much_is_later)
        fail_msg("row %zu by %zu: %d", i, step, r);
}

static void test_answers(void **state)
{
    for (size_t i = 0; i < COUNT(answers); i++) {
        check_answer(i, 10000);
        check_answer(i, 7);
        check_answer(i, 1);
    }
}

static void test_head_is_capped(void **state)
{
    CLEANUP(cleanup_http_answer) struct http_answer answer = HTTP_ANSWER(BODY_MAX);
    static const char line[] = "X-Filler: 0123456789012345678901234567890123456789\r\n";
    int r = http_answer_take(&answer, "HTTP/1.1 200 OK\r\n", 17);

    for (size_t i = 0; i < 2 * HTTP_HEAD_MAX / strlen(line) && r == HTTP_MORE; i++)
        r = http_answer_take(&answer, line, strlen(line));
    assert_int_equal(r, -EMSGSIZE);
}

static void test_requests(void **state)
{
    static const struct {
        const char *method;
        const char *body;
        const char *tail;
    } rows[] = {
        { "GET", NULL, "application/json\r\n\r\n" },
        { "POST", NULL, "\r\nContent-Length: 0\r\n\r\n" },
        { "PUT", "{}", "application/json\r\nContent-Length: 2\r\n\r\n{}" },
    };

    for (size_t i = 0; i < COUNT(rows); i++) {
        CLEANUP(cleanup_text) struct text out = TEXT_WITH_MAXIMUM(1000);
        http_put_request(&out, rows[i].method, "/v1/x?y=1", rows[i].body);
        assert_non_null(strstr(text_string(&out), " /v1/x?y=1 HTTP/1.1\r\nHost: localhost\r\n"));
        assert_memory_equal(out.data, rows[i].method, strlen(rows[i].method));
        assert_string_equal(out.data + out.length - strlen(rows[i].tail), rows[i].tail);
    }
}

static void test_paths(void **state)
{
    static const struct {
        const char *path;
        bool should_fail;
    } rows[] = {
        { "/", false },        { "/v1/token/a/b@c.d?min_ttl=3&wait=0", false },
        { "", true },          { "v1", true },
        { "/a b", true },      { "/a\r\nX: y", true },
        { "/a#b", true },      { "/\x7f", true },
        { "/\xc3\xa9", true },
    };

    for (size_t i = 0; i < COUNT(rows); i++)
        assert_int_equal(http_path_valid(rows[i].path), !rows[i].should_fail);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_answers),
        cmocka_unit_test(test_head_is_capped),
        cmocka_unit_test(test_requests),
        cmocka_unit_test(test_paths),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

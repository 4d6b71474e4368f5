#include "fuzz.h"

#include "client/http.h"

int answers_check(const char *bytes, size_t length);

enum { ANSWER_MAX = 256 * 1024 };

static void check_body(const struct http_answer *answer)
{
    CLEANUP(cleanup_document) struct document document = { 0 };

    if (!strcasestr(text_string(&answer->head), "\r\nContent-Type: application/json"))
        return;
    PROMISE(decode(text_string(&answer->body), answer->body.length, &document) == 0);
    PROMISE(tb_value_type(document.values) == TB_OBJECT);
    if (answer->status >= 400) {
        const struct tb_value *words = tb_value_member(document.values, "error_description");
        PROMISE(tb_value_text(tb_value_member(document.values, "error"), NULL));
        PROMISE(tb_value_text(words, NULL) && is_printable_line(tb_value_text(words, "")));
    }
}

/* How long the interim answer is that the bytes begin with (RFC 9110, 15.2): a head, after which
 * comes another. 0 where they do not. */
static size_t interim_length(const char *bytes, size_t length)
{
    static const char begin[] = "HTTP/1.1 1", end[] = "\r\n\r\n";
    const char *over = memmem(bytes, length, end, sizeof end - 1);

    if (!over || strncmp(bytes, begin, sizeof begin - 1) != 0)
        return 0;
    return (size_t)(over - bytes) + sizeof end - 1;
}

int answers_check(const char *bytes, size_t length)
{
    int status = 0;

    for (size_t at = 0; at < length;) {
        CLEANUP(cleanup_http_answer) struct http_answer answer = HTTP_ANSWER(ANSWER_MAX);
        int r = HTTP_MORE;
        at += interim_length(bytes + at, length - at);
        for (; at < length && r == HTTP_MORE; at++)
            r = http_answer_take(&answer, bytes + at, 1);
        PROMISE(r == 0 || r == HTTP_MORE);
        /* Streams go on, and a rest may lie in the front yet. */
        if (r == 0)
            check_body(&answer);
        status = answer.status;
        /* Nothing counts after "Connection: close" (RFC 9112, 9.6): libmicrohttpd may say the
         * head of its refusal twice, where a request has a length that is no number. */
        if (r == 0 && !answer.keep)
            break;
    }
    return status;
}

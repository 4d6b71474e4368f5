/* client/http and client/reply: what the library makes of an answer is the same however its bytes
 * are cut, and an answer is read whole or not at all. */

#include "fuzz.h"

#include <errno.h>

#include "client/failure.h"
#include "client/http.h"
#include "client/reply.h"

enum { BODY_MAX = 4 * 1024, INPUT_MAX = 64 * 1024 };

/* All bytes in pieces of that size (0: at once), then the end; 0 or a negative errno. */
static int take(struct http_answer *answer, const char *bytes, size_t length, size_t piece)
{
    int r = HTTP_MORE;
    size_t at = 0;

    while (at < length && r == HTTP_MORE) {
        size_t step = piece > 0 && piece < length - at ? piece : length - at;
        r = http_answer_take(answer, bytes + at, step);
        at += step;
    }
    if (r == HTTP_MORE)
        return http_answer_end(answer);
    return r == 0 && at < length ? -EBADMSG : r;
}

static void walk(const struct tb_value *value)
{
    size_t length = 0;
    const struct tb_value *first = tb_value_first(value);

    PROMISE(tb_value_json(value, &length) && length > 0);
    for (const struct tb_value *at = first; at; at = tb_value_next(at)) {
        PROMISE((tb_value_name(at) != NULL) == (tb_value_type(value) == TB_OBJECT));
        walk(at);
    }
}

static void read_answer(struct http_answer *answer)
{
    struct tb_reply *reply = NULL;
    struct tb_error *error = NULL;

    if (answer->status != 200) {
        enum tb_status status = reply_refusal(answer, "/socket", &error);
        PROMISE(status != TB_OK && error && error->status == status && error->message);
        PROMISE(*error->message);
        tb_error_free(error);
        return;
    }
    int r = reply_make(answer, &reply);
    PROMISE(r == 0 || r == -EBADMSG);
    PROMISE((r == 0) == (reply != NULL));
    if (reply)
        walk(tb_reply_value(reply));
    tb_reply_free(reply);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input input = input_of(data, size);
    const size_t piece = input_choice(&input, 32) + 1;
    CLEANUP(cleanup_string) char *bytes = input_text(&input);
    CLEANUP(cleanup_http_answer) struct http_answer whole = HTTP_ANSWER(BODY_MAX);
    CLEANUP(cleanup_http_answer) struct http_answer cut = HTTP_ANSWER(BODY_MAX);

    if (input.left > INPUT_MAX)
        return 0;
    int at_once = take(&whole, bytes, input.left, 0);
    int in_pieces = take(&cut, bytes, input.left, piece);
    PROMISE((at_once == 0) == (in_pieces == 0));
    PROMISE(at_once <= 0 && in_pieces <= 0);
    if (at_once != 0)
        return 0;
    PROMISE(whole.status >= 200 && whole.status <= 999 && whole.status == cut.status);
    PROMISE(whole.keep == cut.keep && whole.body.length <= BODY_MAX);
    PROMISE(strcmp(text_string(&whole.body), text_string(&cut.body)) == 0);
    read_answer(&whole);
    return 0;
}

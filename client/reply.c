#include "client/reply.h"

#include <errno.h>
#include <string.h>

#include "client/decode.h"
#include "client/failure.h"
#include "schema/wire.h"

struct tb_reply {
    struct text body;
    struct document document;
};

int reply_make(struct http_answer *answer, struct tb_reply **ret)
{
    CLEANUP(cleanup_reply) struct tb_reply *reply = calloc(1, sizeof *reply);

    if (!reply)
        return -ENOMEM;
    reply->body = answer->body;
    answer->body = (struct text)TEXT_WITH_MAXIMUM(answer->body.maximum);
    int r = decode(text_string(&reply->body), reply->body.length, &reply->document);
    if (r < 0)
        return r;
    *ret = reply;
    reply = NULL;
    return 0;
}

struct tb_reply *tb_reply_free(struct tb_reply *reply)
{
    if (reply) {
        document_release(&reply->document);
        text_release(&reply->body);
    }
    free(reply);
    return NULL;
}

const struct tb_value *tb_reply_value(const struct tb_reply *reply)
{
    return reply->document.values;
}

/* What a client does about an error; the codes are the broker's. */
static enum tb_status status_of(const char *code)
{
    for (size_t i = 0; code && i < WIRE_ERROR_COUNT; i++) {
        if (strcmp(wire_errors[i].name, code) == 0)
            return (enum tb_status)wire_errors[i].exit_code;
    }
    return TB_FAILED;
}

enum tb_status reply_refusal(const struct http_answer *answer, const char *broker_path,
                             struct tb_error **ret_error)
{
    CLEANUP(cleanup_document) struct document document = { 0 };
    const struct tb_value *value = NULL;

    if (decode(text_string(&answer->body), answer->body.length, &document) == 0)
        value = document.values;
    const char *code = tb_value_text(tb_value_member(value, "error"), NULL);
    struct failure failure = FAILURE(status_of(code), broker_path);
    failure.code = code;
    failure.account = tb_value_text(tb_value_member(value, "account"), NULL);
    failure.start_url = tb_value_text(tb_value_member(value, "start_url"), NULL);
    failure.retry_after = tb_value_integer(tb_value_member(value, "retry_after"), TB_DEFAULT);
    failure.max_min_ttl = tb_value_integer(tb_value_member(value, "max_min_ttl"), TB_DEFAULT);
    const char *message = tb_value_text(tb_value_member(value, "error_description"), NULL);
    if (!message || !*message)
        return failure_raise(ret_error, &failure, "the broker answered with HTTP status %d",
                             answer->status);
    return failure_raise(ret_error, &failure, "%s", message);
}

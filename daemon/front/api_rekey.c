#include "base/json.h"
#include "front/api_ask.h"

static void progress_answered(const struct api_request *request, struct message *answer,
                              void *state)
{
    CLEANUP(cleanup_buffer) struct buffer body = BUFFER_WITH_MAXIMUM(WIRE_ANSWER_MAX);
    struct json_writer writer = json_writer_begin(&body, '{');

    json_put_boolean(&writer, "running", answer->rekey.running);
    json_put_integer(&writer, "resealed", (int64_t)answer->rekey.resealed);
    json_put_integer(&writer, "unreadable", (int64_t)answer->rekey.unreadable);
    json_put_string(&writer, "key_id", answer->rekey.key_id);
    json_writer_end(&writer);
    api_answer(request->web, &body);
}

static void begun(const struct api_request *request, struct message *answer, void *state)
{
    api_count(request, "rekey", 0);
    progress_answered(request, answer, state);
}

static void ask(const struct api_request *request, bool begin, api_answered answered)
{
    if (!api_allowed_whole(request, "", MAY_ADMIN))
        return;
    struct message *question = api_question(request, ASK_REKEY);
    if (question)
        question->accept = begin;
    api_ask(request, question, &(struct api_follow_up){ .answered = answered });
}

void api_rekey(const struct api_request *request)
{
    ask(request, true, begun);
}

void api_rekey_progress(const struct api_request *request)
{
    ask(request, false, progress_answered);
}

#include "base/json.h"
#include "front/api_ask.h"
#include "front/api_body.h"

static void resume_answered(const struct api_request *request, struct message *answer, void *state)
{
    CLEANUP(cleanup_buffer) struct buffer body = BUFFER_WITH_MAXIMUM(64);

    api_count(request, "resume", 0);
    buffer_append_format(&body, "{\"resumed\":%s}", answer->accept ? "true" : "false");
    api_answer(request->web, &body);
}

void api_resume(const struct api_request *request)
{
    static const char *const known[] = { "moved_back", NULL };

    if (!api_allowed_whole(request, "", MAY_ADMIN))
        return;
    CLEANUP(cleanup_json) struct json *body = api_body(request, known);
    bool moved_back = false;
    if (!body || !api_body_flag(request, body, "moved_back", &moved_back))
        return;
    struct message *question = api_question(request, ASK_RESUME);
    if (question)
        question->accept = moved_back;
    api_ask(request, question, &(struct api_follow_up){ .answered = resume_answered });
}

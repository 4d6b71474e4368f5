#include "base/json.h"
#include "front/api_ask.h"

static void resume_answered(const struct api_request *request, struct message *answer, void *state)
{
    CLEANUP(cleanup_buffer) struct buffer body = BUFFER_WITH_MAXIMUM(64);

    api_count(request, "resume", 0);
    buffer_append_format(&body, "{\"resumed\":%s}", answer->accept ? "true" : "false");
    api_answer(request->web, &body);
}

void api_resume(const struct api_request *request)
{
    if (api_allowed_whole(request, "", MAY_ADMIN))
        api_ask(request, api_question(request, ASK_RESUME),
                &(struct api_follow_up){ .answered = resume_answered });
}

#include "base/clock.h"
#include "base/json.h"
#include "front/api_ask.h"
#include "front/api_path.h"

enum { MS_PER_S = 1000 };

static void put_moment(struct json_writer *writer, const char *key, int64_t at)
{
    if (at > 0)
        json_put_integer(writer, key, clock_to_wall(at) / MS_PER_S);
}

static void put_members(struct json_writer *writer, const struct caller_row *row)
{
    json_put_integer(writer, "id", row->id);
    json_put_string(writer, "state", row->approved_at > 0 ? "approved" : "waiting");
    json_put_string(writer, "rule", row->rule);
    json_put_integer(writer, "uid", row->uid);
    json_put_string(writer, "unit", *row->unit ? row->unit : NULL);
    json_put_string(writer, "account", *row->account ? row->account : NULL);
    put_moment(writer, "asked_at", row->asked_at);
    put_moment(writer, "approved_at", row->approved_at);
    if (row->approved_at > 0 && row->approved_by != CALLER_BY_PROGRAM)
        json_put_integer(writer, "approved_by", row->approved_by);
    json_writer_end(writer);
}

static void listed(const struct api_request *request, struct message *answer, void *state)
{
    CLEANUP(cleanup_buffer) struct buffer body = BUFFER_WITH_MAXIMUM(WIRE_ANSWER_MAX);
    struct json_writer writer = json_writer_begin(&body, '{');
    struct json_writer rows = json_put_nested(&writer, "callers", '[');

    for (size_t i = 0; i < answer->caller_count; i++) {
        struct json_writer row = json_put_nested(&rows, NULL, '{');
        put_members(&row, &answer->callers[i]);
    }
    json_writer_end(&rows);
    json_writer_end(&writer);
    api_answer(request->web, &body);
}

void api_callers(const struct api_request *request)
{
    if (api_allowed_whole(request, "", MAY_ADMIN))
        api_ask(request, api_question(request, ASK_CALLERS),
                &(struct api_follow_up){ .answered = listed });
}

static void decided(const struct api_request *request, const struct message *answer,
                    const char *verdict)
{
    CLEANUP(cleanup_buffer) struct buffer body = BUFFER_WITH_MAXIMUM(WIRE_ANSWER_MAX);
    struct json_writer writer = json_writer_begin(&body, '{');

    api_count(request, verdict, 0);
    put_members(&writer, &answer->callers[0]);
    api_answer(request->web, &body);
}

static void approved(const struct api_request *request, struct message *answer, void *state)
{
    decided(request, answer, "approve");
}

static void unapproved(const struct api_request *request, struct message *answer, void *state)
{
    decided(request, answer, "unapprove");
}

static void decide(const struct api_request *request, enum message_kind kind, api_answered then)
{
    int64_t id = 0;

    if (!api_allowed_whole(request, "", MAY_ADMIN))
        return;
    if (!text_to_integer(request->rest, 1, INT64_MAX, &id)) {
        api_refuse(request->web, WIRE_BAD_REQUEST, NULL, "this is no caller's id");
        return;
    }
    struct message *question = api_question(request, kind);
    if (question) {
        question->caller_id = id;
        question->uid = asker_uid(&request->asker);
    }
    api_ask(request, question, &(struct api_follow_up){ .answered = then });
}

void api_approve(const struct api_request *request)
{
    decide(request, ASK_APPROVE, approved);
}

void api_unapprove(const struct api_request *request)
{
    decide(request, ASK_UNAPPROVE, unapproved);
}

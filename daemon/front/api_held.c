#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "front/api_ask.h"
#include "front/api_body.h"
#include "front/api_listing.h"
#include "front/audit.h"
#include "row_forecast.h"

enum { MS_PER_S = 1000 };

static void append_held(const struct api_request *request, struct buffer *out,
                        const struct account_row *row)
{
    const struct forecast forecast =
        forecast_of_held(row, settings_provider(request->context->settings, row->name.provider));
    struct json_writer writer = json_writer_begin(out, '{');
    char account[ACCOUNT_TEXT_SIZE];

    json_put_string(&writer, "account", account_text(&row->name, account));
    json_put_integer(&writer, "id", row->held_at);
    json_put_string(&writer, "identity", row->identity);
    json_put_string(&writer, "held_identity", row->held_identity ? row->held_identity : "");
    json_put_integer(&writer, "created_at", clock_to_wall(row->held_at) / MS_PER_S);
    if (forecast.dies_at > 0)
        json_put_integer(&writer, "dies_at", clock_to_wall(forecast.dies_at) / MS_PER_S);
    json_writer_end(&writer);
}

static const struct api_listing held = { ASK_HELD, "held", MAY_ADMIN, append_held };

void api_held(const struct api_request *request)
{
    api_list(request, &held);
}

static void decided(const struct api_request *request, const struct message *answer,
                    const char *verdict)
{
    api_count(request, verdict, answer->row_count > 0 ? answer->rows[0].generation : 0);
    api_answer_account(request, answer);
}

static void accepted(const struct api_request *request, struct message *answer, void *state)
{
    decided(request, answer, "accept");
}

static void discarded(const struct api_request *request, struct message *answer, void *state)
{
    decided(request, answer, "discard");
}

void api_decide(const struct api_request *request)
{
    static const char *const known[] = { "decision", "id", NULL };
    int64_t id = 0;

    if (!api_allowed(request, MAY_ADMIN))
        return;
    CLEANUP(cleanup_json) struct json *body = api_body(request, known);
    if (!body)
        return;
    const char *decision = json_member_string(body, "decision");
    const bool accept = decision && strcmp(decision, "accept") == 0;
    if (!accept && (!decision || strcmp(decision, "discard") != 0)) {
        api_refuse(request->web, WIRE_BAD_REQUEST, NULL, "decision must be accept or discard");
        return;
    }
    if (!json_integer(json_member(body, "id"), &id)) {
        api_refuse(request->web, WIRE_BAD_REQUEST, NULL,
                   "id must be that of the consent which is meant: " WIRE_PATH_HELD " tells it");
        return;
    }
    struct message *question = api_question(request, ASK_DECIDE);
    if (question) {
        question->accept = accept;
        question->held_at = id;
    }
    api_ask(request, question,
            &(struct api_follow_up){ .answered = accept ? accepted : discarded });
}

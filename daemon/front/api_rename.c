#include "base/json.h"
#include "front/api_ask.h"
#include "front/api_body.h"
#include "front/api_path.h"
#include "front/audit.h"

static void renamed(const struct api_request *request, struct message *answer, void *state)
{
    const struct account_row *row = answer->row_count > 0 ? &answer->rows[0] : NULL;

    /* Under both names, so that each one's history says where it went or came from. */
    api_count(request, "rename", row ? row->generation : 0);
    if (row)
        api_count_for(request, &row->name, "rename", row->generation);
    api_answer_account(request, answer);
}

void api_rename(const struct api_request *request)
{
    static const char *const known[] = { "account", NULL };
    struct account_name new_name;

    if (!api_allowed(request, MAY_ADMIN))
        return;
    CLEANUP(cleanup_json) struct json *body = api_body(request, known);
    if (!body)
        return;
    const char *text = json_member_string(body, "account");
    if (!text || !text_to_account(text, &new_name)) {
        api_refuse(request->web, WIRE_BAD_REQUEST, NULL, "account must be a name of an account");
        return;
    }
    struct api_request target = *request;
    target.account = new_name;
    if (!api_allowed(&target, MAY_ADMIN) || !api_provider_known(&target))
        return;
    struct message *question = api_question(request, ASK_RENAME);
    if (question)
        question->new_name = new_name;
    api_ask(request, question, &(struct api_follow_up){ .answered = renamed });
}

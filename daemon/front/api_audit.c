#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "front/api_ask.h"
#include "front/api_path.h"
#include "front/audit.h"

enum { MS_PER_S = 1000 };

static void put_row(struct json_writer *rows, const struct audit_row *row)
{
    struct json_writer writer = json_put_nested(rows, NULL, '{');

    json_put_integer(&writer, "id", row->id);
    json_put_string(&writer, "account", row->account);
    json_put_integer(&writer, "uid", row->uid);
    json_put_string(&writer, "unit", *row->unit ? row->unit : NULL);
    json_put_string(&writer, "verdict", row->verdict);
    json_put_integer(&writer, "generation", (int64_t)row->generation);
    json_put_integer(&writer, "count", (int64_t)row->count);
    json_put_integer(&writer, "first_at", clock_to_wall(row->first_at) / MS_PER_S);
    json_put_integer(&writer, "last_at", clock_to_wall(row->last_at) / MS_PER_S);
    json_writer_end(&writer);
}

/* Reads the query. False when the request was answered. */
static bool read_query(const struct api_request *request, struct audit_query *ret)
{
    const char *account = web_parameter(request->web, "account");
    const char *before = web_parameter(request->web, "before");
    const char *limit_text = web_parameter(request->web, "limit");
    struct account_name name;
    int64_t limit = WIRE_LIST_LIMIT_DEFAULT;
    const char *flaw = NULL;

    if (account && !text_to_account(account, &name))
        flaw = "account is no name of an account";
    else if (before && !text_to_integer(before, 1, INT64_MAX, &ret->before))
        flaw = "before must be an id";
    else if (limit_text && !text_to_integer(limit_text, 1, WIRE_LIST_LIMIT_MAX, &limit))
        flaw = "limit is out of range";
    if (flaw) {
        api_refuse(request->web, WIRE_BAD_REQUEST, NULL, "%s", flaw);
        return false;
    }
    if (account)
        account_text(&name, ret->account);
    ret->limit = (size_t)limit;
    return true;
}

static void audit_answered(const struct api_request *request, struct message *answer, void *state)
{
    CLEANUP(cleanup_buffer) struct buffer body = BUFFER_WITH_MAXIMUM(WIRE_ANSWER_MAX);
    struct json_writer writer = json_writer_begin(&body, '{');
    struct json_writer rows = json_put_nested(&writer, "audit", '[');
    struct audit_query query = { .before = 0 };

    for (size_t i = 0; i < answer->audit_count; i++)
        put_row(&rows, &answer->audit[i]);
    json_writer_end(&rows);
    /* It was read before, when the question was asked. */
    if (!read_query(request, &query))
        return;
    if (answer->audit_count > 0 && answer->audit_count >= query.limit)
        json_put_integer(&writer, "next", answer->audit[answer->audit_count - 1].id);
    json_writer_end(&writer);
    api_answer(request->web, &body);
}

static bool audit_allowed(const struct api_request *request, const char *account)
{
    struct api_request about = *request;

    about.has_account = text_to_account(account, &about.account);
    return about.has_account ? api_allowed(&about, MAY_ADMIN)
                             : api_allowed_whole(request, "", MAY_ADMIN);
}

void api_audit(const struct api_request *request)
{
    struct audit_query query = { .before = 0 };

    if (!read_query(request, &query) || !audit_allowed(request, query.account))
        return;
    /* What was counted until now goes ahead of the question. */
    audit_flush(request->context->audit);
    struct message *question = message_new(ASK_AUDIT);
    if (question)
        question->audit_query = query;
    api_ask(request, question, &(struct api_follow_up){ .answered = audit_answered });
}

#include <ctype.h>
#include <stdio.h>
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

/* Copies a parameter of characters that names and globs have; false when it is none. Absent is
 * fine. */
static bool read_word(const struct web_request *web, const char *name, char *out, size_t size)
{
    const char *text = web_parameter(web, name);

    if (!text)
        return true;
    if (!*text || strlen(text) >= size)
        return false;
    for (const char *c = text; *c; c++)
        if (!isalnum((unsigned char)*c) && !strchr("._@+-*?/:\\", *c))
            return false;
    (void)snprintf(out, size, "%s", text);
    return true;
}

/* Absent is fine. */
static bool read_number(const struct web_request *web, const char *name, int64_t least,
                        int64_t most, int64_t *ret)
{
    const char *text = web_parameter(web, name);
    return !text || text_to_integer(text, least, most, ret);
}

static const char *read_filter(const struct web_request *web, struct audit_filter *filter)
{
    int64_t uid = -1, since = 0;

    if (!read_word(web, "account", filter->account, sizeof(filter->account)) ||
        (*filter->account && !strchr(filter->account, '/')))
        return "account must be a name or a glob of accounts, such as zenegy/dk-*";
    if (!read_word(web, "unit", filter->unit, sizeof(filter->unit)))
        return "unit must be a unit's name or a glob, such as sync-*.service";
    if (!read_word(web, "verdict", filter->verdict, sizeof(filter->verdict)))
        return "verdict must be a word, such as token or forbidden";
    if (!read_number(web, "uid", 0, UINT32_MAX, &uid))
        return "uid must be a number";
    if (!read_number(web, "since", 0, INT64_MAX / MS_PER_S, &since))
        return "since must be a Unix time in seconds";
    if (!read_number(web, "before", 1, INT64_MAX, &filter->before))
        return "before must be an id";
    filter->has_uid = uid >= 0;
    filter->uid = (uint32_t)uid;
    if (since > 0) /* to broker time, by how far the wall is from it now */
        filter->since = since * MS_PER_S - (clock_to_wall(clock_now()) - clock_now());
    return NULL;
}

/* Reads the query. False when the request was answered. */
static bool read_query(const struct api_request *request, struct audit_query *ret)
{
    int64_t limit = WIRE_LIST_LIMIT_DEFAULT;
    const char *flaw = read_filter(request->web, &ret->filter);

    if (!flaw && !read_number(request->web, "limit", 1, WIRE_LIST_LIMIT_MAX, &limit))
        flaw = "limit is out of range";
    if (flaw)
        api_refuse(request->web, WIRE_BAD_REQUEST, NULL, "%s", flaw);
    ret->limit = (size_t)limit;
    return !flaw;
}

static void audit_answered(const struct api_request *request, struct message *answer, void *state)
{
    CLEANUP(cleanup_buffer) struct buffer body = BUFFER_WITH_MAXIMUM(WIRE_ANSWER_MAX);
    struct json_writer writer = json_writer_begin(&body, '{');
    struct json_writer rows = json_put_nested(&writer, "audit", '[');
    struct audit_query query = { .limit = 0 };

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
    struct audit_query query = { .limit = 0 };

    if (!read_query(request, &query) || !audit_allowed(request, query.filter.account))
        return;
    /* What was counted until now goes ahead of the question. */
    (void)audit_flush(request->context->audit);
    struct message *question = message_new(ASK_AUDIT);
    if (question)
        question->audit_query = query;
    api_ask(request, question, &(struct api_follow_up){ .answered = audit_answered });
}

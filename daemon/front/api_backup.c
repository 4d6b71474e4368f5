/* /v1/backups: copies of the store, fetched in pieces. */

#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "front/api_ask.h"
#include "front/api_body.h"
#include "front/api_path.h"

static void put_facts(struct json_writer *writer, const struct backup_facts *facts)
{
    json_put_string(writer, "backup_id", facts->id);
    json_put_boolean(writer, "whole", facts->whole);
    if (facts->whole)
        json_put_integer(writer, "bytes", (int64_t)facts->bytes);
    json_put_string(writer, "key", facts->key);
    json_put_string(writer, "key_id", facts->key_id);
}

static void looked(const struct api_request *request, struct message *answer, void *state)
{
    CLEANUP(cleanup_buffer) struct buffer body = BUFFER_WITH_MAXIMUM(WIRE_ANSWER_MAX);
    CLEANUP(cleanup_buffer) struct buffer data = BUFFER_WITH_MAXIMUM(WIRE_ANSWER_MAX);
    struct json_writer writer = json_writer_begin(&body, '{');

    put_facts(&writer, &answer->backup);
    if (answer->piece) {
        buffer_append_base64(&data, answer->piece, answer->piece_length);
        json_put_string(&writer, "data", buffer_text(&data));
    }
    json_writer_end(&writer);
    body.failed = body.failed || data.failed;
    api_answer(request->web, &body);
}

static void begun(const struct api_request *request, struct message *answer, void *state)
{
    api_count(request, "backup", 0);
    looked(request, answer, state);
}

static void begun_move(const struct api_request *request, struct message *answer, void *state)
{
    api_count(request, "move", 0);
    looked(request, answer, state);
}

/* False when the request was answered. */
static bool read_key_id(const struct api_request *request, const struct json *body,
                        struct backup_order *order)
{
    const char *id = json_member_string(body, "key_id");

    if (!json_member(body, "key_id"))
        return true;
    if (id && strlen(id) == SEAL_KEY_ID_SIZE - 1 && !id[strspn(id, "0123456789abcdef")]) {
        (void)snprintf(order->key_id, sizeof(order->key_id), "%s", id);
        return true;
    }
    api_refuse(request->web, WIRE_BAD_REQUEST, NULL,
               "a key's id is %d hex digits in lower case, as a backup and rekey say them",
               SEAL_KEY_ID_SIZE - 1);
    return false;
}

void api_backup(const struct api_request *request)
{
    static const char *const known[] = { "key_kept", "key_id", "move", NULL };

    if (!api_allowed_whole(request, "", MAY_ADMIN))
        return;
    CLEANUP(cleanup_json) struct json *body = api_body(request, known);
    struct backup_order order = { .offset = -1 };
    if (!body || !api_body_flag(request, body, "key_kept", &order.key_kept) ||
        !read_key_id(request, body, &order) || !api_body_flag(request, body, "move", &order.moves))
        return;
    struct message *question = api_question(request, ASK_BACKUP);
    if (question)
        question->backup_order = order;
    api_ask(request, question,
            &(struct api_follow_up){ .answered = order.moves ? begun_move : begun });
}

/* A question about the backup of the path; NULL when memory is short, or *ret_answered. */
static struct message *about(const struct api_request *request, enum message_kind kind,
                             bool *ret_answered)
{
    const char *offset = web_parameter(request->web, "offset");
    struct message *question = message_new(kind);

    *ret_answered = false;
    if (!question)
        return NULL;
    question->backup_order.offset = -1;
    /* One that is too long is no id, and found nowhere. */
    (void)snprintf(question->backup_order.id, BACKUP_ID_SIZE, "%s", request->rest);
    if (!offset || text_to_integer(offset, 0, INT64_MAX, &question->backup_order.offset))
        return question;
    *ret_answered = true;
    api_refuse(request->web, WIRE_BAD_REQUEST, NULL, "offset must be a number");
    return message_free(question);
}

void api_backup_look(const struct api_request *request)
{
    bool answered = false;
    if (!api_allowed_whole(request, "", MAY_ADMIN))
        return;
    struct message *question = about(request, ASK_BACKUP_PIECE, &answered);
    if (!answered)
        api_ask(request, question, &(struct api_follow_up){ .answered = looked });
}

static void ended(const struct api_request *request, struct message *answer, void *state)
{
    api_answer_done(request, "deleted");
}

void api_backup_end(const struct api_request *request)
{
    bool answered = false;
    if (!api_allowed_whole(request, "", MAY_ADMIN))
        return;
    struct message *question = about(request, ASK_BACKUP_END, &answered);
    if (!answered)
        api_ask(request, question, &(struct api_follow_up){ .answered = ended });
}

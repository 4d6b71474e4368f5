#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "io/web_private.h"

enum { REFUSAL_TEXT_MAX = 256, REFUSAL_HEAD_MAX = 256 };

/* A body with its length, so that whoever frees it can wipe it. */
struct body_copy {
    size_t length;
    char bytes[];
};

struct refusal_row {
    int status;
    const char *description; /* needs no escaping in JSON */
};

static const struct refusal_row refusals[] = {
    [WEB_REFUSED_METHOD] = { 400, "the method is not a token" },
    [WEB_REFUSED_TARGET] = { 400, "the path is malformed" },
    [WEB_REFUSED_PATH_TOO_LONG] = { 414, "the path or the query is too long" },
    [WEB_REFUSED_QUERY] = { 400, "the query is malformed" },
    [WEB_REFUSED_PARAMETERS] = { 400, "there are too many parameters" },
    [WEB_REFUSED_HEADER] = { 400, "a header line is malformed" },
    [WEB_REFUSED_HEAD_TOO_LARGE] = { 431, "the header lines are too large" },
    [WEB_REFUSED_HOST] = { 400, "there must be one Host header" },
    [WEB_REFUSED_FRAMING] = { 400, "the length of the body is ambiguous" },
    [WEB_REFUSED_BODY_TOO_LARGE] = { 413, "the body is too large" },
};

static void free_body_copy(void *userdata)
{
    struct body_copy *copy = userdata;

    explicit_bzero(copy->bytes, copy->length);
    free(copy);
}

static struct MHD_Response *response_with_body(const char *body, size_t length)
{
    if (length == 0)
        return MHD_create_response_from_buffer(0, (void *)"", MHD_RESPMEM_PERSISTENT);

    struct body_copy *copy;
    if (length > SIZE_MAX - sizeof *copy || !(copy = malloc(sizeof *copy + length)))
        return NULL;
    copy->length = length;
    memcpy(copy->bytes, body, length);

    struct MHD_Response *response = MHD_create_response_from_buffer_with_free_callback_cls(
        length, copy->bytes, free_body_copy, copy);
    if (!response)
        free_body_copy(copy);
    return response;
}

bool web_add_headers(struct MHD_Response *response, const struct web_answer *answer)
{
    if (answer->content_type &&
        !MHD_add_response_header(response, "Content-Type", answer->content_type))
        return false;
    if (answer->close && !MHD_add_response_header(response, "Connection", "close"))
        return false;
    for (size_t i = 0; i < WEB_HEADERS_MAX && answer->headers[i].name; i++) {
        const struct web_header_line *line = &answer->headers[i];
        if (!MHD_add_response_header(response, line->name, line->value))
            return false;
    }
    return true;
}

void web_make_answer(struct web_request *request, const struct web_answer *answer)
{
    struct MHD_Response *response = response_with_body(answer->body, answer->length);

    if (response && !web_add_headers(response, answer)) {
        MHD_destroy_response(response);
        response = NULL;
    }
    request->response = response;
    request->status = answer->status;
    request->stage = WEB_STAGE_ANSWERED;
}

/* MHD_NO makes the library close the connection. */
enum MHD_Result web_queue_answer(struct web_request *request)
{
    if (!request->response)
        return MHD_NO;

    struct MHD_Response *response = steal(request->response);
    enum MHD_Result queued =
        MHD_queue_response(request->connection->mhd, (unsigned)request->status, response);
    MHD_destroy_response(response);
    request->stage = WEB_STAGE_SENDING;
    web_connection_busy(request->connection);
    return queued;
}

void web_send_past(struct web_connection *connection, const char *text, size_t length)
{
    if (connection->server->options.tls)
        web_tls_send(connection, text, length);
    else
        (void)send(connection->fd, text, length, MSG_NOSIGNAL | MSG_DONTWAIT);
}

/* Without the library, whose pool is full. Nothing of an earlier answer is left to be sent, and
 * what does not fit the socket's empty buffer is lost: it is a farewell. */
static enum MHD_Result send_farewell(struct web_request *request, const struct web_answer *answer)
{
    char text[REFUSAL_TEXT_MAX + REFUSAL_HEAD_MAX];
    int length = snprintf(text, sizeof text,
                          "HTTP/1.1 %d Refused\r\nContent-Type: %s\r\nContent-Length: %zu\r\n"
                          "Connection: close\r\n\r\n%s",
                          answer->status, answer->content_type, answer->length, answer->body);

    web_send_past(request->connection, text, (size_t)length);
    return MHD_NO;
}

enum MHD_Result web_refuse(struct web_request *request, enum web_refusal refusal)
{
    bool json = request->connection->server->options.reject_malformed_json;
    const struct refusal_row *row = &refusals[refusal];
    char text[REFUSAL_TEXT_MAX];
    int length =
        snprintf(text, sizeof text,
                 json ? "{\"error\":\"bad_request\",\"error_description\":\"%s\"}" : "%s\n",
                 row->description);
    struct web_answer answer = {
        .status = row->status,
        .content_type = json ? "application/json" : "text/plain",
        .body = text,
        .length = (size_t)length, /* every description fits */
        .close = true,
    };

    if (request->pool_is_full)
        return send_farewell(request, &answer);
    web_make_answer(request, &answer);
    return web_queue_answer(request);
}

void web_answer(struct web_request *request, const struct web_answer *answer)
{
    bool waited = request->stage == WEB_STAGE_WAITING;

    if (!waited && request->stage != WEB_STAGE_HANDLING)
        return;
    web_make_answer(request, answer);
    if (!waited)
        return;
    request->watch = loop_source_free(request->watch);
    web_connection_busy(request->connection);
    MHD_resume_connection(request->connection->mhd);
    web_run_soon(request->connection->server);
}

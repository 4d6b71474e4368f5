#include <string.h>

#include "io/web_private.h"

enum { STREAM_BLOCK_SIZE = 4 * 1024 };

/* Nothing is left to be sent: the library must not ask again until there is. */
static void rest(struct web_request *request)
{
    request->stream_rests = true;
    MHD_suspend_connection(request->connection->mhd);
    web_connection_waits(request->connection);
    web_watch(request);
}

static ssize_t read_stream(void *userdata, uint64_t position, char *bytes, size_t room)
{
    struct web_request *request = userdata;
    size_t length = request->stream.length < room ? request->stream.length : room;

    if (request->stage == WEB_STAGE_GONE)
        return MHD_CONTENT_READER_END_WITH_ERROR;
    if (length == 0 && request->stream_ended)
        return MHD_CONTENT_READER_END_OF_STREAM;
    if (length == 0) {
        rest(request);
        return 0;
    }
    memcpy(bytes, request->stream.data, length);
    buffer_drop(&request->stream, length);
    /* It took what came before: its deadline begins anew. */
    web_connection_busy(request->connection);
    return (ssize_t)length;
}

void web_stream_begin(struct web_request *request, const struct web_answer *head, size_t unread_max)
{
    struct MHD_Response *response = MHD_create_response_from_callback(
        MHD_SIZE_UNKNOWN, STREAM_BLOCK_SIZE, read_stream, request, NULL);

    if (response && !web_add_headers(response, head)) {
        MHD_destroy_response(response);
        response = NULL;
    }
    request->streams = true;
    request->stream = BUFFER_WITH_MAXIMUM(unread_max);
    request->response = response;
    request->status = head->status;
    request->stage = WEB_STAGE_ANSWERED;
}

static void wake(struct web_request *request)
{
    if (!request->stream_rests)
        return;
    request->stream_rests = false;
    request->watch = loop_source_free(request->watch);
    web_connection_busy(request->connection);
    MHD_resume_connection(request->connection->mhd);
    web_run_soon(request->connection->server);
}

bool web_stream_send(struct web_request *request, const char *text, size_t length)
{
    struct buffer *stream = &request->stream;

    if (length > stream->maximum - stream->length)
        return false;
    buffer_append(stream, text, length);
    if (stream->failed) {
        stream->failed = false; /* the piece was not taken; what waits is whole */
        return false;
    }
    wake(request);
    return true;
}

void web_stream_end(struct web_request *request)
{
    request->gone = NULL;
    request->stream_ended = true;
    wake(request);
}

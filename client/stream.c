#include "client/stream.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum { PIECE_SIZE = 8 * 1024, OPEN_TIMEOUT_MS = 10 * 1000, REQUEST_MAX = 4 * 1024 };

static int receive(struct stream *stream, const struct patience *patience)
{
    char piece[PIECE_SIZE];
    ssize_t length = connection_receive(stream->fd, piece, sizeof piece, patience);

    if (length < 0)
        return (int)length;
    return length > 0 ? http_answer_take(&stream->answer, piece, (size_t)length)
                      : http_answer_end(&stream->answer);
}

/* A refusal is read to its end; of the stream, the head alone. */
static int receive_head(struct stream *stream, const struct patience *patience)
{
    int r = HTTP_MORE;

    while (r == HTTP_MORE && (!stream->answer.head_whole || stream->answer.status != 200))
        r = receive(stream, patience);
    return r < 0 ? r : 0;
}

int stream_open(struct stream *stream, const char *socket_path, const char *target,
                int interrupt_fd)
{
    CLEANUP(cleanup_text) struct text request = TEXT_WITH_MAXIMUM(REQUEST_MAX);
    const struct patience patience = { connection_now() + OPEN_TIMEOUT_MS, interrupt_fd };

    stream_close(stream);
    text_append_format(&request, "GET %s HTTP/1.1\r\nHost: localhost\r\n", target);
    if (*stream->last_id)
        text_append_format(&request, "Last-Event-ID: %s\r\n", stream->last_id);
    text_append_string(&request, "\r\n");
    int r = connection_open(socket_path, &patience, &stream->fd);
    if (r == 0)
        r = connection_send(stream->fd, text_string(&request), request.length, &patience);
    return r == 0 ? receive_head(stream, &patience) : r;
}

/* An id goes into a later request: only letters that cannot end its line. */
static void keep_id(struct stream *stream, const char *id)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyz0123456789-";
    size_t length = strlen(id);

    if (length < STREAM_ID_SIZE && strspn(id, letters) == length)
        memcpy(stream->id, id, length + 1);
}

/* One line without its end (WHATWG HTML 9.2.6). */
static bool take_line(struct stream *stream, const char *line, stream_event event, void *userdata)
{
    if (strncmp(line, "id: ", 4) == 0)
        keep_id(stream, line + 4);
    else if (strncmp(line, "data: ", 6) == 0)
        text_append_string(&stream->data, line + 6);
    if (*line)
        return true;
    /* Not before its end: what breaks within an event has to be asked for again. */
    if (*stream->id)
        memcpy(stream->last_id, stream->id, sizeof stream->last_id);
    if (stream->data.length == 0)
        return true;
    bool go_on = event(userdata, text_string(&stream->data), stream->data.length);
    text_cut(&stream->data, 0);
    return go_on;
}

/* All whole lines of what has come. */
static int take_lines(struct stream *stream, stream_event event, void *userdata)
{
    struct text *body = &stream->answer.body;
    const char *at = text_string(body);
    const char *const end = at + body->length;

    for (const char *stop; at < end && (stop = memchr(at, '\n', (size_t)(end - at)));
         at = stop + 1) {
        text_append(&stream->rest, at, (size_t)(stop - at));
        if (stream->rest.failed)
            return -EMSGSIZE;
        if (!take_line(stream, text_string(&stream->rest), event, userdata))
            return -ECANCELED;
        text_cut(&stream->rest, 0);
    }
    text_append(&stream->rest, at, (size_t)(end - at));
    text_cut(body, 0);
    return stream->rest.failed ? -EMSGSIZE : 0;
}

int stream_read(struct stream *stream, int interrupt_fd, stream_event event, void *userdata)
{
    int r = HTTP_MORE;

    while (true) {
        int taken = take_lines(stream, event, userdata);
        if (taken < 0 || r != HTTP_MORE)
            return taken < 0 ? taken : r;
        const struct patience patience = { connection_now() + STREAM_HEARTBEAT_MAX_MS,
                                           interrupt_fd };
        r = receive(stream, &patience);
    }
}

void stream_close(struct stream *stream)
{
    cleanup_fd(&stream->fd);
    stream->fd = -1;
    http_answer_release(&stream->answer);
    stream->answer = (struct http_answer)HTTP_ANSWER(STREAM_LINE_MAX);
    text_release(&stream->rest);
    text_release(&stream->data);
    *stream->id = '\0';
}

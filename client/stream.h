#pragma once

#include "client/connection.h"
#include "client/http.h"

/* The broker's stream of server-sent events, as far as the broker writes it. */

enum {
    STREAM_ID_SIZE = 64,
    STREAM_LINE_MAX = 16 * 1024,
    STREAM_HEARTBEAT_MAX_MS = 45 * 1000, /* three heartbeats: quieter than that, it is dead */
};

struct stream {
    int fd;
    struct http_answer answer;
    struct text rest;             /* of a line that is not whole yet */
    struct text data;             /* of the event that is being read */
    char id[STREAM_ID_SIZE];      /* likewise; "": it has none */
    char last_id[STREAM_ID_SIZE]; /* of the last whole one, "" before it; kept over stream_open() */
};

#define STREAM_CLOSED()                                                                            \
    {                                                                                              \
        .fd = -1, .answer = HTTP_ANSWER(STREAM_LINE_MAX),                                          \
        .rest = TEXT_WITH_MAXIMUM(STREAM_LINE_MAX), .data = TEXT_WITH_MAXIMUM(STREAM_LINE_MAX)     \
    }

/* Connects and asks, going on behind last_id; the answer's head is read. Returns 0, when
 * stream->answer.status may be a refusal whose body is whole, or a negative errno. */
int stream_open(struct stream *stream, const char *socket_path, const char *target,
                int interrupt_fd);

/* The data of an event; false ends stream_read(). */
typedef bool (*stream_event)(void *userdata, const char *data, size_t length);

/* Calls event for each as it comes. Returns 0 when the broker ended the stream, -ECANCELED when
 * event did or the interrupt came, another negative errno when it broke. */
int stream_read(struct stream *stream, int interrupt_fd, stream_event event, void *userdata);

/* Closes and frees all but last_id. */
void stream_close(struct stream *stream);

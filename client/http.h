#pragma once

#include "client/text.h"

/* HTTP/1.1 as one request and one answer need it (RFC 9112); no sockets here. */

enum {
    HTTP_HEAD_MAX = 16 * 1024, /* bytes of an answer's head */
    HTTP_MORE = 1,             /* the answer is not whole yet */
};

enum http_framing {
    HTTP_BY_LENGTH,
    HTTP_BY_CHUNKS,
    HTTP_BY_CLOSE, /* the body ends where the connection does */
};

enum http_chunk_state {
    CHUNK_SIZE,
    CHUNK_EXTENSION,
    CHUNK_SIZE_LF,
    CHUNK_DATA,
    CHUNK_DATA_CR,
    CHUNK_DATA_LF,
    CHUNK_TRAILER,
    CHUNK_TRAILER_LINE,
    CHUNK_TRAILER_LF,
    CHUNK_LAST_LF,
    CHUNK_DONE,
};

/* An answer that is being read. */
struct http_answer {
    struct text head; /* up to the empty line */
    struct text body; /* decoded */
    bool head_whole;
    int status;
    bool keep; /* the connection can be used again */
    enum http_framing framing;
    bool length_given;
    size_t left; /* bytes of the body, or of its current chunk */
    enum http_chunk_state chunk;
    unsigned chunk_digits;
};

#define HTTP_ANSWER(body_maximum)                                                                  \
    {                                                                                              \
        .head = TEXT_WITH_MAXIMUM(HTTP_HEAD_MAX), .body = TEXT_WITH_MAXIMUM(body_maximum)          \
    }

/* Overwrites and frees what was read. */
void http_answer_release(struct http_answer *answer);

static inline void cleanup_http_answer(struct http_answer *answer)
{
    http_answer_release(answer);
}

/* Whether a path with its query can stand in a request line. */
bool http_path_valid(const char *path);

/* Appends a request; body NULL: none. Both method and path must be valid. */
void http_put_request(struct text *out, const char *method, const char *path, const char *body);

/*
 * Takes bytes that have come. 0: the answer is whole; HTTP_MORE; -EBADMSG: not HTTP, or more came
 * than belongs to the answer; -EMSGSIZE: the head or the body is too large; -ENOMEM.
 */
int http_answer_take(struct http_answer *answer, const char *bytes, size_t length);

/* Takes the end of the connection: 0 when the answer is whole with it, else -EBADMSG. */
int http_answer_end(struct http_answer *answer);

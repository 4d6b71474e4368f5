#include "client/http.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <strings.h>

enum { CHUNK_DIGITS_MAX = 8, STATUS_LINE_MIN = 12, LENGTH_DIGITS_MAX = 10 };

void http_answer_release(struct http_answer *answer)
{
    text_release(&answer->head);
    text_release(&answer->body);
}

/* --- the request --- */

bool http_path_valid(const char *path)
{
    for (const char *c = path; *c; c++) {
        if (*c <= ' ' || *c >= 0x7f || *c == '#')
            return false;
    }
    return path[0] == '/';
}

void http_put_request(struct text *out, const char *method, const char *path, const char *body)
{
    text_append_format(out, "%s %s HTTP/1.1\r\nHost: localhost\r\nAccept: application/json\r\n",
                       method, path);
    if (body)
        text_append_format(out, "Content-Type: application/json\r\nContent-Length: %zu\r\n",
                           strlen(body));
    else if (strcmp(method, "GET") != 0)
        text_append_string(out, "Content-Length: 0\r\n");
    text_append_string(out, "\r\n");
    if (body)
        text_append_string(out, body);
}

/* --- the answer's head --- */

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* "HTTP/1.1 200 OK" without its line end. */
static bool read_status_line(struct http_answer *answer, const char *line, size_t length)
{
    if (length < STATUS_LINE_MIN || memcmp(line, "HTTP/1.", 7) != 0 || !is_digit(line[7]) ||
        line[8] != ' ' || !is_digit(line[9]) || !is_digit(line[10]) || !is_digit(line[11]) ||
        (length > STATUS_LINE_MIN && line[12] != ' '))
        return false;
    answer->status = (line[9] - '0') * 100 + (line[10] - '0') * 10 + (line[11] - '0');
    answer->keep = line[7] != '0';
    return answer->status >= 200;
}

static bool read_length(struct http_answer *answer, const char *value, size_t length)
{
    size_t number = 0;

    if (length == 0 || length > LENGTH_DIGITS_MAX || answer->length_given)
        return false;
    for (size_t i = 0; i < length; i++) {
        if (!is_digit(value[i]))
            return false;
        number = number * 10 + (size_t)(value[i] - '0');
    }
    answer->length_given = true;
    answer->left = number;
    return true;
}

static bool word_is(const char *value, size_t length, const char *word)
{
    return length == strlen(word) && strncasecmp(value, word, length) == 0;
}

static bool read_field(struct http_answer *answer, const char *name, size_t name_length,
                       const char *value, size_t length)
{
    if (word_is(name, name_length, "Content-Length"))
        return read_length(answer, value, length);
    if (word_is(name, name_length, "Transfer-Encoding")) {
        bool again = answer->framing == HTTP_BY_CHUNKS;
        answer->framing = HTTP_BY_CHUNKS;
        return !again && word_is(value, length, "chunked");
    }
    if (word_is(name, name_length, "Connection") && word_is(value, length, "close"))
        answer->keep = false;
    return true;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

static bool read_field_line(struct http_answer *answer, const char *line, size_t length)
{
    const char *colon = memchr(line, ':', length);

    if (!colon || colon == line || is_blank(line[0]) || is_blank(colon[-1]))
        return false;
    const char *value = colon + 1;
    const char *end = line + length;
    while (value < end && is_blank(*value))
        value++;
    while (end > value && is_blank(end[-1]))
        end--;
    return read_field(answer, line, (size_t)(colon - line), value, (size_t)(end - value));
}

/* The lines of the head, all ended by CR LF, without the empty one. */
static bool read_head(struct http_answer *answer)
{
    const char *line = text_string(&answer->head);
    const char *end = line + answer->head.length;
    bool first = true;

    while (line < end) {
        const char *line_end = memmem(line, (size_t)(end - line), "\r\n", 2);
        size_t length = line_end ? (size_t)(line_end - line) : 0;
        if (!line_end || memchr(line, '\0', length) ||
            !(first ? read_status_line : read_field_line)(answer, line, length))
            return false;
        first = false;
        line = line_end + 2;
    }
    if (answer->framing == HTTP_BY_CHUNKS)
        return !answer->length_given;
    answer->framing = answer->length_given ? HTTP_BY_LENGTH : HTTP_BY_CLOSE;
    return true;
}

/* --- the answer's body --- */

static int put_body(struct http_answer *answer, const char *bytes, size_t length)
{
    if (length > answer->body.maximum - answer->body.length)
        return -EMSGSIZE;
    text_append(&answer->body, bytes, length);
    return answer->body.failed ? -ENOMEM : 0;
}

static int take_sized(struct http_answer *answer, const char *bytes, size_t length)
{
    if (length > answer->left)
        return -EBADMSG;
    answer->left -= length;
    int r = put_body(answer, bytes, length);
    return r < 0 ? r : (answer->left > 0 ? HTTP_MORE : 0);
}

static int hex_value(char c)
{
    if (is_digit(c))
        return c - '0';
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool take_size_byte(struct http_answer *answer, char c)
{
    int digit = hex_value(c);

    if (digit >= 0) {
        answer->left = answer->left * 16 + (size_t)digit;
        return ++answer->chunk_digits <= CHUNK_DIGITS_MAX;
    }
    answer->chunk = c == ';' ? CHUNK_EXTENSION : CHUNK_SIZE_LF;
    return answer->chunk_digits > 0 && (c == ';' || c == '\r');
}

static void begin_chunk_size(struct http_answer *answer)
{
    answer->chunk = CHUNK_SIZE;
    answer->chunk_digits = 0;
    answer->left = 0;
}

/* One byte of what stands between the chunks' data (RFC 9112 7.1). */
static bool take_framing_byte(struct http_answer *answer, char c)
{
    switch (answer->chunk) {
    case CHUNK_SIZE:
        return take_size_byte(answer, c);
    case CHUNK_EXTENSION:
        answer->chunk = c == '\r' ? CHUNK_SIZE_LF : CHUNK_EXTENSION;
        return c != '\n';
    case CHUNK_SIZE_LF:
        answer->chunk = answer->left > 0 ? CHUNK_DATA : CHUNK_TRAILER;
        return c == '\n';
    case CHUNK_DATA_CR:
        answer->chunk = CHUNK_DATA_LF;
        return c == '\r';
    case CHUNK_DATA_LF:
        begin_chunk_size(answer);
        return c == '\n';
    case CHUNK_TRAILER:
        answer->chunk = c == '\r' ? CHUNK_LAST_LF : CHUNK_TRAILER_LINE;
        return c != '\n';
    case CHUNK_TRAILER_LINE:
        answer->chunk = c == '\r' ? CHUNK_TRAILER_LF : CHUNK_TRAILER_LINE;
        return c != '\n';
    case CHUNK_TRAILER_LF:
        answer->chunk = CHUNK_TRAILER;
        return c == '\n';
    case CHUNK_LAST_LF:
        answer->chunk = CHUNK_DONE;
        return c == '\n';
    case CHUNK_DATA:
    case CHUNK_DONE:
        break;
    }
    return false; /* data is not framing, and nothing comes after the end */
}

static int take_chunk_data(struct http_answer *answer, const char *bytes, size_t length)
{
    int r = put_body(answer, bytes, length);

    answer->left -= length;
    if (answer->left == 0)
        answer->chunk = CHUNK_DATA_CR;
    return r;
}

static int take_chunked(struct http_answer *answer, const char *bytes, size_t length)
{
    size_t taken = 0;

    while (taken < length) {
        size_t step = 1;
        if (answer->chunk == CHUNK_DATA) {
            step = length - taken < answer->left ? length - taken : answer->left;
            int r = take_chunk_data(answer, bytes + taken, step);
            if (r < 0)
                return r;
        } else if (!take_framing_byte(answer, bytes[taken])) {
            return -EBADMSG;
        }
        taken += step;
    }
    return answer->chunk == CHUNK_DONE ? 0 : HTTP_MORE;
}

static int take_body(struct http_answer *answer, const char *bytes, size_t length)
{
    switch (answer->framing) {
    case HTTP_BY_LENGTH:
        return take_sized(answer, bytes, length);
    case HTTP_BY_CHUNKS:
        return take_chunked(answer, bytes, length);
    case HTTP_BY_CLOSE:
        break;
    }
    int r = put_body(answer, bytes, length);
    return r < 0 ? r : HTTP_MORE;
}

/* Moves what came with the head into the body. */
static int begin_body(struct http_answer *answer, size_t head_length)
{
    CLEANUP(cleanup_text) struct text rest = TEXT_WITH_MAXIMUM(HTTP_HEAD_MAX);
    size_t skipped = head_length + 2;

    text_append(&rest, answer->head.data + skipped, answer->head.length - skipped);
    text_cut(&answer->head, head_length);
    answer->head_whole = true;
    if (rest.failed)
        return -ENOMEM;
    if (!read_head(answer))
        return -EBADMSG;
    if (answer->framing == HTTP_BY_LENGTH && answer->left > answer->body.maximum)
        return -EMSGSIZE;
    return take_body(answer, text_string(&rest), rest.length);
}

int http_answer_take(struct http_answer *answer, const char *bytes, size_t length)
{
    if (answer->head_whole)
        return take_body(answer, bytes, length);
    size_t room = answer->head.maximum - answer->head.length;
    size_t step = length < room ? length : room;
    text_append(&answer->head, bytes, step);
    if (answer->head.failed)
        return -ENOMEM;
    const char *end = memmem(text_string(&answer->head), answer->head.length, "\r\n\r\n", 4);
    if (!end)
        return step < length ? -EMSGSIZE : HTTP_MORE;
    int r = begin_body(answer, (size_t)(end - answer->head.data) + 2);
    if (r == HTTP_MORE && step < length)
        return take_body(answer, bytes + step, length - step);
    return r == 0 && step < length ? -EBADMSG : r;
}

int http_answer_end(struct http_answer *answer)
{
    answer->keep = false;
    return answer->head_whole && answer->framing == HTTP_BY_CLOSE ? 0 : -EBADMSG;
}

#include "client/broker.h"

#include <errno.h>
#include <string.h>

#include "client/connection.h"
#include "client/discovery.h"
#include "client/failure.h"
#include "client/http.h"
#include "client/reply.h"
#include "schema/wire.h"

enum {
    TIMEOUT_DEFAULT_MS = (WIRE_WAIT_MAX_S + 5) * 1000,
    CONNECT_TIMEOUT_MS = 5 * 1000,
    REQUEST_MAX = WIRE_BODY_MAX + 16 * 1024,
    RECEIVE_SIZE = 16 * 1024,
};

struct tb_broker {
    int fd;      /* -1: to be connected anew */
    pid_t owner; /* who connected: a child after fork() must not take its parent's answers */
    int interrupt_fd;
    int timeout_ms;
    char path[PLACE_SIZE];
};

/* --- connecting --- */

static int open_broker(struct tb_broker *broker, int64_t deadline_ms)
{
    struct patience patience = { .deadline_ms = connection_now() + CONNECT_TIMEOUT_MS,
                                 .interrupt_fd = -1 };

    if (patience.deadline_ms > deadline_ms)
        patience.deadline_ms = deadline_ms;
    broker->owner = getpid();
    return connection_open(broker->path, &patience, &broker->fd);
}

static void close_connection(struct tb_broker *broker)
{
    cleanup_fd(&broker->fd);
    broker->fd = -1;
}

static enum tb_status no_broker(const char *tried, struct tb_error **ret_error)
{
    return failure_simple(ret_error, TB_NO_BROKER, NULL, "no broker answers: tried %s", tried);
}

/* Connects to the first place that accepts; false with what was tried otherwise. */
static bool open_first(struct tb_broker *broker, const struct places *places, struct text *tried)
{
    for (size_t i = 0; i < places->count; i++) {
        memcpy(broker->path, places->path[i], PLACE_SIZE);
        int r = open_broker(broker, INT64_MAX);
        if (r == 0)
            return true;
        text_append_format(tried, "%s%s (%s)", i > 0 ? ", " : "", broker->path,
                           strerrordesc_np(-r));
    }
    return false;
}

enum tb_status tb_connect(const char *socket_path, struct tb_broker **ret_broker,
                          struct tb_error **ret_error)
{
    CLEANUP(cleanup_text) struct text tried = TEXT_WITH_MAXIMUM(PLACES_MAX * PLACE_SIZE * 2);
    CLEANUP(cleanup_broker) struct tb_broker *broker = calloc(1, sizeof *broker);
    struct places places;

    if (!broker)
        return failure_simple(ret_error, TB_FAILED, NULL, "out of memory");
    broker->fd = -1;
    broker->interrupt_fd = -1;
    broker->timeout_ms = TIMEOUT_DEFAULT_MS;
    places_find(socket_path, &places);
    if (!open_first(broker, &places, &tried))
        return no_broker(text_string(&tried), ret_error);
    *ret_broker = broker;
    broker = NULL;
    return TB_OK;
}

struct tb_broker *tb_close(struct tb_broker *broker)
{
    if (broker)
        close_connection(broker);
    free(broker);
    return NULL;
}

const char *tb_broker_path(const struct tb_broker *broker)
{
    return broker->path;
}

void tb_set_timeout(struct tb_broker *broker, int timeout_ms)
{
    broker->timeout_ms = timeout_ms;
}

void tb_set_interrupt(struct tb_broker *broker, int fd)
{
    broker->interrupt_fd = fd;
}

/* --- one request --- */

static int receive_answer(int fd, const struct patience *patience, struct http_answer *answer,
                          bool *ret_began)
{
    char piece[RECEIVE_SIZE];
    int r = HTTP_MORE;

    while (r == HTTP_MORE) {
        ssize_t length = connection_receive(fd, piece, sizeof piece, patience);
        if (length > 0)
            *ret_began = true;
        r = length > 0    ? http_answer_take(answer, piece, (size_t)length)
            : length == 0 ? (*ret_began ? http_answer_end(answer) : -ECONNRESET)
                          : (int)length;
    }
    explicit_bzero(piece, sizeof piece);
    return r;
}

/* Sends the request and reads the answer. -ESTALE: a kept connection turned out to be closed before
 * anything of the answer came. */
static int exchange(struct tb_broker *broker, const struct text *request,
                    const struct patience *patience, struct http_answer *answer)
{
    bool kept = broker->owner == getpid() && connection_alive(broker->fd);
    bool began = false;

    if (!kept) {
        close_connection(broker);
        int r = open_broker(broker, patience->deadline_ms);
        if (r < 0)
            return r;
    }
    int r = connection_send(broker->fd, request->data, request->length, patience);
    if (r == 0)
        r = receive_answer(broker->fd, patience, answer, &began);
    if (r < 0 || !answer->keep)
        close_connection(broker);
    bool broken = r == -EPIPE || r == -ECONNRESET;
    return broken && kept && !began ? -ESTALE : r;
}

static bool can_repeat(const char *method)
{
    return strcmp(method, "GET") == 0 || strcmp(method, "PUT") == 0;
}

static int exchange_again(struct tb_broker *broker, const char *method, const struct text *request,
                          const struct patience *patience, struct http_answer *answer)
{
    int r = exchange(broker, request, patience, answer);

    if (r == -ESTALE && can_repeat(method))
        r = exchange(broker, request, patience, answer);
    return r == -ESTALE ? -ECONNRESET : r;
}

static enum tb_status describe(const struct tb_broker *broker, int r, struct tb_error **ret_error)
{
    struct failure failure = FAILURE(TB_FAILED, broker->path);

    switch (r) {
    case -ENOMEM:
        return failure_raise(ret_error, &failure, "out of memory");
    case -ECANCELED:
        failure.code = "interrupted";
        return failure_raise(ret_error, &failure, "interrupted");
    case -ETIMEDOUT:
        return failure_raise(ret_error, &failure, "the broker did not answer in time");
    case -EBADMSG:
        return failure_raise(ret_error, &failure, "what answers is no broker: it speaks otherwise");
    case -EMSGSIZE:
        return failure_raise(ret_error, &failure, "the broker's answer is too large");
    case -ENOENT:
    case -ECONNREFUSED:
    case -EACCES:
        failure.status = TB_NO_BROKER;
        return failure_raise(ret_error, &failure, "the broker on %s is gone (%s)", broker->path,
                             strerrordesc_np(-r));
    default:
        return failure_raise(ret_error, &failure, "the connection to the broker broke: %s",
                             strerrordesc_np(-r));
    }
}

static bool method_valid(const char *method)
{
    static const char *const methods[] = { "GET", "POST", "PUT", "DELETE" };

    for (size_t i = 0; i < sizeof methods / sizeof *methods; i++) {
        if (strcmp(method, methods[i]) == 0)
            return true;
    }
    return false;
}

enum tb_status broker_call(struct tb_broker *broker, int64_t timeout_ms, const char *method,
                           const char *path, const char *body, struct tb_reply **ret_reply,
                           struct tb_error **ret_error)
{
    CLEANUP(cleanup_http_answer) struct http_answer answer = HTTP_ANSWER(WIRE_ANSWER_MAX);
    CLEANUP(cleanup_text) struct text request = TEXT_WITH_MAXIMUM(REQUEST_MAX);
    struct patience patience = { .deadline_ms = connection_now() + timeout_ms,
                                 .interrupt_fd = broker->interrupt_fd };

    if (!method_valid(method) || !http_path_valid(path))
        return failure_simple(ret_error, TB_USAGE, NULL, "this is no request: %s", method);
    http_put_request(&request, method, path, body);
    if (request.failed)
        return failure_simple(ret_error, TB_USAGE, NULL, "the request is too large");
    int r = exchange_again(broker, method, &request, &patience, &answer);
    if (r == 0 && answer.status == 200)
        r = reply_make(&answer, ret_reply);
    else if (r == 0)
        return reply_refusal(&answer, broker->path, ret_error);
    return r < 0 ? describe(broker, r, ret_error) : TB_OK;
}

enum tb_status tb_call(struct tb_broker *broker, const char *method, const char *path,
                       const char *body, struct tb_reply **ret_reply, struct tb_error **ret_error)
{
    return broker_call(broker, broker->timeout_ms, method, path, body, ret_reply, ret_error);
}

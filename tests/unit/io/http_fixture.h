#pragma once

/* A small server on a loopback port, with a thread for each connection, for the tests of the HTTP
 * client. What it does is in the path that is asked for. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* after the four above */
#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "io/http.h"

enum { SERVER_THREADS_MAX = 600, SERVER_REQUEST_MAX = 128 * 1024, SERVER_PATIENCE_MS = 10 * 1000 };
enum { SERVER_LATE_MS = 100 };

struct server {
    int listen_fd;
    uint16_t port;
    atomic_bool stop;
    atomic_uint requests;
    atomic_uint connections;
    pthread_t acceptor;
    pthread_t threads[SERVER_THREADS_MAX];
    size_t thread_count;
};

struct connection {
    struct server *server;
    int fd;
    char *request;
};

static inline void server_write(int fd, const void *bytes, size_t length)
{
    /* A client that has gone is part of some tests. */
    (void)send(fd, bytes, length, MSG_NOSIGNAL);
}

static inline void server_answer(int fd, const char *status, const char *headers, size_t length,
                                 const char *body)
{
    char head[48 * 1024];
    int size = snprintf(head, sizeof head, "HTTP/1.1 %s\r\n%sContent-Length: %zu\r\n\r\n", status,
                        headers, length);

    server_write(fd, head, (size_t)size);
    server_write(fd, body, length);
}

/* What is no length is more than fits: such a request never ends. */
static inline size_t server_body_length(const char *digits)
{
    char *end = NULL;
    long length = strtol(digits, &end, 10);
    bool valid = end != digits && *end == '\r' && length >= 0 && length < SERVER_REQUEST_MAX;

    return valid ? (size_t)length : SERVER_REQUEST_MAX;
}

/* Reads one whole request; false at the end of the connection or of the server. */
static inline bool server_read(struct connection *c)
{
    size_t length = 0, wanted = SIZE_MAX;

    while (length < wanted && length < SERVER_REQUEST_MAX - 1) {
        struct pollfd poll_fd = { .fd = c->fd, .events = POLLIN };
        if (atomic_load(&c->server->stop))
            return false;
        if (poll(&poll_fd, 1, 20) == 0)
            continue;
        ssize_t got = recv(c->fd, c->request + length, SERVER_REQUEST_MAX - 1 - length, 0);
        if (got <= 0)
            return false;
        length += (size_t)got;
        c->request[length] = '\0';
        const char *end = strstr(c->request, "\r\n\r\n");
        const char *size = strcasestr(c->request, "\r\nContent-Length: ");
        if (end)
            wanted = (size_t)(end + 4 - c->request) +
                     (size && size < end ? server_body_length(size + 18) : 0);
    }
    return true;
}

/* Until the client hangs up. */
static inline void server_wait(const struct connection *c)
{
    struct pollfd poll_fd = { .fd = c->fd, .events = POLLRDHUP };

    for (int ms = 0; ms < SERVER_PATIENCE_MS && !atomic_load(&c->server->stop); ms += 20) {
        if (poll(&poll_fd, 1, 20) > 0)
            return;
    }
}

struct canned {
    const char *path;
    const char *status;
    const char *headers;
    const char *body;
};

static const struct canned canned_answers[] = {
    { "/ok", "200 OK", "Content-Type: application/json\r\n", "{\"a\":1}" },
    { "/empty", "204 No Content", "", "" },
    { "/bad", "400 Bad Request", "", "{}" },
    { "/redirect", "302 Found", "Location: /ok\r\n", "" },
    { "/seconds", "429 Slow", "Retry-After: 120\r\n", "" },
    { "/zero", "429 Slow", "Retry-After: 0\r\n", "" },
    { "/odd", "429 Slow", "Retry-After: soon\r\n", "" },
    { "/huge", "429 Slow", "Retry-After: 99999999999999999999\r\n", "" },
    { "/date", "429 Slow",
      "Date: Wed, 21 Oct 2015 07:28:00 GMT\r\nRetry-After: Wed, 21 Oct 2015 07:29:30 GMT\r\n", "" },
    { "/doubled", "429 Slow", "Retry-After: 5\r\nRetry-After: 120\r\n", "" },
    { "/doubled-odd", "429 Slow", "Retry-After: soon\r\nRetry-After: 7\r\n", "" },
    { "/negative", "429 Slow", "Retry-After: -5\r\n", "" },
    { "/far", "503 Later",
      "Date: Wed, 21 Oct 2015 07:28:00 GMT\r\nRetry-After: Wed, 21 Oct 2093 07:29:30 GMT\r\n", "" },
    { "/past", "503 Later", "Retry-After: Wed, 21 Oct 2015 07:28:00 GMT\r\n", "" },
};

static const struct {
    const char *path;
    const char *bytes;
} raw_answers[] = {
    { "/truncated", "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nbeginning" },
    { "/cut-header", "HTTP/1.1 200 OK\r\nContent-" },
    { "/garbage", "hello?secret=1\n" },
    { "/close", "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nto the end" },
    { "/drop", "" },
};

static inline void server_sized(int fd, size_t size)
{
    char *body = malloc(size);

    memset(body, 'x', size);
    server_answer(fd, "200 OK", "", size, body);
    free(body);
}

static inline void server_long_header(int fd)
{
    char header[40 * 1024];

    (void)memcpy(header, "X: ", 3);
    memset(header + 3, 'y', sizeof header - 6);
    (void)memcpy(header + sizeof header - 3, "\r\n", 3);
    server_answer(fd, "200 OK", header, 0, "");
}

static inline void server_late(int fd)
{
    (void)poll(NULL, 0, SERVER_LATE_MS);
    server_sized(fd, HTTP_REPLY_MAX);
}

/* True when the connection is to stay. */
static inline bool server_serve(struct connection *c)
{
    char path[64] = "";
    struct linger at_once = { 1, 0 };

    (void)sscanf(c->request, "%*s %63[^? ]", path);
    for (size_t i = 0; i < sizeof canned_answers / sizeof canned_answers[0]; i++) {
        const struct canned *a = &canned_answers[i];
        if (strcmp(path, a->path) == 0) {
            server_answer(c->fd, a->status, a->headers, strlen(a->body), a->body);
            return true;
        }
    }
    for (size_t i = 0; i < sizeof raw_answers / sizeof raw_answers[0]; i++) {
        if (strcmp(path, raw_answers[i].path) == 0)
            server_write(c->fd, raw_answers[i].bytes, strlen(raw_answers[i].bytes));
    }
    if (strcmp(path, "/reset") == 0)
        (void)setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    else if (strcmp(path, "/slow") == 0)
        server_wait(c);
    else if (strcmp(path, "/echo") == 0)
        server_answer(c->fd, "200 OK", "Set-Cookie: c=1\r\n", strlen(c->request), c->request);
    else if (strcmp(path, "/largest") == 0)
        server_sized(c->fd, HTTP_REPLY_MAX);
    else if (strcmp(path, "/late") == 0)
        server_late(c->fd);
    else if (strcmp(path, "/too-large") == 0)
        server_sized(c->fd, HTTP_REPLY_MAX + 1);
    else if (strcmp(path, "/long-header") == 0)
        server_long_header(c->fd);
    return strcmp(path, "/echo") == 0;
}

static inline void *server_connection(void *userdata)
{
    struct connection *c = userdata;

    c->request = calloc(1, SERVER_REQUEST_MAX);
    while (server_read(c)) {
        atomic_fetch_add(&c->server->requests, 1);
        if (!server_serve(c))
            break;
        memset(c->request, 0, SERVER_REQUEST_MAX);
    }
    (void)close(c->fd);
    free(c->request);
    free(c);
    return NULL;
}

static inline void *server_accept(void *userdata)
{
    struct server *server = userdata;

    while (!atomic_load(&server->stop)) {
        struct pollfd poll_fd = { .fd = server->listen_fd, .events = POLLIN };
        if (poll(&poll_fd, 1, 20) <= 0 || server->thread_count == SERVER_THREADS_MAX)
            continue;
        struct connection *c = calloc(1, sizeof *c);
        c->server = server;
        c->fd = accept(server->listen_fd, NULL, NULL);
        atomic_fetch_add(&server->connections, 1);
        (void)pthread_create(&server->threads[server->thread_count++], NULL, server_connection, c);
    }
    return NULL;
}

static inline int listen_on_loopback(uint16_t *ret_port)
{
    struct sockaddr_in address = { .sin_family = AF_INET,
                                   .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t size = sizeof address;

    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, size), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &size), 0);
    *ret_port = ntohs(address.sin_port);
    return fd;
}

static inline void server_start(struct server *server)
{
    server->listen_fd = listen_on_loopback(&server->port);
    assert_int_equal(listen(server->listen_fd, SERVER_THREADS_MAX), 0);
    assert_int_equal(pthread_create(&server->acceptor, NULL, server_accept, server), 0);
}

static inline void server_end(struct server *server)
{
    atomic_store(&server->stop, true);
    (void)pthread_join(server->acceptor, NULL);
    for (size_t i = 0; i < server->thread_count; i++)
        (void)pthread_join(server->threads[i], NULL);
    (void)close(server->listen_fd);
}

enum { ADDRESS_MAX = 256 };

/* What a done callback saw. */
struct seen {
    struct fixture *f;
    unsigned calls;
    enum http_outcome outcome;
    int status;
    int64_t retry_after_s;
    bool truncated;
    size_t length;
    char body[4096];
    char content_type[64];
    char problem[160];
};

struct fixture {
    struct server server;
    struct loop *loop;
    struct http_client *client;
    unsigned awaited; /* done callbacks until the loop ends */
    struct seen seen;
    struct http_transfer *victim;
};

static inline int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);

    assert_non_null(f);
    server_start(&f->server);
    assert_int_equal(loop_new(&f->loop), 0);
    assert_int_equal(http_client_new(f->loop, &f->client), 0);
    f->seen.f = f;
    *state = f;
    return 0;
}

static inline int tear_down(void **state)
{
    struct fixture *f = *state;

    http_client_free(f->client);
    loop_free(f->loop);
    server_end(&f->server);
    free(f);
    return 0;
}

static inline void record(struct seen *seen, const struct http_reply *reply)
{
    seen->calls++;
    seen->outcome = reply->outcome;
    seen->status = reply->status;
    seen->retry_after_s = reply->retry_after_s;
    seen->truncated = reply->truncated;
    seen->length = reply->length;
    assert_int_equal(reply->body[reply->length], '\0');
    (void)snprintf(seen->body, sizeof seen->body, "%s", reply->body);
    (void)snprintf(seen->content_type, sizeof seen->content_type, "%s",
                   reply->content_type ? reply->content_type : "");
    (void)snprintf(seen->problem, sizeof seen->problem, "%s", reply->problem);
}

static inline void on_done(void *userdata, const struct http_reply *reply)
{
    struct seen *seen = userdata;

    record(seen, reply);
    if (--seen->f->awaited == 0)
        loop_exit(seen->f->loop, 0);
}

static inline const char *address_of(const struct fixture *f, const char *path)
{
    static char address[ADDRESS_MAX];

    (void)snprintf(address, sizeof address, "http://127.0.0.1:%u%s", f->server.port, path);
    return address;
}

static inline struct http_transfer *begin(struct fixture *f, const struct http_request *request)
{
    struct http_transfer *transfer = NULL;

    assert_int_equal(http_send(f->client, request, on_done, &f->seen, &transfer), 0);
    assert_non_null(transfer);
    return transfer;
}

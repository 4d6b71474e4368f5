#include "web_harness.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

void harness_init(struct harness *h, bool tcp)
{
    *h = (struct harness){
        .tcp = tcp,
        .folder = "/tmp/tokenbroker-web-XXXXXX",
        .done_fd = -1,
        .options = { .connections_max = 64,
                     .request_deadline_s = 20,
                     .idle_s = 20,
                     .body_max = WEB_BODY_MAX,
                     .require_host = tcp,
                     .reject_malformed_json = !tcp },
    };
    assert_non_null(mkdtemp(h->folder));
    (void)snprintf(h->path, sizeof h->path, "%s/s", h->folder);
}

static void on_done(void *userdata, int fd, uint32_t events)
{
    struct harness *h = userdata;

    loop_exit(h->loop, 0);
}

static void listen_somewhere(struct harness *h)
{
    struct sockaddr_in address;
    socklen_t size = sizeof address;

    if (!h->tcp) {
        h->options.listen_fd = web_listen_unix(h->path, 0600, NULL);
        assert_true(h->options.listen_fd >= 0);
        return;
    }
    h->options.listen_fd = web_listen_tcp("127.0.0.1", 0, NULL);
    assert_true(h->options.listen_fd >= 0);
    assert_int_equal(getsockname(h->options.listen_fd, (struct sockaddr *)&address, &size), 0);
    h->port = ntohs(address.sin_port);
}

void harness_start(struct harness *h, web_handler handler)
{
    assert_int_equal(loop_new(&h->loop), 0);
    h->done_fd = eventfd(0, EFD_CLOEXEC);
    assert_true(h->done_fd >= 0);
    assert_int_equal(loop_add_fd(h->loop, h->done_fd, EPOLLIN, on_done, h, &h->done), 0);
    listen_somewhere(h);
    assert_int_equal(web_server_new(h->loop, &h->options, handler, h, &h->server), 0);
}

static void *client_thread(void *userdata)
{
    struct harness *h = userdata;

    h->client_result = h->client(h);
    (void)eventfd_write(h->done_fd, 1);
    return NULL;
}

void harness_run(struct harness *h, int (*client)(struct harness *h))
{
    h->client = client;
    assert_int_equal(pthread_create(&h->thread, NULL, client_thread, h), 0);
    assert_int_equal(loop_run(h->loop), 0);
    assert_int_equal(pthread_join(h->thread, NULL), 0);
    if (h->client_result)
        fail_msg("the client failed at line %d", h->client_result);
}

void harness_stop(struct harness *h)
{
    h->server = web_server_free(h->server);
    h->timer = loop_source_free(h->timer);
    h->done = loop_source_free(h->done);
    h->loop = loop_free(h->loop);
    cleanup_fd(&h->done_fd);
    /* Tidying up is not what is tested. */
    (void)unlink(h->path);
    (void)rmdir(h->folder);
}

int client_connect(const struct harness *h)
{
    struct sockaddr_un local = { .sun_family = AF_UNIX };
    struct sockaddr_in loopback = { .sin_family = AF_INET,
                                    .sin_port = htons(h->port),
                                    .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    const struct timeval timeout = { .tv_sec = CLIENT_TIMEOUT_S };
    int fd = socket(h->tcp ? AF_INET : AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    (void)snprintf(local.sun_path, sizeof local.sun_path, "%s", h->path);
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout) < 0)
        return -1;
    int r = h->tcp ? connect(fd, (struct sockaddr *)&loopback, sizeof loopback)
                   : connect(fd, (struct sockaddr *)&local, sizeof local);
    return r < 0 ? -1 : fd;
}

bool client_send(int fd, const void *bytes, size_t length)
{
    const char *at = bytes;

    while (length > 0) {
        ssize_t sent = send(fd, at, length, MSG_NOSIGNAL);
        if (sent <= 0)
            return false;
        at += sent;
        length -= (size_t)sent;
    }
    return true;
}

bool client_send_text(int fd, const char *text)
{
    return client_send(fd, text, strlen(text));
}

static bool read_head(int fd, struct reply *reply)
{
    size_t length = 0;

    while (length < sizeof reply->head - 1) {
        if (recv(fd, &reply->head[length], 1, 0) != 1)
            return false;
        reply->head[++length] = '\0';
        if (length >= 4 && memcmp(&reply->head[length - 4], "\r\n\r\n", 4) == 0)
            return sscanf(reply->head, "HTTP/1.1 %d ", &reply->status) == 1;
    }
    return false;
}

bool client_read(int fd, bool head_only, struct reply *reply)
{
    *reply = (struct reply){ 0 };
    if (!read_head(fd, reply))
        return false;

    const char *line = strcasestr(reply->head, "\r\nContent-Length: ");
    reply->length = line ? strtoul(line + strlen("\r\nContent-Length: "), NULL, 10) : 0;
    if (head_only || reply->status == 100)
        return true;
    reply->body = calloc(1, reply->length + 1);
    for (size_t got = 0; got < reply->length;) {
        ssize_t n = recv(fd, reply->body + got, reply->length - got, 0);
        if (n <= 0)
            return false;
        got += (size_t)n;
    }
    return true;
}

void reply_release(struct reply *reply)
{
    free(reply->body);
    reply->body = NULL;
}

bool client_at_end(int fd)
{
    char byte;
    ssize_t n = recv(fd, &byte, 1, 0);

    return n == 0 || (n < 0 && errno == ECONNRESET);
}

int client_ask(const struct harness *h, const void *bytes, size_t length, struct reply *reply)
{
    int fd = client_connect(h);

    *reply = (struct reply){ 0 };
    if (fd < 0)
        return 0;
    /* A server that refuses may close before everything is sent. */
    (void)client_send(fd, bytes, length);
    if (!client_read(fd, false, reply))
        reply->status = 0;
    cleanup_fd(&fd);
    return reply->status;
}

int64_t client_now_ms(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_BOOTTIME, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

void client_sleep_ms(unsigned ms)
{
    const struct timespec pause = { .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000L };

    (void)nanosleep(&pause, NULL);
}

void echo(void *harness, struct web_request *request)
{
    struct harness *h = harness;
    CLEANUP(cleanup_buffer) struct buffer body = BUFFER_WITH_MAXIMUM(2 * WEB_BODY_MAX);
    size_t length;
    const char *bytes = web_body(request, &length);

    h->handled++;
    buffer_append_format(&body, "%s %s?%s\n", web_method(request), web_path(request),
                         web_query(request));
    buffer_append(&body, bytes, length);
    web_answer(request, &(struct web_answer){ .status = 200,
                                              .content_type = "text/plain",
                                              .body = body.data,
                                              .length = body.length });
}

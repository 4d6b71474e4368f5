#include "server.h"

#include <arpa/inet.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { POLL_MS = 10, WAIT_MS = 20 * 1000 };

struct server {
    int listen_fd;
    uint16_t port;
    atomic_bool stop;
    pthread_t acceptor;
    pthread_mutex_t mutex;
    pthread_cond_t ended;
    unsigned connections;
    struct canned script[SERVER_SCRIPT_MAX];
    unsigned used[SERVER_SCRIPT_MAX];
    size_t script_length;
    unsigned released;
    char *records[SERVER_RECORDS_MAX];
    size_t record_count;
};

struct connection {
    struct server *server;
    int fd;
    char request[SERVER_REQUEST_MAX];
};

static bool read_request(struct connection *c)
{
    size_t length = 0, wanted = SIZE_MAX;
    while (length < wanted && length < SERVER_REQUEST_MAX - 1) {
        struct pollfd poll_fd = { .fd = c->fd, .events = POLLIN };
        if (atomic_load(&c->server->stop))
            return false;
        if (poll(&poll_fd, 1, POLL_MS) == 0)
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
                     (size && size < end ? strtoul(size + 18, NULL, 10) : 0);
    }
    return true;
}

/* Records the request and picks its answer; returns its number. */
static unsigned pick(struct connection *c, struct canned *ret)
{
    struct server *server = c->server;
    *ret = (struct canned){ .status = 500 };
    (void)pthread_mutex_lock(&server->mutex);
    const unsigned number = (unsigned)server->record_count + 1;
    if (server->record_count < SERVER_RECORDS_MAX)
        server->records[server->record_count++] = strdup(c->request);
    for (size_t i = 0; i < server->script_length; i++) {
        const struct canned *line = &server->script[i];
        if ((line->match && !strstr(c->request, line->match)) ||
            (line->times != 0 && server->used[i] >= line->times))
            continue;
        server->used[i]++;
        *ret = *line;
        break;
    }
    (void)pthread_mutex_unlock(&server->mutex);
    return number;
}

static void await_release(struct server *server)
{
    for (bool held = true; held && !atomic_load(&server->stop);) {
        (void)pthread_mutex_lock(&server->mutex);
        held = server->released == 0;
        if (!held)
            server->released--;
        (void)pthread_mutex_unlock(&server->mutex);
        if (held)
            (void)poll(NULL, 0, POLL_MS);
    }
}

static void answer(const struct connection *c, const struct canned *canned, unsigned number)
{
    char body[SERVER_REPLY_MAX] = "", head[1024];
    const char *from = canned->body ? canned->body : "";
    size_t length = 0;
    for (; *from && length < sizeof body - 16; from++) {
        if (from[0] == '%' && from[1] == 'u') {
            length += (size_t)snprintf(body + length, 16, "%u", number);
            from++;
        } else {
            body[length++] = *from;
        }
    }
    const int size = snprintf(head, sizeof head,
                              "HTTP/1.1 %d X\r\nContent-Type: application/json\r\n%s"
                              "Connection: close\r\nContent-Length: %zu\r\n\r\n",
                              canned->status, canned->headers ? canned->headers : "",
                              length + (canned->cut ? 1 : 0));
    (void)send(c->fd, head, (size_t)size, MSG_NOSIGNAL);
    (void)send(c->fd, body, length, MSG_NOSIGNAL);
}

static void *serve(void *userdata)
{
    struct connection *c = userdata;
    struct server *server = c->server;
    struct canned canned;
    if (read_request(c)) {
        const unsigned number = pick(c, &canned);
        if (canned.held)
            await_release(server);
        if (canned.status != 0)
            answer(c, &canned, number);
    }
    (void)close(c->fd);
    free(c);
    (void)pthread_mutex_lock(&server->mutex);
    server->connections--;
    (void)pthread_cond_broadcast(&server->ended);
    (void)pthread_mutex_unlock(&server->mutex);
    return NULL;
}

static void begin_connection(struct server *server, int fd)
{
    struct connection *c = calloc(1, sizeof *c);
    pthread_t thread;
    if (!c)
        abort();
    *c = (struct connection){ .server = server, .fd = fd };
    (void)pthread_mutex_lock(&server->mutex);
    server->connections++;
    (void)pthread_mutex_unlock(&server->mutex);
    if (pthread_create(&thread, NULL, serve, c) != 0)
        abort();
    (void)pthread_detach(thread);
}

static void *accept_all(void *userdata)
{
    struct server *server = userdata;
    while (!atomic_load(&server->stop)) {
        struct pollfd poll_fd = { .fd = server->listen_fd, .events = POLLIN };
        if (poll(&poll_fd, 1, POLL_MS) <= 0)
            continue;
        int fd = accept4(server->listen_fd, NULL, NULL, SOCK_CLOEXEC);
        if (fd >= 0)
            begin_connection(server, fd);
    }
    return NULL;
}

struct server *server_start(void)
{
    struct server *server = calloc(1, sizeof *server);
    struct sockaddr_in address = { .sin_family = AF_INET,
                                   .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t length = sizeof address;
    if (!server)
        abort();
    (void)pthread_mutex_init(&server->mutex, NULL);
    (void)pthread_cond_init(&server->ended, NULL);
    server->listen_fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (server->listen_fd < 0 ||
        bind(server->listen_fd, (struct sockaddr *)&address, sizeof address) != 0 ||
        listen(server->listen_fd, 128) != 0 ||
        getsockname(server->listen_fd, (struct sockaddr *)&address, &length) != 0 ||
        pthread_create(&server->acceptor, NULL, accept_all, server) != 0)
        abort();
    server->port = ntohs(address.sin_port);
    return server;
}

struct server *server_stop(struct server *server)
{
    atomic_store(&server->stop, true);
    (void)pthread_join(server->acceptor, NULL);
    (void)pthread_mutex_lock(&server->mutex);
    while (server->connections > 0)
        (void)pthread_cond_wait(&server->ended, &server->mutex);
    (void)pthread_mutex_unlock(&server->mutex);
    for (size_t i = 0; i < server->record_count; i++)
        free(server->records[i]);
    (void)close(server->listen_fd);
    free(server);
    return NULL;
}

uint16_t server_port(const struct server *server)
{
    return server->port;
}

void server_script(struct server *server, struct canned canned)
{
    (void)pthread_mutex_lock(&server->mutex);
    if (server->script_length == SERVER_SCRIPT_MAX)
        abort();
    server->used[server->script_length] = 0;
    server->script[server->script_length++] = canned;
    (void)pthread_mutex_unlock(&server->mutex);
}

void server_forget_script(struct server *server)
{
    (void)pthread_mutex_lock(&server->mutex);
    server->script_length = 0;
    (void)pthread_mutex_unlock(&server->mutex);
}

void server_release(struct server *server)
{
    (void)pthread_mutex_lock(&server->mutex);
    server->released++;
    (void)pthread_mutex_unlock(&server->mutex);
}

unsigned server_count(struct server *server, const char *text)
{
    unsigned count = 0;
    (void)pthread_mutex_lock(&server->mutex);
    for (size_t i = 0; i < server->record_count; i++)
        if (!text || strstr(server->records[i], text))
            count++;
    (void)pthread_mutex_unlock(&server->mutex);
    return count;
}

bool server_wait(struct server *server, const char *text, unsigned count)
{
    for (int waited = 0; waited < WAIT_MS; waited += POLL_MS) {
        if (server_count(server, text) >= count)
            return true;
        (void)poll(NULL, 0, POLL_MS);
    }
    return false;
}

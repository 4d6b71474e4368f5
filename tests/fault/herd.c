/*
 * herd SOCKET CLIENTS: so many clients, each with a connection that stays. For each account that is
 * read from standard input all of them ask for its token at the same moment; once all are answered,
 * says "ANSWERED TOKENS TOKEN": how many got a token, how many different ones, and one of them.
 */

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { CLIENTS_MAX = 4096, REPLY_MAX = 4096, REQUEST_MAX = 512, EVENTS = 256, DECIMAL = 10 };
enum { PATIENCE_MS = 60 * 1000 };

struct client {
    int fd;
    bool answered;
    char reply[REPLY_MAX + 1];
    size_t length;
};

static struct client clients[CLIENTS_MAX];

static void give_up(const char *what)
{
    perror(what);
    exit(EXIT_FAILURE);
}

static void dial(struct client *client, const struct sockaddr_un *address, int epoll)
{
    struct epoll_event event = { .events = EPOLLIN, .data.ptr = client };
    client->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (client->fd < 0 ||
        connect(client->fd, (const struct sockaddr *)address, sizeof *address) < 0 ||
        epoll_ctl(epoll, EPOLL_CTL_ADD, client->fd, &event) < 0)
        give_up("connect");
}

/* The bare token of a whole answer, ended by NUL; NULL: not whole yet. What is no token is "". */
static const char *token_of(struct client *client)
{
    client->reply[client->length] = '\0';
    char *body = strstr(client->reply, "\r\n\r\n");
    const char *size = body ? strcasestr(client->reply, "\r\nContent-Length:") : NULL;
    if (!size || size > body)
        return NULL;
    body += strlen("\r\n\r\n");
    size_t wanted = strtoul(size + strlen("\r\nContent-Length:"), NULL, DECIMAL);
    if (client->length < (size_t)(body - client->reply) + wanted)
        return NULL;
    body[strcspn(body, "\r\n")] = '\0';
    return strncmp(client->reply, "HTTP/1.1 200", strlen("HTTP/1.1 200")) == 0 ? body : "";
}

/* True when this is the last piece of its answer. */
static bool hear(struct client *client)
{
    if (client->length == REPLY_MAX)
        return false;
    ssize_t got = read(client->fd, client->reply + client->length, REPLY_MAX - client->length);
    if (got <= 0)
        give_up("a client was hung up on");
    client->length += (size_t)got;
    client->answered = token_of(client) != NULL;
    return client->answered;
}

static void ask_all(size_t count, const char *account)
{
    char request[REQUEST_MAX];
    int length = snprintf(request, sizeof request,
                          "GET /v1/token/%s?wait=30 HTTP/1.1\r\nHost: localhost\r\n"
                          "Accept: text/plain\r\n\r\n",
                          account);
    for (size_t i = 0; i < count; i++) {
        clients[i].length = 0;
        clients[i].answered = false;
        if (send(clients[i].fd, request, (size_t)length, MSG_NOSIGNAL) != length)
            give_up("send");
    }
}

static void hear_all(size_t count, int epoll)
{
    struct epoll_event events[EVENTS];
    for (size_t left = count; left > 0;) {
        int ready = epoll_wait(epoll, events, EVENTS, PATIENCE_MS);
        if (ready <= 0)
            give_up("no answer");
        for (int i = 0; i < ready; i++)
            left -= hear(events[i].data.ptr);
    }
}

static int by_text(const void *one, const void *other)
{
    return strcmp(*(const char *const *)one, *(const char *const *)other);
}

static void report(size_t count)
{
    static const char *tokens[CLIENTS_MAX];
    size_t got = 0, different = 0;
    for (size_t i = 0; i < count; i++) {
        const char *token = token_of(&clients[i]);
        if (token && token[0])
            tokens[got++] = token;
    }
    qsort(tokens, got, sizeof tokens[0], by_text);
    for (size_t i = 0; i < got; i++)
        different += i == 0 || strcmp(tokens[i], tokens[i - 1]) != 0;
    printf("%zu %zu %s\n", got, different, got ? tokens[0] : "-");
    fflush(stdout);
}

int main(int argc, char **argv)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    char account[REQUEST_MAX / 2];
    size_t count = argc == 3 ? strtoul(argv[2], NULL, DECIMAL) : 0;
    if (count == 0 || count > CLIENTS_MAX || strlen(argv[1]) >= sizeof address.sun_path) {
        fprintf(stderr, "Usage: herd SOCKET CLIENTS\n");
        return EXIT_FAILURE;
    }
    memcpy(address.sun_path, argv[1], strlen(argv[1]) + 1);
    int epoll = epoll_create1(EPOLL_CLOEXEC);
    for (size_t i = 0; i < count; i++)
        dial(&clients[i], &address, epoll);
    while (fgets(account, sizeof account, stdin)) {
        account[strcspn(account, "\n")] = '\0';
        ask_all(count, account);
        hear_all(count, epoll);
        report(count);
    }
    return EXIT_SUCCESS;
}

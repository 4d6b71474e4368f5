/*
 * The yardstick: a Unix socket server that reads whatever comes and answers a fixed reply of about
 * a token's size, without parsing anything. One thread, epoll.
 *
 *   bare SOCKET
 */

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { BODY = 400, EVENTS = 64 };

static char reply[BODY + 128];
static size_t reply_length;

static void fill_reply(void)
{
    char body[BODY + 1];
    memset(body, 'x', BODY);
    body[BODY] = '\0';
    reply_length = (size_t)snprintf(reply, sizeof reply,
                                    "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", BODY, body);
}

static bool serve(int fd)
{
    char request[4096];
    return read(fd, request, sizeof request) > 0 &&
           write(fd, reply, reply_length) == (ssize_t)reply_length;
}

int main(int argc, char **argv)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    if (argc != 2 || strlen(argv[1]) >= sizeof address.sun_path)
        return 2;
    memcpy(address.sun_path, argv[1], strlen(argv[1]) + 1);
    const int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const int epoll = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event event = { .events = EPOLLIN, .data.fd = listener };
    if (bind(listener, (const struct sockaddr *)&address, sizeof address) < 0 ||
        listen(listener, 128) < 0 || epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &event) < 0)
        return EXIT_FAILURE;
    fill_reply();
    for (;;) {
        struct epoll_event events[EVENTS];
        const int count = epoll_wait(epoll, events, EVENTS, -1);
        for (int i = 0; i < count; i++) {
            const int fd = events[i].data.fd;
            if (fd == listener) {
                event.data.fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
                if (event.data.fd >= 0)
                    (void)epoll_ctl(epoll, EPOLL_CTL_ADD, event.data.fd, &event);
            } else if (!serve(fd)) {
                (void)close(fd);
            }
        }
    }
}

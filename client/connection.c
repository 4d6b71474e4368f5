#include "client/connection.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include "client/cleanup.h"

enum { MS_PER_S = 1000, US_PER_MS = 1000, NS_PER_MS = 1000 * 1000 };

int64_t connection_now(void)
{
    struct timespec now = { 0 };

    /* It cannot fail: the clock exists and the address is ours. */
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * MS_PER_S + now.tv_nsec / NS_PER_MS;
}

static int64_t left(const struct patience *patience)
{
    int64_t ms = patience->deadline_ms - connection_now();
    return ms > INT_MAX ? INT_MAX : ms;
}

/* connect() on a Unix socket waits for room in the backlog for as long as sending may take. */
static int limit_connect(int fd, const struct patience *patience)
{
    int64_t ms = left(patience);

    if (ms <= 0)
        return -ETIMEDOUT;
    struct timeval limit = { .tv_sec = ms / MS_PER_S, .tv_usec = ms % MS_PER_S * US_PER_MS };
    return setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit) < 0 ? -errno : 0;
}

static int connect_to(int fd, const char *path, const struct patience *patience)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    size_t length = strlen(path);

    if (length == 0)
        return -ENOENT;
    if (length >= sizeof address.sun_path)
        return -ENAMETOOLONG;
    memcpy(address.sun_path, path, length);
    /* The limit is of each call: after a signal's handler there is less time left. */
    for (;;) {
        int r = limit_connect(fd, patience);
        if (r < 0)
            return r;
        if (connect(fd, (const struct sockaddr *)&address, sizeof address) == 0)
            return 0;
        if (errno != EINTR)
            return errno == EAGAIN ? -ETIMEDOUT : -errno;
    }
}

int connection_open(const char *path, const struct patience *patience, int *ret_fd)
{
    CLEANUP(cleanup_fd) int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd < 0)
        return -errno;
    int r = connect_to(fd, path, patience);
    if (r < 0)
        return r;
    *ret_fd = fd;
    fd = -1;
    return 0;
}

/* Waits until the socket is ready for events, or broken, which send() and recv() will tell. */
static int wait_for(int fd, short events, const struct patience *patience)
{
    for (;;) {
        struct pollfd fds[] = { { .fd = fd, .events = events },
                                { .fd = patience->interrupt_fd, .events = POLLIN } };
        int64_t ms = left(patience);
        if (ms <= 0)
            return -ETIMEDOUT;
        int ready = poll(fds, 2, (int)ms);
        if (ready < 0 && errno != EINTR)
            return -errno;
        if (ready > 0 && fds[1].revents)
            return -ECANCELED;
        if (ready > 0)
            return 0;
    }
}

int connection_send(int fd, const void *data, size_t length, const struct patience *patience)
{
    const char *next = data;

    while (length > 0) {
        int r = wait_for(fd, POLLOUT, patience);
        if (r < 0)
            return r;
        ssize_t sent = send(fd, next, length, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent < 0 && errno != EAGAIN && errno != EINTR)
            return -errno;
        if (sent > 0) {
            next += sent;
            length -= (size_t)sent;
        }
    }
    return 0;
}

ssize_t connection_receive(int fd, void *buffer, size_t size, const struct patience *patience)
{
    for (;;) {
        int r = wait_for(fd, POLLIN, patience);
        if (r < 0)
            return r;
        ssize_t received = recv(fd, buffer, size, MSG_DONTWAIT);
        if (received >= 0)
            return received;
        if (errno != EAGAIN && errno != EINTR)
            return -errno;
    }
}

bool connection_alive(int fd)
{
    struct pollfd pollfd = { .fd = fd, .events = POLLIN | POLLRDHUP };

    return fd >= 0 && poll(&pollfd, 1, 0) == 0;
}

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "io/web.h"

static int new_socket(int family)
{
    int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    return fd < 0 ? -errno : fd;
}

static int complain_in_use(const char *path, int connected, struct complaint *complaint)
{
    struct ucred holder;
    socklen_t size = sizeof holder;

    if (connected >= 0 && getsockopt(connected, SOL_SOCKET, SO_PEERCRED, &holder, &size) == 0)
        complain(complaint, "another broker (uid %u, pid %d) answers at %s", (unsigned)holder.uid,
                 (int)holder.pid, path);
    else
        complain(complaint, "another broker answers at %s", path);
    return -EADDRINUSE;
}

/* 0 when nobody listens at an existing socket, else -errno with a complaint. */
static int probe(const struct sockaddr_un *address, struct complaint *complaint)
{
    CLEANUP(cleanup_fd) int fd = new_socket(AF_UNIX);
    if (fd < 0) {
        complain(complaint, "cannot make a socket: %s", strerror(-fd));
        return fd;
    }

    if (connect(fd, (const struct sockaddr *)address, sizeof *address) == 0)
        return complain_in_use(address->sun_path, fd, complaint);
    if (errno == EAGAIN) /* its queue is full */
        return complain_in_use(address->sun_path, -1, complaint);
    if (errno == ECONNREFUSED || errno == ENOENT)
        return 0;

    int r = -errno;
    complain(complaint, "cannot tell whether a broker answers at %s: %s", address->sun_path,
             strerror(-r));
    return r;
}

/* Makes room at the path: takes a stale socket away, and nothing else. */
static int clear_path(const struct sockaddr_un *address, struct complaint *complaint)
{
    const char *path = address->sun_path;
    struct stat status;

    if (lstat(path, &status) < 0) {
        if (errno == ENOENT)
            return 0;
        int r = -errno;
        complain(complaint, "cannot look at %s: %s", path, strerror(-r));
        return r;
    }
    if (!S_ISSOCK(status.st_mode)) {
        complain(complaint, "%s exists and is not a socket; remove it or choose another path",
                 path);
        return -EEXIST;
    }

    int r = probe(address, complaint);
    if (r < 0)
        return r;
    if (unlink(path) < 0 && errno != ENOENT) {
        r = -errno;
        complain(complaint, "cannot remove the stale socket %s: %s", path, strerror(-r));
        return r;
    }
    return 0;
}

static int bind_with_mode(int fd, const struct sockaddr_un *address, unsigned mode)
{
    /* The file must never exist with a wider mode than asked for. */
    mode_t before = umask(0777 & ~mode);
    int r = bind(fd, (const struct sockaddr *)address, sizeof *address) < 0 ? -errno : 0;

    umask(before);
    if (r == 0 && listen(fd, SOMAXCONN) < 0) {
        r = -errno;
        /* Just made, and useless. */
        (void)unlink(address->sun_path);
    }
    return r;
}

int web_listen_unix(const char *path, unsigned mode, struct complaint *complaint)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    size_t length = strlen(path);

    if (length == 0 || length >= sizeof address.sun_path) {
        complain(complaint, "a socket's path has 1 to %zu bytes; this one has %zu: %s",
                 sizeof address.sun_path - 1, length, path);
        return -ENAMETOOLONG;
    }
    memcpy(address.sun_path, path, length + 1);

    int r = clear_path(&address, complaint);
    if (r < 0)
        return r;
    CLEANUP(cleanup_fd) int fd = new_socket(AF_UNIX);
    r = fd < 0 ? fd : bind_with_mode(fd, &address, mode);
    if (r < 0) {
        complain(complaint, "cannot listen at %s: %s", path, strerror(-r));
        return r;
    }
    return steal_fd(&fd);
}

union tcp_address {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
};

/* Loopback addresses only. */
static bool parse_address(const char *text, uint16_t port, union tcp_address *ret)
{
    union tcp_address address = { 0 };

    if (inet_pton(AF_INET, text, &address.v4.sin_addr) == 1) {
        address.v4.sin_family = AF_INET;
        address.v4.sin_port = htons(port);
        *ret = address;
        return ntohl(address.v4.sin_addr.s_addr) >> 24 == IN_LOOPBACKNET;
    }
    if (inet_pton(AF_INET6, text, &address.v6.sin6_addr) == 1) {
        address.v6.sin6_family = AF_INET6;
        address.v6.sin6_port = htons(port);
        *ret = address;
        return IN6_IS_ADDR_LOOPBACK(&address.v6.sin6_addr);
    }
    return false;
}

enum { ADDRESS_HEX_SIZE = 32 + 1 };

/* The loopback address of the other family, as /proc/self/net/tcp and tcp6 write it. */
static void print_other(const char *address, char out[static ADDRESS_HEX_SIZE])
{
    const uint32_t *words = in6addr_loopback.s6_addr32;

    if (strchr(address, ':'))
        snprintf(out, ADDRESS_HEX_SIZE, "%08X", (unsigned)htonl(INADDR_LOOPBACK));
    else
        snprintf(out, ADDRESS_HEX_SIZE, "%08X%08X%08X%08X", words[0], words[1], words[2], words[3]);
}

/* A line of /proc/self/net/tcp or tcp6: true, and the uid, when it is a socket that listens on the
 * port. Whoever does on any address may be in the way, but for the other family's loopback: there
 * we may stand ourselves. */
static bool parse_listener(const char *line, uint16_t port, const char *other, uid_t *ret)
{
    char address[ADDRESS_HEX_SIZE];
    unsigned line_port, state, uid;
    const unsigned listening = 0x0A;

    if (sscanf(line, " %*d: %32[0-9A-Fa-f]:%x %*[0-9A-Fa-f]:%*x %x %*s %*s %*s %u", address,
               &line_port, &state, &uid) != 4)
        return false;
    if (line_port != port || state != listening || strcmp(address, other) == 0)
        return false;
    *ret = uid;
    return true;
}

static bool find_listener(const char *table, uint16_t port, const char *other, uid_t *ret)
{
    FILE *file = fopen(table, "re");
    char line[256];
    bool found = false;

    if (!file)
        return false;
    while (!found && fgets(line, sizeof line, file))
        found = parse_listener(line, port, other, ret);
    /* Only read. */
    (void)fclose(file);
    return found;
}

static bool find_holder(const char *address, uint16_t port, uid_t *ret)
{
    char other[ADDRESS_HEX_SIZE];

    print_other(address, other);
    return find_listener("/proc/self/net/tcp", port, other, ret) ||
           find_listener("/proc/self/net/tcp6", port, other, ret);
}

static int tcp_failed(const char *address, uint16_t port, int r, struct complaint *complaint)
{
    uid_t uid;

    if (r != -EADDRINUSE)
        complain(complaint, "cannot listen on %s port %u: %s", address, port, strerror(-r));
    else if (find_holder(address, port, &uid))
        complain(complaint, "%s port %u is held by a program of uid %u", address, port,
                 (unsigned)uid);
    else
        complain(complaint, "%s port %u is held by another program", address, port);
    return r;
}

/* A connection comes to us with the first bytes of its request, so that it can be read before any
 * crowd behind it is met; without any, after this. */
enum { BYTES_AWAITED_S = 1 };

static int bind_and_listen(int fd, const union tcp_address *address)
{
    const int on = 1, awaited_s = BYTES_AWAITED_S;
    bool v6 = address->any.sa_family == AF_INET6;
    socklen_t size = v6 ? sizeof address->v6 : sizeof address->v4;

    /* So that a restart need not wait for old connections; a live listener still refuses it. */
    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) < 0)
        return -errno;
    if (v6 && setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on) < 0)
        return -errno;
    if (setsockopt(fd, IPPROTO_TCP, TCP_DEFER_ACCEPT, &awaited_s, sizeof awaited_s) < 0)
        return -errno;
    if (bind(fd, &address->any, size) < 0 || listen(fd, SOMAXCONN) < 0)
        return -errno;
    return 0;
}

int web_listen_tcp(const char *address, uint16_t port, struct complaint *complaint)
{
    union tcp_address parsed;

    if (!parse_address(address, port, &parsed)) {
        complain(complaint, "%s is not a loopback address", address);
        return -EINVAL;
    }
    CLEANUP(cleanup_fd) int fd = new_socket(parsed.any.sa_family);
    int r = fd < 0 ? fd : bind_and_listen(fd, &parsed);
    if (r < 0)
        return tcp_failed(address, port, r, complaint);
    return steal_fd(&fd);
}

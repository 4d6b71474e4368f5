/* Sockets: see failing.h. */

#include "failing.h"

#include <sys/socket.h>

int socket(int family, int type, int protocol)
{
    int fd = IO("socket", NO_DESCRIPTOR) ? -1 : NEXT(socket)(family, type, protocol);
    note_caller(fd, false);
    return fd;
}

int socketpair(int family, int type, int protocol, int ret[2])
{
    return IO("socketpair", NO_DESCRIPTOR) ? -1 : NEXT(socketpair)(family, type, protocol, ret);
}

int bind(int fd, const struct sockaddr *address, socklen_t length)
{
    return IO("bind", EADDRINUSE, ENOMEM) ? -1 : NEXT(bind)(fd, address, length);
}

int listen(int fd, int backlog)
{
    return IO("listen", EADDRINUSE) ? -1 : NEXT(listen)(fd, backlog);
}

int connect(int fd, const struct sockaddr *address, socklen_t length)
{
    note_caller(fd, true);
    return IO("connect", ECONNREFUSED, ENETUNREACH, EADDRNOTAVAIL)
               ? -1
               : NEXT(connect)(fd, address, length);
}

int accept(int fd, struct sockaddr *address, socklen_t *length)
{
    return IO("accept", NO_DESCRIPTOR, ECONNABORTED, EINTR) ? -1
                                                            : NEXT(accept)(fd, address, length);
}

int accept4(int fd, struct sockaddr *address, socklen_t *length, int flags)
{
    int got = IO("accept4", NO_DESCRIPTOR, ECONNABORTED, EINTR)
                  ? -1
                  : NEXT(accept4)(fd, address, length, flags);
    note_caller(got, false);
    return got;
}

ssize_t send(int fd, const void *from, size_t length, int flags)
{
    int how = write_fails("send", fd);
    return how > 0 ? -1 : NEXT(send)(fd, from, LESS(length, how), flags);
}

ssize_t sendto(int fd, const void *from, size_t length, int flags, const struct sockaddr *to,
               socklen_t size)
{
    int how = write_fails("sendto", fd);
    return how > 0 ? -1 : NEXT(sendto)(fd, from, LESS(length, how), flags, to, size);
}

/* Never a part: of what it sends, datagrams go whole or not at all. */
ssize_t sendmsg(int fd, const struct msghdr *message, int flags)
{
    return write_fails("sendmsg", fd) > 0 ? -1 : NEXT(sendmsg)(fd, message, flags);
}

ssize_t recv(int fd, void *to, size_t length, int flags)
{
    int how = read_fails("recv", fd);
    return how > 0 ? -1 : NEXT(recv)(fd, to, LESS(length, how), flags);
}

ssize_t recvfrom(int fd, void *to, size_t length, int flags, struct sockaddr *from, socklen_t *size)
{
    int how = read_fails("recvfrom", fd);
    return how > 0 ? -1 : NEXT(recvfrom)(fd, to, LESS(length, how), flags, from, size);
}

ssize_t recvmsg(int fd, struct msghdr *message, int flags)
{
    return read_fails("recvmsg", fd) > 0 ? -1 : NEXT(recvmsg)(fd, message, flags);
}

int getsockopt(int fd, int level, int option, void *value, socklen_t *length)
{
    return IO("getsockopt", ENOMEM, EMFILE) ? -1
                                            : NEXT(getsockopt)(fd, level, option, value, length);
}

int setsockopt(int fd, int level, int option, const void *value, socklen_t length)
{
    return IO("setsockopt", ENOMEM) ? -1 : NEXT(setsockopt)(fd, level, option, value, length);
}

/* The uid at the other end of a connection: of a Unix socket, or of one within this machine. */

#include <arpa/inet.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

#include "io/web_private.h"

struct question {
    struct nlmsghdr head;
    struct inet_diag_req_v2 body;
};

struct reply {
    struct nlmsghdr head;
    struct inet_diag_msg body;
};

union address {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
};

/* Address and port as the kernel's table has them. */
static void take_address(const union address *address, __be32 ret_address[static 4],
                         __be16 *ret_port)
{
    if (address->any.sa_family == AF_INET) {
        ret_address[0] = address->v4.sin_addr.s_addr;
        *ret_port = address->v4.sin_port;
    } else {
        memcpy(ret_address, &address->v6.sin6_addr, sizeof address->v6.sin6_addr);
        *ret_port = address->v6.sin6_port;
    }
}

/* Asks for the other end's own socket: there, its address is the source. */
static bool fill(int fd, struct question *question)
{
    union address theirs = { 0 }, ours = { 0 };
    socklen_t their_size = sizeof theirs, our_size = sizeof ours;

    if (getpeername(fd, &theirs.any, &their_size) < 0 || getsockname(fd, &ours.any, &our_size) < 0)
        return false;
    if (theirs.any.sa_family != AF_INET && theirs.any.sa_family != AF_INET6)
        return false;
    *question = (struct question){
        .head = { .nlmsg_len = sizeof *question,
                  .nlmsg_type = SOCK_DIAG_BY_FAMILY,
                  .nlmsg_flags = NLM_F_REQUEST },
        .body = { .sdiag_family = (__u8)theirs.any.sa_family,
                  .sdiag_protocol = IPPROTO_TCP,
                  .idiag_states = ~0U,
                  .id.idiag_cookie = { INET_DIAG_NOCOOKIE, INET_DIAG_NOCOOKIE } },
    };
    struct inet_diag_sockid *id = &question->body.id;
    take_address(&theirs, id->idiag_src, &id->idiag_sport);
    take_address(&ours, id->idiag_dst, &id->idiag_dport);
    return true;
}

static bool ask_kernel(int fd, struct inet_diag_msg *ret)
{
    struct question question;
    struct reply reply = { 0 };

    if (!fill(fd, &question))
        return false;
    CLEANUP(cleanup_fd) int kernel = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);

    /* The kernel answers before send() returns. */
    if (kernel < 0 || send(kernel, &question, sizeof question, 0) != sizeof question ||
        recv(kernel, &reply, sizeof reply, MSG_DONTWAIT) < (ssize_t)sizeof reply ||
        reply.head.nlmsg_type != SOCK_DIAG_BY_FAMILY)
        return false;
    *ret = reply.body;
    return true;
}

uid_t web_uid_of(int fd)
{
    struct ucred credentials;
    struct inet_diag_msg theirs;
    socklen_t size = sizeof credentials;

    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &credentials, &size) == 0 &&
        credentials.uid != WEB_UID_UNKNOWN)
        return credentials.uid;
    return ask_kernel(fd, &theirs) ? theirs.idiag_uid : WEB_UID_UNKNOWN;
}

/* A socket that nobody holds has lost its inode, and would pass for root's. */
uid_t web_holder_of(int fd)
{
    struct inet_diag_msg theirs;

    return ask_kernel(fd, &theirs) && theirs.idiag_inode != 0 ? theirs.idiag_uid : WEB_UID_UNKNOWN;
}

uid_t web_holder(const struct web_request *request)
{
    return web_holder_of(web_fd(request));
}

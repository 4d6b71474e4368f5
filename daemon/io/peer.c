#include "io/peer.h"

#include <errno.h>
#include <sys/socket.h>

/* The supplementary groups without the primary one; past the cap none at all. */
static int read_groups(int fd, struct peer *peer)
{
    gid_t groups[PEER_GROUPS_MAX];
    socklen_t size = sizeof groups;

    if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &size) < 0) {
        if (errno != ERANGE)
            return -errno;
        peer->group_count = 0;
        return 0;
    }

    size_t count = size / sizeof groups[0];
    for (size_t i = 0; i < count; i++) {
        if (groups[i] == peer->groups[0])
            continue;
        if (peer->group_count == PEER_GROUPS_MAX) {
            peer->group_count = 0;
            return 0;
        }
        peer->groups[peer->group_count++] = groups[i];
    }
    return 0;
}

int peer_identify(int fd, struct peer *ret)
{
    struct ucred credentials;
    socklen_t size = sizeof credentials;

    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &credentials, &size) < 0)
        return -errno;
    /* Any other kind of socket answers too, with nobody. */
    if (credentials.uid == (uid_t)-1 || credentials.gid == (gid_t)-1)
        return -ENODATA;

    struct peer peer = {
        .uid = credentials.uid,
        .pid = credentials.pid,
        .group_count = 1,
        .groups = { credentials.gid },
    };
    int r = read_groups(fd, &peer);
    if (r < 0)
        return r;
    *ret = peer;
    return 0;
}

bool peer_in_group(const struct peer *peer, gid_t gid)
{
    for (size_t i = 0; i < peer->group_count; i++) {
        if (peer->groups[i] == gid)
            return true;
    }
    return false;
}

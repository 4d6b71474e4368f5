#pragma once

/* Who is at the other end of a Unix socket connection: uid, gid, supplementary groups and pid as
 * they were when it connected (SO_PEERCRED, SO_PEERGROUPS). */

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

enum { PEER_GROUPS_MAX = 256 };

struct peer {
    uid_t uid;
    pid_t pid;          /* 0: in another pid namespace */
    size_t group_count; /* the primary group is groups[0]; past the cap no group is known */
    gid_t groups[PEER_GROUPS_MAX];
};

/* Returns 0 or -errno. */
int peer_identify(int fd, struct peer *ret);

/* True when the group is the primary or a supplementary one. */
bool peer_in_group(const struct peer *peer, gid_t gid);

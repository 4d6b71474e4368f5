#pragma once

/* Who is at the other end of a Unix socket connection: uid, gid, supplementary groups and pid as
 * they were when it connected (SO_PEERCRED, SO_PEERGROUPS), and the systemd unit of that process
 * (SO_PEERPIDFD, and its cgroup). */

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

enum { PEER_GROUPS_MAX = 256, PEER_UNIT_SIZE = 255 + 1 };

struct peer {
    uid_t uid;
    pid_t pid;          /* 0: in another pid namespace */
    size_t group_count; /* the primary group is groups[0]; past the cap no group is known */
    gid_t groups[PEER_GROUPS_MAX];
    char unit[PEER_UNIT_SIZE]; /* of the system's manager; "": not looked up, not known, or none */
    bool unit_proven;          /* the kernel vouches that the process is the one that connected */
};

/* Returns 0 or -errno. */
int peer_identify(int fd, struct peer *ret);

enum { PEER_WITHOUT_UNIT = 1 };

/* Looks up the unit of the process that connected, after peer_identify(): it must still live, and
 * have been in that unit's cgroup meanwhile. Returns 0, PEER_WITHOUT_UNIT (it is in none, or it has
 * ended) or -errno; peer is as it was then. */
int peer_find_unit(int fd, struct peer *peer);

/* True where the kernel vouches for the process that connected (Linux 6.5). */
bool peer_units_can_be_proven(void);

/* The system unit that a cgroup's path ("/system.slice/sync.service/inner") belongs to, and the
 * same for a whole /proc/PID/cgroup, which is written into. A user's own units count as the unit of
 * the user's manager. Returns 0 or PEER_WITHOUT_UNIT. */
int peer_unit_of_path(const char *path, char out[static PEER_UNIT_SIZE]);
int peer_unit_of_cgroups(char *text, char out[static PEER_UNIT_SIZE]);

/* True when the group is the primary or a supplementary one. */
bool peer_in_group(const struct peer *peer, gid_t gid);

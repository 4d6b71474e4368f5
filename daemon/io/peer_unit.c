#include "io/peer.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/read.h"

#ifndef SO_PEERPIDFD /* Linux 6.5; Debian 12's headers are older */
#define SO_PEERPIDFD 77
#endif

enum { PROC_FILE_MAX = 4096, PROC_PATH_MAX = 64 };

/* --- the unit's name in a cgroup's path --- */

static bool ends_with(const char *text, size_t length, const char *end)
{
    size_t end_length = strlen(end);
    return length > end_length && memcmp(text + length - end_length, end, end_length) == 0;
}

static bool is_unit(const char *name, size_t length)
{
    return ends_with(name, length, ".service") || ends_with(name, length, ".scope");
}

/* systemd puts a '_' before a name that would else be a file of the cgroup itself. */
static int take_name(const char *name, size_t length, char out[static PEER_UNIT_SIZE])
{
    if (length > 0 && *name == '_') {
        name++;
        length--;
    }
    if (!is_unit(name, length) || length >= PEER_UNIT_SIZE)
        return PEER_WITHOUT_UNIT;
    memcpy(out, name, length);
    out[length] = '\0';
    return 0;
}

int peer_unit_of_path(const char *path, char out[static PEER_UNIT_SIZE])
{
    if (*path != '/')
        return PEER_WITHOUT_UNIT;
    /* A slice holds units; what lies below a unit is its own business, a user's manager's units
     * among it. */
    for (const char *at = path + 1;; at++) {
        size_t length = strcspn(at, "/");
        if (!ends_with(at, length, ".slice"))
            return take_name(at, length, out);
        at += length;
        if (*at == '\0')
            return PEER_WITHOUT_UNIT;
    }
}

/* The rest of the line that begins so; the text is cut there. NULL: there is none. */
static char *line_after(char *text, const char *start)
{
    size_t length = strlen(start);
    for (char *line = text; line; line = strchr(line, '\n')) {
        line += *line == '\n';
        if (strncmp(line, start, length) != 0)
            continue;
        line += length;
        line[strcspn(line, "\n")] = '\0';
        return line;
    }
    return NULL;
}

int peer_unit_of_cgroups(char *text, char out[static PEER_UNIT_SIZE])
{
    const char *unified = NULL, *named = NULL;
    for (char *line; (line = strsep(&text, "\n"));) {
        /* number:controllers:path, and only the path may hold more colons */
        char *number = strsep(&line, ":");
        char *controllers = line ? strsep(&line, ":") : NULL;
        if (!line)
            continue;
        if (strcmp(number, "0") == 0 && *controllers == '\0')
            unified = line;
        else if (strcmp(controllers, "name=systemd") == 0)
            named = line;
    }
    /* Where both hierarchies are there, one that systemd does not use has everything at its root.
     */
    const char *path = unified && strcmp(unified, "/") != 0 ? unified : named;
    return path ? peer_unit_of_path(path, out) : PEER_WITHOUT_UNIT;
}

/* --- the process --- */

/* The whole of a small file of /proc; its text is ended. Returns 0 or -errno. */
static int read_proc(const char *path, char out[static PROC_FILE_MAX])
{
    CLEANUP(cleanup_fd) int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    ssize_t length = read_up_to(fd, out, PROC_FILE_MAX - 1);
    if (length < 0)
        return (int)length;
    out[length] = '\0';
    return length < PROC_FILE_MAX - 1 ? 0 : -E2BIG;
}

/* The process that connected, whose number cannot be somebody else's by now. Before Linux 6.5 it
 * can be, if it ended and its number was given away before this call. */
static int open_process(int fd, pid_t pid, bool *ret_proven)
{
    int process = -1;
    socklen_t size = sizeof process;
    if (getsockopt(fd, SOL_SOCKET, SO_PEERPIDFD, &process, &size) == 0) {
        *ret_proven = true;
        return process;
    }
    if (errno != ENOPROTOOPT || pid <= 0)
        return -errno;
    process = (int)syscall(SYS_pidfd_open, pid, 0);
    *ret_proven = false;
    return process < 0 ? -errno : process;
}

/* The number of a pidfd's process; 0 when it is in another pid namespace, -1 when it has ended. */
static pid_t process_number(int process)
{
    char path[PROC_PATH_MAX], text[PROC_FILE_MAX];
    snprintf(path, sizeof path, "/proc/self/fdinfo/%d", process);
    if (read_proc(path, text) != 0)
        return -1;
    const char *number = line_after(text, "Pid:");
    return number ? (pid_t)strtol(number, NULL, 10) : -1;
}

/* A pidfd can be read from once its process has ended. */
static bool still_alive(int process)
{
    struct pollfd poll_fd = { .fd = process, .events = POLLIN };
    return poll(&poll_fd, 1, 0) == 0;
}

int peer_find_unit(int fd, struct peer *peer)
{
    char path[PROC_PATH_MAX], text[PROC_FILE_MAX], unit[PEER_UNIT_SIZE];
    bool proven = false;
    CLEANUP(cleanup_fd) int process = open_process(fd, peer->pid, &proven);
    if (process < 0)
        return process == -ESRCH ? PEER_WITHOUT_UNIT : process;
    pid_t number = process_number(process);
    if (number <= 0)
        return PEER_WITHOUT_UNIT;
    snprintf(path, sizeof path, "/proc/%d/cgroup", (int)number);
    int r = read_proc(path, text);
    if (r == 0)
        r = peer_unit_of_cgroups(text, unit);
    /* Only of a process that is still there what was read is surely its own. */
    if (r != 0 || !still_alive(process))
        return r == -ENOENT || r == -ESRCH || r == 0 ? PEER_WITHOUT_UNIT : r;
    memcpy(peer->unit, unit, sizeof unit);
    peer->unit_proven = proven;
    return 0;
}

bool peer_units_can_be_proven(void)
{
    int pair[2], process = -1;
    socklen_t size = sizeof process;
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
        return false;
    bool known = getsockopt(pair[0], SOL_SOCKET, SO_PEERPIDFD, &process, &size) == 0;
    for (int i = 0; i < 2; i++)
        cleanup_fd(&pair[i]);
    if (known)
        cleanup_fd(&process);
    return known;
}

#include "io/guard.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/log.h"

enum { NOTE_SIZE = 20 + 1 }; /* all numbers take as much room, so that one replaces another */

struct guard {
    int fd;
    bool ours;
    bool failed; /* it was told */
    uint64_t generation;
};

/* Tells programs that make backups to leave this folder out: https://bford.info/cachedir/ */
static void put_tag(int folder)
{
    static const char tag[] = "Signature: 8a477f597d28d172789f06886806bc55\n";
    CLEANUP(cleanup_fd)
    int fd = openat(folder, "CACHEDIR.TAG", O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);

    if (fd >= 0 && write(fd, tag, sizeof(tag) - 1) < 0)
        log_debug("CACHEDIR.TAG cannot be written: %s", strerror(errno));
}

static int open_note(const char *folder, const char *uuid)
{
    CLEANUP(cleanup_fd) int dir = -1;
    char name[64];
    int fd;

    dir = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (dir < 0)
        return -errno;
    put_tag(dir);
    if (snprintf(name, sizeof(name), "store-%s", uuid) >= (int)sizeof(name) || strchr(uuid, '/'))
        return -EINVAL;
    fd = openat(dir, name, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
    return fd < 0 ? -errno : fd;
}

int guard_open(const char *folder, const char *uuid, struct guard **ret,
               struct complaint *complaint)
{
    CLEANUP(cleanup_guard) struct guard *guard = calloc(1, sizeof(*guard));

    if (!guard)
        return -ENOMEM;
    guard->fd = open_note(folder, uuid);
    if (guard->fd < 0) {
        complain(complaint, "%s cannot be used: %s", folder, strerror(-guard->fd));
        return guard->fd;
    }
    *ret = steal(guard);
    return 0;
}

/* Only what is whole counts: after a power cut some file systems show in a file that was not synced
 * what others had left there, and a number among that would make the store look old. */
static uint64_t read_note(int fd)
{
    char text[NOTE_SIZE + 1] = "";

    if (pread(fd, text, NOTE_SIZE, 0) != NOTE_SIZE || text[NOTE_SIZE - 1] != '\n' ||
        strspn(text, "0123456789") != NOTE_SIZE - 1)
        return 0;
    return strtoull(text, NULL, 10);
}

bool guard_take(struct guard *guard)
{
    if (guard->ours)
        return true;
    if (flock(guard->fd, LOCK_EX | LOCK_NB) < 0)
        return false;
    guard->ours = true;
    guard->generation = read_note(guard->fd);
    return true;
}

uint64_t guard_generation(const struct guard *guard)
{
    return guard->generation;
}

void guard_note(struct guard *guard, uint64_t generation)
{
    char text[NOTE_SIZE + 1];

    if (!guard->ours || generation <= guard->generation)
        return;
    guard->generation = generation;
    (void)snprintf(text, sizeof(text), "%020" PRIu64 "\n", generation);
    if (pwrite(guard->fd, text, NOTE_SIZE, 0) == NOTE_SIZE || guard->failed)
        return;
    guard->failed = true;
    log_warning(
        "how far the store has come cannot be noted outside its folder: %s; an older copy of "
        "it may not be noticed",
        strerror(errno));
}

struct guard *guard_close(struct guard *guard)
{
    if (!guard)
        return NULL;
    if (guard->fd >= 0)
        (void)close(guard->fd);
    free(guard);
    return NULL;
}

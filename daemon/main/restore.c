#include "main/restore.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/folder.h"
#include "io/store.h"
#include "main/keys.h"

enum { COPY_PIECE = 64 * 1024 };

/* Where it is looked through before it is the store. */
struct trial {
    char *folder;
    char *file;
    char *target; /* the store */
    uint64_t accounts;
};

static void release(struct trial *trial)
{
    static const char *const leftovers[] = { "lock", "store.sqlite", "store.sqlite-wal",
                                             "store.sqlite-copy" };
    for (size_t i = 0; trial->folder && i < sizeof leftovers / sizeof leftovers[0]; i++) {
        CLEANUP(cleanup_string) char *path = NULL;
        if (asprintf(&path, "%s/%s", trial->folder, leftovers[i]) >= 0)
            (void)unlink(path); /* what is not there is fine */
    }
    if (trial->folder)
        (void)rmdir(trial->folder);
    free(trial->folder);
    free(trial->file);
    free(trial->target);
}

static int name_all(const char *state_dir, struct trial *trial)
{
    if (asprintf(&trial->target, "%s/store.sqlite", state_dir) < 0) {
        trial->target = NULL;
        return -ENOMEM;
    }
    CLEANUP(cleanup_string) char *folder = NULL;
    if (asprintf(&folder, "%s/restoring.XXXXXX", state_dir) < 0) {
        folder = NULL;
        return -ENOMEM;
    }
    if (!mkdtemp(folder)) /* 0700 */
        return -errno;
    trial->folder = steal(folder);
    if (asprintf(&trial->file, "%s/store.sqlite", trial->folder) < 0) {
        trial->file = NULL;
        return -ENOMEM;
    }
    return 0;
}

static int write_all(int fd, const char *bytes, size_t length)
{
    while (length > 0) {
        ssize_t n = write(fd, bytes, length);
        if (n < 0 && errno != EINTR)
            return -errno;
        if (n > 0) {
            bytes += n;
            length -= (size_t)n;
        }
    }
    return 0;
}

static int copy_bytes(int from, int to)
{
    char piece[COPY_PIECE];
    for (;;) {
        ssize_t n = read(from, piece, sizeof piece);
        if (n < 0 && errno != EINTR)
            return -errno;
        if (n == 0)
            return 0;
        int r = n > 0 ? write_all(to, piece, (size_t)n) : 0;
        if (r != 0)
            return r;
    }
}

static int open_backup(const char *path, int *ret, struct complaint *complaint)
{
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        const int r = -errno;
        complain(complaint, "%s cannot be read: %s", path, strerror(-r));
        return r;
    }
    *ret = fd;
    return 0;
}

static int copy_file(const char *path, int from, const struct trial *trial,
                     struct complaint *complaint)
{
    CLEANUP(cleanup_fd)
    int to = open(trial->file, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    int r = to < 0 ? -errno : copy_bytes(from, to);
    if (r != 0)
        complain(complaint, "%s cannot be copied to %s: %s", path, trial->folder, strerror(-r));
    return r;
}

/* The file alone is put in place: what stayed in the log, that it is a copy, would be lost. */
static int settle(struct store *store, struct complaint *complaint)
{
    const int r = store_checkpoint(store);
    if (r != 0)
        complain(complaint, "the copy of it cannot be written to its end: %s%s",
                 store_message(store), r == -ENOSPC ? "; free some space" : "");
    return r;
}

static int look_through(const struct places *places, const struct settings *settings,
                        struct trial *trial, struct complaint *complaint)
{
    CLEANUP(cleanup_store) struct store *store = NULL;
    CLEANUP(cleanup_string) char *proof = NULL;
    struct complaint why = { "" };
    struct keys keys = { NULL, NULL };
    uint64_t counts[3] = { 0 };
    int r = store_open(trial->folder, &store, &why);
    if (r == 0)
        r = store_check(store, &why);
    if (r == 0 && store_get_fact(store, "key_proof", &proof) != 0) {
        complain(&why, "it is a store that was never used");
        r = STORE_FOREIGN;
    }
    if (r == 0)
        r = keys_open(places, settings, store, &keys, &why);
    if (r == 0)
        r = store_count(store, counts);
    if (r == 0)
        r = settle(store, &why);
    if (r != 0)
        complain(complaint, "it cannot be restored: %s", why.text);
    seal_key_free(keys.key);
    seal_key_free(keys.next);
    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++)
        trial->accounts += counts[i];
    return r > 0 ? -EINVAL : r;
}

static int sync_path(const char *path)
{
    CLEANUP(cleanup_fd) int fd = open(path, O_RDONLY | O_CLOEXEC);
    return fd >= 0 && fsync(fd) == 0 ? 0 : -errno;
}

static int put_in_place(const struct places *places, const struct trial *trial,
                        struct complaint *complaint)
{
    int r = sync_path(trial->file);
    if (r == 0 && link(trial->file, trial->target) < 0) /* which replaces nothing */
        r = -errno;
    if (r == 0)
        r = folder_sync(places->state_dir);
    if (r != 0)
        complain(complaint, "%s cannot be made: %s", trial->target, strerror(-r));
    return r;
}

static int refuse_another(const char *target, struct complaint *complaint)
{
    struct stat st;
    if (lstat(target, &st) < 0)
        return 0;
    complain(complaint,
             "there is a store already, %s: stop its broker and move it away, with the files "
             "beside it that begin the same",
             target);
    return -EEXIST;
}

/* root may do it for the service, whose folder it is: with its rights and no others, since it could
 * put links there that lead elsewhere. */
static int become_owner(const char *state_dir, struct complaint *complaint)
{
    struct stat st;
    if (geteuid() != 0)
        return 0;
    if (stat(state_dir, &st) == 0 &&
        (st.st_uid == 0 ||
         (setgroups(0, NULL) == 0 && setegid(st.st_gid) == 0 && seteuid(st.st_uid) == 0)))
        return 0;
    const int r = -errno;
    complain(complaint, "%s cannot be used as its owner: %s", state_dir, strerror(-r));
    return r;
}

static int restore(const struct places *places, const struct settings *settings, const char *path,
                   int from, struct trial *trial, struct complaint *complaint)
{
    CLEANUP(cleanup_string) char *wal = NULL;
    int r = name_all(places->state_dir, trial);
    if (r == 0 && asprintf(&wal, "%s-wal", trial->target) < 0)
        r = -ENOMEM;
    if (r != 0) {
        complain(complaint, "%s cannot be used: %s", places->state_dir, strerror(-r));
        return r;
    }
    r = refuse_another(trial->target, complaint);
    if (r == 0)
        r = refuse_another(wal, complaint);
    if (r == 0)
        r = copy_file(path, from, trial, complaint);
    if (r == 0)
        r = look_through(places, settings, trial, complaint);
    return r == 0 ? put_in_place(places, trial, complaint) : r;
}

int restore_backup(const struct places *places, const struct settings *settings, const char *path,
                   struct complaint *complaint)
{
    struct trial trial = { NULL };
    CLEANUP(cleanup_fd) int from = -1;
    int r = folder_make(places->state_dir, 0700);
    if (r != 0)
        complain(complaint, "%s cannot be made: %s", places->state_dir, strerror(-r));
    else
        r = open_backup(path, &from, complaint);
    if (r == 0)
        r = become_owner(places->state_dir, complaint);
    if (r == 0)
        r = restore(places, settings, path, from, &trial, complaint);
    if (r == 0)
        (void)printf("%s: restored, %" PRIu64 " account%s; it starts paused: start the broker, "
                     "then run tokenbroker resume\n",
                     trial.target, trial.accounts, trial.accounts == 1 ? "" : "s");
    release(&trial);
    return r;
}

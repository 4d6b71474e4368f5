/* A copy of the store, made while it is used: SQLite's own backup, carried on by what is written
 * meanwhile, into a file without a name, which nothing leaves behind. */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include "io/store_sqlite_private.h"

enum {
    COPY_PAGES_A_STEP = 16,
    COPY_SPARE_BYTES = 8 * 1024 * 1024, /* of the disk that the copy leaves to the store itself */
    APPLICATION_ID_AT = 68, /* in the file's header: https://sqlite.org/fileformat2.html */
};

struct store_copy {
    struct store *store;
    sqlite3 *db; /* until the copy is whole */
    sqlite3_backup *backup;
    int fd;
    uint64_t size; /* once it is whole */
};

/* It is thrown away if anything goes wrong, and synced by who takes it away. */
static const char copy_settings[] = "PRAGMA locking_mode = EXCLUSIVE;"
                                    "PRAGMA journal_mode = OFF;"
                                    "PRAGMA synchronous = OFF;"
                                    "PRAGMA temp_store = MEMORY;"
                                    "PRAGMA mmap_size = 0;";

static bool has_room(const struct store_copy *copy, const char *path)
{
    struct statvfs disk;
    struct stat st;

    if (stat(path, &st) < 0 || fstatvfs(copy->fd, &disk) < 0)
        return true; /* the copying will tell */
    return (uint64_t)disk.f_bavail * disk.f_frsize >= (uint64_t)st.st_size + COPY_SPARE_BYTES;
}

static int open_copy(struct store_copy *copy, const char *path)
{
    /* What a crash between the next two calls left is empty. */
    (void)unlink(path);
    copy->fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (copy->fd < 0)
        return store_broken(copy->store, "the file of the copy cannot be made");
    int rc = sqlite3_open_v2(
        path, &copy->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE, NULL);
    (void)unlink(path); /* both hold it open */
    if (rc == SQLITE_OK)
        rc = sqlite3_exec(copy->db, copy_settings, NULL, NULL, NULL);
    if (rc == SQLITE_OK)
        copy->backup = sqlite3_backup_init(copy->db, "main", copy->store->db, "main");
    return copy->backup ? 0 : store_broken(copy->store, "the file of the copy cannot be opened");
}

int store_copy_begin(struct store *store, struct store_copy **ret)
{
    CLEANUP(cleanup_store_copy) struct store_copy *copy = calloc(1, sizeof *copy);
    const char *from = sqlite3_db_filename(store->db, "main");
    char path[PATH_MAX];

    if (!copy)
        return -ENOMEM;
    copy->store = store;
    copy->fd = -1;
    if (snprintf(path, sizeof path, "%s-copy", from) >= (int)sizeof path)
        return store_broken(store, "the path of the state folder is too long");
    int r = open_copy(copy, path);
    if (r == 0 && !has_room(copy, from))
        r = -ENOSPC;
    if (r == 0)
        *ret = steal(copy);
    return r;
}

/* So that whoever opens it knows it from the store itself. */
static bool mark(const struct store_copy *copy)
{
    const uint32_t id = STORE_COPY_ID;
    const unsigned char bytes[] = { (unsigned char)(id >> 24), (unsigned char)(id >> 16),
                                    (unsigned char)(id >> 8), (unsigned char)id };
    return pwrite(copy->fd, bytes, sizeof bytes, APPLICATION_ID_AT) == (ssize_t)sizeof bytes;
}

static int finish(struct store_copy *copy)
{
    struct stat st;
    int rc = sqlite3_backup_finish(steal(copy->backup));

    if (rc == SQLITE_OK)
        rc = sqlite3_close(steal(copy->db));
    if (rc != SQLITE_OK || !mark(copy) || fstat(copy->fd, &st) < 0)
        return store_broken(copy->store, "the copy could not be written to its end");
    copy->size = (uint64_t)st.st_size;
    return 0;
}

int store_copy_step(struct store_copy *copy)
{
    int rc = sqlite3_backup_step(copy->backup, COPY_PAGES_A_STEP);

    switch (rc & STORE_RESULT_CODE_MASK) {
    case SQLITE_OK:
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return STORE_COPY_MORE;
    case SQLITE_DONE:
        return finish(copy);
    case SQLITE_FULL:
        return -ENOSPC;
    default:
        return store_broken(copy->store, sqlite3_errstr(rc));
    }
}

uint64_t store_copy_size(const struct store_copy *copy)
{
    return copy->size;
}

int store_copy_read(const struct store_copy *copy, uint64_t offset, void *out, size_t length,
                    size_t *ret)
{
    size_t done = 0;

    if (offset > copy->size)
        return -EINVAL;
    while (done < length) {
        ssize_t n = pread(copy->fd, (char *)out + done, length - done, (off_t)(offset + done));
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -errno;
        if (n == 0)
            break;
        done += (size_t)n;
    }
    *ret = done;
    return 0;
}

struct store_copy *store_copy_free(struct store_copy *copy)
{
    if (!copy)
        return NULL;
    /* What it would say was said by the step before. */
    (void)sqlite3_backup_finish(copy->backup);
    (void)sqlite3_close(copy->db);
    cleanup_fd(&copy->fd);
    free(copy);
    return NULL;
}

int store_check(struct store *store, struct complaint *complaint)
{
    sqlite3_stmt *statement = NULL;
    const char *text = NULL;
    int rc = sqlite3_prepare_v2(store->db, "PRAGMA integrity_check(1)", -1, &statement, NULL);

    if (rc == SQLITE_OK)
        rc = sqlite3_step(statement);
    if (rc == SQLITE_ROW)
        text = (const char *)sqlite3_column_text(statement, 0);
    const bool whole = text && strcmp(text, "ok") == 0;
    if (!whole)
        complain(complaint, "it is damaged: %s", text ? text : sqlite3_errmsg(store->db));
    sqlite3_finalize(statement);
    return whole ? 0 : STORE_FOREIGN;
}

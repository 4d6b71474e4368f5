/* Keys from text and from files, and the files that hold them. */

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/folder.h"
#include "base/read.h"
#include "io/seal.h"

enum {
    HEX_DIGITS = 2 * SEAL_KEY_BYTES,
    BASE64_DIGITS = 43,            /* of 32 bytes; a padded text has one '=' more */
    KEY_TEXT_MAX = HEX_DIGITS + 1, /* the longest form, with a newline */
};

static bool key_from_hex(const char *text, size_t length, unsigned char out[static SEAL_KEY_BYTES])
{
    size_t got;

    return length == HEX_DIGITS &&
           sodium_hex2bin(out, SEAL_KEY_BYTES, text, length, NULL, &got, NULL) == 0 &&
           got == SEAL_KEY_BYTES;
}

static bool key_from_base64(const char *text, size_t length, int variant,
                            unsigned char out[static SEAL_KEY_BYTES])
{
    size_t got;

    return sodium_base642bin(out, SEAL_KEY_BYTES, text, length, NULL, &got, NULL, variant) == 0 &&
           got == SEAL_KEY_BYTES;
}

static bool key_from_bytes(const char *bytes, size_t length,
                           unsigned char out[static SEAL_KEY_BYTES])
{
    if (length == SEAL_KEY_BYTES) {
        memcpy(out, bytes, SEAL_KEY_BYTES);
        return true;
    }
    if (length > 0 && bytes[length - 1] == '\n')
        length--;
    if (length == BASE64_DIGITS)
        return key_from_base64(bytes, length, sodium_base64_VARIANT_ORIGINAL_NO_PADDING, out) ||
               key_from_base64(bytes, length, sodium_base64_VARIANT_URLSAFE_NO_PADDING, out);
    if (length == BASE64_DIGITS + 1)
        return key_from_base64(bytes, length, sodium_base64_VARIANT_ORIGINAL, out) ||
               key_from_base64(bytes, length, sodium_base64_VARIANT_URLSAFE, out);
    return key_from_hex(bytes, length, out);
}

static int key_from_text(const char *text, size_t length, struct seal_key **ret)
{
    unsigned char bytes[SEAL_KEY_BYTES];
    int r = -EINVAL;

    if (key_from_bytes(text, length, bytes))
        r = seal_key_new(bytes, ret);
    sodium_memzero(bytes, sizeof(bytes));
    return r;
}

int seal_key_from_text(const struct secret *text, struct seal_key **ret)
{
    return key_from_text(secret_reveal(text), secret_length(text), ret);
}

/* Refuses what somebody else can read, or put there. */
static int check_key_file(int fd, const char *path, struct complaint *complaint)
{
    struct stat status;

    if (fstat(fd, &status) < 0)
        return -errno;
    if (!S_ISREG(status.st_mode)) {
        complain(complaint, "the key %s is not a regular file", path);
        return -EINVAL;
    }
    if (status.st_uid != geteuid() && status.st_uid != 0) {
        complain(complaint, "the key file %s belongs to uid %u: it must be the daemon's own", path,
                 status.st_uid);
        return -EPERM;
    }
    if (status.st_mode & (S_IRWXG | S_IRWXO)) {
        complain(complaint, "others may use the key file %s: chmod 600 it", path);
        return -EPERM;
    }
    return 0;
}

static int key_from_fd(int fd, const char *path, struct seal_key **ret, struct complaint *complaint)
{
    char text[KEY_TEXT_MAX + 1]; /* one more, to see that a file is too long */
    ssize_t length;
    int r = check_key_file(fd, path, complaint);

    if (r < 0)
        return r;
    length = read_up_to(fd, text, sizeof(text));
    r = length < 0 ? (int)length : key_from_text(text, (size_t)length, ret);
    sodium_memzero(text, sizeof(text));
    if (r == -EINVAL)
        complain(complaint, "%s holds no key: 32 raw bytes, 64 hex digits or 44 of base64", path);
    return r;
}

/* Random bytes from the file's position on, durably. */
static int write_random(int fd, size_t length)
{
    unsigned char bytes[KEY_TEXT_MAX];
    ssize_t written;

    random_bytes(bytes, length);
    written = write(fd, bytes, length);
    sodium_memzero(bytes, sizeof(bytes));
    if (written < 0)
        return -errno;
    if (written != (ssize_t)length)
        return -ENOSPC;
    return fsync(fd) < 0 ? -errno : 0;
}

static int write_key(int fd)
{
    return ftruncate(fd, 0) < 0 ? -errno : write_random(fd, SEAL_KEY_BYTES);
}

/* The key's own bytes: a file that is cut first is written elsewhere on the disk. */
static int overwrite(int fd)
{
    struct stat status;

    if (fstat(fd, &status) < 0)
        return -errno;
    return write_random(fd, status.st_size < KEY_TEXT_MAX ? (size_t)status.st_size : KEY_TEXT_MAX);
}

/*
 * The key appears whole and durable, and never in the place of another: that one's secrets would be
 * lost. Whoever else creates it waits for the lock, and then finds it. The file aside is never
 * removed, so that all wait at the same one; what a crash leaves in it was never used.
 */
static int create_key(const char *path, const char *aside)
{
    CLEANUP(cleanup_fd) int fd = open(aside, O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
    int r;

    if (fd < 0 || flock(fd, LOCK_EX) < 0)
        return -errno;
    if (access(path, F_OK) == 0)
        return 0;
    r = write_key(fd);
    if (r < 0)
        return r;
    if (renameat2(AT_FDCWD, aside, AT_FDCWD, path, RENAME_NOREPLACE) < 0)
        return -errno;
    return folder_sync_above(path);
}

static int create_key_beside(const char *path)
{
    CLEANUP(cleanup_string) char *aside = NULL;

    if (asprintf(&aside, "%s.new", path) < 0)
        return -ENOMEM;
    return create_key(path, aside);
}

static int open_key(const char *path, bool create, int *ret)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    int r;

    if (fd < 0 && errno == ENOENT && create) {
        r = create_key_beside(path);
        if (r < 0)
            return r;
        fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    }
    if (fd < 0)
        return -errno;
    *ret = fd;
    return 0;
}

int seal_key_from_file(const char *path, bool create, struct seal_key **ret,
                       struct complaint *complaint)
{
    CLEANUP(cleanup_fd) int fd = -1;
    int r = open_key(path, create, &fd);

    if (r < 0) {
        complain(complaint, "the key file %s: %s%s", path, strerror(-r),
                 r == -ENOENT && !create ? ": put the copy of it there that you keep elsewhere; "
                                           "what it sealed opens with no other"
                                         : "");
        return r;
    }
    return key_from_fd(fd, path, ret, complaint);
}

int seal_key_file_wipe(const char *path)
{
    CLEANUP(cleanup_fd) int fd = open(path, O_WRONLY | O_NOFOLLOW | O_CLOEXEC);
    int r;

    if (fd < 0)
        return errno == ENOENT ? 0 : -errno;
    r = overwrite(fd);
    if (r < 0)
        return r;
    return unlink(path) < 0 ? -errno : folder_sync_above(path);
}

int seal_key_file_replace(const char *path, const char *by)
{
    CLEANUP(cleanup_fd) int fd = open(path, O_WRONLY | O_NOFOLLOW | O_CLOEXEC);
    int r = fd < 0 ? -errno : overwrite(fd);

    if (r < 0 && r != -ENOENT)
        return r;
    return rename(by, path) < 0 ? -errno : folder_sync_above(path);
}

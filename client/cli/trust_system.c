#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "client/cli/cli.h"
#include "client/cli/output.h"
#include "client/cli/program.h"
#include "client/cli/trust.h"

#define FOLDER "/usr/local/share/ca-certificates"

enum { FILE_MODE = 0644 };

static bool find(const struct trust *trust, bool with_new, struct trust_places *places)
{
    char path[PATH_MAX];
    struct stat status;

    (void)snprintf(path, sizeof path, FOLDER "/tokenbroker-%s.crt", trust->fingerprint);
    bool exists = lstat(path, &status) == 0;
    return (!exists && !with_new) || trust_add_place(places, path, exists);
}

static const char *missing(void)
{
    struct stat status;

    if (geteuid() != 0)
        return "--system needs root: run it with sudo, and --socket where the broker is yours";
    if (stat(FOLDER, &status) < 0)
        return "there is no " FOLDER ": install ca-certificates, or use `tokenbroker trust export`";
    return NULL;
}

static bool holds(const struct trust *trust, const struct trust_place *place)
{
    return place->exists;
}

static bool write_file(const char *path, const struct text *content)
{
    CLEANUP(cleanup_fd)
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, FILE_MODE);

    return fd >= 0 && fchmod(fd, FILE_MODE) == 0 &&
           output_bytes(fd, text_string(content), content->length) && fsync(fd) == 0;
}

static bool update(void)
{
    const char *const argv[] = { "update-ca-certificates", NULL };
    int r = program_run(argv, NULL, true);

    if (r != 0)
        cli_complain("update-ca-certificates %s: what programs trust is not brought up to date",
                     r == PROGRAM_MISSING ? "is missing" : "failed");
    return r == 0;
}

static bool install(const struct trust *trust, const struct trust_place *place)
{
    if (write_file(place->path, &trust->certificate))
        return update();
    cli_complain("%s cannot be written: %s", place->path, strerrordesc_np(errno));
    (void)unlink(place->path); /* half a file is worse than none */
    return false;
}

static bool take_away(const struct trust *trust, const struct trust_place *place)
{
    if (unlink(place->path) == 0 || errno == ENOENT)
        return update();
    cli_complain("%s cannot be removed: %s", place->path, strerrordesc_np(errno));
    return false;
}

const struct trust_kind trust_system = {
    .find = find,
    .missing = missing,
    .holds = holds,
    .install = install,
    .remove = take_away,
};

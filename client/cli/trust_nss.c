#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "client/cli/cli.h"
#include "client/cli/program.h"
#include "client/cli/trust.h"

#define DATABASE_FILE "cert9.db"

/* Chromium and what is built on it read the first that is there; a new one is made first in line.
 */
static const char *const shared_folders[] = {
    ".pki/nssdb",
    ".local/share/pki/nssdb",
};

static const char *const other_folders[] = {
    "snap/chromium/current/.pki/nssdb",
    ".var/app/org.chromium.Chromium/data/pki/nssdb",
    ".var/app/com.google.Chrome/data/pki/nssdb",
};

/* Each folder below these that holds a database is a profile. */
static const char *const profile_folders[] = {
    ".mozilla/firefox",
    ".config/mozilla/firefox",
    "snap/firefox/common/.mozilla/firefox",
    ".var/app/org.mozilla.firefox/.mozilla/firefox",
};

enum { SHARED = sizeof shared_folders / sizeof *shared_folders };

/* --- where --- */

static bool join(char out[static PATH_MAX], const char *folder, const char *name)
{
    int length = snprintf(out, PATH_MAX, "%s/%s", folder, name);

    return length > 0 && length < PATH_MAX;
}

static bool has_database(const char *folder)
{
    char path[PATH_MAX];
    struct stat status;

    return join(path, folder, DATABASE_FILE) && stat(path, &status) == 0;
}

/* True also when there is none. */
static bool add_if_there(struct trust_places *places, const char *home, const char *folder)
{
    char path[PATH_MAX];

    if (!join(path, home, folder) || !has_database(path))
        return true;
    return trust_add_place(places, path, true);
}

static bool add_profiles(struct trust_places *places, const char *home, const char *folder)
{
    char path[PATH_MAX];
    DIR *directory = join(path, home, folder) ? opendir(path) : NULL;
    const struct dirent *entry;
    bool added = true;

    if (!directory)
        return true;
    while (added && (entry = readdir(directory)))
        if (entry->d_name[0] != '.')
            added = add_if_there(places, path, entry->d_name);
    (void)closedir(directory); /* only read */
    return added;
}

static bool find(const struct trust *trust, bool with_new, struct trust_places *places)
{
    const char *home = getenv("HOME");
    char path[PATH_MAX];
    bool added = true;

    if (!home || home[0] != '/') {
        cli_complain("$HOME is not set: where browsers keep what they trust is not known");
        return false;
    }
    for (size_t i = 0; i < SHARED; i++)
        added = added && add_if_there(places, home, shared_folders[i]);
    if (added && with_new && places->count == 0)
        added = join(path, home, shared_folders[0]) && trust_add_place(places, path, false);
    for (size_t i = 0; i < sizeof other_folders / sizeof *other_folders; i++)
        added = added && add_if_there(places, home, other_folders[i]);
    for (size_t i = 0; i < sizeof profile_folders / sizeof *profile_folders; i++)
        added = added && add_profiles(places, home, profile_folders[i]);
    if (!added)
        cli_complain("there are too many databases of browsers, or memory is short");
    return added;
}

/* --- certutil --- */

/* certutil -ACTION -d sql:FOLDER [-n NAME] [MORE…]; its exit code. */
static int certutil(const char *action, const char *folder, const char *name,
                    const char *const *more, const struct text *input, bool quiet)
{
    enum { ARGUMENTS_MAX = 12 };
    char database[PATH_MAX + 8];
    const char *argv[ARGUMENTS_MAX] = { "certutil", action, "-d", database };
    size_t count = 4;

    (void)snprintf(database, sizeof database, "sql:%s", folder);
    if (name) {
        argv[count++] = "-n";
        argv[count++] = name;
    }
    for (; more && *more && count < ARGUMENTS_MAX - 1; more++)
        argv[count++] = *more;
    return program_run(argv, input, quiet);
}

static const char *missing(void)
{
    const char *const argv[] = { "certutil", "-H", NULL };

    if (program_run(argv, NULL, true) != PROGRAM_MISSING)
        return NULL;
    return "the program certutil is missing: install libnss3-tools (Debian, Ubuntu), nss-tools "
           "(Fedora) or nss (Arch)";
}

static bool holds(const struct trust *trust, const struct trust_place *place)
{
    return place->exists &&
           certutil("-L", place->path, trust->name, NULL, NULL, true) == EXIT_SUCCESS;
}

/* The folder and those above it, as private as they should be. */
static bool make_folders(const char *path)
{
    char copy[PATH_MAX];

    (void)snprintf(copy, sizeof copy, "%s", path);
    for (char *at = copy + 1; at; at++) {
        at = strchr(at, '/');
        if (at)
            *at = '\0';
        if (mkdir(copy, 0700) < 0 && errno != EEXIST)
            return false;
        if (!at)
            break;
        *at = '/';
    }
    return true;
}

static bool make_database(const char *folder)
{
    static const char *const more[] = { "--empty-password", NULL };

    return make_folders(folder) && certutil("-N", folder, NULL, more, NULL, false) == EXIT_SUCCESS;
}

static bool install(const struct trust *trust, const struct trust_place *place)
{
    /* C: an authority for TLS servers, and nothing else. */
    static const char *const more[] = { "-t", "C,,", "-a", NULL };

    if (!place->exists && !make_database(place->path)) {
        cli_complain("%s cannot be made", place->path);
        return false;
    }
    if (certutil("-A", place->path, trust->name, more, &trust->certificate, false) !=
        EXIT_SUCCESS) {
        cli_complain("%s could not be changed", place->path);
        return false;
    }
    return true;
}

static bool take_away(const struct trust *trust, const struct trust_place *place)
{
    if (certutil("-D", place->path, trust->name, NULL, NULL, false) == EXIT_SUCCESS)
        return true;
    cli_complain("%s could not be changed", place->path);
    return false;
}

const struct trust_kind trust_nss = {
    .find = find,
    .missing = missing,
    .holds = holds,
    .install = install,
    .remove = take_away,
};

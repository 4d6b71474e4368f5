#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "client/cli/cli.h"
#include "client/cli/program.h"
#include "client/cli/trust.h"

#define CHECKER "tokenbrokerd"

enum { CHECKED_MAX = 4096 };

/* The first choice, before $PATH: whoever installed this command installed that one. */
static bool find_beside(char path[static PATH_MAX])
{
    char own[PATH_MAX];
    const ssize_t length = readlink("/proc/self/exe", own, sizeof own - 1);

    if (length <= 0)
        return false;
    own[length] = '\0';
    const char *slash = strrchr(own, '/');
    const int folder = slash ? (int)(slash - own) : 0;
    const int written = snprintf(path, PATH_MAX, "%.*s/" CHECKER, folder, own);
    return slash && written < PATH_MAX && access(path, X_OK) == 0;
}

/* Takes the rest of the line at *at, which begins with that name, and goes on to the next one. */
static bool take_line(const char **at, const char *name, char *out, size_t size)
{
    const size_t before = strlen(name), length = strcspn(*at, "\n");

    if (strncmp(*at, name, before) != 0 || (*at)[length] != '\n' || length - before >= size)
        return false;
    memcpy(out, *at + before, length - before);
    out[length - before] = '\0';
    *at += length + 1;
    return true;
}

static bool take_facts(struct trust *trust, const char *said)
{
    char fingerprint[TRUST_FINGERPRINT_SIZE];

    if (!take_line(&said, "fingerprint ", fingerprint, sizeof fingerprint) ||
        !take_line(&said, "until ", trust->until, sizeof trust->until) ||
        !take_line(&said, "subject ", trust->subject, sizeof trust->subject))
        return false;
    return strcmp(fingerprint, trust->fingerprint) == 0;
}

bool trust_check(struct trust *trust)
{
    CLEANUP(cleanup_text) struct text said = TEXT_WITH_MAXIMUM(CHECKED_MAX);
    char path[PATH_MAX];
    const char *const argv[] = { path, "--check-authority", NULL };

    if (!find_beside(path) && !program_find(CHECKER, path)) {
        cli_complain(CHECKER " looks at the certificate, and is neither beside this command nor in "
                             "$PATH: install it");
        return false;
    }
    int r = program_ask(argv, &trust->certificate, &said);
    if (r == 0 && take_facts(trust, text_string(&said)))
        return true;
    if (r == 0)
        cli_complain("the broker's certificate is not the one that it says, with the fingerprint "
                     "%s",
                     trust->fingerprint);
    else if (r == PROGRAM_FAILED)
        cli_complain("%s could not look at the broker's certificate", path);
    else
        cli_complain("the broker's certificate is no authority for this computer alone: %.*s",
                     (int)strcspn(text_string(&said), "\n"), text_string(&said));
    return false;
}

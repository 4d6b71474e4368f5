/* Makes an authority as the daemon does, and a certificate for each further argument that it
 * should, or should not, be able to vouch for: ca.pem, N.pem and N.key in the folder. */

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "io/local_ca.h"

static int write_text(const char *folder, int number, const char *ending, const char *text)
{
    char path[4096];

    if (number < 0)
        (void)snprintf(path, sizeof path, "%s/%s", folder, ending);
    else
        (void)snprintf(path, sizeof path, "%s/%d.%s", folder, number, ending);
    FILE *file = fopen(path, "we");
    if (!file)
        return 1;
    int failed = fputs(text, file) < 0;
    return fclose(file) != 0 || failed;
}

static int issue(const struct certified *authority, const char *folder, int number,
                 const char *name)
{
    const char *const names[] = { name, NULL };
    CLEANUP(cleanup_certified) struct certified *leaf = NULL;

    return local_ca_issue(authority, names, time(NULL), &leaf) != 0 ||
           write_text(folder, number, "pem", leaf->certificate) ||
           write_text(folder, number, "key", secret_reveal(leaf->key));
}

int main(int argc, char **argv)
{
    CLEANUP(cleanup_certified) struct certified *authority = NULL;
    bool locked;

    if (argc < 2 || secret_start(&locked) != 0 || local_ca_new(time(NULL), &authority) != 0 ||
        write_text(argv[1], -1, "ca.pem", authority->certificate))
        return 1;
    for (int i = 2; i < argc; i++)
        if (issue(authority, argv[1], i - 2, argv[i]))
            return 1;
    return 0;
}

#include "back/own_key.h"

#include <errno.h>
#include <stdio.h>

bool own_key_holds(const char *path, const struct seal_key *key)
{
    CLEANUP(cleanup_seal_key) struct seal_key *there = NULL;
    struct complaint complaint = { "" };
    return seal_key_from_file(path, false, &there, &complaint) == 0 && seal_key_equal(there, key);
}

char *own_key_file(const char *folder, const struct seal_key *key)
{
    CLEANUP(cleanup_string) char *path = NULL;
    if (!folder || asprintf(&path, "%s/key", folder) < 0)
        return NULL;
    return own_key_holds(path, key) ? steal(path) : NULL;
}

int own_key_next(const char *folder, struct seal_key **ret, struct complaint *complaint)
{
    CLEANUP(cleanup_string) char *path = NULL;
    if (asprintf(&path, "%s/key.next", folder) < 0)
        return -ENOMEM;
    return seal_key_from_file(path, true, ret, complaint);
}

int own_key_tidy(const char *folder, const struct seal_key *key)
{
    CLEANUP(cleanup_string) char *path = NULL;
    CLEANUP(cleanup_string) char *next = NULL;
    if (!folder)
        return 0;
    if (asprintf(&path, "%s/key", folder) < 0 || asprintf(&next, "%s/key.next", folder) < 0)
        return -ENOMEM;
    if (own_key_holds(next, key))
        return seal_key_file_replace(path, next);
    return own_key_holds(path, key) ? 0 : seal_key_file_wipe(path);
}

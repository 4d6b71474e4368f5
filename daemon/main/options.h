#pragma once

/* The daemon's command line, and the places that follow from it and from the environment. */

#include <stdbool.h>
#include <sys/types.h>

#include "base/error.h"

enum { OPTIONS_DONE = 1, OPTIONS_WRONG }; /* nothing more to do; a usage error was printed */

struct options {
    bool check_config;
    bool check_authority; /* of the certificate on stdin */
    bool verbose;
    char *config;    /* NULL: the default place */
    char *state_dir; /* NULL: the default place */
    char *socket;    /* NULL: the default place */
    char *restore;   /* a backup to make a store of, and nothing more; NULL: none */
};

/* Returns 0, OPTIONS_DONE after --help or --version, OPTIONS_WRONG. */
int options_parse(int argc, char **argv, struct options *ret);
void options_release(struct options *options);

struct places {
    bool system_service;  /* root, or a unit of the system's manager */
    bool config_expected; /* given by the command line, or read before: then it has to exist */
    char *config;
    char *state_dir;
    char *socket;
    char *cache_dir;             /* outside the state folder, not in backups; NULL: none */
    char *credentials_directory; /* NULL: none */
};

/* Returns 0 or -errno with a complaint. */
int places_find(const struct options *options, struct places *ret, struct complaint *complaint);
void places_release(struct places *places);

#include "main/options.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char usage[] =
    "Usage: tokenbrokerd [OPTION]...\n"
    "Keeps OAuth 2.0 grants and hands out access tokens on a Unix socket.\n"
    "\n"
    "  --config FILE      read this configuration; providers.d/*.conf beside it too\n"
    "  --state-dir DIR    keep the store and the sealing key here\n"
    "  --socket PATH      answer on this socket\n"
    "  --restore FILE     make the store from this backup, if there is none, and stop\n"
    "  --check-config     read the configuration, say what is wrong with it, and stop\n"
    "  --check-authority  read a certificate on standard input, say whether it\n"
    "                     vouches for this computer alone, and stop\n"
    "  --verbose          log more; never a secret\n"
    "  --version          print the version\n"
    "  --help             print this\n"
    "\n"
    "See tokenbrokerd(8) and tokenbroker.conf(5).\n";

enum {
    OPTION_CONFIG = 256,
    OPTION_STATE,
    OPTION_SOCKET,
    OPTION_RESTORE,
    OPTION_CHECK,
    OPTION_AUTHORITY,
    OPTION_VERSION,
    OPTION_HELP
};

static const struct option long_options[] = {
    { "config", required_argument, NULL, OPTION_CONFIG },
    { "state-dir", required_argument, NULL, OPTION_STATE },
    { "socket", required_argument, NULL, OPTION_SOCKET },
    { "restore", required_argument, NULL, OPTION_RESTORE },
    { "check-config", no_argument, NULL, OPTION_CHECK },
    { "check-authority", no_argument, NULL, OPTION_AUTHORITY },
    { "verbose", no_argument, NULL, 'v' },
    { "version", no_argument, NULL, OPTION_VERSION },
    { "help", no_argument, NULL, OPTION_HELP },
    { NULL, 0, NULL, 0 },
};

static int wrong(const char *argument)
{
    if (argument)
        (void)fprintf(stderr, "tokenbrokerd: unexpected argument '%s'\n", argument);
    (void)fputs("tokenbrokerd: try 'tokenbrokerd --help'\n", stderr);
    return OPTIONS_WRONG;
}

static int set_path(char **slot, const char *value)
{
    if (!value[0]) {
        (void)fputs("tokenbrokerd: a path is empty\n", stderr);
        return wrong(NULL);
    }
    free(*slot);
    *slot = strdup(value);
    if (!*slot)
        (void)fputs("tokenbrokerd: memory is short\n", stderr);
    return *slot ? 0 : OPTIONS_WRONG;
}

static int take_option(int option, struct options *options)
{
    switch (option) {
    case OPTION_CONFIG:
        return set_path(&options->config, optarg);
    case OPTION_STATE:
        return set_path(&options->state_dir, optarg);
    case OPTION_SOCKET:
        return set_path(&options->socket, optarg);
    case OPTION_RESTORE:
        return set_path(&options->restore, optarg);
    case OPTION_CHECK:
        options->check_config = true;
        return 0;
    case OPTION_AUTHORITY:
        options->check_authority = true;
        return 0;
    case 'v':
        options->verbose = true;
        return 0;
    case OPTION_VERSION:
        (void)puts("tokenbrokerd " TOKENBROKER_VERSION);
        return OPTIONS_DONE;
    case OPTION_HELP:
        (void)fputs(usage, stdout);
        return OPTIONS_DONE;
    default:
        return wrong(NULL);
    }
}

int options_parse(int argc, char **argv, struct options *ret)
{
    for (;;) {
        const int option = getopt_long(argc, argv, "v", long_options, NULL);
        if (option == -1)
            break;
        const int r = take_option(option, ret);
        if (r != 0)
            return r;
    }
    return optind < argc ? wrong(argv[optind]) : 0;
}

void options_release(struct options *options)
{
    free(options->config);
    free(options->state_dir);
    free(options->socket);
    free(options->restore);
    *options = (struct options){ 0 };
}

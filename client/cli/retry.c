#include <stdio.h>
#include <string.h>

#include "client/cli/commands.h"
#include "schema/wire.h"

enum { RETRY_PATH_SIZE = 256 };

/* Unlike elsewhere a name without a slash is a provider, all of it. */
static bool valid(const char *what)
{
    char account[ACCOUNT_SIZE];

    return strchr(what, '/') ? account_complete(what, account) : provider_valid(what);
}

static int run(struct cli *cli)
{
    CLEANUP(cleanup_reply) struct tb_reply *reply = NULL;
    const char *what = cli->arguments.operand_count ? cli->arguments.operands[0] : NULL;
    char path[RETRY_PATH_SIZE];

    if (what && !valid(what)) {
        cli_complain("'%s' is neither a provider nor an account", what);
        return TB_USAGE;
    }
    (void)snprintf(path, sizeof path, WIRE_PATH_RETRY "%s%s", what ? "/" : "", what ? what : "");
    int r = cli_call(cli, "POST", path, NULL, what, &reply);
    if (r != TB_OK)
        return r;
    if (cli->arguments.json)
        return cli_print_json(tb_reply_value(reply));
    cli_say("%s: tried again now", what ? what : "all that waits");
    return TB_OK;
}

static const struct option_row options[] = {
    OPTION_ROW("--json", OPTION_FLAG, json, NULL, "print JSON"),
    OPTIONS_END,
};

const struct command command_retry = {
    .name = "retry",
    .operands = "[PROVIDER|ACCOUNT]",
    .summary = "try at once what waits or is paused",
    .options = options,
    .operands_max = 1,
    .run = run,
};

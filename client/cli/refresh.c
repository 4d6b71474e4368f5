#include <stdio.h>

#include "client/cli/accounts.h"
#include "client/cli/commands.h"
#include "schema/wire.h"

enum { REFRESH_PATH_SIZE = 256 };

static int run(struct cli *cli)
{
    CLEANUP(cleanup_reply) struct tb_reply *reply = NULL;
    char account[ACCOUNT_SIZE];
    char path[REFRESH_PATH_SIZE];

    if (!cli_account(cli, account))
        return TB_USAGE;
    (void)snprintf(path, sizeof path, WIRE_PATH_REFRESH "%s", account);
    int r = cli_call(cli, "POST", path, NULL, account, &reply);
    return r == TB_OK ? account_report(cli, tb_reply_value(reply), "refreshed") : r;
}

static const struct option_row options[] = {
    OPTION_ROW("--json", OPTION_FLAG, json, NULL, "print the account as JSON"),
    OPTIONS_END,
};

const struct command command_refresh = {
    .name = "refresh",
    .operands = "ACCOUNT",
    .summary = "refresh an account's token now",
    .options = options,
    .operands_min = 1,
    .operands_max = 1,
    .run = run,
};

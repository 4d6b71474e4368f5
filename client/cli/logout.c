#include <stdio.h>

#include "client/cli/commands.h"
#include "client/cli/prompt.h"
#include "schema/wire.h"

enum { LOGOUT_PATH_SIZE = 256, QUESTION_SIZE = 256 };

static int run(struct cli *cli)
{
    CLEANUP(cleanup_reply) struct tb_reply *reply = NULL;
    char account[ACCOUNT_SIZE];
    char path[LOGOUT_PATH_SIZE];
    char question[QUESTION_SIZE];

    if (!cli_account(cli, account))
        return TB_USAGE;
    (void)snprintf(question, sizeof question, "Revoke and forget %s? [y/N] ", account);
    if (!prompt_confirmed(cli->arguments.yes, question))
        return TB_FAILED;
    (void)snprintf(path, sizeof path, WIRE_PATH_ACCOUNTS "/%s", account);
    int r = cli_call(cli, "DELETE", path, NULL, account, &reply);
    if (r != TB_OK)
        return r;
    if (cli->arguments.json)
        return cli_print_json(tb_reply_value(reply));
    cli_say("%s: forgotten; the broker revokes it at the provider", account);
    return TB_OK;
}

static const struct option_row options[] = {
    OPTION_ROW("--yes", OPTION_FLAG, yes, NULL, "do not ask"),
    OPTION_ROW("--json", OPTION_FLAG, json, NULL, "print JSON"),
    OPTIONS_END,
};

const struct command command_logout = {
    .name = "logout",
    .operands = "ACCOUNT",
    .summary = "revoke an account's grant and forget it",
    .options = options,
    .operands_min = 1,
    .operands_max = 1,
    .run = run,
};

#include <stdio.h>

#include "client/cli/accounts.h"
#include "client/cli/commands.h"
#include "schema/wire.h"

enum { RENAME_PATH_SIZE = 256, RENAME_BODY_MAX = 1024, DONE_SIZE = 256 };

static int run(struct cli *cli)
{
    CLEANUP(cleanup_text) struct text body = TEXT_WITH_MAXIMUM(RENAME_BODY_MAX);
    CLEANUP(cleanup_reply) struct tb_reply *reply = NULL;
    char account[ACCOUNT_SIZE];
    char new_name[ACCOUNT_SIZE];
    char path[RENAME_PATH_SIZE];
    char done[DONE_SIZE];

    if (!cli_account(cli, account))
        return TB_USAGE;
    if (!account_complete(cli->arguments.operands[1], new_name)) {
        cli_complain("'%s' is no account", cli->arguments.operands[1]);
        return TB_USAGE;
    }
    text_append_string(&body, "{\"account\":");
    text_append_json(&body, new_name);
    text_append_string(&body, "}");
    (void)snprintf(path, sizeof path, WIRE_PATH_RENAME "%s", account);
    int r = cli_call(cli, "POST", path, text_string(&body), account, &reply);
    (void)snprintf(done, sizeof done, "it was %s", account);
    return r == TB_OK ? account_report(cli, tb_reply_value(reply), done) : r;
}

static const struct option_row options[] = {
    OPTION_ROW("--json", OPTION_FLAG, json, NULL, "print the account as JSON"),
    OPTIONS_END,
};

const struct command command_rename = {
    .name = "rename",
    .operands = "OLD NEW",
    .summary = "give an account another label or provider section",
    .options = options,
    .operands_min = 2,
    .operands_max = 2,
    .run = run,
};

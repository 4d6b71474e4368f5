#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "client/cli/accounts.h"
#include "client/cli/commands.h"
#include "schema/wire.h"

enum { REFRESH_PATH_SIZE = 256, PATIENCE_S = 5 };

/* The broker's own limit is about a second: that is waited for, once, rather than complained of. */
static bool worth_waiting(const struct tb_error *error)
{
    return error->code && strcmp(error->code, "too_many_requests") == 0 &&
           error->retry_after >= 0 && error->retry_after <= PATIENCE_S;
}

static int refresh(struct cli *cli, const char *path, const char *account,
                   struct tb_reply **ret_reply)
{
    CLEANUP(cleanup_error) struct tb_error *error = NULL;
    struct tb_broker *broker = cli_broker(cli);

    if (!broker)
        return TB_NO_BROKER;
    if (tb_call(broker, "POST", path, NULL, ret_reply, &error) == TB_OK)
        return TB_OK;
    if (!worth_waiting(error))
        return cli_failed(error, account);
    (void)sleep((unsigned)error->retry_after);
    return cli_call(cli, "POST", path, NULL, account, ret_reply);
}

static int run(struct cli *cli)
{
    CLEANUP(cleanup_reply) struct tb_reply *reply = NULL;
    char account[ACCOUNT_SIZE];
    char path[REFRESH_PATH_SIZE];

    if (!cli_account(cli, account))
        return TB_USAGE;
    (void)snprintf(path, sizeof path, WIRE_PATH_REFRESH "%s", account);
    int r = refresh(cli, path, account, &reply);
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

#include <stdio.h>
#include <string.h>

#include "client/cli/accounts.h"
#include "client/cli/commands.h"
#include "client/cli/health.h"
#include "client/cli/output.h"
#include "client/cli/sheet.h"
#include "schema/wire.h"

enum { STATUS_MAX = 64 * 1024 * 1024, STATUS_PATH_SIZE = 256 };

static int status_of_account(struct cli *cli)
{
    CLEANUP(cleanup_reply) struct tb_reply *reply = NULL;
    char account[ACCOUNT_SIZE];
    char path[STATUS_PATH_SIZE];

    if (!cli_account(cli, account))
        return TB_USAGE;
    (void)snprintf(path, sizeof path, WIRE_PATH_ACCOUNTS "/%s", account);
    int r = cli_call(cli, "GET", path, NULL, account, &reply);
    if (r != TB_OK)
        return r;
    const struct tb_value *value = tb_reply_value(reply);
    return cli->arguments.json ? cli_print_json(value) : account_print(value);
}

static bool needs_person(const struct tb_value *account)
{
    return strcmp(tb_value_text(tb_value_member(account, "state"), ""), "consent_required") == 0;
}

static bool add_to_sheet(const struct tb_value *account, void *userdata)
{
    struct sheet *sheet = userdata;

    if (needs_person(account))
        sheet_put(sheet, "to do", "tokenbroker login %s",
                  tb_value_text(tb_value_member(account, "account"), "?"));
    return !sheet->out.failed;
}

static bool add_to_json(const struct tb_value *account, void *userdata)
{
    struct text *out = userdata;
    size_t length = 0;
    const char *json = tb_value_json(account, &length);

    if (!needs_person(account))
        return true;
    if (out->length > 0)
        text_append_string(out, ",");
    text_append(out, json, length);
    return !out->failed;
}

static int json_of_broker(struct cli *cli, const struct tb_value *health)
{
    CLEANUP(cleanup_text) struct text accounts = TEXT_WITH_MAXIMUM(STATUS_MAX);
    CLEANUP(cleanup_text) struct text out = TEXT_WITH_MAXIMUM(STATUS_MAX * 2);
    size_t length = 0;
    const char *json = tb_value_json(health, &length);
    int r = accounts_each(cli, add_to_json, &accounts);

    text_append_string(&out, "{\"broker\":");
    text_append_json(&out, tb_broker_path(cli->broker));
    text_append_string(&out, ",\"health\":");
    text_append(&out, json, length);
    text_append_format(&out, ",\"consent_required\":[%s]}\n", text_string(&accounts));
    out.failed = out.failed || accounts.failed;
    return r == TB_OK ? output_json(&out) : r;
}

static int words_of_broker(struct cli *cli, const struct tb_value *health)
{
    CLEANUP(cleanup_sheet) struct sheet sheet = SHEET_FOR_STDOUT();
    int r = health_print(cli, health);

    if (r == TB_OK)
        r = accounts_each(cli, add_to_sheet, &sheet);
    return r == TB_OK ? output_text(&sheet.out) : r;
}

static int status_of_broker(struct cli *cli)
{
    CLEANUP(cleanup_reply) struct tb_reply *reply = NULL;
    int r = health_ask(cli, &reply);

    if (r != TB_OK)
        return r;
    return (cli->arguments.json ? json_of_broker : words_of_broker)(cli, tb_reply_value(reply));
}

static int run(struct cli *cli)
{
    return cli->arguments.operand_count > 0 ? status_of_account(cli) : status_of_broker(cli);
}

static const struct option_row options[] = {
    OPTION_ROW("--json", OPTION_FLAG, json, NULL, "print JSON"),
    OPTIONS_END,
};

const struct command command_status = {
    .name = "status",
    .operands = "[ACCOUNT]",
    .summary = "show how an account stands, or the broker and who has to log in",
    .options = options,
    .operands_max = 1,
    .run = run,
};

#include <stdio.h>

#include "client/cli/accounts.h"
#include "client/cli/commands.h"
#include "client/cli/import_lines.h"
#include "client/cli/prompt.h"
#include "schema/wire.h"

enum { IMPORT_PATH_SIZE = 256, IMPORT_BODY_MAX = 256 * 1024 };

static int put_body(const struct arguments *arguments, struct text *body)
{
    CLEANUP(cleanup_text) struct text token = TEXT_WITH_MAXIMUM(PROMPT_MAX);
    bool access = arguments->access_token;

    if (prompt_secret(access ? "Access token: " : "Refresh token: ", NULL, &token) < 0)
        return TB_USAGE;
    text_append_string(body, access ? "{\"access_token\":" : "{\"refresh_token\":");
    text_append_json(body, text_string(&token));
    if (arguments->scope) {
        text_append_string(body, ",\"scope\":");
        text_append_json(body, arguments->scope);
    }
    text_append_string(body, "}");
    return TB_OK;
}

static int import_one(struct cli *cli)
{
    CLEANUP(cleanup_text) struct text body = TEXT_WITH_MAXIMUM(IMPORT_BODY_MAX);
    CLEANUP(cleanup_reply) struct tb_reply *reply = NULL;
    char account[ACCOUNT_SIZE];
    char path[IMPORT_PATH_SIZE];

    if (!cli_account(cli, account))
        return TB_USAGE;
    int r = put_body(&cli->arguments, &body);
    if (r != TB_OK)
        return r;
    (void)snprintf(path, sizeof path, WIRE_PATH_ACCOUNTS "/%s", account);
    r = cli_call(cli, "PUT", path, text_string(&body), account, &reply);
    return r == TB_OK ? account_report(cli, tb_reply_value(reply), "imported") : r;
}

static int run(struct cli *cli)
{
    const struct arguments *arguments = &cli->arguments;

    if (arguments->jsonl &&
        (arguments->operand_count || arguments->access_token || arguments->scope)) {
        cli_complain("with --jsonl the lines name the accounts, their tokens and scopes");
        return TB_USAGE;
    }
    if (!arguments->jsonl && (arguments->operand_count == 0 || arguments->verify)) {
        cli_complain(arguments->verify ? "--verify goes with --jsonl" : "an argument is missing");
        cli_say("try: tokenbroker import --help");
        return TB_USAGE;
    }
    return arguments->jsonl ? import_lines(cli) : import_one(cli);
}

static const struct option_row options[] = {
    OPTION_ROW("--access-token", OPTION_FLAG, access_token, NULL, "it is a static access token"),
    OPTION_ROW("--scope", OPTION_TEXT, scope, "SCOPE", "what the token was granted"),
    OPTION_ROW("--json", OPTION_FLAG, json, NULL, "print the account as JSON"),
    OPTION_ROW("--jsonl", OPTION_TEXT, jsonl, "FILE", "import every line of a file; -: of stdin"),
    OPTION_ROW("--verify", OPTION_FLAG, verify, NULL, "refresh each of them once"),
    OPTIONS_END,
};

const struct command command_import = {
    .name = "import",
    .operands = "[ACCOUNT]",
    .summary = "import a refresh token, which is read from stdin, or many",
    .details = "A line of FILE is a JSON object: account, refresh_token or access_token, and\n"
               "scope if it is known. Each is reported; refused ones do not stop the others.\n",
    .options = options,
    .operands_max = 1,
    .run = run,
};

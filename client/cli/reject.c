#include <stdio.h>
#include <string.h>

#include "client/cli/commands.h"
#include "client/cli/prompt.h"
#include "schema/wire.h"

enum { REJECT_PATH_SIZE = 256, REJECT_BODY_MAX = 256 * 1024, FINGERPRINT_LENGTH = 43 };

/* A token goes by stdin, never in an argument: other users can see those. */
static int put_token(struct text *body)
{
    CLEANUP(cleanup_text) struct text token = TEXT_WITH_MAXIMUM(PROMPT_MAX);

    if (prompt_secret("Access token that the API refused: ", NULL, &token) < 0)
        return TB_USAGE;
    text_append_string(body, "{\"access_token\":");
    text_append_json(body, text_string(&token));
    text_append_string(body, "}");
    return TB_OK;
}

static int put_fingerprint(struct text *body, const char *fingerprint)
{
    if (strlen(fingerprint) != FINGERPRINT_LENGTH) {
        cli_complain("a fingerprint has %d characters: base64url of the token's SHA-256",
                     FINGERPRINT_LENGTH);
        return TB_USAGE;
    }
    text_append_string(body, "{\"fingerprint\":");
    text_append_json(body, fingerprint);
    text_append_string(body, "}");
    return TB_OK;
}

static int run(struct cli *cli)
{
    CLEANUP(cleanup_text) struct text body = TEXT_WITH_MAXIMUM(REJECT_BODY_MAX);
    CLEANUP(cleanup_reply) struct tb_reply *reply = NULL;
    const char *fingerprint = cli->arguments.fingerprint;
    char account[ACCOUNT_SIZE];
    char path[REJECT_PATH_SIZE];

    if (!cli_account(cli, account))
        return TB_USAGE;
    int r = fingerprint ? put_fingerprint(&body, fingerprint) : put_token(&body);
    if (r != TB_OK)
        return r;
    (void)snprintf(path, sizeof path, WIRE_PATH_REJECT "%s", account);
    r = cli_call(cli, "POST", path, text_string(&body), account, &reply);
    if (r != TB_OK)
        return r;
    if (cli->arguments.json)
        return cli_print_json(tb_reply_value(reply));
    cli_say("%s: that token is not handed out any more", account);
    return TB_OK;
}

static const struct option_row options[] = {
    OPTION_ROW("--fingerprint", OPTION_TEXT, fingerprint, "F",
               "of the token, in place of reading it"),
    OPTION_ROW("--json", OPTION_FLAG, json, NULL, "print JSON"),
    OPTIONS_END,
};

const struct command command_reject = {
    .name = "reject",
    .operands = "ACCOUNT",
    .summary = "report a token that the API refused; it is read from stdin",
    .details = "The fingerprint is base64url of the token's SHA-256, 43 characters.\n",
    .options = options,
    .operands_min = 1,
    .operands_max = 1,
    .run = run,
};

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "client/cli/commands.h"
#include "client/cli/hardening.h"

static bool set_variable(const char *name, const char *value)
{
    return setenv(name, value ? value : "", 1) == 0;
}

/* The environment is the child's alone: this process becomes it. */
static bool set_environment(const struct tb_token *token)
{
    char expires_at[24] = "";

    if (token->expires_at >= 0)
        (void)snprintf(expires_at, sizeof expires_at, "%" PRId64, token->expires_at);
    return set_variable("TOKENBROKER_ACCESS_TOKEN", token->access_token) &&
           set_variable("TOKENBROKER_TOKEN_TYPE", token->token_type) &&
           set_variable("TOKENBROKER_API_BASE", token->api_base) &&
           set_variable("TOKENBROKER_EXPIRES_AT", expires_at) &&
           unsetenv("TOKENBROKER_EXPIRES_IN") == 0; /* another account's, of token --format env */
}

static int run(struct cli *cli)
{
    CLEANUP(cleanup_token) struct tb_token *token = NULL;
    CLEANUP(cleanup_error) struct tb_error *error = NULL;
    char account[ACCOUNT_SIZE];
    char **rest = cli->arguments.rest;

    if (!cli_account(cli, account))
        return TB_USAGE;
    struct tb_broker *broker = cli_broker(cli);
    if (!broker)
        return TB_NO_BROKER;
    if (tb_token(broker, account, cli->arguments.min_ttl, cli->arguments.wait, &token, &error))
        return cli_failed(error, account);
    if (!set_environment(token)) {
        cli_complain("out of memory");
        return TB_FAILED;
    }
    hardening_undo();
    (void)execvp(rest[0], rest);
    const int why = errno; /* what is said may change it */
    cli_complain("cannot run %s: %s", rest[0], strerrordesc_np(why));
    return why == ENOENT ? EXIT_NOT_FOUND : EXIT_CANNOT_RUN;
}

static const struct option_row options[] = {
    OPTION_ROW("--min-ttl", OPTION_DURATION, min_ttl, "TIME", "valid for at least so long yet"),
    OPTION_ROW("--wait", OPTION_DURATION, wait, "TIME",
               "wait so long for a refresh; 30 s, at most 60"),
    OPTIONS_END,
};

const struct command command_exec = {
    .name = "exec",
    .operands = "ACCOUNT -- COMMAND [ARGUMENT]...",
    .summary = "run a command with a token in its environment",
    .details = "The command finds TOKENBROKER_ACCESS_TOKEN, TOKENBROKER_TOKEN_TYPE,\n"
               "TOKENBROKER_API_BASE and TOKENBROKER_EXPIRES_AT; its exit code is ours.\n",
    .options = options,
    .operands_min = 1,
    .operands_max = 1,
    .takes_rest = true,
    .run = run,
};

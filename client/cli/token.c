#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "client/cli/commands.h"
#include "client/cli/output.h"
#include "client/cli/quote.h"
#include "schema/wire.h"

enum { TOKEN_OUTPUT_MAX = 512 * 1024, TOKEN_PATH_MAX = 512, NUMBER_SIZE = 24 };

typedef int (*format_function)(const struct tb_token *token, struct text *out);

static int format_plain(const struct tb_token *token, struct text *out)
{
    text_append_format(out, "%s\n", token->access_token);
    return TB_OK;
}

static int format_header(const struct tb_token *token, struct text *out)
{
    if (token->present_in == TB_HEADER) {
        text_append_format(out, "%s: %s\n", token->present_name, token->present_value);
        return TB_OK;
    }
    cli_complain("%s: this API takes its token as the query parameter '%s', not in a header; "
                 "use --format curl, or plain",
                 token->account, token->present_name);
    return TB_USAGE;
}

/* url-query is curl's (7.87) for a parameter that it percent-encodes itself. */
static int format_curl(const struct tb_token *token, struct text *out)
{
    CLEANUP(cleanup_text) struct text value = TEXT_WITH_MAXIMUM(TOKEN_OUTPUT_MAX);
    bool query = token->present_in == TB_QUERY;

    text_append_format(&value, "%s%s%s", token->present_name, query ? "=" : ": ",
                       token->present_value);
    text_append_string(out, query ? "url-query = " : "header = ");
    quote_curl(out, text_string(&value));
    text_append_string(out, "\n");
    return value.failed ? TB_FAILED : TB_OK;
}

/* Without a value it is empty: that of another account must not stay in the shell. */
static void put_variable(struct text *out, const char *name, const char *value)
{
    text_append_format(out, "TOKENBROKER_%s=", name);
    quote_shell(out, value ? value : "");
    text_append_string(out, "\n");
}

static void put_number(struct text *out, const char *name, int64_t number)
{
    char digits[NUMBER_SIZE] = "";

    if (number >= 0)
        (void)snprintf(digits, sizeof digits, "%" PRId64, number);
    put_variable(out, name, digits);
}

static int format_env(const struct tb_token *token, struct text *out)
{
    put_variable(out, "ACCESS_TOKEN", token->access_token);
    put_variable(out, "TOKEN_TYPE", token->token_type);
    put_variable(out, "API_BASE", token->api_base);
    put_number(out, "EXPIRES_AT", token->expires_at);
    put_number(out, "EXPIRES_IN", token->expires_in);
    return TB_OK;
}

/* A shell that takes the variables forgets those of another account, and learns of the failure. */
static void format_env_failure(int exit_code, struct text *out)
{
    const struct tb_token none = { .expires_at = TB_DEFAULT, .expires_in = TB_DEFAULT };

    (void)format_env(&none, out);
    text_append_format(out, "(exit %d)\n", exit_code);
}

static const struct {
    const char *name;
    format_function write;
    void (*write_failure)(int exit_code, struct text *out); /* NULL: nothing on stdout */
} formats[] = {
    { "plain", format_plain, NULL }, { "header", format_header, NULL },
    { "curl", format_curl, NULL },   { "env", format_env, format_env_failure },
    { "json", NULL, NULL },
};

enum { FORMAT_COUNT = sizeof formats / sizeof *formats };

/* The index of a format; FORMAT_COUNT when there is none of that name. */
static size_t find_format(const struct arguments *arguments)
{
    const char *name = arguments->format ? arguments->format : arguments->json ? "json" : "plain";
    size_t i = 0;

    while (i < FORMAT_COUNT && strcmp(name, formats[i].name) != 0)
        i++;
    return i;
}

static int write_token(const struct tb_token *token, format_function write)
{
    CLEANUP(cleanup_text) struct text out = TEXT_WITH_MAXIMUM(TOKEN_OUTPUT_MAX);

    if (!quote_one_line(token->access_token) || !quote_one_line(token->present_name) ||
        !quote_one_line(token->present_value) || !quote_one_line(token->token_type)) {
        cli_complain("%s: the token has control characters in it: use --format json",
                     token->account);
        return TB_FAILED;
    }
    int r = write(token, &out);
    return r == TB_OK ? output_text(&out) : r;
}

/* The broker's answer as it is. */
static int print_json(struct cli *cli, const char *account)
{
    CLEANUP(cleanup_text) struct text path = TEXT_WITH_MAXIMUM(TOKEN_PATH_MAX);
    CLEANUP(cleanup_reply) struct tb_reply *reply = NULL;
    const struct arguments *arguments = &cli->arguments;

    text_append_format(&path, WIRE_PATH_TOKEN "%s?wait=%" PRId64, account,
                       arguments->wait >= 0 ? arguments->wait : WIRE_WAIT_DEFAULT_S);
    if (arguments->min_ttl >= 0)
        text_append_format(&path, "&min_ttl=%" PRId64, arguments->min_ttl);
    int r = cli_call(cli, "GET", text_string(&path), NULL, account, &reply);
    return r == TB_OK ? cli_print_json(tb_reply_value(reply)) : r;
}

static int run(struct cli *cli)
{
    CLEANUP(cleanup_token) struct tb_token *token = NULL;
    CLEANUP(cleanup_error) struct tb_error *error = NULL;
    const size_t format = find_format(&cli->arguments);
    char account[ACCOUNT_SIZE];

    if (format == FORMAT_COUNT) {
        cli_complain("no format '%s': there are plain, json, header, curl and env",
                     cli->arguments.format);
        return TB_USAGE;
    }
    if (!cli_account(cli, account))
        return TB_USAGE;
    if (!formats[format].write)
        return print_json(cli, account);
    struct tb_broker *broker = cli_broker(cli);
    if (!broker)
        return TB_NO_BROKER;
    if (tb_token(broker, account, cli->arguments.min_ttl, cli->arguments.wait, &token, &error))
        return cli_failed(error, account);
    return write_token(token, formats[format].write);
}

static void failed(const struct arguments *arguments, int exit_code)
{
    CLEANUP(cleanup_text) struct text out = TEXT_WITH_MAXIMUM(TOKEN_OUTPUT_MAX);
    const size_t format = find_format(arguments);

    if (format == FORMAT_COUNT || !formats[format].write_failure)
        return;
    formats[format].write_failure(exit_code, &out);
    /* It was said already where stdout takes nothing; the exit code tells of the failure. */
    (void)output_bytes(STDOUT_FILENO, text_string(&out), out.length);
}

static const struct option_row options[] = {
    OPTION_ROW("--min-ttl", OPTION_DURATION, min_ttl, "TIME", "valid for at least so long yet"),
    OPTION_ROW("--wait", OPTION_DURATION, wait, "TIME",
               "wait so long for a refresh; 30 s, at most 60"),
    OPTION_ROW("--format", OPTION_TEXT, format, "FORMAT", "plain, json, header, curl or env"),
    OPTION_ROW("--json", OPTION_FLAG, json, NULL, "the same as --format json"),
    OPTIONS_END,
};

const struct command command_token = {
    .name = "token",
    .operands = "ACCOUNT",
    .summary = "print an access token that is valid now",
    .details = "  curl -K <(tokenbroker token zenegy/acme --format curl) https://api.example/\n"
               "  eval \"$(tokenbroker token zenegy/acme --format env)\"\n",
    .options = options,
    .operands_min = 1,
    .operands_max = 1,
    .run = run,
    .failed = failed,
};

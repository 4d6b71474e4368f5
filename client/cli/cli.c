#include "client/cli/cli.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "client/cli/output.h"

enum { MESSAGE_MAX = 64 * 1024, JSON_MAX = 2 * 1024 * 1024 };

PRINTF_LIKE(2, 0)
static void put(const char *prefix, const char *format, va_list arguments)
{
    CLEANUP(cleanup_text) struct text out = TEXT_WITH_MAXIMUM(MESSAGE_MAX);
    CLEANUP(cleanup_string) char *message = NULL;

    if (vasprintf(&message, format, arguments) < 0)
        message = NULL;
    text_append_string(&out, prefix);
    output_harmless(&out, message ? message : "out of memory");
    text_append_string(&out, "\n");
    /* Nobody is left to tell when stderr fails. */
    (void)output_bytes(STDERR_FILENO, text_string(&out), out.length);
}

void cli_complain(const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    put("tokenbroker: ", format, arguments);
    va_end(arguments);
}

void cli_say(const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    put("", format, arguments);
    va_end(arguments);
}

/* --- failures --- */

/* What an account needs is in the broker's own words: a login, or an admin's decision. */
static void give_hint(const struct tb_error *error)
{
    if (error->status == TB_NO_BROKER)
        cli_say("start it: systemctl --user start tokenbroker (or without --user: the system's)");
    if (error->start_url)
        cli_say("a person has to consent: %s", error->start_url);
    if (error->max_min_ttl >= 0)
        cli_say("the most that --min-ttl may be: %lld", (long long)error->max_min_ttl);
    if (error->retry_after >= 0)
        cli_say("worth another try in %lld s", (long long)error->retry_after);
}

/* The message as it is; the last line says which broker was asked, and about which account. */
int cli_failed(const struct tb_error *error, const char *account)
{
    const char *about = error->account ? error->account : account;

    cli_complain("%s%s%s%s", error->message, error->code ? " (" : "",
                 error->code ? error->code : "", error->code ? ")" : "");
    give_hint(error);
    if (error->broker)
        cli_say("asked the broker on %s%s%s", error->broker, about ? " about " : "",
                about ? about : "");
    return (int)error->status;
}

/* --- the broker --- */

struct tb_broker *cli_broker(struct cli *cli)
{
    CLEANUP(cleanup_error) struct tb_error *error = NULL;

    if (!cli->broker && tb_connect(cli->arguments.socket, &cli->broker, &error) != TB_OK)
        cli_failed(error, NULL);
    return cli->broker;
}

int cli_call(struct cli *cli, const char *method, const char *path, const char *body,
             const char *account, struct tb_reply **ret_reply)
{
    CLEANUP(cleanup_error) struct tb_error *error = NULL;
    struct tb_broker *broker = cli_broker(cli);

    if (!broker)
        return TB_NO_BROKER;
    if (tb_call(broker, method, path, body, ret_reply, &error) == TB_OK)
        return TB_OK;
    return cli_failed(error, account);
}

bool cli_account(const struct cli *cli, char out[static ACCOUNT_SIZE])
{
    const char *name = cli->arguments.operands[0];

    if (account_complete(name, out))
        return true;
    cli_complain("'%s' is no account: write PROVIDER/LABEL, or PROVIDER for PROVIDER/default",
                 name);
    return false;
}

int cli_print_json(const struct tb_value *value)
{
    CLEANUP(cleanup_text) struct text out = TEXT_WITH_MAXIMUM(JSON_MAX);
    size_t length = 0;
    const char *json = tb_value_json(value, &length);

    text_append(&out, json, length);
    text_append_string(&out, "\n");
    return output_json(&out);
}

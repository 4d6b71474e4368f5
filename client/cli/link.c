#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "client/cli/accounts.h"
#include "client/cli/commands.h"
#include "client/cli/link_csv.h"
#include "client/cli/output.h"
#include "client/cli/words.h"
#include "schema/wire.h"

enum { LINK_PATH_SIZE = 256, LINK_BODY_MAX = 64 * 1024, LINKS_MAX = 64 * 1024 * 1024 };

/* --- one --- */

static void put_member(struct text *body, const char *name, const char *value)
{
    text_append_string(body, body->length > 1 ? "," : "");
    text_append_json(body, name);
    text_append_string(body, ":");
    text_append_json(body, value);
}

/* "name=value" as an object's only member. */
static void put_pair(struct text *body, const char *pair)
{
    CLEANUP(cleanup_text) struct text name = TEXT_WITH_MAXIMUM(LINK_BODY_MAX);
    const char *equals = strchr(pair, '=');

    text_append(&name, pair, (size_t)(equals - pair));
    text_append_json(body, text_string(&name));
    text_append_string(body, ":");
    text_append_json(body, equals + 1);
}

static void put_params(struct text *body, const struct arguments *arguments)
{
    text_append_string(body, body->length > 1 ? ",\"params\":{" : "\"params\":{");
    for (size_t i = 0; i < arguments->param_count; i++) {
        text_append_string(body, i > 0 ? "," : "");
        put_pair(body, arguments->params[i]);
    }
    text_append_string(body, "}");
}

void link_put_body(struct text *body, const struct arguments *arguments, int64_t expires_s,
                   const char *expect)
{
    text_append_string(body, "{");
    if (expires_s != TB_DEFAULT)
        text_append_format(body, "\"expires_in\":%" PRId64, expires_s);
    if (arguments->scope)
        put_member(body, "scope", arguments->scope);
    if (expect) {
        text_append_string(body, body->length > 1 ? ",\"expect\":{" : "\"expect\":{");
        put_pair(body, expect);
        text_append_string(body, "}");
    }
    if (arguments->param_count > 0)
        put_params(body, arguments);
    text_append_string(body, "}");
}

/* The address alone on stdout; who may use it and until when on stderr. */
static int report(const struct cli *cli, const struct tb_value *link)
{
    CLEANUP(cleanup_text) struct text out = TEXT_WITH_MAXIMUM(LINK_BODY_MAX);
    char words[WORDS_SIZE];
    const char *expected = tb_value_text(tb_value_member(link, "expected_identity"), NULL);
    int64_t at = tb_value_integer(tb_value_member(link, "expires_at"), 0);

    if (cli->arguments.json)
        return cli_print_json(link);
    output_harmless(&out, tb_value_text(tb_value_member(link, "url"), ""));
    text_append_string(&out, "\n");
    int r = output_text(&out);
    if (r == TB_OK && expected)
        cli_say("for %s; it ends %s", expected, words_moment(at, words_now(), words));
    else if (r == TB_OK)
        cli_say("it ends %s; the consent is held until you accept it, as no identity is expected",
                words_moment(at, words_now(), words));
    return r;
}

static int make(struct cli *cli)
{
    CLEANUP(cleanup_text) struct text body = TEXT_WITH_MAXIMUM(LINK_BODY_MAX);
    CLEANUP(cleanup_reply) struct tb_reply *reply = NULL;
    char account[ACCOUNT_SIZE];
    char path[LINK_PATH_SIZE];

    if (!cli_account(cli, account))
        return TB_USAGE;
    if (cli->arguments.expect && !link_expect_valid(cli->arguments.expect)) {
        cli_complain("--expect takes NAME=VALUE, not '%s'", cli->arguments.expect);
        return TB_USAGE;
    }
    link_put_body(&body, &cli->arguments, cli->arguments.expires, cli->arguments.expect);
    (void)snprintf(path, sizeof path, WIRE_PATH_LINKS "/%s", account);
    int r = cli_call(cli, "POST", path, text_string(&body), account, &reply);
    return r == TB_OK ? report(cli, tb_reply_value(reply)) : r;
}

static int withdraw(struct cli *cli)
{
    CLEANUP(cleanup_reply) struct tb_reply *reply = NULL;
    char account[ACCOUNT_SIZE];
    char path[LINK_PATH_SIZE];

    if (!cli_account(cli, account))
        return TB_USAGE;
    (void)snprintf(path, sizeof path, WIRE_PATH_LINKS "/%s", account);
    int r = cli_call(cli, "DELETE", path, NULL, account, &reply);
    if (r != TB_OK)
        return r;
    if (cli->arguments.json)
        return cli_print_json(tb_reply_value(reply));
    cli_say("%s: its link does nothing any more", account);
    return TB_OK;
}

/* --- all --- */

static bool add_row(const struct tb_value *link, void *userdata)
{
    struct table *table = userdata;
    char words[WORDS_SIZE], attempts[24];
    int64_t at = tb_value_integer(tb_value_member(link, "expires_at"), 0);

    (void)snprintf(attempts, sizeof attempts, "%" PRId64,
                   tb_value_integer(tb_value_member(link, "attempts"), 0));
    table_add(table, tb_value_text(tb_value_member(link, "account"), "?"), TINT_NONE);
    table_add(table, words_moment(at, words_now(), words),
              at > words_now() ? TINT_NONE : TINT_WARNING);
    table_add(table, attempts, TINT_NONE);
    table_add(table, tb_value_text(tb_value_member(link, "expected_identity"), ""), TINT_NONE);
    table_add(table, tb_value_text(tb_value_member(link, "url"), ""), TINT_NONE);
    return !table->failed;
}

static bool add_json(const struct tb_value *link, void *userdata)
{
    struct text *out = userdata;
    size_t length = 0;
    const char *json = tb_value_json(link, &length);

    if (out->data[out->length - 1] != '[')
        text_append_string(out, ",");
    text_append(out, json, length);
    return !out->failed;
}

static int list_json(struct cli *cli)
{
    CLEANUP(cleanup_text) struct text out = TEXT_WITH_MAXIMUM(LINKS_MAX);

    text_append_string(&out, "{\"links\":[");
    int r = out.failed ? TB_OK : pages_each(cli, WIRE_PATH_LINKS, "links", add_json, &out);
    text_append_string(&out, "]}\n");
    return r == TB_OK ? output_json(&out) : r;
}

static int list_table(struct cli *cli)
{
    static const char *const headings[] = { "ACCOUNT", "ENDS", "ATTEMPTS", "EXPECTED", "ADDRESS" };
    CLEANUP(cleanup_table) struct table table = { .columns = 5, .flexible = 3 };
    CLEANUP(cleanup_text) struct text out = TEXT_WITH_MAXIMUM(LINKS_MAX);

    for (size_t i = 0; i < table.columns; i++)
        table_add(&table, headings[i], TINT_NONE);
    int r = pages_each(cli, WIRE_PATH_LINKS, "links", add_row, &table);
    if (r != TB_OK)
        return r;
    if (table.count == table.columns) {
        cli_say("no link is open");
        return TB_OK;
    }
    table_put(&table, 0, output_coloured(STDOUT_FILENO), &out); /* an address that is cut is none */
    out.failed = out.failed || table.failed;
    return output_text(&out);
}

static int run(struct cli *cli)
{
    const struct arguments *arguments = &cli->arguments;
    const bool whole = arguments->csv || arguments->list;

    if ((arguments->csv && arguments->list) ||
        (whole && (arguments->revoke || arguments->expect)) ||
        whole == (arguments->operand_count > 0)) {
        cli_complain(whole ? "--csv and --list take no account, and go with nothing else"
                           : "an argument is missing");
        cli_say("try: tokenbroker link --help");
        return TB_USAGE;
    }
    if (arguments->csv)
        return link_csv(cli);
    if (arguments->list)
        return arguments->json ? list_json(cli) : list_table(cli);
    return arguments->revoke ? withdraw(cli) : make(cli);
}

static const struct option_row options[] = {
    OPTION_ROW("--expires", OPTION_DURATION, expires, "TIME", "how long it works, such as 7d"),
    OPTION_ROW("--expect", OPTION_TEXT, expect, "NAME=VALUE", "whose consent it is for"),
    OPTION_ROW("--scope", OPTION_TEXT, scope, "SCOPE", "what to ask for"),
    OPTION_ROW("--param", OPTION_PARAM, params, "NAME=VALUE", "for the authorization request"),
    OPTION_ROW("--csv", OPTION_TEXT, csv, "FILE", "one for each line: account,expires,expect"),
    OPTION_ROW("--list", OPTION_FLAG, list, NULL, "list those that are open"),
    OPTION_ROW("--revoke", OPTION_FLAG, revoke, NULL, "end the account's link"),
    OPTION_ROW("--json", OPTION_FLAG, json, NULL, "print JSON"),
    OPTIONS_END,
};

const struct command command_link = {
    .name = "link",
    .operands = "[ACCOUNT]",
    .summary = "make a link by which somebody elsewhere connects an account",
    .details = "It works until the consent succeeds, it expires, or a newer is made. Without\n"
               "--expect a first consent is held until you accept it. With --csv, -: of stdin;\n"
               "what is printed is CSV too: account,url.\n",
    .options = options,
    .operands_max = 1,
    .run = run,
};

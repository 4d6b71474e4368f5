#include <stdio.h>

#include "client/cli/accounts.h"
#include "client/cli/commands.h"
#include "client/cli/output.h"
#include "client/cli/words.h"
#include "schema/wire.h"

enum { HELD_PATH_SIZE = 256, HELD_MAX = 16 * 1024 * 1024 };

/* --- held --- */

static bool add_row(const struct tb_value *held, void *userdata)
{
    struct table *table = userdata;
    char words[WORDS_SIZE];
    int64_t at = tb_value_integer(tb_value_member(held, "created_at"), 0);

    table_add(table, tb_value_text(tb_value_member(held, "account"), "?"), TINT_NONE);
    table_add(table, tb_value_text(tb_value_member(held, "identity"), ""), TINT_NONE);
    table_add(table, tb_value_text(tb_value_member(held, "held_identity"), ""), TINT_WARNING);
    table_add(table, words_moment(at, words_now(), words), TINT_NONE);
    return !table->failed;
}

static int held_table(struct cli *cli)
{
    static const char *const headings[] = { "ACCOUNT", "IDENTITY", "HELD", "SINCE" };
    CLEANUP(cleanup_table) struct table table = { .columns = 4, .flexible = 1 };
    CLEANUP(cleanup_text) struct text out = TEXT_WITH_MAXIMUM(HELD_MAX);

    for (size_t i = 0; i < table.columns; i++)
        table_add(&table, headings[i], TINT_NONE);
    int r = pages_each(cli, WIRE_PATH_HELD, "held", add_row, &table);
    if (r != TB_OK)
        return r;
    if (table.count == table.columns) {
        cli_say("no consent is held");
        return TB_OK;
    }
    table_put(&table, output_width(), output_coloured(STDOUT_FILENO), &out);
    out.failed = out.failed || table.failed;
    r = output_text(&out);
    if (r == TB_OK)
        cli_say("decide with: tokenbroker accept ACCOUNT, or tokenbroker discard ACCOUNT");
    return r;
}

static bool add_json(const struct tb_value *held, void *userdata)
{
    struct text *out = userdata;
    size_t length = 0;
    const char *json = tb_value_json(held, &length);

    if (out->data[out->length - 1] != '[')
        text_append_string(out, ",");
    text_append(out, json, length);
    return !out->failed;
}

static int held_json(struct cli *cli)
{
    CLEANUP(cleanup_text) struct text out = TEXT_WITH_MAXIMUM(HELD_MAX);

    text_append_string(&out, "{\"held\":[");
    int r = out.failed ? TB_OK : pages_each(cli, WIRE_PATH_HELD, "held", add_json, &out);
    text_append_string(&out, "]}\n");
    return r == TB_OK ? output_json(&out) : r;
}

static int run_held(struct cli *cli)
{
    return cli->arguments.json ? held_json(cli) : held_table(cli);
}

/* --- accept, discard --- */

static int decide(struct cli *cli, const char *body, struct tb_reply **ret)
{
    char account[ACCOUNT_SIZE];
    char path[HELD_PATH_SIZE];

    if (!cli_account(cli, account))
        return TB_USAGE;
    (void)snprintf(path, sizeof path, WIRE_PATH_HELD "/%s", account);
    return cli_call(cli, "POST", path, body, account, ret);
}

static int run_accept(struct cli *cli)
{
    CLEANUP(cleanup_reply) struct tb_reply *reply = NULL;
    CLEANUP(cleanup_text) struct text done = TEXT_WITH_MAXIMUM(HELD_MAX);
    int r = decide(cli, "{\"decision\":\"accept\"}", &reply);

    if (r != TB_OK)
        return r;
    const struct tb_value *account = tb_reply_value(reply);
    const char *who = tb_value_text(tb_value_member(account, "identity"), NULL);
    if (who)
        text_append_format(&done, "the consent of %s is its grant now", who);
    else
        text_append_string(&done, "the held consent is its grant now");
    return account_report(cli, account, text_string(&done));
}

static int run_discard(struct cli *cli)
{
    CLEANUP(cleanup_reply) struct tb_reply *reply = NULL;
    int r = decide(cli, "{\"decision\":\"discard\"}", &reply);

    return r == TB_OK ? account_report(cli, tb_reply_value(reply), "the held consent is forgotten")
                      : r;
}

static const struct option_row options[] = {
    OPTION_ROW("--json", OPTION_FLAG, json, NULL, "print JSON"),
    OPTIONS_END,
};

const struct command command_held = {
    .name = "held",
    .summary = "list consents for another company or person than before",
    .options = options,
    .run = run_held,
};

const struct command command_accept = {
    .name = "accept",
    .operands = "ACCOUNT",
    .summary = "make the held consent the account's grant",
    .options = options,
    .operands_min = 1,
    .operands_max = 1,
    .run = run_accept,
};

const struct command command_discard = {
    .name = "discard",
    .operands = "ACCOUNT",
    .summary = "revoke and forget the held consent; the account's grant stays",
    .options = options,
    .operands_min = 1,
    .operands_max = 1,
    .run = run_discard,
};

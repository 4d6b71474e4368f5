#include <inttypes.h>
#include <stdio.h>

#include "client/cli/commands.h"
#include "client/cli/output.h"
#include "client/cli/table.h"
#include "client/cli/words.h"
#include "schema/wire.h"

enum { AUDIT_PATH_SIZE = 256, AUDIT_MAX = 4 * 1024 * 1024, NUMBER_SIZE = 24 };

static int ask(struct cli *cli, struct tb_reply **ret_reply)
{
    char account[ACCOUNT_SIZE] = "";
    char path[AUDIT_PATH_SIZE];
    int64_t limit = cli->arguments.limit;
    bool about_one = cli->arguments.operand_count > 0;

    if (about_one && !cli_account(cli, account))
        return TB_USAGE;
    (void)snprintf(path, sizeof path, WIRE_PATH_AUDIT "?limit=%" PRId64 "%s%s",
                   limit > 0 ? limit : WIRE_LIST_LIMIT_DEFAULT, about_one ? "&account=" : "",
                   account);
    return cli_call(cli, "GET", path, NULL, about_one ? account : NULL, ret_reply);
}

static void add_number(struct table *table, const struct tb_value *row, const char *name)
{
    char number[NUMBER_SIZE];

    (void)snprintf(number, sizeof number, "%" PRId64,
                   tb_value_integer(tb_value_member(row, name), 0));
    table_add(table, number, TINT_NONE);
}

static void add_row(struct table *table, const struct tb_value *row)
{
    char words[WORDS_SIZE];
    int64_t at = tb_value_integer(tb_value_member(row, "last_at"), 0);

    table_add(table, words_moment(at, words_now(), words), TINT_NONE);
    table_add(table, tb_value_text(tb_value_member(row, "account"), ""), TINT_NONE);
    add_number(table, row, "uid");
    table_add(table, tb_value_text(tb_value_member(row, "verdict"), "?"), TINT_NONE);
    add_number(table, row, "count");
    table_add(table, tb_value_text(tb_value_member(row, "unit"), ""), TINT_NONE);
}

static int print_table(const struct tb_value *page)
{
    static const char *const headings[] = { "LAST", "ACCOUNT", "UID", "VERDICT", "TIMES", "UNIT" };
    CLEANUP(cleanup_table) struct table table = { .columns = 6, .flexible = 1 };
    CLEANUP(cleanup_text) struct text out = TEXT_WITH_MAXIMUM(AUDIT_MAX);

    for (size_t i = 0; i < table.columns; i++)
        table_add(&table, headings[i], TINT_NONE);
    const struct tb_value *row = tb_value_first(tb_value_member(page, "audit"));
    for (; row; row = tb_value_next(row))
        add_row(&table, row);
    table_put(&table, output_width(), false, &out);
    out.failed = out.failed || table.failed;
    return output_text(&out);
}

static int run(struct cli *cli)
{
    CLEANUP(cleanup_reply) struct tb_reply *reply = NULL;
    int r = ask(cli, &reply);

    if (r != TB_OK)
        return r;
    const struct tb_value *page = tb_reply_value(reply);
    return cli->arguments.json ? cli_print_json(page) : print_table(page);
}

static const struct option_row options[] = {
    OPTION_ROW("--limit", OPTION_NUMBER, limit, "N", "print N rows; 100, at most 500"),
    OPTION_ROW("--json", OPTION_FLAG, json, NULL, "print JSON"),
    OPTIONS_END,
};

const struct command command_audit = {
    .name = "audit",
    .operands = "[ACCOUNT]",
    .summary = "show who asked for what, the newest first",
    .options = options,
    .operands_max = 1,
    .run = run,
};

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "client/cli/commands.h"
#include "client/cli/output.h"
#include "client/cli/table.h"
#include "client/cli/words.h"
#include "schema/wire.h"

enum {
    CALLERS_PATH_SIZE = 64,
    CALLERS_TEXT_MAX = 4 * 1024 * 1024,
    NUMBER_SIZE = 24,
    ID_DIGITS_MAX = 18
};

static const char *number_of(const struct tb_value *row, const char *name,
                             char out[static NUMBER_SIZE])
{
    (void)snprintf(out, NUMBER_SIZE, "%" PRId64, tb_value_integer(tb_value_member(row, name), 0));
    return out;
}

static const char *text_of(const struct tb_value *row, const char *name)
{
    return tb_value_text(tb_value_member(row, name), "");
}

/* --- callers --- */

static void add_row(struct table *table, const struct tb_value *row)
{
    const bool waits = strcmp(text_of(row, "state"), "waiting") == 0;
    char number[NUMBER_SIZE], words[WORDS_SIZE];
    int64_t at = tb_value_integer(tb_value_member(row, waits ? "asked_at" : "approved_at"), 0);

    table_add(table, number_of(row, "id", number), TINT_NONE);
    table_add(table, text_of(row, "state"), waits ? TINT_WARNING : TINT_NONE);
    table_add(table, words_moment(at, words_now(), words), TINT_NONE);
    table_add(table, number_of(row, "uid", number), TINT_NONE);
    table_add(table, text_of(row, "unit"), TINT_NONE);
    table_add(table, text_of(row, "rule"), TINT_NONE);
    table_add(table, text_of(row, "account"), TINT_NONE);
}

static int print_table(const struct tb_value *rows)
{
    static const char *const headings[] = { "ID",   "STATE", "SINCE",      "UID",
                                            "UNIT", "RULE",  "ASKED FIRST" };
    CLEANUP(cleanup_table) struct table table = { .columns = 7, .flexible = 4 };
    CLEANUP(cleanup_text) struct text out = TEXT_WITH_MAXIMUM(CALLERS_TEXT_MAX);

    for (size_t i = 0; i < table.columns; i++)
        table_add(&table, headings[i], TINT_NONE);
    for (const struct tb_value *row = tb_value_first(rows); row; row = tb_value_next(row))
        add_row(&table, row);
    if (table.count == table.columns) {
        cli_say("no caller waits, and none was approved: see approve in tokenbroker.conf(5)");
        return TB_OK;
    }
    table_put(&table, output_width(), output_coloured(STDOUT_FILENO), &out);
    out.failed = out.failed || table.failed;
    return output_text(&out);
}

static int list(struct cli *cli)
{
    CLEANUP(cleanup_reply) struct tb_reply *reply = NULL;
    int r = cli_call(cli, "GET", WIRE_PATH_CALLERS, NULL, NULL, &reply);

    if (r != TB_OK)
        return r;
    const struct tb_value *page = tb_reply_value(reply);
    return cli->arguments.json ? cli_print_json(page)
                               : print_table(tb_value_member(page, "callers"));
}

/* One request about one caller; says what was done. */
static int change(struct cli *cli, const char *method, const char *id, const char *done)
{
    CLEANUP(cleanup_reply) struct tb_reply *reply = NULL;
    char path[CALLERS_PATH_SIZE], uid[NUMBER_SIZE];

    (void)snprintf(path, sizeof path, WIRE_PATH_CALLERS "/%s", id);
    int r = cli_call(cli, method, path, NULL, NULL, &reply);
    if (r != TB_OK)
        return r;
    const struct tb_value *row = tb_reply_value(reply);
    const char *unit = text_of(row, "unit");
    if (cli->arguments.json)
        return cli_print_json(row);
    cli_say("uid %s%s%s%s under access rule %s: %s", number_of(row, "uid", uid), *unit ? " (" : "",
            unit, *unit ? ")" : "", text_of(row, "rule"), done);
    return TB_OK;
}

static int run_callers(struct cli *cli)
{
    char id[NUMBER_SIZE];

    if (cli->arguments.forget <= 0)
        return list(cli);
    (void)snprintf(id, sizeof id, "%" PRId64, cli->arguments.forget);
    return change(cli, "DELETE", id, "forgotten; it has to be approved anew");
}

/* --- approve --- */

static int run_approve(struct cli *cli)
{
    const char *id = cli->arguments.operands[0];

    if (!*id || strlen(id) > ID_DIGITS_MAX || strspn(id, "0123456789") != strlen(id)) {
        cli_complain("'%s' is no caller's id: see tokenbroker callers", id);
        return TB_USAGE;
    }
    return change(cli, "POST", id, "approved");
}

static const struct option_row callers_options[] = {
    OPTION_ROW("--forget", OPTION_NUMBER, forget, "ID", "withdraw the approval of that caller"),
    OPTION_ROW("--json", OPTION_FLAG, json, NULL, "print JSON"),
    OPTIONS_END,
};

static const struct option_row approve_options[] = {
    OPTION_ROW("--json", OPTION_FLAG, json, NULL, "print JSON"),
    OPTIONS_END,
};

const struct command command_callers = {
    .name = "callers",
    .summary = "list who waits for approval, and who has it",
    .options = callers_options,
    .run = run_callers,
};

const struct command command_approve = {
    .name = "approve",
    .operands = "ID",
    .summary = "let a caller in that waits for approval",
    .options = approve_options,
    .operands_min = 1,
    .operands_max = 1,
    .run = run_approve,
};

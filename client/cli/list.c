#include <stdio.h>
#include <string.h>

#include "client/cli/accounts.h"
#include "client/cli/commands.h"
#include "client/cli/output.h"
#include "client/cli/words.h"
#include "schema/wire.h"

enum { LIST_MAX = 64 * 1024 * 1024 };

static void add_moment(struct table *table, const struct tb_value *account, const char *name)
{
    char words[WORDS_SIZE] = "";
    int64_t at = tb_value_integer(tb_value_member(account, name), TB_DEFAULT);

    table_add(table, at >= 0 ? words_moment(at, words_now(), words) : "", TINT_NONE);
}

/* Only where somebody should think of it. */
static void add_forecast(struct table *table, const struct tb_value *forecast)
{
    char words[WORDS_SIZE] = "";
    const char *warning = tb_value_text(tb_value_member(forecast, "warning"), "none");
    int64_t at = tb_value_integer(tb_value_member(forecast, "dies_at"), TB_DEFAULT);
    int64_t now = words_now();

    if (at > now && strcmp(warning, "none") != 0)
        (void)words_moment(at, now, words);
    table_add(table, words, forecast_tint(warning));
}

static bool add_row(const struct tb_value *account, void *userdata)
{
    struct table *table = userdata;
    const char *state = tb_value_text(tb_value_member(account, "state"), "?");

    table_add(table, tb_value_text(tb_value_member(account, "account"), "?"), TINT_NONE);
    table_add(table, account_state_words(state), account_tint(state));
    add_moment(table, account, "expires_at");
    if (tb_value_member(account, "moved_at"))
        table_add(table, "moved", TINT_BAD);
    else
        add_moment(table, account, "next_refresh_at");
    table_add(table, tb_value_text(tb_value_member(account, "identity"), ""), TINT_NONE);
    add_forecast(table, tb_value_member(account, "forecast"));
    return !table->failed;
}

static void add_headings(struct table *table)
{
    static const char *const headings[] = { "ACCOUNT", "STATE",    "TOKEN ENDS",
                                            "REFRESH", "IDENTITY", "DIES" };

    table->columns = table->flexible = sizeof headings / sizeof *headings;
    table->flexible -= 2;
    for (size_t i = 0; i < table->columns; i++)
        table_add(table, headings[i], TINT_NONE);
}

static int list_table(struct cli *cli)
{
    CLEANUP(cleanup_table) struct table table = { 0 };
    CLEANUP(cleanup_text) struct text out = TEXT_WITH_MAXIMUM(LIST_MAX);

    add_headings(&table);
    int r = accounts_each(cli, add_row, &table);
    if (r != TB_OK)
        return r;
    if (table.count == table.columns)
        cli_say("no accounts that you may see; connect one: tokenbroker login PROVIDER/LABEL");
    table_put(&table, output_width(), output_coloured(STDOUT_FILENO), &out);
    out.failed = out.failed || table.failed;
    return output_text(&out);
}

static bool add_json(const struct tb_value *account, void *userdata)
{
    struct text *out = userdata;
    size_t length = 0;
    const char *json = tb_value_json(account, &length);

    if (out->data[out->length - 1] != '[')
        text_append_string(out, ",");
    text_append(out, json, length);
    return !out->failed;
}

static int list_json(struct cli *cli)
{
    CLEANUP(cleanup_text) struct text out = TEXT_WITH_MAXIMUM(LIST_MAX);

    text_append_string(&out, "{\"accounts\":[");
    int r = out.failed ? TB_OK : accounts_each(cli, add_json, &out);
    text_append_string(&out, "]}\n");
    return r == TB_OK ? output_json(&out) : r;
}

static int run(struct cli *cli)
{
    return cli->arguments.json ? list_json(cli) : list_table(cli);
}

static const struct option_row options[] = {
    OPTION_ROW("--json", OPTION_FLAG, json, NULL, "print JSON"),
    OPTIONS_END,
};

const struct command command_list = {
    .name = "list",
    .summary = "list the accounts that you may see",
    .options = options,
    .run = run,
};

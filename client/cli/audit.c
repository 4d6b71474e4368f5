#include <inttypes.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "client/cli/commands.h"
#include "client/cli/duration.h"
#include "client/cli/output.h"
#include "client/cli/table.h"
#include "client/cli/words.h"
#include "client/text.h"
#include "schema/wire.h"

enum { AUDIT_PATH_MAX = 4096, AUDIT_MAX = 4 * 1024 * 1024, NUMBER_SIZE = 24 };

/* Appends &name=value, percent-encoded; nothing where value is NULL. */
static void put_parameter(struct text *path, const char *name, const char *value)
{
    if (!value)
        return;
    text_append_format(path, "&%s=", name);
    text_append_percent(path, value);
}

static void put_number(struct text *path, const char *name, int64_t number)
{
    text_append_format(path, "&%s=%" PRId64, name, number);
}

/* A user by name or number; false, and says so, when there is none. */
static bool put_user(struct text *path, const char *user)
{
    if (!user)
        return true;
    if (*user && strspn(user, "0123456789") == strlen(user)) {
        put_parameter(path, "uid", user);
        return true;
    }
    const struct passwd *found = getpwnam(user);
    if (!found) {
        cli_complain("there is no user '%s'", user);
        return false;
    }
    put_number(path, "uid", found->pw_uid);
    return true;
}

/* How long ago, or a day's beginning here; false, and says so, when it is neither. */
static bool put_since(struct text *path, const char *since)
{
    struct tm day = { .tm_isdst = -1 };
    int64_t ago_s = 0;

    if (!since)
        return true;
    if (duration_parse(since, &ago_s)) {
        put_number(path, "since", words_now() - ago_s);
        return true;
    }
    const char *end = strptime(since, "%Y-%m-%d", &day);
    if (!end || *end || mktime(&day) < 0) {
        cli_complain("--since takes how long ago (2h, 14d) or a date (2026-01-31), not '%s'",
                     since);
        return false;
    }
    put_number(path, "since", (int64_t)mktime(&day));
    return true;
}

/* The account's whole name, or a glob as it is; false, and says so, when it is neither. */
static bool put_account(struct text *path, const struct cli *cli)
{
    char account[ACCOUNT_SIZE];

    if (cli->arguments.operand_count == 0)
        return true;
    if (strpbrk(cli->arguments.operands[0], "*?")) {
        put_parameter(path, "account", cli->arguments.operands[0]);
        return true;
    }
    if (!cli_account(cli, account))
        return false;
    put_parameter(path, "account", account);
    return true;
}

static int ask(struct cli *cli, struct tb_reply **ret_reply)
{
    CLEANUP(cleanup_text) struct text path = TEXT_WITH_MAXIMUM(AUDIT_PATH_MAX);
    const struct arguments *arguments = &cli->arguments;

    text_append_format(&path, WIRE_PATH_AUDIT "?limit=%" PRId64,
                       arguments->limit > 0 ? arguments->limit : WIRE_LIST_LIMIT_DEFAULT);
    if (!put_account(&path, cli) || !put_user(&path, arguments->user) ||
        !put_since(&path, arguments->since))
        return TB_USAGE;
    put_parameter(&path, "unit", arguments->unit);
    put_parameter(&path, "verdict", arguments->verdict);
    if (arguments->before > 0)
        put_number(&path, "before", arguments->before);
    if (path.failed) {
        cli_complain("that is too much to ask at once");
        return TB_USAGE;
    }
    return cli_call(cli, "GET", text_string(&path), NULL, NULL, ret_reply);
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
    int r = output_text(&out);
    if (r == TB_OK && table.count == table.columns)
        cli_say("the audit has no such row");
    int64_t next = tb_value_integer(tb_value_member(page, "next"), 0);
    if (r == TB_OK && next > 0)
        cli_say("older ones: --before %" PRId64, next);
    return r;
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
    OPTION_ROW("--user", OPTION_TEXT, user, "USER", "of this user alone, by name or number"),
    OPTION_ROW("--unit", OPTION_TEXT, unit, "UNIT", "of this unit alone; * and ? match"),
    OPTION_ROW("--verdict", OPTION_TEXT, verdict, "WORD", "such as token, forbidden, login"),
    OPTION_ROW("--since", OPTION_TEXT, since, "TIME", "how long ago (2h, 14d), or a date"),
    OPTION_ROW("--before", OPTION_NUMBER, before, "ID", "the rows before this one"),
    OPTION_ROW("--limit", OPTION_NUMBER, limit, "N", "print N rows; 100, at most 500"),
    OPTION_ROW("--json", OPTION_FLAG, json, NULL, "print JSON"),
    OPTIONS_END,
};

const struct command command_audit = {
    .name = "audit",
    .operands = "[ACCOUNT|GLOB]",
    .summary = "show who asked for what, the newest first",
    .options = options,
    .operands_max = 1,
    .run = run,
};

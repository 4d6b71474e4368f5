#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "client/cli/accounts.h"
#include "client/cli/commands.h"
#include "client/cli/output.h"
#include "client/cli/prompt.h"
#include "client/cli/words.h"
#include "schema/wire.h"

enum {
    HELD_PATH_SIZE = 256,
    HELD_BODY_SIZE = 128,
    HELD_IDENTITY_SIZE = 256,
    HELD_MAX = 16 * 1024 * 1024,
    ID_SIZE = 24
};

/* --- held --- */

static bool add_row(const struct tb_value *held, void *userdata)
{
    struct table *table = userdata;
    char words[WORDS_SIZE], id[ID_SIZE];
    int64_t at = tb_value_integer(tb_value_member(held, "created_at"), 0);

    (void)snprintf(id, sizeof id, "%" PRId64, tb_value_integer(tb_value_member(held, "id"), 0));
    table_add(table, tb_value_text(tb_value_member(held, "account"), "?"), TINT_NONE);
    table_add(table, tb_value_text(tb_value_member(held, "identity"), ""), TINT_NONE);
    table_add(table, tb_value_text(tb_value_member(held, "held_identity"), ""), TINT_WARNING);
    table_add(table, words_moment(at, words_now(), words), TINT_NONE);
    table_add(table, id, TINT_NONE);
    return !table->failed;
}

static int held_table(struct cli *cli)
{
    static const char *const headings[] = { "ACCOUNT", "IDENTITY", "HELD", "SINCE", "ID" };
    CLEANUP(cleanup_table) struct table table = { .columns = 5, .flexible = 1 };
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

/* What is held for one account, as somebody is to see it before they decide. */
struct sight {
    const char *account;
    int64_t id; /* 0: nothing is held */
    int64_t since;
    char identity[HELD_IDENTITY_SIZE];
    bool same; /* it may be the same person's as the account's grant */
};

static bool find_row(const struct tb_value *held, void *userdata)
{
    struct sight *sight = userdata;
    const char *of_account = tb_value_text(tb_value_member(held, "identity"), "");

    if (strcmp(tb_value_text(tb_value_member(held, "account"), ""), sight->account) != 0)
        return true;
    sight->id = tb_value_integer(tb_value_member(held, "id"), 0);
    sight->since = tb_value_integer(tb_value_member(held, "created_at"), 0);
    (void)snprintf(sight->identity, sizeof sight->identity, "%s",
                   tb_value_text(tb_value_member(held, "held_identity"), ""));
    sight->same = !*of_account || !*sight->identity || strcmp(of_account, sight->identity) == 0;
    return false;
}

enum { GRANT_NONE, GRANT_MAYBE_SAME, GRANT_OF_ANOTHER };

/* What a decision does, by the grant that the account has. */
static const struct {
    const char *accept;
    const char *discard;
} questions[] = {
    [GRANT_NONE] = { "Make it the account's grant? [y/N] ",
                     "Revoke and forget it, and the account, which has no other grant? [y/N] " },
    [GRANT_MAYBE_SAME] = { "Make it the account's grant? The one before is not revoked, as it may "
                           "be the same person's. [y/N] ",
                           "Forget it? The account's grant stays, and it is not revoked, as it may "
                           "be the same person's. [y/N] " },
    [GRANT_OF_ANOTHER] = { "Make it the account's grant, and revoke the one before? [y/N] ",
                           "Revoke and forget it? The account's grant stays. [y/N] " },
};

static int find_question(struct cli *cli, const struct sight *sight, bool accept,
                         const char **ret_question)
{
    CLEANUP(cleanup_reply) struct tb_reply *reply = NULL;
    char path[HELD_PATH_SIZE];

    (void)snprintf(path, sizeof path, WIRE_PATH_ACCOUNTS "/%s", sight->account);
    int r = cli_call(cli, "GET", path, NULL, sight->account, &reply);
    if (r != TB_OK)
        return r;
    const struct tb_value *generation = tb_value_member(tb_reply_value(reply), "generation");
    const int grant = tb_value_integer(generation, 0) == 0 ? GRANT_NONE
                      : sight->same                        ? GRANT_MAYBE_SAME
                                                           : GRANT_OF_ANOTHER;
    *ret_question = accept ? questions[grant].accept : questions[grant].discard;
    return TB_OK;
}

/* Shows a person what is held, and asks. */
static int ask_about_it(struct cli *cli, const char *account, bool accept, int64_t *ret_id)
{
    struct sight sight = { .account = account };
    const char *question = NULL;
    char words[WORDS_SIZE];
    int r = pages_each(cli, WIRE_PATH_HELD, "held", find_row, &sight);

    if (r == TB_OK && sight.id == 0) {
        cli_complain("no consent is held for %s", account);
        r = TB_FAILED;
    }
    if (r == TB_OK)
        r = find_question(cli, &sight, accept, &question);
    if (r != TB_OK)
        return r;
    cli_say("held for %s, %s: the consent of %s", account,
            words_moment(sight.since, words_now(), words),
            *sight.identity ? sight.identity : "an unknown identity");
    if (!prompt_yes(question)) {
        cli_complain("%s: nothing was done", account);
        return TB_FAILED;
    }
    *ret_id = sight.id;
    return TB_OK;
}

/* Which consent is meant: a newer one may have taken the place of the one that was looked at. */
static int settle_id(struct cli *cli, const char *account, bool accept, int64_t *ret_id)
{
    *ret_id = cli->arguments.id;
    if (cli->arguments.id > 0)
        return TB_OK;
    if (prompt_possible())
        return ask_about_it(cli, account, accept, ret_id);
    cli_complain("%s: say with --id which consent is meant; tokenbroker held shows it", account);
    return TB_USAGE;
}

static int decide(struct cli *cli, bool accept, struct tb_reply **ret)
{
    char account[ACCOUNT_SIZE];
    char path[HELD_PATH_SIZE];
    char body[HELD_BODY_SIZE];
    int64_t id = 0;

    if (!cli_account(cli, account))
        return TB_USAGE;
    int r = settle_id(cli, account, accept, &id);
    if (r != TB_OK)
        return r;
    (void)snprintf(path, sizeof path, WIRE_PATH_HELD "/%s", account);
    (void)snprintf(body, sizeof body, "{\"decision\":\"%s\",\"id\":%" PRId64 "}",
                   accept ? "accept" : "discard", id);
    return cli_call(cli, "POST", path, body, account, ret);
}

static int run_accept(struct cli *cli)
{
    CLEANUP(cleanup_reply) struct tb_reply *reply = NULL;
    CLEANUP(cleanup_text) struct text done = TEXT_WITH_MAXIMUM(HELD_MAX);
    int r = decide(cli, true, &reply);

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
    int r = decide(cli, false, &reply);

    return r == TB_OK ? account_report(cli, tb_reply_value(reply), "the held consent is forgotten")
                      : r;
}

static const struct option_row options[] = {
    OPTION_ROW("--json", OPTION_FLAG, json, NULL, "print JSON"),
    OPTIONS_END,
};

static const struct option_row decision_options[] = {
    OPTION_ROW("--id", OPTION_NUMBER, id, "ID", "which consent, as held shows it; do not ask"),
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
    .options = decision_options,
    .operands_min = 1,
    .operands_max = 1,
    .run = run_accept,
};

const struct command command_discard = {
    .name = "discard",
    .operands = "ACCOUNT",
    .summary = "revoke and forget the held consent; the account's grant stays",
    .options = decision_options,
    .operands_min = 1,
    .operands_max = 1,
    .run = run_discard,
};

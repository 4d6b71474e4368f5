#include "client/cli/health.h"

#include <inttypes.h>
#include <string.h>

#include "client/cli/commands.h"
#include "client/cli/output.h"
#include "client/cli/sheet.h"
#include "client/cli/words.h"
#include "schema/wire.h"

int health_ask(struct cli *cli, struct tb_reply **ret_reply)
{
    return cli_call(cli, "GET", WIRE_PATH_HEALTH, NULL, NULL, ret_reply);
}

static const char *text_of(const struct tb_value *object, const char *name)
{
    return tb_value_text(tb_value_member(object, name), "");
}

static int64_t count_of(const struct tb_value *accounts, const char *state)
{
    return tb_value_integer(tb_value_member(accounts, state), 0);
}

static void put_store(struct sheet *sheet, const struct tb_value *store)
{
    bool well = tb_value_true(tb_value_member(store, "ok"));
    char words[WORDS_SIZE];

    if (well)
        sheet_put_tinted(sheet, "store", "ok", TINT_GOOD);
    else
        sheet_put(sheet, "store", "broken: %s", text_of(store, "problem"));
    if (*text_of(store, "copied"))
        sheet_put_tinted(sheet, "refreshing", "PAUSED: the store is a copy; see tokenbroker resume",
                         TINT_BAD);
    int64_t moved_at = tb_value_integer(tb_value_member(store, "moved_at"), TB_DEFAULT);
    if (moved_at >= 0)
        sheet_put(sheet, "refreshing", "MOVED %s to another broker; see tokenbroker move",
                  words_moment(moved_at, words_now(), words));
}

static void put_accounts(struct sheet *sheet, const struct tb_value *accounts)
{
    if (accounts)
        sheet_put(sheet, "accounts",
                  "%" PRId64 " active, %" PRId64 " suspect, %" PRId64 " needing consent",
                  count_of(accounts, "active"), count_of(accounts, "suspect"),
                  count_of(accounts, "consent_required"));
}

static const char *next_secret_words(const char *next)
{
    if (strcmp(next, "works") == 0)
        return ", client_secret_next works: make it client_secret";
    if (strcmp(next, "refused") == 0)
        return ", client_secret_next is refused: client_secret stays in use";
    return strcmp(next, "untried") == 0 ? ", client_secret_next is not tried yet" : "";
}

static void put_provider(struct sheet *sheet, const struct tb_value *provider)
{
    char words[WORDS_SIZE];
    const char *reason = text_of(provider, "reason");
    const char *next = next_secret_words(text_of(provider, "client_secret_next"));
    int64_t at = tb_value_integer(tb_value_member(provider, "probe_at"), TB_DEFAULT);

    if (!tb_value_true(tb_value_member(provider, "paused")))
        sheet_put(sheet, "provider", "%s ok%s", text_of(provider, "name"), next);
    else
        sheet_put(sheet, "provider", "%s PAUSED%s%s%s%s%s", text_of(provider, "name"),
                  *reason ? ": " : "", reason, at >= 0 ? ", next try " : "",
                  at >= 0 ? words_moment(at, words_now(), words) : "", next);
}

static void put_callback(struct sheet *sheet, const struct tb_value *callback)
{
    const char *problem = text_of(callback, "problem");
    bool bound = tb_value_true(tb_value_member(callback, "bound"));

    if (*problem)
        sheet_put(sheet, "callback", "%s not held: %s", text_of(callback, "listen"), problem);
    else
        sheet_put(sheet, "callback", "%s %s", text_of(callback, "listen"),
                  bound ? "held" : "free; held while a login is pending");
}

int health_print(struct cli *cli, const struct tb_value *health)
{
    CLEANUP(cleanup_sheet) struct sheet sheet = SHEET_FOR_STDOUT();
    const char *status = text_of(health, "status");
    const struct tb_value *row = NULL;

    sheet_put(&sheet, "broker", "%s", tb_broker_path(cli->broker));
    sheet_put(&sheet, "version", "%s", text_of(health, "version"));
    sheet_put_tinted(&sheet, "health", status, strcmp(status, "ok") == 0 ? TINT_GOOD : TINT_BAD);
    put_store(&sheet, tb_value_member(health, "store"));
    put_accounts(&sheet, tb_value_member(health, "accounts"));
    row = tb_value_first(tb_value_member(health, "providers"));
    for (; row; row = tb_value_next(row))
        put_provider(&sheet, row);
    row = tb_value_first(tb_value_member(health, "callback"));
    for (; row; row = tb_value_next(row))
        put_callback(&sheet, row);
    if (*text_of(health, "public_url"))
        sheet_put(&sheet, "public URL", "%s", text_of(health, "public_url"));
    return output_text(&sheet.out);
}

static int run(struct cli *cli)
{
    CLEANUP(cleanup_reply) struct tb_reply *reply = NULL;
    int r = health_ask(cli, &reply);

    if (r != TB_OK)
        return r;
    const struct tb_value *health = tb_reply_value(reply);
    r = cli->arguments.json ? cli_print_json(health) : health_print(cli, health);
    return r == TB_OK && strcmp(text_of(health, "status"), "ok") != 0 ? TB_FAILED : r;
}

static const struct option_row options[] = {
    OPTION_ROW("--json", OPTION_FLAG, json, NULL, "print JSON"),
    OPTIONS_END,
};

const struct command command_health = {
    .name = "health",
    .summary = "say whether the broker is well; the exit code is 0 or 1",
    .options = options,
    .run = run,
};

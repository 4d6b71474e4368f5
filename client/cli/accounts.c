#include "client/cli/accounts.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "client/cli/output.h"
#include "client/cli/sheet.h"
#include "client/cli/words.h"
#include "schema/wire.h"

enum { ACCOUNTS_PATH_MAX = 1024 };

/* One page; *next becomes where the page after it begins, "" when there is none. */
static int each_of_page(struct cli *cli, const char *list, const char *member,
                        char next[static ACCOUNT_SIZE], account_function function, void *userdata)
{
    CLEANUP(cleanup_reply) struct tb_reply *reply = NULL;
    CLEANUP(cleanup_text) struct text path = TEXT_WITH_MAXIMUM(ACCOUNTS_PATH_MAX);

    text_append_format(&path, "%s?limit=%d%s", list, WIRE_LIST_LIMIT_MAX, *next ? "&after=" : "");
    text_append_percent(&path, next);
    int r = cli_call(cli, "GET", text_string(&path), NULL, NULL, &reply);
    if (r != TB_OK)
        return r;
    const struct tb_value *page = tb_reply_value(reply);
    const char *after = tb_value_text(tb_value_member(page, "next"), "");
    if (!*after || !account_complete(after, next))
        *next = '\0';
    const struct tb_value *account = tb_value_first(tb_value_member(page, member));
    for (; account; account = tb_value_next(account)) {
        if (!function(account, userdata)) {
            *next = '\0';
            return TB_OK;
        }
    }
    return TB_OK;
}

int pages_each(struct cli *cli, const char *list, const char *member, account_function function,
               void *userdata)
{
    char next[ACCOUNT_SIZE] = "";
    char before[ACCOUNT_SIZE] = "";

    for (;;) {
        int r = each_of_page(cli, list, member, next, function, userdata);
        if (r != TB_OK || !*next)
            return r;
        /* A broker that goes round in circles is not followed. */
        if (account_compare(next, before) <= 0) {
            cli_complain("the broker's list does not go on after %s", before);
            return TB_FAILED;
        }
        memcpy(before, next, sizeof before);
    }
}

int accounts_each(struct cli *cli, account_function function, void *userdata)
{
    return pages_each(cli, WIRE_PATH_ACCOUNTS, "accounts", function, userdata);
}

enum tint forecast_tint(const char *warning)
{
    if (strcmp(warning, "urgent") == 0)
        return TINT_BAD;
    return strcmp(warning, "soon") == 0 ? TINT_WARNING : TINT_NONE;
}

enum tint account_tint(const char *state)
{
    if (strcmp(state, "active") == 0)
        return TINT_GOOD;
    return strcmp(state, "suspect") == 0 ? TINT_WARNING : TINT_BAD;
}

const char *account_state_words(const char *state)
{
    return strcmp(state, "consent_required") == 0 ? "needs consent" : state;
}

/* --- one account --- */

static void put_moment(struct sheet *sheet, const struct tb_value *account, const char *label,
                       const char *name)
{
    char words[WORDS_SIZE];
    int64_t at = tb_value_integer(tb_value_member(account, name), TB_DEFAULT);

    if (at >= 0)
        sheet_put(sheet, label, "%s", words_moment(at, words_now(), words));
}

static void put_text(struct sheet *sheet, const struct tb_value *account, const char *label,
                     const char *name)
{
    const char *text = tb_value_text(tb_value_member(account, name), NULL);

    if (text && *text)
        sheet_put(sheet, label, "%s", text);
}

static void put_access_token(struct sheet *sheet, const struct tb_value *account)
{
    char words[WORDS_SIZE];
    int64_t at = tb_value_integer(tb_value_member(account, "expires_at"), TB_DEFAULT);
    int64_t now = words_now();

    if (tb_value_true(tb_value_member(account, "rejected")))
        sheet_put(sheet, "access token", "refused by the API");
    else if (at >= 0)
        sheet_put(sheet, "access token", at > now ? "ends %s" : "ended %s",
                  words_moment(at, now, words));
}

/* What is unusual about how it is refreshed. */
static void put_keeping(struct sheet *sheet, const struct tb_value *account)
{
    char words[WORDS_SIZE];
    int64_t at = tb_value_integer(tb_value_member(account, "retry_grace_ends_at"), TB_DEFAULT);
    int64_t now = words_now();

    if (tb_value_true(tb_value_member(account, "rests")))
        sheet_put(sheet, "rests", "nobody asked for 24 h: refreshed when asked, and to stay alive");
    if (at >= 0)
        sheet_put(sheet, "lost reply",
                  at > now ? "tried again until the grace ends %s"
                           : "the grace ended %s; still tried again",
                  words_moment(at, now, words));
}

static void put_refresh_token(struct sheet *sheet, const struct tb_value *account)
{
    char words[WORDS_SIZE];
    int64_t at = tb_value_integer(tb_value_member(account, "refresh_token_expires_at"), TB_DEFAULT);

    if (!tb_value_true(tb_value_member(account, "has_refresh_token")))
        sheet_put(sheet, "refresh token", "none");
    else if (at >= 0)
        sheet_put(sheet, "refresh token", "ends %s", words_moment(at, words_now(), words));
    else
        sheet_put(sheet, "refresh token", "kept");
}

static void put_forecast(struct sheet *sheet, const struct tb_value *forecast)
{
    char words[WORDS_SIZE];
    int64_t at = tb_value_integer(tb_value_member(forecast, "dies_at"), TB_DEFAULT);
    int64_t now = words_now();
    const char *warning = tb_value_text(tb_value_member(forecast, "warning"), "none");

    if (at >= 0)
        sheet_put(
            sheet, "forecast", at > now ? "dies %s (%s)%s%s" : "died %s (%s)%s%s",
            words_moment(at, now, words), tb_value_text(tb_value_member(forecast, "reason"), "?"),
            strcmp(warning, "none") == 0 ? "" : ", ", strcmp(warning, "none") == 0 ? "" : warning);
}

static void put_held(struct sheet *sheet, const struct tb_value *account, const char *name)
{
    const char *identity = tb_value_text(tb_value_member(account, "held_identity"), NULL);

    if (identity)
        sheet_put(sheet, "held", "a consent for %s: tokenbroker accept %s, or discard",
                  *identity ? identity : "another identity", name);
}

static void put_error(struct sheet *sheet, const struct tb_value *error)
{
    char words[WORDS_SIZE];
    int64_t at = tb_value_integer(tb_value_member(error, "at"), TB_DEFAULT);
    const char *description = tb_value_text(tb_value_member(error, "error_description"), "");

    if (!error)
        return;
    sheet_put(sheet, "last error", "%s%s%s%s%s",
              tb_value_text(tb_value_member(error, "error"), "?"), *description ? ": " : "",
              description, at >= 0 ? ", " : "",
              at >= 0 ? words_moment(at, words_now(), words) : "");
}

int account_print(const struct tb_value *account)
{
    CLEANUP(cleanup_sheet) struct sheet sheet = SHEET_FOR_STDOUT();
    const char *name = tb_value_text(tb_value_member(account, "account"), "?");
    const char *state = tb_value_text(tb_value_member(account, "state"), "?");

    sheet_put(&sheet, "account", "%s", name);
    sheet_put_tinted(&sheet, "state", account_state_words(state), account_tint(state));
    put_text(&sheet, account, "identity", "identity");
    put_text(&sheet, account, "scope", "scope");
    put_access_token(&sheet, account);
    put_moment(&sheet, account, "next refresh", "next_refresh_at");
    put_moment(&sheet, account, "moved", "moved_at");
    put_keeping(&sheet, account);
    put_refresh_token(&sheet, account);
    put_forecast(&sheet, tb_value_member(account, "forecast"));
    put_held(&sheet, account, name);
    put_moment(&sheet, account, "refreshed", "refreshed_at");
    put_moment(&sheet, account, "last asked for", "asked_at");
    put_moment(&sheet, account, "connected", "created_at");
    put_error(&sheet, tb_value_member(account, "last_error"));
    if (account_tint(state) == TINT_BAD)
        sheet_put(&sheet, "to do", "tokenbroker login %s", name);
    put_text(&sheet, account, "link", "link");
    return output_text(&sheet.out);
}

int account_report(const struct cli *cli, const struct tb_value *account, const char *done)
{
    char words[WORDS_SIZE];
    const char *name = tb_value_text(tb_value_member(account, "account"), "?");
    const char *state = tb_value_text(tb_value_member(account, "state"), "?");
    int64_t at = tb_value_integer(tb_value_member(account, "expires_at"), TB_DEFAULT);

    if (cli->arguments.json)
        return cli_print_json(account);
    if (at >= 0)
        cli_say("%s: %s, %s, access token ends %s", name, done, account_state_words(state),
                words_moment(at, words_now(), words));
    else
        cli_say("%s: %s, %s", name, done, account_state_words(state));
    return TB_OK;
}

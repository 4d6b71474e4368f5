#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "client/cli/accounts.h"
#include "client/cli/commands.h"
#include "client/cli/output.h"
#include "client/cli/words.h"

enum { FORECAST_MAX = 64 * 1024 * 1024, REASON_SIZE = 32, WARNING_SIZE = 8 };

struct entry {
    char account[ACCOUNT_SIZE];
    char reason[REASON_SIZE];
    char warning[WARNING_SIZE];
    int64_t dies_at; /* TB_DEFAULT: not known, it is dead */
};

/* Of all accounts those whose end is known. */
struct calendar {
    struct entry *entries;
    size_t count;
    size_t capacity;
    int64_t others;
    bool failed;
};

static bool grow(struct calendar *calendar)
{
    size_t capacity = calendar->capacity > 0 ? calendar->capacity * 2 : 64;
    struct entry *entries = reallocarray(calendar->entries, capacity, sizeof *entries);

    calendar->failed = !entries;
    if (!entries)
        return false;
    calendar->entries = entries;
    calendar->capacity = capacity;
    return true;
}

static void copy(char *out, size_t size, const char *text)
{
    size_t length = strnlen(text, size - 1);

    memcpy(out, text, length);
    out[length] = '\0';
}

static bool add_entry(const struct tb_value *account, void *userdata)
{
    struct calendar *calendar = userdata;
    const struct tb_value *forecast = tb_value_member(account, "forecast");
    const char *reason = tb_value_text(tb_value_member(forecast, "reason"), "");

    if (!*reason) {
        calendar->others++;
        return true;
    }
    if (calendar->count == calendar->capacity && !grow(calendar))
        return false;
    struct entry *entry = &calendar->entries[calendar->count++];
    copy(entry->account, sizeof entry->account,
         tb_value_text(tb_value_member(account, "account"), "?"));
    copy(entry->reason, sizeof entry->reason, reason);
    copy(entry->warning, sizeof entry->warning,
         tb_value_text(tb_value_member(forecast, "warning"), "none"));
    entry->dies_at = tb_value_integer(tb_value_member(forecast, "dies_at"), TB_DEFAULT);
    return true;
}

static int by_end(const void *a, const void *b)
{
    const struct entry *left = a;
    const struct entry *right = b;

    if (left->dies_at != right->dies_at)
        return left->dies_at < right->dies_at ? -1 : 1;
    return strcmp(left->account, right->account);
}

/* --- words --- */

static const char *reason_words(const char *reason)
{
    static const char *const words[][2] = {
        { "idle", "dies unused; the broker refreshes it in time" },
        { "absolute", "its refresh token ends: log in again" },
        { "consent_required", "a person has to log in" },
        { "no_refresh_token", "it has no refresh token: log in again" },
    };

    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        if (strcmp(reason, words[i][0]) == 0)
            return words[i][1];
    }
    return reason;
}

static void add_row(struct table *table, const struct entry *entry)
{
    char words[WORDS_SIZE] = "dead";

    if (entry->dies_at >= 0)
        (void)words_moment(entry->dies_at, words_now(), words);
    table_add(table, words, forecast_tint(entry->warning));
    table_add(table, entry->account, TINT_NONE);
    table_add(table, reason_words(entry->reason), TINT_NONE);
}

static int put_table(const struct calendar *calendar)
{
    static const char *const headings[] = { "DIES", "ACCOUNT", "WHY" };
    CLEANUP(cleanup_table) struct table table = { .columns = 3, .flexible = 2 };
    CLEANUP(cleanup_text) struct text out = TEXT_WITH_MAXIMUM(FORECAST_MAX);

    for (size_t i = 0; i < table.columns; i++)
        table_add(&table, headings[i], TINT_NONE);
    for (size_t i = 0; i < calendar->count; i++)
        add_row(&table, &calendar->entries[i]);
    if (calendar->count > 0)
        table_put(&table, output_width(), output_coloured(STDOUT_FILENO), &out);
    out.failed = out.failed || table.failed;
    int r = output_text(&out);
    if (calendar->others > 0)
        cli_say("%" PRId64 "%s", calendar->others,
                calendar->others == 1 ? " account has no end that is known"
                                      : " accounts have no end that is known");
    else if (calendar->count == 0)
        cli_say("no accounts that you may see");
    return r;
}

/* --- JSON --- */

static int put_json(const struct calendar *calendar)
{
    CLEANUP(cleanup_text) struct text out = TEXT_WITH_MAXIMUM(FORECAST_MAX);

    text_append_string(&out, "{\"forecast\":[");
    for (size_t i = 0; i < calendar->count; i++) {
        const struct entry *entry = &calendar->entries[i];
        text_append_string(&out, i > 0 ? ",{\"account\":" : "{\"account\":");
        text_append_json(&out, entry->account);
        if (entry->dies_at >= 0)
            text_append_format(&out, ",\"dies_at\":%" PRId64, entry->dies_at);
        text_append_string(&out, ",\"reason\":");
        text_append_json(&out, entry->reason);
        text_append_string(&out, ",\"warning\":");
        text_append_json(&out, entry->warning);
        text_append_string(&out, "}");
    }
    text_append_string(&out, "]}\n");
    return output_json(&out);
}

static int run(struct cli *cli)
{
    struct calendar calendar = { .entries = NULL };
    int r = accounts_each(cli, add_entry, &calendar);

    if (r == TB_OK && calendar.failed) {
        cli_complain("out of memory");
        r = TB_FAILED;
    }
    if (r == TB_OK) {
        if (calendar.count > 0)
            qsort(calendar.entries, calendar.count, sizeof *calendar.entries, by_end);
        r = (cli->arguments.json ? put_json : put_table)(&calendar);
    }
    free(calendar.entries);
    return r;
}

static const struct option_row options[] = {
    OPTION_ROW("--json", OPTION_FLAG, json, NULL, "print JSON"),
    OPTIONS_END,
};

const struct command command_forecast = {
    .name = "forecast",
    .summary = "show which grants will die when, the soonest first",
    .options = options,
    .run = run,
};

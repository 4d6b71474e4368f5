#include "client/cli/link_csv.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client/cli/duration.h"
#include "client/cli/lines.h"
#include "client/cli/named.h"
#include "client/cli/output.h"
#include "client/cli/patient.h"
#include "schema/wire.h"

enum {
    CSV_COLUMNS = 3,
    CSV_ROWS_MAX = 20 * 1000, /* below NAMED_MAX */
    CSV_EXPECT_MAX = 512,
    CSV_BODY_MAX = 64 * 1024,
    CSV_PATH_SIZE = 256,
    CSV_FLAWS_MAX = 20, /* that are told one by one */
};

struct csv_row {
    char account[ACCOUNT_SIZE];
    int64_t line;
    int64_t expires;
    char *expect; /* NULL: none */
};

struct csv {
    struct csv_row *rows;
    size_t count;
    int64_t line;
    unsigned flaws;
};

static void csv_release(struct csv *csv)
{
    for (size_t i = 0; i < csv->count; i++)
        free(csv->rows[i].expect);
    free(csv->rows);
}

bool link_expect_valid(const char *expect)
{
    return *expect != '=' && strchr(expect, '=') && strlen(expect) <= CSV_EXPECT_MAX;
}

/* --- reading --- */

static void find_fault(struct csv *csv, const char *why)
{
    if (csv->flaws++ < CSV_FLAWS_MAX)
        cli_complain("line %" PRId64 ": %s", csv->line, why);
}

/* The next field of a line (RFC 4180, a line's end inside of quotes left out), in place; NULL when
 * its quotes are wrong. *at becomes NULL after the last. */
static char *next_field(char **at)
{
    char *field = *at, *to = *at, *from = *at;

    if (*from != '"') {
        *at = strchr(field, ',');
        if (*at)
            *(*at)++ = '\0';
        return field;
    }
    bool closed = false;
    for (from++; *from && !closed; from++) {
        closed = *from == '"' && from[1] != '"';
        from += *from == '"' && !closed;
        if (!closed)
            *to++ = *from;
    }
    if (!closed || (*from && *from != ','))
        return NULL;
    *at = *from ? from + 1 : NULL;
    *to = '\0';
    return field;
}

/* What is wrong with the fields; NULL: nothing. */
static const char *read_fields(char *const fields[CSV_COLUMNS], struct csv_row *row)
{
    row->expires = TB_DEFAULT;
    if (!account_complete(fields[0], row->account))
        return "its first field is no account";
    if (fields[1] && *fields[1] && !duration_parse(fields[1], &row->expires))
        return "its second field is no duration such as 7d";
    if (fields[2] && *fields[2] && !link_expect_valid(fields[2]))
        return "its third field is no NAME=VALUE";
    if (!fields[2] || !*fields[2])
        return NULL;
    row->expect = strdup(fields[2]);
    return row->expect ? NULL : "memory is short";
}

static const char *split(char *line, char *fields[CSV_COLUMNS])
{
    for (size_t i = 0; i < CSV_COLUMNS && line; i++) {
        fields[i] = next_field(&line);
        if (!fields[i])
            return "its quotes do not fit";
    }
    return line ? "it has more than three fields" : NULL;
}

static bool is_heading(const struct csv *csv, const char *text)
{
    return csv->line == 1 && strncmp(text, "account", strlen("account")) == 0 &&
           strchr(",\r", text[strlen("account")]);
}

static void take_line(struct csv *csv, const struct text *text)
{
    char *fields[CSV_COLUMNS] = { NULL };
    struct csv_row row = { .line = csv->line };
    CLEANUP(cleanup_string) char *line = strdup(text_string(text));

    if (strspn(text_string(text), " \t\r") == text->length || is_heading(csv, text_string(text)))
        return;
    if (line)
        line[strcspn(line, "\r")] = '\0';
    const char *flaw = line ? split(line, fields) : "memory is short";
    if (!flaw)
        flaw = read_fields(fields, &row);
    struct csv_row *rows = flaw ? NULL : reallocarray(csv->rows, csv->count + 1, sizeof *csv->rows);
    if (!flaw && (!rows || csv->count == CSV_ROWS_MAX))
        flaw = "there are too many lines";
    csv->rows = rows ? rows : csv->rows;
    if (flaw) {
        free(row.expect);
        find_fault(csv, flaw);
        return;
    }
    csv->rows[csv->count++] = row;
}

/* The second link of an account would end the first. */
static bool find_repeated(struct csv *csv)
{
    CLEANUP(cleanup_named) struct named named = { .lines = NULL };
    bool whole = true;

    for (size_t i = 0; i < csv->count; i++)
        whole = whole && named_add(&named, csv->rows[i].account, csv->rows[i].line) == 0;
    named_sort(&named);
    for (size_t i = 0; i < csv->count; i++) {
        csv->line = csv->rows[i].line;
        if (named_elsewhere(&named, csv->rows[i].account, csv->line) > 0)
            find_fault(csv, "its account is that of another line too");
    }
    if (!whole)
        cli_complain("out of memory");
    return whole;
}

static bool read_all(struct csv *csv, int fd)
{
    CLEANUP(cleanup_lines) struct lines lines = LINES_OF(fd);

    for (;;) {
        int r = lines_next(&lines);
        csv->line++;
        if (r == 1)
            take_line(csv, &lines.line);
        else if (r == -EMSGSIZE)
            find_fault(csv, "it is too long");
        else if (r == 0)
            break;
        else {
            cli_complain("the file cannot be read: %s", strerrordesc_np(-r));
            return false;
        }
    }
    if (!find_repeated(csv))
        return false;
    if (csv->flaws > 0)
        cli_complain("%u line%s cannot be used: no link was made", csv->flaws,
                     csv->flaws == 1 ? "" : "s");
    return csv->flaws == 0;
}

/* --- making --- */

static int make_one(struct cli *cli, const struct csv_row *row)
{
    CLEANUP(cleanup_text) struct text body = TEXT_WITH_MAXIMUM(CSV_BODY_MAX);
    CLEANUP(cleanup_text) struct text out = TEXT_WITH_MAXIMUM(CSV_BODY_MAX);
    CLEANUP(cleanup_reply) struct tb_reply *reply = NULL;
    CLEANUP(cleanup_error) struct tb_error *error = NULL;
    char path[CSV_PATH_SIZE];
    const int64_t expires = row->expires != TB_DEFAULT ? row->expires : cli->arguments.expires;

    link_put_body(&body, &cli->arguments, expires, row->expect);
    (void)snprintf(path, sizeof path, WIRE_PATH_LINKS "/%s", row->account);
    if (!cli_broker(cli))
        return TB_NO_BROKER;
    if (patient_call(cli->broker, "POST", path, text_string(&body), &reply, &error) != TB_OK)
        return cli_failed(error, row->account);
    text_append_format(&out, "%s,", row->account);
    output_harmless(&out, tb_value_text(tb_value_member(tb_reply_value(reply), "url"), ""));
    text_append_string(&out, "\n");
    return output_text(&out);
}

static int make_all(struct cli *cli, const struct csv *csv)
{
    CLEANUP(cleanup_text) struct text heading = TEXT_WITH_MAXIMUM(64);

    text_append_string(&heading, "account,url\n");
    int r = output_text(&heading);
    for (size_t i = 0; i < csv->count && r == TB_OK; i++) {
        r = make_one(cli, &csv->rows[i]);
        if (r != TB_OK)
            cli_complain("%zu of %zu links were made; those that are printed work: go on from line "
                         "%" PRId64 ", for a second link of an account ends the first",
                         i, csv->count, csv->rows[i].line);
    }
    return r;
}

int link_csv(struct cli *cli)
{
    const char *path = cli->arguments.csv;
    struct csv csv = { .line = 0 };
    int fd = strcmp(path, "-") == 0 ? fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3)
                                    : open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);

    if (fd < 0) {
        cli_complain("%s cannot be read: %s", path, strerrordesc_np(errno));
        return TB_FAILED;
    }
    int r = read_all(&csv, fd) ? make_all(cli, &csv) : TB_USAGE;
    (void)close(fd);
    csv_release(&csv);
    return r;
}

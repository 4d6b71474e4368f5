/* client/cli/link_csv: rows that are understood, written as CSV, are read as the same rows. */

#include "fuzz.h"

#include <sys/mman.h>

#include "client/cli/cli.h"

/* Faults are counted by the code itself; here nobody reads them. */
static void ignore(const char *format, ...) PRINTF_LIKE(1, 2);

#define cli_complain ignore
#include "../../client/cli/link_csv.c"
#undef cli_complain

enum { WRITTEN_MAX = 1024 * 1024 };

static void ignore(const char *format, ...)
{
}

static bool read_bytes(const void *bytes, size_t length, struct csv *csv)
{
    CLEANUP(cleanup_fd) int fd = memfd_create("csv", MFD_CLOEXEC);

    PROMISE(fd >= 0 && write(fd, bytes, length) == (ssize_t)length);
    PROMISE(lseek(fd, 0, SEEK_SET) == 0);
    return read_all(csv, fd);
}

static void put_quoted(struct text *out, const char *field)
{
    text_append_string(out, "\"");
    for (; *field; field++)
        text_append(out, *field == '"' ? "\"\"" : field, *field == '"' ? 2 : 1);
    text_append_string(out, "\"");
}

static void put_row(struct text *out, const struct csv_row *row)
{
    put_quoted(out, row->account);
    if (row->expires != TB_DEFAULT)
        text_append_format(out, ",%" PRId64 "s,", row->expires);
    else
        text_append_string(out, ",,");
    put_quoted(out, row->expect ? row->expect : "");
    text_append_string(out, "\n");
}

static bool names_one_twice(const struct csv *csv)
{
    CLEANUP(cleanup_named) struct named named = { .lines = NULL };
    bool twice = false;

    for (size_t i = 0; i < csv->count; i++)
        PROMISE(named_add(&named, csv->rows[i].account, csv->rows[i].line) == 0);
    named_sort(&named);
    for (size_t i = 0; i < csv->count; i++)
        twice = twice || named_elsewhere(&named, csv->rows[i].account, csv->rows[i].line) > 0;
    return twice;
}

static void is_read_again(const struct csv *csv)
{
    CLEANUP(cleanup_text) struct text text = TEXT_WITH_MAXIMUM(WRITTEN_MAX);
    struct csv again = { .line = 0 };

    for (size_t i = 0; i < csv->count; i++)
        put_row(&text, &csv->rows[i]);
    if (!text.failed) {
        PROMISE(read_bytes(text_string(&text), text.length, &again) == !names_one_twice(csv));
        PROMISE(again.count == csv->count);
    }
    for (size_t i = 0; i < again.count; i++) {
        PROMISE(strcmp(again.rows[i].account, csv->rows[i].account) == 0);
        PROMISE(again.rows[i].expires == csv->rows[i].expires);
        PROMISE(same_text(again.rows[i].expect, csv->rows[i].expect));
    }
    csv_release(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct csv csv = { .line = 0 };
    const bool understood = read_bytes(data, size, &csv);

    PROMISE(understood == (csv.flaws == 0));
    for (size_t i = 0; i < csv.count; i++) {
        const struct csv_row *row = &csv.rows[i];
        PROMISE(account_complete(row->account, (char[ACCOUNT_SIZE]){ 0 }));
        PROMISE(!row->expect || link_expect_valid(row->expect));
        PROMISE(row->expires == TB_DEFAULT || row->expires >= 0);
    }
    is_read_again(&csv);
    csv_release(&csv);
    return 0;
}

#include "unit.h"

#include <string.h>

#include "client/cli/sheet.h"
#include "client/cli/table.h"

static void add_rows(struct table *table, const char *const *cells, size_t count)
{
    for (size_t i = 0; i < count; i++)
        table_add(table, cells[i], i == 4 ? TINT_BAD : TINT_NONE);
}

static const char *const cells[] = {
    "ACCOUNT",     "STATE",   "IDENTITY",
    "zenegy/acme", "suspect", "",
    "é/b",         "active",  "a very long identity of somebody",
};

static void test_aligned(void **state)
{
    CLEANUP(cleanup_table) struct table table = { .columns = 3, .flexible = 2 };
    CLEANUP(cleanup_text) struct text out = TEXT_WITH_MAXIMUM(1000);

    add_rows(&table, cells, COUNT(cells));
    table_put(&table, 0, false, &out);
    assert_string_equal(text_string(&out),
                        "ACCOUNT      STATE    IDENTITY\n"
                        "zenegy/acme  suspect\n"
                        "é/b          active   a very long identity of somebody\n");
}

static void test_fits(void **state)
{
    CLEANUP(cleanup_table) struct table table = { .columns = 3, .flexible = 2 };
    CLEANUP(cleanup_text) struct text out = TEXT_WITH_MAXIMUM(1000);

    add_rows(&table, cells, COUNT(cells));
    table_put(&table, 40, false, &out);
    assert_non_null(strstr(text_string(&out), "\né/b          active   a very long ident…\n"));
    text_release(&out);
    table_put(&table, 28, false, &out);
    assert_non_null(strstr(text_string(&out), "zenegy/a…  suspect"));
    assert_non_null(strstr(text_string(&out), "a very …\n"));
}

/* The flexible one first; what is too wide yet is taken from the widest, whichever that is. */
static void test_any_column_is_cut(void **state)
{
    static const char *const wide[] = { "LAST",      "ACCOUNT",
                                        "UID",       "UNIT",
                                        "2 min ago", "zenegy/acme",
                                        "1000",      "a-unit-with-a-name.service" };
    CLEANUP(cleanup_table) struct table table = { .columns = 4, .flexible = 1 };
    CLEANUP(cleanup_text) struct text out = TEXT_WITH_MAXIMUM(1000);

    for (size_t i = 0; i < COUNT(wide); i++)
        table_add(&table, wide[i], TINT_NONE);
    table_put(&table, 40, false, &out);
    assert_string_equal(text_string(&out), "LAST       ACCOUNT   UID   UNIT\n"
                                           "2 min ago  zenegy/…  1000  a-unit-with-…\n");
}

static void test_colours(void **state)
{
    CLEANUP(cleanup_table) struct table table = { .columns = 3, .flexible = 2 };
    CLEANUP(cleanup_text) struct text out = TEXT_WITH_MAXIMUM(1000);

    add_rows(&table, cells, COUNT(cells));
    table_put(&table, 0, true, &out);
    assert_non_null(strstr(text_string(&out), "zenegy/acme  \033[31msuspect\033[0m\n"));
}

static void test_as_many_as_a_large_store_has(void **state)
{
    enum { CELLS = 6 * 110 * 1000 };
    CLEANUP(cleanup_table) struct table table = { .columns = 6 };

    for (size_t i = 0; i < CELLS; i++)
        table_add(&table, "x", TINT_NONE);
    assert_false(table.failed);
    assert_int_equal(table.count, CELLS);
}

static void test_cells_are_harmless(void **state)
{
    CLEANUP(cleanup_table) struct table table = { .columns = 1 };
    CLEANUP(cleanup_text) struct text out = TEXT_WITH_MAXIMUM(1000);

    table_add(&table, "a\033[2J", TINT_NONE);
    table_add(&table, NULL, TINT_NONE);
    table_put(&table, 0, false, &out);
    assert_string_equal(text_string(&out), "a?[2J\n\n");
}

static void test_sheet_wraps(void **state)
{
    CLEANUP(cleanup_sheet) struct sheet sheet = { .out = TEXT_WITH_MAXIMUM(1000), .width = 40 };

    sheet_put(&sheet, "scope", "read:branch read:employee write:all %s", "a\nb");
    sheet_put(&sheet, "link", "%s", "https://example.com/longer-than-a-line-can-be");
    sheet_put_tinted(&sheet, "state", "active", TINT_GOOD);
    assert_string_equal(text_string(&sheet.out),
                        "scope          read:branch read:employee\n"
                        "               write:all a?b\n"
                        "link           https://example.com/longer-than-a-line-can-be\n"
                        "state          active\n");
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_aligned),
        cmocka_unit_test(test_fits),
        cmocka_unit_test(test_colours),
        cmocka_unit_test(test_cells_are_harmless),
        cmocka_unit_test(test_any_column_is_cut),
        cmocka_unit_test(test_sheet_wraps),
        cmocka_unit_test(test_as_many_as_a_large_store_has),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

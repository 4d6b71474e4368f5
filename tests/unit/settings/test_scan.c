#include "settings/scan.h"

#include "support.h"

struct scan_row {
    const char *text;
    const char *scanned; /* NULL: refused */
    const char *problem;
    unsigned line; /* of the problem */
};

static const char variable[] =
    "${…} would be replaced from the environment: put the value in single quotes";
static const char quoted[] = "this quoted text is never closed";

static const struct scan_row rows[] = {
    { "", "" },
    { "a {\n}\n", "a {\n}\n" },
    { "# c\na", "   \na" },
    { "a # c\n", "a    \n" },
    { "a#c\n", "a  \n" },
    { "// c\na", "    \na" },
    { "a // c\n", "a     \n" },
    { "u = https://h//p\n", "u = https://h//p\n" },
    { "u=//c\n", "u=   \n" },
    { "/* a\n b */c", "    \n     c" },
    { "x/* c */", "x/* c */" },
    { "\"# // /* ' */\" '# // /* \" */'", "\"# // /* ' */\" '# // /* \" */'" },
    { "'${HOME}'", "'${HOME}'" },
    { "\"\\${HOME}\"", "\"\\${HOME}\"" },
    { "\"$HOME\" $x a$b", "\"$HOME\" $x a$b" },
    { "# ${HOME}\n", "         \n" },
    { "'it\\'s' # x\n", "'it\\'s'    \n" },
    { "\"a\\\"b\" # x\n", "\"a\\\"b\"    \n" },
    { "\"a\\\\\" # x\n", "\"a\\\\\"    \n" },
    { "'a\nb'\n", "'a\nb'\n" },
    { "l = {\"a\", 'b'}", "l = {\"a\", 'b'}" },
    { "\"${HOME}\"", NULL, variable, 1 },
    { "\n\"a\\\\${HOME}\"", NULL, variable, 2 },
    { "\"a\n${\"", NULL, variable, 2 },
    { "${HOME}", NULL, variable, 1 },
    { "a = x${HOME}", NULL, variable, 1 },
    { "a\n\"b\nc", NULL, quoted, 2 },
    { "'b", NULL, quoted, 1 },
    { "'b\\", NULL, quoted, 1 },
    { "'b\\'", NULL, quoted, 1 },
    { "\n/* b\n", NULL, "this comment is never closed", 2 },
    { "a {\n b {\n", NULL, "this \"{\" is never closed", 2 },
    { "a {\n", NULL, "this \"{\" is never closed", 1 },
    { "a {\n}\n}\n", NULL, "this \"}\" closes nothing", 3 },
    { "\"\\0\"", NULL, "numeric escapes are not known in quoted texts", 1 },
    { "\"\\x41\"", NULL, "numeric escapes are not known in quoted texts", 1 },
    { "a = b;\n", NULL, "\";\" ends nothing here; a value that holds one stands in quotes", 1 },
};

static void scans(void **state)
{
    for (size_t i = 0; i < LENGTH_OF(rows); i++) {
        const struct scan_row *row = &rows[i];
        CLEANUP(cleanup_scan_result)
        struct scan_result result = { .text = BUFFER_WITH_MAXIMUM(1000) };
        struct complaint complaint = { "" };
        unsigned line = 0;
        int r = scan_text(row->text, &result, &line, &complaint);
        if (r != (row->scanned != NULL ? 0 : SCAN_INVALID))
            fail_row(i, row->text);
        if (row->scanned != NULL && strcmp(buffer_text(&result.text), row->scanned) != 0)
            fail_row(i, buffer_text(&result.text));
        if (row->scanned == NULL && strcmp(complaint.text, row->problem) != 0)
            fail_row(i, complaint.text);
        if (row->scanned == NULL && line != row->line)
            fail_row(i, "the line");
    }
}

static void finds_sections(void **state)
{
    static const char text[] = "a {\n}\nb\nc # {\n{ l = {x}\n m += {y} n = # {\n {z}\n}\nd {}";
    static const unsigned lines[] = { 1, 5, 9 };
    CLEANUP(cleanup_scan_result)
    struct scan_result result = { .text = BUFFER_WITH_MAXIMUM(1000) };
    unsigned line = 0;
    assert_int_equal(scan_text(text, &result, &line, NULL), 0);
    assert_int_equal(result.section_count, LENGTH_OF(lines));
    assert_memory_equal(result.section_lines, lines, sizeof lines);
}

static void counts_many_sections(void **state)
{
    CLEANUP(cleanup_scan_result)
    struct scan_result result = { .text = BUFFER_WITH_MAXIMUM(1000) };
    CLEANUP(cleanup_buffer) struct buffer text = BUFFER_WITH_MAXIMUM(1000);
    unsigned line = 0;
    for (size_t i = 0; i < 100; i++)
        buffer_append_text(&text, "a{}\n");
    assert_int_equal(scan_text(buffer_text(&text), &result, &line, NULL), 0);
    assert_int_equal(result.section_count, 100);
    for (unsigned i = 0; i < 100; i++)
        assert_int_equal(result.section_lines[i], i + 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(scans),
        cmocka_unit_test(finds_sections),
        cmocka_unit_test(counts_many_sections),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#include "unit.h"

#include "base/json_scan.h"

#define ROW(text) text, sizeof(text) - 1

struct row {
    const char *text;
    size_t length;
    bool should_fail;
    size_t values;
};

static const struct row rows[] = {
    { ROW("{}"), false, 1 },
    { ROW("[]"), false, 1 },
    { ROW(" \t\r\n{ \n} \t"), false, 1 },
    { ROW("null"), false, 1 },
    { ROW("true"), false, 1 },
    { ROW("false"), false, 1 },
    { ROW("0"), false, 1 },
    { ROW("\"\""), false, 1 },
    { ROW("{\"a\":1}"), false, 2 },
    { ROW("{\"a\":{\"b\":[1,{\"c\":2}]} , \"d\" : null}"), false, 7 },
    { ROW("{\"a\":1,\"a\":2}"), false, 3 }, /* somebody else's business */
    { ROW("[1,2,[3],{}]"), false, 6 },
    { ROW("[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]"), false, 17 },
    { ROW("[[],[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]],[]]"), false, 19 },
    { ROW("[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]"), true, 0 },

    /* what is not one value */
    { ROW(""), true, 0 },
    { ROW(" "), true, 0 },
    { ROW("{} {}"), true, 0 },
    { ROW("{},"), true, 0 },
    { ROW("{}\0"), true, 0 },
    { ROW("\xef\xbb\xbf{}"), true, 0 },
    { ROW("{}// done"), true, 0 },
    { ROW("/* */{}"), true, 0 },
    { ROW("\v{}"), true, 0 },
    { ROW("\xc2\xa0{}"), true, 0 },

    /* brackets and commas */
    { ROW("{"), true, 0 },
    { ROW("["), true, 0 },
    { ROW("}"), true, 0 },
    { ROW("{]"), true, 0 },
    { ROW("[}"), true, 0 },
    { ROW("[1,]"), true, 0 },
    { ROW("[,1]"), true, 0 },
    { ROW("[1 2]"), true, 0 },
    { ROW("[1"), true, 0 },
    { ROW("{\"a\":1,}"), true, 0 },
    { ROW("{,\"a\":1}"), true, 0 },
    { ROW("{\"a\"}"), true, 0 },
    { ROW("{\"a\":}"), true, 0 },
    { ROW("{\"a\" 1}"), true, 0 },
    { ROW("{\"a\":1 \"b\":2}"), true, 0 },
    { ROW("{a:1}"), true, 0 },
    { ROW("{'a':1}"), true, 0 },
    { ROW("{1:1}"), true, 0 },
    { ROW("{null:1}"), true, 0 },

    /* words: some readers take these without regard to case, and some more */
    { ROW("True"), true, 0 },
    { ROW("NULL"), true, 0 },
    { ROW("nul"), true, 0 },
    { ROW("nullx"), true, 0 },
    { ROW("NaN"), true, 0 },
    { ROW("Infinity"), true, 0 },
    { ROW("-Infinity"), true, 0 },
    { ROW("undefined"), true, 0 },

    /* numbers */
    { ROW("-0"), false, 1 },
    { ROW("-0.0e-0"), false, 1 },
    { ROW("1e400"), false, 1 },
    { ROW("1E+2"), false, 1 },
    { ROW("12345678901234567890123456789"), false, 1 },
    { ROW("01"), true, 0 },
    { ROW("-01"), true, 0 },
    { ROW("00"), true, 0 },
    { ROW("+1"), true, 0 },
    { ROW("-"), true, 0 },
    { ROW("--1"), true, 0 },
    { ROW("- 1"), true, 0 },
    { ROW(".5"), true, 0 },
    { ROW("5."), true, 0 },
    { ROW("5.e1"), true, 0 },
    { ROW("1e"), true, 0 },
    { ROW("1e+"), true, 0 },
    { ROW("1e+-1"), true, 0 },
    { ROW("1e1.0"), true, 0 },
    { ROW("1.2.3"), true, 0 },
    { ROW("0x10"), true, 0 },
    { ROW("1_000"), true, 0 },
    { ROW("1f"), true, 0 },

    /* strings */
    { ROW("\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e6\\uD83D\\ude00\""), false, 1 },
    { ROW("\"\xc3\xa6\xf0\x9f\x98\x80\x7f\""), false, 1 },
    { ROW("\"\xef\xbf\xbe\""), false, 1 },
    { ROW("\""), true, 0 },
    { ROW("\"a"), true, 0 },
    { ROW("\"\\\""), true, 0 },
    { ROW("\"\\"), true, 0 },
    { ROW("'a'"), true, 0 },
    { ROW("\"a\nb\""), true, 0 },
    { ROW("\"a\tb\""), true, 0 },
    { ROW("\"a\0b\""), true, 0 },
    { ROW("\"\\\0\""), true, 0 },
    { ROW("\"\x1f\""), true, 0 },
    { ROW("\"\\a\""), true, 0 },
    { ROW("\"\\x41\""), true, 0 },
    { ROW("\"\\'\""), true, 0 },
    { ROW("\"\\U0041\""), true, 0 },
    { ROW("\"\\u004\""), true, 0 },
    { ROW("\"\\u004"), true, 0 },
    { ROW("\"\\u00g0\""), true, 0 },
    { ROW("\"\\u+041\""), true, 0 },
    { ROW("\"\\u0000\""), true, 0 },
    { ROW("{\"\\u0000\":1}"), true, 0 },
    { ROW("\"\\ud800\""), true, 0 },
    { ROW("\"\\udc00\""), true, 0 },
    { ROW("\"\\ud800\\ud800\""), true, 0 },
    { ROW("\"\\udc00\\udc00\""), true, 0 },
    { ROW("\"\\udc00\\ud800\""), true, 0 },
    { ROW("\"\\ud800\\u0041\""), true, 0 },
    { ROW("\"\\ud800\\n\""), true, 0 },
    { ROW("\"\\ud83dx\""), true, 0 },
    { ROW("\"\xff\""), true, 0 },
    { ROW("\"\xc0\x80\""), true, 0 },
    { ROW("\"\xed\xa0\x80\""), true, 0 },
    { ROW("\"\xf4\x90\x80\x80\""), true, 0 },
    { ROW("\"\xc3\""), true, 0 },
    { ROW("{\"\xff\":1}"), true, 0 },
};

/* In a block of just that size, so that the sanitizer sees a read behind the end. */
static bool scan_exact(const char *text, size_t length, size_t *ret_values,
                       struct complaint *complaint)
{
    char *copy = malloc(length ? length : 1);
    bool accepted;

    assert_non_null(copy);
    memcpy(copy, text, length);
    accepted = json_scan(copy, length, ret_values, complaint);
    free(copy);
    return accepted;
}

static void test_grammar(void **state)
{
    for (size_t i = 0; i < LENGTH_OF(rows); i++) {
        struct complaint complaint = { "" };
        size_t values = 0;
        bool accepted = scan_exact(rows[i].text, rows[i].length, &values, &complaint);

        if (accepted == rows[i].should_fail || values != rows[i].values ||
            (complaint.text[0] == '\0') != accepted)
            fail_row(i, rows[i].text);
    }
}

/* No start of an accepted text is read past its end, and none but of a number is accepted. */
static void test_every_prefix(void **state)
{
    static const char text[] =
        "{\"a\\u00e6\xc3\xa6\\ud83d\\ude00\":[1.5e+3,true,null,\"\\n\"],\"b\":{}}";

    for (size_t length = 0; length < sizeof(text) - 1; length++) {
        size_t values = 0;

        assert_false(scan_exact(text, length, &values, NULL));
        assert_int_equal(values, 0);
    }
}

static void test_complaint_says_where(void **state)
{
    static const struct {
        const char *text, *complaint;
    } said[] = {
        { "{\"a\":tru}", "not JSON: a value expected at byte 8" },
        { "{} x", "not JSON: more after it at byte 3" },
        { "{\"a\" 1}", "not JSON: a colon expected at byte 5" },
        { "[1 2]", "not JSON: a comma or a closing bracket expected at byte 3" },
        { "<html>", "not JSON: a value expected at byte 0" },
        { "", "not JSON: a value expected at byte 0" },
        { "\"s3cret", "not JSON: an unfinished string at byte 7" },
    };

    for (size_t i = 0; i < LENGTH_OF(said); i++) {
        struct complaint complaint = { "" };
        size_t values;

        assert_false(json_scan(said[i].text, strlen(said[i].text), &values, &complaint));
        assert_string_equal(complaint.text, said[i].complaint);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_grammar),
        cmocka_unit_test(test_every_prefix),
        cmocka_unit_test(test_complaint_says_where),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

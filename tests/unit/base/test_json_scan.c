#include "unit.h"

#include "base/json_scan.h"

#define ROW(text) text, sizeof(text) - 1

struct row {
    const char *text;
    size_t length;
    bool should_fail;
    size_t members;
};

static const struct row rows[] = {
    { ROW("{}"), false, 0 },
    { ROW("[]"), false, 0 },
    { ROW(" \t\r\n{ \n} \t"), false, 0 },
    { ROW("null"), false, 0 },
    { ROW("true"), false, 0 },
    { ROW("false"), false, 0 },
    { ROW("0"), false, 0 },
    { ROW("\"\""), false, 0 },
    { ROW("{\"a\":1}"), false, 1 },
    { ROW("{\"a\":{\"b\":[1,{\"c\":2}]} , \"d\" : null}"), false, 4 },
    { ROW("{\"a\":1,\"a\":2}"), false, 2 }, /* somebody else's business */
    { ROW("[1,2,[3],{}]"), false, 0 },
    { ROW("[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]"), false, 0 },
    { ROW("[[],[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]],[]]"), false, 0 },
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

    /* words: json-c reads these without regard to case, and some more */
    { ROW("True"), true, 0 },
    { ROW("NULL"), true, 0 },
    { ROW("nul"), true, 0 },
    { ROW("nullx"), true, 0 },
    { ROW("NaN"), true, 0 },
    { ROW("Infinity"), true, 0 },
    { ROW("-Infinity"), true, 0 },
    { ROW("undefined"), true, 0 },

    /* numbers */
    { ROW("-0"), false, 0 },
    { ROW("-0.0e-0"), false, 0 },
    { ROW("1e400"), false, 0 },
    { ROW("1E+2"), false, 0 },
    { ROW("12345678901234567890123456789"), false, 0 },
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
    { ROW("\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e6\\uD83D\\ude00\""), false, 0 },
    { ROW("\"\xc3\xa6\xf0\x9f\x98\x80\x7f\""), false, 0 },
    { ROW("\"\xef\xbf\xbe\""), false, 0 },
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
static bool scan_exact(const char *text, size_t length, size_t *ret_members,
                       struct complaint *complaint)
{
    char *copy = malloc(length ? length : 1);
    bool accepted;

    assert_non_null(copy);
    memcpy(copy, text, length);
    accepted = json_scan(copy, length, ret_members, complaint);
    free(copy);
    return accepted;
}

static void test_grammar(void **state)
{
    for (size_t i = 0; i < LENGTH_OF(rows); i++) {
        struct complaint complaint = { "" };
        size_t members = 0;
        bool accepted = scan_exact(rows[i].text, rows[i].length, &members, &complaint);

        if (accepted == rows[i].should_fail || members != rows[i].members ||
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
        size_t members = 0;

        assert_false(scan_exact(text, length, &members, NULL));
        assert_int_equal(members, 0);
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
        size_t members;

        assert_false(json_scan(said[i].text, strlen(said[i].text), &members, &complaint));
        assert_string_equal(complaint.text, said[i].complaint);
    }
}

static void test_numbers_in_order(void **state)
{
    static const char text[] = "{\"1\":-0,\"a\\\"2\\\\\":[1.5E+3,\"3\",true,{\"4e5\":67}],\"b\":8}";
    static const char *const expected[] = { "-0", "1.5E+3", "67", "8" };
    const char *at = text;
    const char *end = text + sizeof(text) - 1;
    const char *start;
    size_t length;

    for (size_t i = 0; i < LENGTH_OF(expected); i++) {
        assert_true(json_scan_number(&at, end, &start, &length));
        assert_int_equal(length, strlen(expected[i]));
        assert_memory_equal(start, expected[i], length);
    }
    assert_false(json_scan_number(&at, end, &start, &length));
}

static void test_number_alone(void **state)
{
    const char *at = "12";
    const char *end = at + 2;
    const char *start;
    size_t length;

    assert_true(json_scan_number(&at, end, &start, &length));
    assert_int_equal(length, 2);
    assert_false(json_scan_number(&at, end, &start, &length));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_grammar),
        cmocka_unit_test(test_every_prefix),
        cmocka_unit_test(test_complaint_says_where),
        cmocka_unit_test(test_numbers_in_order),
        cmocka_unit_test(test_number_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

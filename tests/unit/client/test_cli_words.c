#include "unit.h"

#include <string.h>

#include "client/cli/duration.h"
#include "client/cli/nearest.h"
#include "client/cli/output.h"
#include "client/cli/quote.h"
#include "client/cli/words.h"

static void test_durations(void **state)
{
    static const struct {
        const char *text;
        bool should_fail;
        int64_t seconds;
    } rows[] = {
        { "0", false, 0 },
        { "90", false, 90 },
        { "90s", false, 90 },
        { "5min", false, 300 },
        { "2h", false, 7200 },
        { "14d", false, 1209600 },
        { "1w", false, 604800 },
        { "366d", false, 31622400 },
        { "", true, 0 },
        { "s", true, 0 },
        { "-1", true, 0 },
        { "+1", true, 0 },
        { " 1", true, 0 },
        { "1 s", true, 0 },
        { "1.5h", true, 0 },
        { "5m", true, 0 },
        { "5MIN", true, 0 },
        { "367d", true, 0 },
        { "9223372036854775808", true, 0 },
    };

    for (size_t i = 0; i < COUNT(rows); i++) {
        int64_t seconds = -5;
        bool taken = duration_parse(rows[i].text, &seconds);
        if (taken == rows[i].should_fail)
            fail_msg("%s", rows[i].text);
        assert_int_equal(seconds, taken ? rows[i].seconds : -5);
    }
}

static void test_moments(void **state)
{
    static const struct {
        int64_t at;
        const char *words;
    } rows[] = {
        { 1000, "now" },
        { 1001, "in 1 s" },
        { 1119, "in 119 s" },
        { 1120, "in 2 min" },
        { 999, "1 s ago" },
        { 1000 + 7199, "in 119 min" },
        { 1000 + 7200, "in 2 h" },
        { 1000 - 86400, "24 h ago" },
        { 1000 + 172800, "in 2 d" },
        { INT64_MIN, "106751991167300 d ago" },
    };
    char out[WORDS_SIZE];

    for (size_t i = 0; i < COUNT(rows); i++)
        assert_string_equal(words_moment(rows[i].at, 1000, out), rows[i].words);
}

static void test_distances(void **state)
{
    static const struct {
        const char *a;
        const char *b;
        size_t distance;
    } rows[] = {
        { "", "", 0 },          { "", "abc", 3 },        { "token", "token", 0 },
        { "tokn", "token", 1 }, { "toekn", "token", 2 }, { "kitten", "sitting", 3 },
    };

    for (size_t i = 0; i < COUNT(rows); i++) {
        assert_int_equal(nearest_distance(rows[i].a, rows[i].b), rows[i].distance);
        assert_int_equal(nearest_distance(rows[i].b, rows[i].a), rows[i].distance);
    }
    assert_int_equal(nearest_distance("a123456789012345678901234567890123456789x", "a"), SIZE_MAX);
}

static void test_nearest(void **state)
{
    assert_string_equal(nearest_of("tokn", NULL, "token"), "token");
    assert_string_equal(nearest_of("stat", NULL, "status"), "status");
    assert_string_equal(nearest_of("lost", "list", "logout"), "list");
    assert_string_equal(nearest_of("logut", "login", "logout"), "logout");
    assert_null(nearest_of("nonsense", NULL, "token"));
    assert_null(nearest_of("x", NULL, "y"));
}

static void test_quotes(void **state)
{
    CLEANUP(cleanup_text) struct text shell = TEXT_WITH_MAXIMUM(100);
    CLEANUP(cleanup_text) struct text curl = TEXT_WITH_MAXIMUM(100);

    quote_shell(&shell, "a'b$(c)\"\\");
    assert_string_equal(text_string(&shell), "'a'\\''b$(c)\"\\'");
    quote_curl(&curl, "a\"b\\c'");
    assert_string_equal(text_string(&curl), "\"a\\\"b\\\\c'\"");
    assert_true(quote_one_line("Bearer a.b-c é"));
    assert_false(quote_one_line("a\nX: y"));
    assert_false(quote_one_line("a\x7f"));
}

static void test_harmless(void **state)
{
    static const struct {
        const char *text;
        const char *harmless;
    } rows[] = {
        { "plain é€😀", "plain é€😀" },
        { "\033[31mred\033[0m\r\n\a", "?[31mred?[0m???" },
        { "c1 \xc2\x9b bad \xff\xc3", "c1 ? bad ??" },
        { "\x7f", "?" },
    };

    for (size_t i = 0; i < COUNT(rows); i++) {
        CLEANUP(cleanup_text) struct text out = TEXT_WITH_MAXIMUM(100);
        output_harmless(&out, rows[i].text);
        assert_string_equal(text_string(&out), rows[i].harmless);
    }
    assert_int_equal(output_columns("é€x"), 3);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_durations), cmocka_unit_test(test_moments),
        cmocka_unit_test(test_distances), cmocka_unit_test(test_nearest),
        cmocka_unit_test(test_quotes),    cmocka_unit_test(test_harmless),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

#include "unit.h"

#include <string.h>

#include "client/cleanup.h"
#include "client/cli/browser.h"
#include "client/cli/options.h"

static const struct option_row rows[] = {
    OPTION_ROW("--min-ttl", OPTION_DURATION, min_ttl, "TIME", ""),
    OPTION_ROW("--format", OPTION_TEXT, format, "FORMAT", ""),
    OPTION_ROW("--limit", OPTION_NUMBER, limit, "N", ""),
    OPTION_ROW("--param", OPTION_PARAM, params, "NAME=VALUE", ""),
    OPTION_ROW("--json", OPTION_FLAG, json, NULL, ""),
    OPTION_ROW("--key-kept", OPTION_MAYBE, key_kept, "ID", ""),
    OPTIONS_END,
};

static bool take(struct arguments *arguments, struct objection *objection, const char *const *argv)
{
    int index = 0;

    arguments_init(arguments);
    *objection->text = '\0';
    /* Like main()'s: nothing is written to. */
    return options_take((char **)argv, &index, rows, true, arguments, objection);
}

#define TAKE(arguments, objection, ...)                                                            \
    take((arguments), (objection), (const char *[]){ __VA_ARGS__, NULL })

static void test_taken(void **state)
{
    struct arguments a;
    struct objection objection;

    assert_true(TAKE(&a, &objection, "acc", "--min-ttl", "5min", "--format=json", "--json",
                     "--param", "a=b=c", "--param=d=", "--limit", "7", "--socket", "/s", "other"));
    assert_int_equal(a.min_ttl, 300);
    assert_int_equal(a.wait, TB_DEFAULT);
    assert_int_equal(a.limit, 7);
    assert_string_equal(a.format, "json");
    assert_true(a.json);
    assert_int_equal(a.param_count, 2);
    assert_string_equal(a.params[0], "a=b=c");
    assert_string_equal(a.params[1], "d=");
    assert_string_equal(a.socket, "/s");
    assert_int_equal(a.operand_count, 2);
    assert_string_equal(a.operands[1], "other");
    assert_null(a.rest);
}

static void test_a_value_that_may_be_left_out(void **state)
{
    struct arguments a;
    struct objection objection;

    assert_true(TAKE(&a, &objection, "acc"));
    assert_null(a.key_kept);
    assert_true(TAKE(&a, &objection, "--key-kept", "acc"));
    assert_string_equal(a.key_kept, "");
    assert_int_equal(a.operand_count, 1);
    assert_true(TAKE(&a, &objection, "--key-kept=3f", "acc"));
    assert_string_equal(a.key_kept, "3f");
    assert_false(TAKE(&a, &objection, "--key-kept=", "acc"));
    assert_string_equal(objection.text, "--key-kept needs ID");
}

static void test_rest(void **state)
{
    struct arguments a;
    struct objection objection;

    assert_true(TAKE(&a, &objection, "acc", "--", "--json", "-x"));
    assert_false(a.json);
    assert_int_equal(a.operand_count, 1);
    assert_string_equal(a.rest[0], "--json");
    assert_string_equal(a.rest[1], "-x");
    assert_null(a.rest[2]);
}

static void test_stops_at_operand(void **state)
{
    struct arguments a;
    struct objection objection = { "" };
    const char *argv[] = { "--socket=/s", "token", "--nonsense", NULL };
    int index = 0;

    arguments_init(&a);
    assert_true(options_take((char **)argv, &index, NULL, false, &a, &objection));
    assert_int_equal(index, 1);
    assert_string_equal(a.socket, "/s");
}

static void test_goes_on_behind_what_is_wrong(void **state)
{
    struct arguments a;
    struct objection objection;

    assert_false(TAKE(&a, &objection, "--limit", "--nosuch", "a", "b", "c", "--format", "json"));
    assert_string_equal(a.format, "json");
    assert_int_equal(a.operand_count, 2);
    assert_true(TAKE(&a, &objection, "--format", "--nosuch"));
    assert_true(TAKE(&a, &objection, "--format=--json"));
}

static void test_objections(void **state)
{
    static const struct {
        const char *argv[4];
        const char *text;
    } wrong[] = {
        { { "--min-tll", "5" }, "unknown option --min-tll: did you mean --min-ttl?" },
        { { "--zzzzz" }, "unknown option --zzzzz" },
        { { "-x" }, "unknown option -x" },
        { { "--min-ttl" }, "--min-ttl needs TIME" },
        { { "--min-ttl=x" }, "--min-ttl takes a duration such as 90, 90s or 5min, not 'x'" },
        { { "--json=yes" }, "--json takes no value" },
        { { "--limit", "0" }, "--limit takes a number, not '0'" },
        { { "--limit", "5s" }, "--limit takes a number, not '5s'" },
        { { "--param", "x" }, "--param takes NAME=VALUE, not 'x'" },
        { { "--param", "=x" }, "--param takes NAME=VALUE, not '=x'" },
        { { "a", "b", "c" }, "unexpected argument 'c'" },
        { { "--format", "--json" }, "--format needs FORMAT" },
        { { "--format", "" }, "--format needs FORMAT" },
        { { "--format=" }, "--format needs FORMAT" },
        { { "--limit", "--socket=/s" }, "--limit needs N" },
        { { "--format", "--", "json" }, "--format needs FORMAT" },
        { { "--limit", "0", "-x" }, "--limit takes a number, not '0'" },
    };
    struct arguments a;
    struct objection objection;

    for (size_t i = 0; i < COUNT(wrong); i++) {
        assert_false(take(&a, &objection, wrong[i].argv));
        assert_string_equal(objection.text, wrong[i].text);
    }
}

static void test_browsers_of_windows(void **state)
{
    assert_true(browser_is_of_windows("5.15.90.1-microsoft-standard-WSL2"));
    assert_true(browser_is_of_windows("4.4.0-19041-Microsoft"));
    assert_false(browser_is_of_windows("6.1.0-18-amd64"));
}

static void test_loopback_ports(void **state)
{
    static const struct {
        const char *url;
        unsigned port;
    } urls[] = {
        { "http://localhost:8765/start/x", 8765 },
        { "https://localhost:8766/start/x", 8766 },
        { "http://127.0.0.1:1/", 1 },
        { "http://[::1]:8765/start", 8765 },
        { "https://localhost/start", 443 },
        { "http://localhost/start", 80 },
        { "https://hr.example.com/oauth", 0 },
        { "http://localhost.example.com:80/", 0 },
        { "http://localhost:99999/", 0 },
        { "http://localhost:80x/", 0 },
        { "", 0 },
        { "ftp://localhost/", 0 },
    };

    for (size_t i = 0; i < COUNT(urls); i++)
        assert_int_equal(browser_loopback_port(urls[i].url), urls[i].port);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_taken),
        cmocka_unit_test(test_a_value_that_may_be_left_out),
        cmocka_unit_test(test_rest),
        cmocka_unit_test(test_stops_at_operand),
        cmocka_unit_test(test_goes_on_behind_what_is_wrong),
        cmocka_unit_test(test_goes_on_behind_what_is_wrong),
        cmocka_unit_test(test_objections),
        cmocka_unit_test(test_loopback_ports),
        cmocka_unit_test(test_browsers_of_windows),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

#include "unit.h"

#include <string.h>

#include "client/text.h"

static void test_appends(void **state)
{
    CLEANUP(cleanup_text) struct text text = TEXT_WITH_MAXIMUM(2000);

    assert_string_equal(text_string(&text), "");
    text_append(&text, "a\0b", 3);
    text_append_string(&text, "cd");
    text_append_format(&text, "-%d-%s", 42, "x");
    assert_int_equal(text.length, 10);
    assert_memory_equal(text.data, "a\0bcd-42-x", 11);
    for (int i = 0; i < 300; i++)
        text_append_string(&text, "12345");
    assert_false(text.failed);
    assert_int_equal(text.length, 1510);
    assert_memory_equal(text.data, "a\0bcd-42-x12345", 15);
}

static void test_maximum(void **state)
{
    CLEANUP(cleanup_text) struct text text = TEXT_WITH_MAXIMUM(5);

    text_append_string(&text, "12345");
    assert_false(text.failed);
    text_append_format(&text, "%d", 6);
    assert_true(text.failed);
    assert_string_equal(text_string(&text), "");
    text_append_string(&text, "1");
    assert_int_equal(text.length, 0);
    text_release(&text);
    text_append_string(&text, "1");
    assert_string_equal(text_string(&text), "1");
}

static void test_json(void **state)
{
    static const struct {
        const char *string;
        const char *json;
    } rows[] = {
        { "", "\"\"" },
        { "plain", "\"plain\"" },
        { "a\"b\\c", "\"a\\\"b\\\\c\"" },
        { "\n\t\x01\x7f", "\"\\u000a\\u0009\\u0001\\u007f\"" },
        { "Zürich €", "\"Zürich €\"" },
    };

    for (size_t i = 0; i < COUNT(rows); i++) {
        CLEANUP(cleanup_text) struct text text = TEXT_WITH_MAXIMUM(100);
        text_append_json(&text, rows[i].string);
        assert_string_equal(text_string(&text), rows[i].json);
    }
}

static void test_percent(void **state)
{
    CLEANUP(cleanup_text) struct text text = TEXT_WITH_MAXIMUM(100);

    text_append_percent(&text, "");
    assert_string_equal(text_string(&text), "");
    text_append_percent(&text, "a/Z9+ b@c-d._*%\xc3\xa9");
    assert_string_equal(text_string(&text), "a/Z9%2B%20b%40c%2Dd%2E%5F%2A%25%C3%A9");
}

static void test_cut_wipes(void **state)
{
    CLEANUP(cleanup_text) struct text text = TEXT_WITH_MAXIMUM(100);

    text_append_string(&text, "secret");
    text_cut(&text, 9);
    assert_int_equal(text.length, 6);
    text_cut(&text, 2);
    assert_string_equal(text_string(&text), "se");
    assert_memory_equal(text.data + 2, "\0\0\0\0", 4);
    text_release(NULL);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_appends),   cmocka_unit_test(test_maximum),
        cmocka_unit_test(test_json),      cmocka_unit_test(test_percent),
        cmocka_unit_test(test_cut_wipes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

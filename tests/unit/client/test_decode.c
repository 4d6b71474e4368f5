#include "unit.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "client/cleanup.h"
#include "client/decode.h"

/* Whole documents; what the parsed value's type is, or that it is refused. */
static const struct {
    const char *json;
    bool should_fail;
    enum tb_type type;
} documents[] = {
    { "{}", false, TB_OBJECT },
    { " [ ] ", false, TB_ARRAY },
    { "\t\r\n\"a\"\n", false, TB_STRING },
    { "null", false, TB_NULL },
    { "true", false, TB_BOOLEAN },
    { "false", false, TB_BOOLEAN },
    { "0", false, TB_NUMBER },
    { "-0.5e+10", false, TB_NUMBER },
    { "1E400", false, TB_NUMBER },
    { "{\"a\":{\"a\":[1,{\"a\":2}]}}", false, TB_OBJECT },
    { "", true, 0 },
    { " ", true, 0 },
    { "{", true, 0 },
    { "[", true, 0 },
    { "[1", true, 0 },
    { "[1,]", true, 0 },
    { "[,1]", true, 0 },
    { "[1 2]", true, 0 },
    { "{\"a\"}", true, 0 },
    { "{\"a\":}", true, 0 },
    { "{\"a\":1,}", true, 0 },
    { "{a:1}", true, 0 },
    { "{1:1}", true, 0 },
    { "{\"a\":1 \"b\":2}", true, 0 },
    { "{\"a\":1,\"a\":2}", true, 0 },
    { "{\"a\":1,\"b\":[3],\"a\":2}", true, 0 },
    { "{\"a\":1,\"\\u0061\":2}", true, 0 },
    { "[1]]", true, 0 },
    { "{} {}", true, 0 },
    { "nul", true, 0 },
    { "True", true, 0 },
    { "nullx", true, 0 },
    { "NaN", true, 0 },
    { "-", true, 0 },
    { "+1", true, 0 },
    { "01", true, 0 },
    { "-01", true, 0 },
    { "1.", true, 0 },
    { ".5", true, 0 },
    { "1e", true, 0 },
    { "1e+", true, 0 },
    { "0x10", true, 0 },
    { "'a'", true, 0 },
    { "\"", true, 0 },
    { "\"a", true, 0 },
    { "\"\\\"", true, 0 },
    { "[1}", true, 0 },
    { "// no\n1", true, 0 },
    { "\xef\xbb\xbf{}", true, 0 },
};

static void test_documents(void **state)
{
    for (size_t i = 0; i < COUNT(documents); i++) {
        CLEANUP(cleanup_document) struct document document = { 0 };
        const char *json = documents[i].json;
        int r = decode(json, strlen(json), &document);
        if (r != (documents[i].should_fail ? -EBADMSG : 0))
            fail_msg("%s: %d", json, r);
        if (r == 0)
            assert_int_equal(tb_value_type(document.values), documents[i].type);
    }
}

/* Strings; NULL for those that are refused. */
static const struct {
    const char *json;
    const char *text;
} strings[] = {
    { "\"\"", "" },
    { "\"a b\"", "a b" },
    { "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", "\"\\/\b\f\n\r\t" },
    { "\"\\u0041\\u00e9\\u20AC\"", "Aé€" },
    { "\"\\ud83d\\ude00\"", "😀" },
    { "\"é€😀\"", "é€😀" },
    { "\"\x7f\"", "\x7f" },
    { "\"\\u0000\"", NULL },
    { "\"\\ud83d\"", NULL },
    { "\"\\ud83dx\"", NULL },
    { "\"\\ud83d\\u0041\"", NULL },
    { "\"\\ude00\"", NULL },
    { "\"\\u12\"", NULL },
    { "\"\\u12g4\"", NULL },
    { "\"\\x41\"", NULL },
    { "\"\\'\"", NULL },
    { "\"a\nb\"", NULL },
    { "\"\x01\"", NULL },
    { "\"\x80\"", NULL },
    { "\"\xc3\"", NULL },
    { "\"\xc0\xaf\"", NULL },
    { "\"\xe0\x80\xaf\"", NULL },
    { "\"\xed\xa0\x80\"", NULL },
    { "\"\xf0\x80\x80\x80\"", NULL },
    { "\"\xf4\x90\x80\x80\"", NULL },
    { "\"\xf5\x80\x80\x80\"", NULL },
    { "\"\xff\"", NULL },
};

static void test_strings(void **state)
{
    for (size_t i = 0; i < COUNT(strings); i++) {
        CLEANUP(cleanup_document) struct document document = { 0 };
        int r = decode(strings[i].json, strlen(strings[i].json), &document);
        if (r != (strings[i].text ? 0 : -EBADMSG))
            fail_msg("%s: %d", strings[i].json, r);
        if (r == 0)
            assert_string_equal(tb_value_text(document.values, NULL), strings[i].text);
    }
}

static void test_nul_in_string_is_refused(void **state)
{
    struct document document = { 0 };

    assert_int_equal(decode("\"a\0b\"", 5, &document), -EBADMSG);
}

static void test_integers(void **state)
{
    static const struct {
        const char *json;
        int64_t value;
    } rows[] = {
        { "0", 0 },
        { "-0", 0 },
        { "1767225600", 1767225600 },
        { "9223372036854775807", INT64_MAX },
        { "-9223372036854775808", INT64_MIN },
        { "9223372036854775808", -7 },
        { "-9223372036854775809", -7 },
        { "99999999999999999999", -7 },
        { "1.0", -7 },
        { "1e2", -7 },
        { "\"5\"", -7 },
        { "true", -7 },
    };

    for (size_t i = 0; i < COUNT(rows); i++) {
        CLEANUP(cleanup_document) struct document document = { 0 };
        assert_int_equal(decode(rows[i].json, strlen(rows[i].json), &document), 0);
        assert_int_equal(tb_value_integer(document.values, -7), rows[i].value);
    }
}

static void test_walk(void **state)
{
    static const char json[] =
        "{\"a\":[10,{\"x\":1.50},\"s\"], \"b\" : {\"c\":true,\"d\":false},\"e\":null,\"f\":[]}";
    CLEANUP(cleanup_document) struct document document = { 0 };
    size_t length = 0;

    assert_int_equal(decode(json, strlen(json), &document), 0);
    const struct tb_value *a = tb_value_member(document.values, "a");
    const struct tb_value *item = tb_value_first(a);
    assert_string_equal(tb_value_name(a), "a");
    assert_int_equal(tb_value_integer(item, 0), 10);
    assert_null(tb_value_name(item));
    item = tb_value_next(item);
    assert_memory_equal(tb_value_json(item, &length), "{\"x\":1.50}", 10);
    assert_int_equal(length, 10);
    item = tb_value_next(item);
    assert_string_equal(tb_value_text(item, NULL), "s");
    assert_null(tb_value_next(item));
    const struct tb_value *b = tb_value_next(a);
    assert_string_equal(tb_value_name(b), "b");
    assert_true(tb_value_true(tb_value_member(b, "c")));
    assert_false(tb_value_true(tb_value_member(b, "d")));
    assert_null(tb_value_member(b, "a"));
    assert_int_equal(tb_value_type(tb_value_member(document.values, "e")), TB_NULL);
    assert_null(tb_value_first(tb_value_member(document.values, "f")));
    assert_null(tb_value_member(a, "x"));
}

static void test_nothing_is_walked(void **state)
{
    size_t length = 0;

    assert_int_equal(tb_value_type(NULL), TB_NULL);
    assert_null(tb_value_member(NULL, "a"));
    assert_null(tb_value_first(NULL));
    assert_null(tb_value_next(NULL));
    assert_null(tb_value_name(NULL));
    assert_string_equal(tb_value_text(NULL, "otherwise"), "otherwise");
    assert_int_equal(tb_value_integer(NULL, 3), 3);
    assert_false(tb_value_true(NULL));
    assert_memory_equal(tb_value_json(NULL, &length), "null", 4);
    document_release(NULL);
}

/* Brackets in brackets. */
static int decode_depth(size_t depth)
{
    CLEANUP(cleanup_document) struct document document = { 0 };
    char json[4 * DECODE_DEPTH_MAX];

    memset(json, '[', depth);
    memset(json + depth, ']', depth);
    return decode(json, 2 * depth, &document);
}

static void test_depth(void **state)
{
    assert_int_equal(decode_depth(DECODE_DEPTH_MAX), 0);
    assert_int_equal(decode_depth(DECODE_DEPTH_MAX + 1), -EBADMSG);
}

static int decode_numbers(size_t count)
{
    CLEANUP(cleanup_document) struct document document = { 0 };
    CLEANUP(cleanup_string) char *json = malloc(2 * count + 1);

    assert_non_null(json);
    for (size_t i = 0; i < count; i++)
        memcpy(json + 2 * i, i == 0 ? "[1" : ",1", 2);
    json[2 * count] = ']';
    return decode(json, 2 * count + 1, &document);
}

static void test_number_of_values(void **state)
{
    assert_int_equal(decode_numbers(DECODE_VALUES_MAX - 1), 0);
    assert_int_equal(decode_numbers(DECODE_VALUES_MAX), -EBADMSG);
}

/* Every document cut anywhere, in memory that ends there: nothing is read beyond. */
static void test_cut_documents(void **state)
{
    static const char json[] = "{\"a\\u00e9é\":[1,-2.5e3,true,null,\"\\ud83d\\ude00\"]}";

    for (size_t length = 0; length < strlen(json); length++) {
        CLEANUP(cleanup_document) struct document document = { 0 };
        CLEANUP(cleanup_string) char *cut = malloc(length ? length : 1);
        assert_non_null(cut);
        memcpy(cut, json, length);
        assert_int_equal(decode(cut, length, &document), -EBADMSG);
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_documents),
        cmocka_unit_test(test_strings),
        cmocka_unit_test(test_nul_in_string_is_refused),
        cmocka_unit_test(test_integers),
        cmocka_unit_test(test_walk),
        cmocka_unit_test(test_nothing_is_walked),
        cmocka_unit_test(test_depth),
        cmocka_unit_test(test_number_of_values),
        cmocka_unit_test(test_cut_documents),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

#include "unit.h"

#include <errno.h>
#include <stdio.h>

#include "base/json.h"
#include "memory_search.h"

static struct json *parse(const char *text)
{
    struct json *whole = NULL;
    struct complaint complaint = { "" };

    if (json_parse(text, strlen(text), &whole, &complaint) != 0)
        fail_msg("%s: %s", text, complaint.text);
    assert_non_null(whole);
    return whole;
}

static int parse_status(const char *text, size_t length)
{
    struct json *untouched = (struct json *)&errno;
    struct json *whole = untouched;
    int r = json_parse(text, length, &whole, NULL);

    if (r == 0)
        json_free(whole);
    else
        assert_ptr_equal(whole, untouched);
    return r;
}

static void test_kinds(void **state)
{
    static const struct {
        const char *key;
        enum json_kind kind;
    } rows[] = {
        { "null", JSON_NULL },      { "true", JSON_BOOLEAN },  { "false", JSON_BOOLEAN },
        { "int", JSON_NUMBER },     { "double", JSON_NUMBER }, { "huge", JSON_NUMBER },
        { "string", JSON_STRING },  { "array", JSON_ARRAY },   { "object", JSON_OBJECT },
        { "nothing", JSON_ABSENT }, { "", JSON_STRING },
    };
    CLEANUP(cleanup_json)
    struct json *whole = parse(
        "{\"null\":null,\"true\":true,\"false\":false,\"int\":1,\"double\":1.5,\"huge\":1e400,"
        "\"string\":\"\",\"array\":[],\"object\":{},\"\":\"empty key\"}");

    for (size_t i = 0; i < LENGTH_OF(rows); i++)
        if (json_kind(json_member(whole, rows[i].key)) != rows[i].kind)
            fail_row(i, rows[i].key);
    assert_int_equal(json_kind(NULL), JSON_ABSENT);
}

static void test_top_level_scalars(void **state)
{
    static const struct {
        const char *text;
        enum json_kind kind;
    } rows[] = {
        { "null", JSON_NULL },    { " true ", JSON_BOOLEAN }, { "12", JSON_NUMBER },
        { "12 ", JSON_NUMBER },   { "1.5", JSON_NUMBER },     { "-0", JSON_NUMBER },
        { "\"a\"", JSON_STRING }, { "[]", JSON_ARRAY },       { "{}", JSON_OBJECT },
    };

    for (size_t i = 0; i < LENGTH_OF(rows); i++) {
        CLEANUP(cleanup_json) struct json *whole = parse(rows[i].text);

        if (json_kind(whole) != rows[i].kind)
            fail_row(i, rows[i].text);
    }
    assert_null(json_free(NULL));
}

static void test_reads_no_further_than_told(void **state)
{
    struct json *whole = NULL;
    int64_t number;

    assert_int_equal(json_parse("123", 2, &whole, NULL), 0);
    assert_true(json_integer(whole, &number));
    assert_int_equal(number, 12);
    json_free(whole);
}

static void test_strings(void **state)
{
    CLEANUP(cleanup_json)
    struct json *whole =
        parse("{\"plain\":\"abc\",\"escaped\":\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e6\\ud83d\\ude00\","
              "\"number\":12,\"\\u0061\\u0062\":\"decoded key\",\"null\":null}");

    assert_string_equal(json_member_string(whole, "plain"), "abc");
    assert_string_equal(json_member_string(whole, "escaped"),
                        "\"\\/\b\f\n\r\t\xc3\xa6\xf0\x9f\x98\x80");
    assert_string_equal(json_member_string(whole, "ab"), "decoded key");
    assert_null(json_member_string(whole, "number"));
    assert_null(json_member_string(whole, "null"));
    assert_null(json_member_string(whole, "nothing"));
    assert_null(json_string(whole));
    assert_null(json_string(NULL));
}

static void test_members_of_what_is_no_object(void **state)
{
    CLEANUP(cleanup_json) struct json *whole = parse("[\"a\",null]");

    assert_null(json_member(whole, "a"));
    assert_null(json_member(json_array_at(whole, 0), "a"));
    assert_null(json_member(json_array_at(whole, 1), "a"));
    assert_null(json_member(NULL, "a"));
}

static void test_integer(void **state)
{
    CLEANUP(cleanup_json)
    struct json *whole =
        parse("{\"a\":3600,\"b\":3600.0,\"c\":36e2,\"d\":\"3600\",\"e\":1e23,\"f\":-5,"
              "\"g\":12345678901234567890,\"h\":9007199254740993,\"i\":true,\"j\":1.5}");
    int64_t number = 7;

    assert_false(json_integer(json_member(whole, "d"), &number));
    assert_false(json_integer(json_member(whole, "e"), &number));
    assert_false(json_integer(json_member(whole, "g"), &number));
    assert_false(json_integer(json_member(whole, "i"), &number));
    assert_false(json_integer(json_member(whole, "j"), &number));
    assert_false(json_integer(json_member(whole, "nothing"), &number));
    assert_int_equal(number, 7);
    assert_true(json_integer(json_member(whole, "a"), &number) && number == 3600);
    assert_true(json_integer(json_member(whole, "b"), &number) && number == 3600);
    assert_true(json_integer(json_member(whole, "c"), &number) && number == 3600);
    assert_true(json_integer(json_member(whole, "f"), &number) && number == -5);
    assert_true(json_integer(json_member(whole, "h"), &number) &&
                number == INT64_C(9007199254740993));
}

static void test_boolean(void **state)
{
    CLEANUP(cleanup_json) struct json *whole = parse("[true,false,\"true\",1,null]");
    bool value = false;

    assert_true(json_boolean(json_array_at(whole, 0), &value));
    assert_true(value);
    assert_true(json_boolean(json_array_at(whole, 1), &value));
    assert_false(value);
    value = true;
    for (size_t i = 2; i < 6; i++)
        assert_false(json_boolean(json_array_at(whole, i), &value));
    assert_true(value);
}

static void test_array(void **state)
{
    CLEANUP(cleanup_json) struct json *whole = parse("[\"a\",null,[1]]");

    assert_int_equal(json_array_length(whole), 3);
    assert_string_equal(json_string(json_array_at(whole, 0)), "a");
    assert_int_equal(json_kind(json_array_at(whole, 1)), JSON_NULL);
    assert_int_equal(json_array_length(json_array_at(whole, 2)), 1);
    assert_null(json_array_at(whole, 3));
    assert_int_equal(json_array_length(json_array_at(whole, 0)), 0);
    assert_int_equal(json_array_length(NULL), 0);
}

static bool note_key(void *userdata, const char *key, const struct json *member)
{
    buffer_append_format(userdata, "%s%d ", key, json_kind(member));
    return strcmp(key, "stop") != 0;
}

static void test_each_member(void **state)
{
    struct buffer keys CLEANUP(cleanup_buffer) = BUFFER_WITH_MAXIMUM(100);
    CLEANUP(cleanup_json)
    struct json *whole = parse("{\"z\":null,\"a\":1,\"m\":\"x\",\"stop\":[],\"b\":2}");

    json_each_member(whole, note_key, &keys);
    assert_string_equal(buffer_text(&keys), "z1 a3 m4 stop5 ");
    json_each_member(json_member(whole, "a"), note_key, &keys);
    json_each_member(NULL, note_key, &keys);
    assert_string_equal(buffer_text(&keys), "z1 a3 m4 stop5 ");
}

static void test_doubled_keys(void **state)
{
    static const struct {
        const char *text;
        bool should_fail;
    } rows[] = {
        { "{\"a\":1,\"a\":2}", true },
        { "{\"a\":1,\"b\":1,\"a\":1}", true },
        { "{\"refresh_token\":\"x\",\"refresh\\u005ftoken\":\"y\"}", true },
        { "{\"a\":{\"b\":1,\"c\":1},\"a\":{}}", true },
        { "{\"a\":{},\"a\":{\"b\":1,\"c\":1}}", true },
        { "[{},[{\"x\":{\"a\":null,\"a\":null}}]]", true },
        { "{\"\":1,\"\":2}", true },
        { "{\"\xc3\xa6\":1,\"\\u00e6\":2}", true },
        { "{\"a\":1,\"A\":2}", false },
        { "{\"a\":{\"a\":{\"a\":1}}}", false },
        { "[{\"a\":1},{\"a\":2}]", false },
        { "{\"a\":1,\"a \":2}", false },
    };

    for (size_t i = 0; i < LENGTH_OF(rows); i++)
        if (parse_status(rows[i].text, strlen(rows[i].text)) !=
            (rows[i].should_fail ? JSON_INVALID : 0))
            fail_row(i, rows[i].text);
}

static void test_complaints(void **state)
{
    struct json *whole = NULL;
    struct complaint complaint = { "" };

    assert_int_equal(json_parse("{\"a\":1,\"a\":2}", 13, &whole, &complaint), JSON_INVALID);
    assert_string_equal(complaint.text, "a key occurs twice in one JSON object");
    assert_int_equal(json_parse("<html>", 6, &whole, &complaint), JSON_INVALID);
    assert_string_equal(complaint.text, "not JSON: a value expected at byte 0");
    assert_int_equal(json_parse("", SIZE_MAX, &whole, &complaint), JSON_INVALID);
    assert_string_equal(complaint.text, "too long a JSON text");
}

/* What other readers let pass (json_scan's own test has the whole table). */
static void test_strictness(void **state)
{
    static const struct {
        const char *text;
        size_t length;
    } rows[] = {
        { "{\"a\":NaN}", 9 },
        { "{\"a\":Infinity}", 14 },
        { "\"a\nb\"", 5 },
        { "\"a\\u0000b\"", 10 },
        { "{'a':1}", 7 },
        { "[1,]", 4 },
        { "/**/{}", 6 },
        { "True", 4 },
        { "{}x", 3 },
        { "{}\0", 3 },
        { "\"\xff\"", 3 },
        { "\"\\ud800\"", 8 },
        { "[01]", 4 },
        { "[-]", 3 },
        { "", 0 },
    };

    for (size_t i = 0; i < LENGTH_OF(rows); i++)
        if (parse_status(rows[i].text, rows[i].length) != JSON_INVALID)
            fail_row(i, rows[i].text);
}

static void test_depth(void **state)
{
    char text[2 * JSON_DEPTH_MAX + 2];

    memset(text, '[', JSON_DEPTH_MAX);
    memset(text + JSON_DEPTH_MAX, ']', JSON_DEPTH_MAX);
    assert_int_equal(parse_status(text, 2 * JSON_DEPTH_MAX), 0);
    memset(text, '[', JSON_DEPTH_MAX + 1);
    memset(text + JSON_DEPTH_MAX + 1, ']', JSON_DEPTH_MAX + 1);
    assert_int_equal(parse_status(text, 2 * (JSON_DEPTH_MAX + 1)), JSON_INVALID);
}

static void test_deepest_values_are_read(void **state)
{
    static const char text[] = "[[[[[[[[[[[[[[[{\"a\":1.0}]]]]]]]]]]]]]]]";
    struct buffer out CLEANUP(cleanup_buffer) = BUFFER_WITH_MAXIMUM(100);
    CLEANUP(cleanup_json) struct json *whole = parse(text);

    json_append(&out, whole);
    assert_string_equal(buffer_text(&out), text);
}

static void test_append(void **state)
{
    static const struct {
        const char *text;
        const char *expected; /* NULL: as it came */
    } rows[] = {
        { "null", NULL },
        { "true", NULL },
        { "false", NULL },
        { "[]", NULL },
        { "{}", NULL },
        { "[null,true,[],{},\"\"]", NULL },
        { "{\"a\":{\"b\":[1,2]},\"c\":null}", NULL },
        { "[12345678901234567890,1.0,1e3,-0,0.10,1E+2,-0.0e-0,1e400,1e23]", NULL },
        { "[123456789012345678901234567890,-123456789012345678901234567890]", NULL },
        { "[18446744073709551616,9223372036854775808,-9223372036854775809]", NULL },
        { "{\"1\":2,\"\\\"3\":\"4\",\"b\":5}", NULL },
        { " [ 1 , 2 ] ", "[1,2]" },
        { "\"\\u00e6\\/\\u001f\"", "\"\xc3\xa6/\\u001f\"" },
        { "\"\\u0022\\n\\u007f\"", "\"\\\"\\n\x7f\"" },
        { "{\"\\u0061\\n\":1}", "{\"a\\n\":1}" },
    };

    for (size_t i = 0; i < LENGTH_OF(rows); i++) {
        struct buffer out CLEANUP(cleanup_buffer) = BUFFER_WITH_MAXIMUM(200);
        CLEANUP(cleanup_json) struct json *whole = parse(rows[i].text);

        json_append(&out, whole);
        assert_string_equal(buffer_text(&out), rows[i].expected ? rows[i].expected : rows[i].text);
    }
}

static void test_append_absent(void **state)
{
    struct buffer out CLEANUP(cleanup_buffer) = BUFFER_WITH_MAXIMUM(10);

    json_append(&out, NULL);
    assert_string_equal(buffer_text(&out), "null");
}

static unsigned seed = 11;

static unsigned next_random(unsigned bound)
{
    seed = seed * 1103515245u + 12345u;
    return (seed >> 8) % bound;
}

/* Damages a text at a few places with bytes that mean something in JSON. */
static void mutate(char *text, size_t length)
{
    static const char bytes[] = "{}[]:,\"\\u0de1+-. \n\t/ntf\xc3\xa6\xff";

    for (unsigned i = next_random(4); i > 0; i--)
        text[next_random((unsigned)length)] = bytes[next_random(sizeof(bytes))];
}

/* Every value has its place, however many there are on one level. */
static void test_many_values(void **state)
{
    enum { MEMBERS = 500 };
    struct buffer text CLEANUP(cleanup_buffer) = BUFFER_WITH_MAXIMUM(20 * MEMBERS);
    CLEANUP(cleanup_json) struct json *whole = NULL;
    struct json_writer writer = json_writer_begin(&text, '{');
    char key[16];

    for (int i = 0; i < MEMBERS; i++) {
        (void)snprintf(key, sizeof key, "k%d", i * 7 % MEMBERS);
        json_put_raw(&writer, key, i % 2 ? "[1,2]" : "{\"k1\":\"\"}");
    }
    json_writer_end(&writer);
    assert_int_equal(json_parse(text.data, text.length, &whole, NULL), 0);
    assert_int_equal(json_array_length(json_member(whole, "k7")), 2);
    assert_string_equal(json_member_string(json_member(whole, "k14"), "k1"), "");
    text.data[strlen("{\"k")] = '1'; /* the first key, k0, becomes another k1 */
    whole = json_free(whole);
    assert_int_equal(json_parse(text.data, text.length, &whole, NULL), JSON_INVALID);
}

/* Whatever is read can be written and read again, to the same bytes. */
static void test_mutations(void **state)
{
    static const char text[] =
        "{\"a\":[1,-2.5e+3,0.0,{\"b\\u00e6\":null}],\"c\\\"\":\"\xc3\xa6\\n\","
        "\"d\":{\"e\":true,\"f\":false},\"g\":12345678901234567890}";
    char damaged[sizeof(text)];
    size_t length = sizeof(text) - 1;
    int accepted = 0;

    for (int i = 0; i < 30000; i++) {
        struct buffer first CLEANUP(cleanup_buffer) = BUFFER_WITH_MAXIMUM(1000);
        struct buffer second CLEANUP(cleanup_buffer) = BUFFER_WITH_MAXIMUM(1000);
        CLEANUP(cleanup_json) struct json *whole = NULL;
        CLEANUP(cleanup_json) struct json *again = NULL;
        int r;

        memcpy(damaged, text, sizeof(text));
        mutate(damaged, length);
        r = json_parse(damaged, length, &whole, NULL);
        assert_true(r == 0 || r == JSON_INVALID);
        if (r != 0)
            continue;
        accepted++;
        json_append(&first, whole);
        assert_int_equal(json_parse(first.data, first.length, &again, NULL), 0);
        json_append(&second, again);
        assert_string_equal(buffer_text(&first), buffer_text(&second));
    }
    assert_true(accepted > 5000 && accepted < 25000);
}

static void test_strings_are_wiped(void **state)
{
    char needle[MEMORY_NEEDLE];
    struct buffer text = BUFFER_WITH_MAXIMUM(1000);
    struct json *whole = NULL;

    memory_needle(needle, 3);
    buffer_append_text(&text, "{\"a\":[{\"access_token\":\"");
    /* Long enough for the tokener's buffer to grow, if it did. */
    for (int i = 0; i < 20; i++)
        buffer_append(&text, needle, sizeof(needle));
    explicit_bzero(needle, sizeof(needle));
    buffer_append_text(&text, "\"},\"b\"]}");
    assert_int_equal(json_parse(text.data, text.length, &whole, NULL), 0);
    buffer_release(&text);
    assert_int_equal(memory_count(), 20);
    json_free(whole);
    assert_int_equal(memory_count(), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_kinds),
        cmocka_unit_test(test_top_level_scalars),
        cmocka_unit_test(test_reads_no_further_than_told),
        cmocka_unit_test(test_strings),
        cmocka_unit_test(test_members_of_what_is_no_object),
        cmocka_unit_test(test_integer),
        cmocka_unit_test(test_boolean),
        cmocka_unit_test(test_array),
        cmocka_unit_test(test_each_member),
        cmocka_unit_test(test_doubled_keys),
        cmocka_unit_test(test_complaints),
        cmocka_unit_test(test_strictness),
        cmocka_unit_test(test_depth),
        cmocka_unit_test(test_deepest_values_are_read),
        cmocka_unit_test(test_append),
        cmocka_unit_test(test_append_absent),
        cmocka_unit_test(test_many_values),
        cmocka_unit_test(test_mutations),
        cmocka_unit_test(test_strings_are_wiped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

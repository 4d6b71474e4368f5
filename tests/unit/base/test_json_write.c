#include "unit.h"

#include "base/json.h"

static void test_strings(void **state)
{
    static const struct {
        const char *text, *json;
    } rows[] = {
        { "", "\"\"" },
        { "plain text", "\"plain text\"" },
        { "a\"b\\c/d", "\"a\\\"b\\\\c/d\"" },
        { "\n\r\t\b\f\x01\x1f\x7f", "\"\\n\\r\\t\\u0008\\u000c\\u0001\\u001f\x7f\"" },
        { "\xc3\xa6\xe2\x82\xac\xf0\x9f\x98\x80", "\"\xc3\xa6\xe2\x82\xac\xf0\x9f\x98\x80\"" },
        { "a\xff"
          "b",
          "\"a\xef\xbf\xbd"
          "b\"" },
        { "\xc3", "\"\xef\xbf\xbd\"" },
        { "\xed\xa0\x80", "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"" },
        { "\xc3\"", "\"\xef\xbf\xbd\\\"\"" },
        { "</script>", "\"</script>\"" },
    };

    for (size_t i = 0; i < LENGTH_OF(rows); i++) {
        struct buffer out CLEANUP(cleanup_buffer) = BUFFER_WITH_MAXIMUM(100);
        struct json *whole = NULL;

        json_append_string(&out, rows[i].text);
        assert_string_equal(buffer_text(&out), rows[i].json);
        assert_int_equal(json_parse(out.data, out.length, &whole, NULL), 0);
        json_free(whole);
    }
}

/* Every byte alone, and every pair: what is written can always be read. */
static void test_all_pairs_can_be_read(void **state)
{
    for (unsigned i = 0x100; i < 0x10000; i++) {
        struct buffer out CLEANUP(cleanup_buffer) = BUFFER_WITH_MAXIMUM(100);
        CLEANUP(cleanup_json) struct json *whole = NULL;
        char text[3] = { (char)(i >> 8), (char)i, '\0' };

        json_append_string(&out, text);
        assert_int_equal(json_parse(out.data, out.length, &whole, NULL), 0);
    }
}

static void test_secret(void **state)
{
    struct buffer out CLEANUP(cleanup_buffer) = BUFFER_WITH_MAXIMUM(100);
    CLEANUP(cleanup_secret) struct secret *secret = NULL;

    assert_int_equal(secret_new("a\"b", 3, &secret), 0);
    json_append_secret(&out, secret);
    assert_string_equal(buffer_text(&out), "\"a\\\"b\"");
}

static void test_writer(void **state)
{
    struct buffer out CLEANUP(cleanup_buffer) = BUFFER_WITH_MAXIMUM(1000);
    CLEANUP(cleanup_secret) struct secret *secret = NULL;
    struct json_writer w, inner;

    assert_int_equal(secret_new("tok", 3, &secret), 0);
    w = json_writer_begin(&out, '{');
    json_put_string(&w, "absent", NULL);
    json_put_string(&w, "error", "no \"such\" thing");
    json_put_string(&w, "absent", NULL);
    json_put_secret(&w, "absent", NULL);
    json_put_raw(&w, "absent", NULL);
    json_put_secret(&w, "access_token", secret);
    json_put_integer(&w, "low", INT64_MIN);
    json_put_integer(&w, "high", INT64_MAX);
    json_put_boolean(&w, "yes", true);
    json_put_boolean(&w, "no\n", false);
    json_put_raw(&w, "extra", "{\"a\":1.0}");
    inner = json_put_nested(&w, "list", '[');
    json_put_integer(&inner, NULL, 1);
    json_put_string(&inner, NULL, NULL);
    json_put_string(&inner, NULL, "two");
    json_writer_end(&inner);
    inner = json_put_nested(&w, "none", '{');
    json_writer_end(&inner);
    json_writer_end(&w);
    assert_string_equal(buffer_text(&out),
                        "{\"error\":\"no \\\"such\\\" thing\",\"access_token\":\"tok\","
                        "\"low\":-9223372036854775808,\"high\":9223372036854775807,\"yes\":true,"
                        "\"no\\n\":false,\"extra\":{\"a\":1.0},\"list\":[1,\"two\"],\"none\":{}}");
}

static void test_empty_array(void **state)
{
    struct buffer out CLEANUP(cleanup_buffer) = BUFFER_WITH_MAXIMUM(2);
    struct json_writer w = json_writer_begin(&out, '[');

    json_writer_end(&w);
    assert_string_equal(buffer_text(&out), "[]");
}

static void test_full_buffer_fails_as_a_whole(void **state)
{
    struct buffer out CLEANUP(cleanup_buffer) = BUFFER_WITH_MAXIMUM(8);
    struct json_writer w = json_writer_begin(&out, '{');

    json_put_string(&w, "key", "too long");
    json_writer_end(&w);
    assert_true(out.failed);
    assert_null(buffer_steal_text(&out));
}

static int set_up(void **state)
{
    bool locked;

    return secret_start(&locked);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_strings),     cmocka_unit_test(test_all_pairs_can_be_read),
        cmocka_unit_test(test_secret),      cmocka_unit_test(test_writer),
        cmocka_unit_test(test_empty_array), cmocka_unit_test(test_full_buffer_fails_as_a_whole),
    };
    return cmocka_run_group_tests(tests, set_up, NULL);
}

#include "unit.h"

#include "base/buffer.h"
#include "memory_search.h"

static void test_starts_empty(void **state)
{
    struct buffer buffer = BUFFER_WITH_MAXIMUM(10);

    assert_null(buffer.data);
    assert_string_equal(buffer_text(&buffer), "");
    buffer_append(&buffer, NULL, 0);
    buffer_append_text(&buffer, "");
    buffer_append_format(&buffer, "%s", "");
    assert_null(buffer.data);
    assert_false(buffer.failed);
    buffer_release(&buffer);
    buffer_release(NULL);
}

static void test_appends(void **state)
{
    struct buffer buffer CLEANUP(cleanup_buffer) = BUFFER_WITH_MAXIMUM(100);

    buffer_append(&buffer, "a\0b", 3);
    buffer_append_char(&buffer, 'c');
    buffer_append_text(&buffer, "def");
    buffer_append_format(&buffer, "-%d-%s", 42, "x");
    assert_int_equal(buffer.length, 12);
    assert_memory_equal(buffer.data, "a\0bcdef-42-x", 13);
}

static void test_maximum_counts_all_but_the_nul(void **state)
{
    struct buffer buffer CLEANUP(cleanup_buffer) = BUFFER_WITH_MAXIMUM(5);

    buffer_append_text(&buffer, "12345");
    assert_false(buffer.failed);
    assert_string_equal(buffer_text(&buffer), "12345");
    buffer_append_char(&buffer, '6');
    assert_true(buffer.failed);
    assert_string_equal(buffer_text(&buffer), "12345");
}

static void test_failure_lasts(void **state)
{
    struct buffer buffer CLEANUP(cleanup_buffer) = BUFFER_WITH_MAXIMUM(5);

    buffer_append_text(&buffer, "123456");
    assert_true(buffer.failed);
    buffer_append_text(&buffer, "1");
    buffer_append_format(&buffer, "%d", 1);
    assert_int_equal(buffer.length, 0);
    assert_null(buffer_steal_text(&buffer));

    buffer_append_text(&buffer, "123456");
    buffer_clear(&buffer);
    assert_false(buffer.failed);
    buffer_append_text(&buffer, "1");
    assert_string_equal(buffer_text(&buffer), "1");
}

static void test_format_past_the_maximum(void **state)
{
    struct buffer buffer CLEANUP(cleanup_buffer) = BUFFER_WITH_MAXIMUM(5);

    buffer_append_text(&buffer, "abc");
    buffer_append_format(&buffer, "%d", 123);
    assert_true(buffer.failed);
    assert_string_equal(buffer_text(&buffer), "abc");
}

static void test_maximum_of_nothing(void **state)
{
    struct buffer buffer CLEANUP(cleanup_buffer) = BUFFER_WITH_MAXIMUM(0);

    buffer_append_text(&buffer, "");
    assert_false(buffer.failed);
    buffer_append_char(&buffer, 'a');
    assert_true(buffer.failed);
}

/* Sizes near the end of the address space are refused, not wrapped around. */
static void test_absurd_sizes(void **state)
{
    struct buffer buffer CLEANUP(cleanup_buffer) = BUFFER_WITH_MAXIMUM(SIZE_MAX);

    buffer_append_text(&buffer, "abc");
    buffer_append(&buffer, "x", SIZE_MAX);
    assert_true(buffer.failed);
    buffer_clear(&buffer);
    buffer_append_text(&buffer, "abc");
    buffer_append(&buffer, "x", SIZE_MAX - 3);
    assert_true(buffer.failed);
    assert_int_equal(buffer.length, 3);
}

static void test_grows_to_the_maximum(void **state)
{
    enum { MANY = 100000 };
    struct buffer buffer CLEANUP(cleanup_buffer) = BUFFER_WITH_MAXIMUM(MANY);

    for (int i = 0; i < MANY; i++)
        buffer_append_char(&buffer, (char)('a' + i % 26));
    assert_false(buffer.failed);
    assert_int_equal(buffer.length, MANY);
    assert_true(buffer.allocated <= MANY + 1);
    for (int i = 0; i < MANY; i++)
        assert_int_equal(buffer.data[i], 'a' + i % 26);
}

static void test_percent(void **state)
{
    static const struct {
        const char *bytes;
        size_t length;
        const char *percent;
        const char *form;
    } rows[] = {
        { "", 0, "", "" },
        { "azAZ09-._~", 10, "azAZ09-._~", "azAZ09-._~" },
        { "a b", 3, "a%20b", "a+b" },
        { "a+b", 3, "a%2Bb", "a%2Bb" },
        { "a\0b", 3, "a%00b", "a%00b" },
        { "\xc3\xa6\xff", 3, "%C3%A6%FF", "%C3%A6%FF" },
        { "!*'();:@&=+$,/?#[]%", 19, "%21%2A%27%28%29%3B%3A%40%26%3D%2B%24%2C%2F%3F%23%5B%5D%25",
          "%21%2A%27%28%29%3B%3A%40%26%3D%2B%24%2C%2F%3F%23%5B%5D%25" },
        { "\r\n\"<>", 5, "%0D%0A%22%3C%3E", "%0D%0A%22%3C%3E" },
    };

    for (size_t i = 0; i < LENGTH_OF(rows); i++) {
        struct buffer buffer CLEANUP(cleanup_buffer) = BUFFER_WITH_MAXIMUM(200);

        buffer_append_percent(&buffer, rows[i].bytes, rows[i].length);
        assert_string_equal(buffer_text(&buffer), rows[i].percent);
        buffer_clear(&buffer);
        buffer_append_form(&buffer, rows[i].bytes, rows[i].length);
        assert_string_equal(buffer_text(&buffer), rows[i].form);
    }
}

static void test_steal(void **state)
{
    struct buffer buffer CLEANUP(cleanup_buffer) = BUFFER_WITH_MAXIMUM(10);
    char *text;

    buffer_append_text(&buffer, "abc");
    text = buffer_steal_text(&buffer);
    assert_string_equal(text, "abc");
    assert_null(buffer.data);
    assert_int_equal(buffer.length, 0);
    free(text);

    text = buffer_steal_text(&buffer);
    assert_string_equal(text, "");
    free(text);
    buffer_append_text(&buffer, "again");
    assert_string_equal(buffer_text(&buffer), "again");
}

static void test_clear_wipes(void **state)
{
    struct buffer buffer CLEANUP(cleanup_buffer) = BUFFER_WITH_MAXIMUM(10);

    buffer_append_text(&buffer, "abc");
    buffer_clear(&buffer);
    assert_int_equal(buffer.length, 0);
    assert_memory_equal(buffer.data, "\0\0\0", 4);
}

static void test_wipes_outgrown_and_freed_bytes(void **state)
{
    struct buffer buffer = BUFFER_WITH_MAXIMUM(1000000);
    char needle[MEMORY_NEEDLE];

    memory_needle(needle, 1);
    /* Behind the first bytes: those of a freed block are overwritten by any allocator. */
    buffer_append_format(&buffer, "%32s", "");
    buffer_append(&buffer, needle, sizeof(needle));
    explicit_bzero(needle, sizeof(needle));
    assert_int_equal(memory_count(), 1);
    for (int i = 0; i < 100000; i++)
        buffer_append_char(&buffer, ' ');
    assert_int_equal(memory_count(), 1);
    buffer_release(&buffer);
    assert_int_equal(memory_count(), 0);
}

static void test_drop(void **state)
{
    CLEANUP(cleanup_buffer) struct buffer buffer = BUFFER_WITH_MAXIMUM(6);

    buffer_append_text(&buffer, "abcdef");
    buffer_drop(&buffer, 0);
    buffer_drop(&buffer, 2);
    assert_string_equal(buffer_text(&buffer), "cdef");
    assert_int_equal(buffer.data[4] | buffer.data[5], 0);
    buffer_append_text(&buffer, "gh");
    assert_string_equal(buffer_text(&buffer), "cdefgh");
    buffer_drop(&buffer, 100);
    assert_int_equal(buffer.length, 0);
    buffer_drop(&buffer, 1);
    assert_false(buffer.failed);
}

/* What was reserved is where it will be written. */
static void test_reserve(void **state)
{
    struct buffer buffer CLEANUP(cleanup_buffer) = BUFFER_WITH_MAXIMUM(100);

    buffer_reserve(&buffer, 60);
    assert_false(buffer.failed);
    assert_int_equal(buffer.length, 0);
    assert_string_equal(buffer_text(&buffer), "");
    const char *at = buffer.data;
    for (int i = 0; i < 60; i++)
        buffer_append_char(&buffer, 'a');
    assert_ptr_equal(buffer.data, at);
    buffer_reserve(&buffer, 41);
    assert_true(buffer.failed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_starts_empty),
        cmocka_unit_test(test_appends),
        cmocka_unit_test(test_maximum_counts_all_but_the_nul),
        cmocka_unit_test(test_failure_lasts),
        cmocka_unit_test(test_format_past_the_maximum),
        cmocka_unit_test(test_maximum_of_nothing),
        cmocka_unit_test(test_absurd_sizes),
        cmocka_unit_test(test_grows_to_the_maximum),
        cmocka_unit_test(test_percent),
        cmocka_unit_test(test_steal),
        cmocka_unit_test(test_clear_wipes),
        cmocka_unit_test(test_drop),
        cmocka_unit_test(test_wipes_outgrown_and_freed_bytes),
        cmocka_unit_test(test_reserve),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

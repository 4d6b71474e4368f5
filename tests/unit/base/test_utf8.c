#include "unit.h"

#include "base/utf8.h"

static void test_characters(void **state)
{
    static const struct {
        const char *bytes;
        size_t length; /* 0: should fail */
    } rows[] = {
        { "a", 1 },
        { "\x7f", 1 },
        { "\xc2\x80", 2 },
        { "\xdf\xbf", 2 },
        { "\xe0\xa0\x80", 3 },
        { "\xed\x9f\xbf", 3 },
        { "\xee\x80\x80", 3 },
        { "\xef\xbf\xbf", 3 },
        { "\xf0\x90\x80\x80", 4 },
        { "\xf4\x8f\xbf\xbf", 4 },
        { "\x80", 0 },             /* a continuation alone */
        { "\xc0\x80", 0 },         /* overlong NUL */
        { "\xc1\xbf", 0 },         /* overlong */
        { "\xe0\x9f\xbf", 0 },     /* overlong */
        { "\xf0\x8f\xbf\xbf", 0 }, /* overlong */
        { "\xed\xa0\x80", 0 },     /* a surrogate */
        { "\xf4\x90\x80\x80", 0 }, /* past the last character */
        { "\xf5\x80\x80\x80", 0 },
        { "\xff", 0 },
        { "\xc3", 0 }, /* cut */
        { "\xe2\x82", 0 },
        { "\xf0\x9f\x98", 0 },
        { "\xc3(", 0 },
        { "\xe2\x82(", 0 },
        { "\xf0\x9f(\x80", 0 },
        { "\xf0\x9f\x98(", 0 },
    };

    for (size_t i = 0; i < LENGTH_OF(rows); i++)
        if (utf8_character(rows[i].bytes, strlen(rows[i].bytes)) != rows[i].length)
            fail_row(i, "wrong length");
}

static void test_reads_no_further_than_told(void **state)
{
    assert_int_equal(utf8_character("a", 0), 0);
    assert_int_equal(utf8_character("\xc3\xa6", 1), 0);
    assert_int_equal(utf8_character("\xf0\x9f\x98\x80", 3), 0);
    assert_int_equal(utf8_character("\xf0\x9f\x98\x80", 9), 4);
}

/* Every sequence of one and two bytes, against the definition by ranges of code points. */
static void test_all_short_sequences(void **state)
{
    for (unsigned i = 0; i < 0x10000; i++) {
        char bytes[2] = { (char)(i >> 8), (char)i };
        unsigned code = ((i >> 8) & 0x1f) << 6 | (i & 0x3f);
        size_t expected = i >> 8 < 0x80 ? 1 : 0;

        if ((i >> 13) == 6 && (i & 0xc0) == 0x80 && code >= 0x80)
            expected = 2;
        assert_int_equal(utf8_character(bytes, 2), expected);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_characters),
        cmocka_unit_test(test_reads_no_further_than_told),
        cmocka_unit_test(test_all_short_sequences),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

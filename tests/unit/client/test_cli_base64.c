/* Base64 as the broker sends pieces of a backup in. */

#include "unit.h"

#include <string.h>

#include "client/cli/base64.h"

static void test_texts(void **state)
{
    static const struct {
        const char *base64;
        const char *bytes; /* NULL: it is none */
        size_t length;
    } rows[] = {
        { "", "", 0 },
        { "Zg==", "f", 1 },
        { "Zm8=", "fo", 2 },
        { "Zm9v", "foo", 3 },
        { "Zm9vYg==", "foob", 4 },
        { "AP/+", "\0\xff\xfe", 3 },
        { "+/+/", "\xfb\xff\xbf", 3 },
        { "Z", NULL, 0 },
        { "Zm9", NULL, 0 },
        { "Zg=", NULL, 0 },
        { "====", NULL, 0 },
        { "Z===", NULL, 0 },
        { "Zg==Zg==", NULL, 0 },
        { "Zm-_", NULL, 0 },
        { "Zm9 ", NULL, 0 },
    };

    for (size_t i = 0; i < COUNT(rows); i++) {
        CLEANUP(cleanup_text) struct text out = TEXT_WITH_MAXIMUM(100);
        assert_int_equal(base64_decode(rows[i].base64, &out), rows[i].bytes != NULL);
        if (!rows[i].bytes)
            continue;
        assert_int_equal(out.length, rows[i].length);
        assert_memory_equal(out.length > 0 ? out.data : "", rows[i].bytes, rows[i].length);
    }
}

static void test_a_maximum(void **state)
{
    CLEANUP(cleanup_text) struct text out = TEXT_WITH_MAXIMUM(2);

    assert_false(base64_decode("Zm9v", &out));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_texts),
        cmocka_unit_test(test_a_maximum),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

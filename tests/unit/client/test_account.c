#include "unit.h"

#include <stdbool.h>
#include <string.h>

#include "client/account.h"

#define LABEL_64 "a123456789012345678901234567890123456789012345678901234567890123"
#define PROVIDER_32 "a1234567890123456789012345678901"

static void test_names(void **state)
{
    static const struct {
        const char *name;
        const char *whole; /* NULL: refused */
    } rows[] = {
        { "zenegy", "zenegy/default" },
        { "zenegy/acme", "zenegy/acme" },
        { "0-x/A.b_c@d+e-f", "0-x/A.b_c@d+e-f" },
        { PROVIDER_32 "/" LABEL_64, PROVIDER_32 "/" LABEL_64 },
        { PROVIDER_32 "x/a", NULL },
        { "a/" LABEL_64 "x", NULL },
        { "", NULL },
        { "/", NULL },
        { "a/", NULL },
        { "/a", NULL },
        { "-a/b", NULL },
        { "A/b", NULL },
        { "a/.b", NULL },
        { "a/b/c", NULL },
        { "a b", NULL },
        { "a/b?c", NULL },
        { "a/\xc3\xa9", NULL },
    };

    for (size_t i = 0; i < COUNT(rows); i++) {
        char out[ACCOUNT_SIZE] = "untouched";
        bool taken = account_complete(rows[i].name, out);
        if (taken != (rows[i].whole != NULL))
            fail_msg("%s", rows[i].name);
        assert_string_equal(out, taken ? rows[i].whole : "untouched");
    }
}

static void test_order(void **state)
{
    static const char *const names[] = {
        "", "a/b", "a/b+", "a/c", "plain/Z", "plain/z", "plain-b/a", "plain0/a",
    };

    for (size_t i = 0; i < COUNT(names); i++) {
        assert_int_equal(account_compare(names[i], names[i]), 0);
        for (size_t j = i + 1; j < COUNT(names); j++) {
            assert_true(account_compare(names[i], names[j]) < 0);
            assert_true(account_compare(names[j], names[i]) > 0);
        }
    }
}

static void test_providers(void **state)
{
    assert_true(provider_valid("zenegy-staging"));
    assert_false(provider_valid(""));
    assert_false(provider_valid("a/b"));
    assert_false(provider_valid("../x"));
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_order),
        cmocka_unit_test(test_providers),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

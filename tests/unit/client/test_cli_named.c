#include "unit.h"

#include <errno.h>
#include <stdio.h>

#include "client/cli/named.h"

static void test_elsewhere(void **state)
{
    CLEANUP(cleanup_named) struct named named = { .lines = NULL };

    named_sort(&named);
    assert_int_equal(named_elsewhere(&named, "a/b", 1), 0);
    assert_int_equal(named_add(&named, "a/c", 1), 0);
    assert_int_equal(named_add(&named, "a/b", 2), 0);
    assert_int_equal(named_add(&named, "a/c", 9), 0);
    assert_int_equal(named_add(&named, "a/c", 4), 0);
    named_sort(&named);
    assert_int_equal(named_elsewhere(&named, "a/b", 2), 0);
    assert_int_equal(named_elsewhere(&named, "a/b", 3), 2);
    assert_int_equal(named_elsewhere(&named, "a/c", 1), 4);
    assert_int_equal(named_elsewhere(&named, "a/c", 4), 1);
    assert_int_equal(named_elsewhere(&named, "a/c", 9), 1);
    assert_int_equal(named_elsewhere(&named, "a/d", 1), 0);
    assert_int_equal(named_elsewhere(&named, "a/", 1), 0);
}

static void test_many(void **state)
{
    CLEANUP(cleanup_named) struct named named = { .lines = NULL };
    char account[ACCOUNT_SIZE];

    for (int line = 1; line <= 1000; line++) {
        (void)snprintf(account, sizeof account, "a/%d", line % 999);
        assert_int_equal(named_add(&named, account, line), 0);
    }
    named_sort(&named);
    for (int line = 1; line <= 1000; line++) {
        (void)snprintf(account, sizeof account, "a/%d", line % 999);
        assert_int_equal(named_elsewhere(&named, account, line), line == 1      ? 1000
                                                                 : line == 1000 ? 1
                                                                                : 0);
    }
}

static void test_more_than_there_may_be(void **state)
{
    CLEANUP(cleanup_named) struct named named = { .lines = NULL };

    for (int line = 1; line <= NAMED_MAX; line++)
        assert_int_equal(named_add(&named, "a/b", line), 0);
    assert_int_equal(named_add(&named, "a/b", NAMED_MAX + 1), -E2BIG);
    assert_int_equal(named.count, NAMED_MAX);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_elsewhere),
        cmocka_unit_test(test_many),
        cmocka_unit_test(test_more_than_there_may_be),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

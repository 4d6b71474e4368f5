#include "unit.h"

#include "base/error.h"

static void test_replaces_text(void **state)
{
    struct complaint complaint = { "old" };

    complain(&complaint, "%s in line %d", "a fault", 7);
    assert_string_equal(complaint.text, "a fault in line 7");
    complain(&complaint, "shorter");
    assert_string_equal(complaint.text, "shorter");
}

static void test_old_text_may_be_an_argument(void **state)
{
    struct complaint complaint = { "no such key" };

    complain(&complaint, "/etc/x.conf:3: %s", complaint.text);
    assert_string_equal(complaint.text, "/etc/x.conf:3: no such key");
}

static void test_cuts_at_the_limit(void **state)
{
    struct complaint complaint;
    char text[2 * COMPLAINT_MAX];

    memset(text, 'x', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    complain(&complaint, "%s", text);
    assert_int_equal(strlen(complaint.text), COMPLAINT_MAX - 1);
}

static void test_nobody_listens(void **state)
{
    complain(NULL, "%d", 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_replaces_text),
        cmocka_unit_test(test_old_text_may_be_an_argument),
        cmocka_unit_test(test_cuts_at_the_limit),
        cmocka_unit_test(test_nobody_listens),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

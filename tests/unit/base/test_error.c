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

/* A file's name and a provider's words are shown at terminals, and to systemd as its status. */
static void test_one_line_whatever_it_quotes(void **state)
{
    struct complaint complaint;

    complain(&complaint, "%s cannot be opened", "/etc/\x1b[2J\nMAINPID=1\xff.conf");
    assert_string_equal(complaint.text, "/etc/ [2J MAINPID=1?.conf cannot be opened");
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
        cmocka_unit_test(test_one_line_whatever_it_quotes),
        cmocka_unit_test(test_nobody_listens),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

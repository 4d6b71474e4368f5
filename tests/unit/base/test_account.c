#include "unit.h"

#include "base/account.h"

#define X31 "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
#define X32 X31 "x"

struct row {
    const char *text;
    bool should_fail;
};

static void test_provider_names(void **state)
{
    static const struct row rows[] = {
        { "zenegy", false }, { "a", false },       { "0", false },       { "a-b-", false },
        { X32, false },      { X32 "x", true },    { "", true },         { "-a", true },
        { "A", true },       { "a_b", true },      { "a.b", true },      { "a/b", true },
        { "a b", true },     { "zenegy\n", true }, { "\xc3\xa6", true }, { "a\xc3\xa6", true },
        { NULL, true },
    };

    for (size_t i = 0; i < LENGTH_OF(rows); i++)
        if (provider_name_valid(rows[i].text) == rows[i].should_fail)
            fail_row(i, rows[i].text ? rows[i].text : "NULL");
}

static void test_labels(void **state)
{
    static const struct row rows[] = {
        { "default", false }, { "Acme", false },     { "7", false },  { "a.b_c@d+e-", false },
        { X32 X32, false },   { X32 X32 "x", true }, { "", true },    { ".a", true },
        { "_a", true },       { "@", true },         { "+1", true },  { "-a", true },
        { "..", true },       { "a/b", true },       { "a b", true }, { "a%00", true },
        { "a\x7f", true },    { "\xc3\xa6", true },  { "a\n", true }, { NULL, true },
    };

    for (size_t i = 0; i < LENGTH_OF(rows); i++)
        if (label_valid(rows[i].text) == rows[i].should_fail)
            fail_row(i, rows[i].text ? rows[i].text : "NULL");
}

static void test_parse(void **state)
{
    struct account_name name;

    assert_true(account_name_parse("zenegy/other", &name));
    assert_string_equal(name.provider, "zenegy");
    assert_string_equal(name.label, "other");
    assert_false(account_name_parse("zenegy", &name));
    assert_false(account_name_parse("", &name));
    assert_false(account_name_parse("/acme", &name));
    assert_false(account_name_parse("zenegy/a/b", &name));
    assert_false(account_name_parse("zenegyzenegyzenegyzenegyzenegyzenegy/a", &name));
}

static void test_make(void **state)
{
    struct account_name name, before;
    char text[ACCOUNT_TEXT_SIZE];

    memset(&name, 'x', sizeof(name));
    assert_true(account_name_make("zenegy", "acme", &name));
    assert_string_equal(name.provider, "zenegy");
    assert_string_equal(name.label, "acme");
    assert_ptr_equal(account_text(&name, text), text);
    assert_string_equal(text, "zenegy/acme");

    before = name;
    assert_false(account_name_make("Zenegy", "acme", &name));
    assert_false(account_name_make("zenegy", "", &name));
    assert_false(account_name_make(NULL, "acme", &name));
    assert_memory_equal(&name, &before, sizeof(name));
}

static void test_longest_text(void **state)
{
    struct account_name name;
    char text[ACCOUNT_TEXT_SIZE];

    assert_true(account_name_make(X32, X32 X32, &name));
    assert_string_equal(account_text(&name, text), X32 "/" X32 X32);
    assert_int_equal(strlen(text), ACCOUNT_TEXT_SIZE - 1);
}

static void test_equal(void **state)
{
    struct account_name a, b, c, d;

    assert_true(account_name_make("p", "one", &a));
    assert_true(account_name_make("p", "one", &b));
    assert_true(account_name_make("p", "One", &c));
    assert_true(account_name_make("q", "one", &d));
    assert_true(account_name_equal(&a, &b));
    assert_false(account_name_equal(&a, &c));
    assert_false(account_name_equal(&a, &d));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_provider_names), cmocka_unit_test(test_labels),
        cmocka_unit_test(test_make),           cmocka_unit_test(test_parse),
        cmocka_unit_test(test_longest_text),   cmocka_unit_test(test_equal),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

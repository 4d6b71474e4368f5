#include "oauth/scope.h"

#include "oauth/authorize.h"
#include "support.h"

static void finds_words(void **state)
{
    static const struct {
        const char *scope, *word;
        bool holds;
    } rows[] = {
        { "openid", "openid", true },
        { "a openid b", "openid", true },
        { "a  openid", "openid", true },
        { "a b openid", "openid", true },
        { "openid2", "openid", false },
        { "xopenid", "openid", false },
        { "open id", "openid", false },
        { "OpenID", "openid", false },
        { "read:accounts:referencedata", "read:accounts", false },
        { "", "openid", false },
        { NULL, "openid", false },
    };
    for (size_t i = 0; i < LENGTH_OF(rows); i++)
        assert_int_equal(scope_holds(rows[i].scope, rows[i].word), rows[i].holds);
}

static void joins_words(void **state)
{
    static const struct {
        const char *scope, *separator, *joined;
    } rows[] = {
        { "a b", " ", "a b" },     { "a b c", ",", "a,b,c" },   { "  a   b ", " ", "a b" },
        { "a,b c", "|", "a,b|c" }, { "read:a", ",", "read:a" }, { "", ",", "" },
        { NULL, ",", "" },
    };
    for (size_t i = 0; i < LENGTH_OF(rows); i++) {
        CLEANUP(cleanup_buffer) struct buffer out = BUFFER_WITH_MAXIMUM(64);
        scope_append(&out, rows[i].scope, rows[i].separator);
        assert_string_equal(buffer_text(&out), rows[i].joined);
    }
}

static void normalises_words(void **state)
{
    static const struct {
        const char *scope, *separators, *normal;
        size_t maximum;
    } rows[] = {
        { "a,b", ",", "a b", 64 },
        { "a, b,,c", ",", "a b c", 64 },
        { "a,b", " ", "a,b", 64 },
        { " a\t\nb ", " ", "a b", 64 },
        { "a\x01\x02"
          "b",
          " ", "a b", 64 },
        { "", ",", "", 64 },
        { ",", ",", "", 64 },
        { "abc def ghi", " ", "abc def", 10 },
        { "abc def ghi", " ", "abc def ghi", 11 },
        { "abcdef", " ", "", 5 },
    };
    for (size_t i = 0; i < LENGTH_OF(rows); i++) {
        CLEANUP(cleanup_buffer) struct buffer out = BUFFER_WITH_MAXIMUM(64);
        scope_append_normal(&out, rows[i].scope, rows[i].separators, rows[i].maximum);
        assert_false(out.failed);
        assert_string_equal(buffer_text(&out), rows[i].normal);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds_words),
        cmocka_unit_test(joins_words),
        cmocka_unit_test(normalises_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#include <grp.h>
#include <pwd.h>
#include <stdio.h>

#include "support.h"

struct rule_row {
    const char *text;
    const char *refused;
};

#define WHO "who = 'user:root' "
#define MAY "may = token "
#define ALL "accounts = '*/*' "

static const char no_glob[] = "1: accounts wants provider/label, with * and ? (\"*/*\" is every "
                              "account), not ";
static const char no_who[] =
    "1: who wants \"user:NAME\", \"group:NAME\" or \"unit:NAME\", joined by \"+\"";

static const struct rule_row rows[] = {
    { "access a { " ALL WHO MAY "}", NULL },
    { "access a { " ALL WHO MAY "approve = no }", NULL },
    { "access r { " ALL WHO "may = admin }\naccess a { " ALL WHO MAY "approve = yes }", NULL },
    { "broker { on_caller = '/bin/x' }\naccess a { " ALL WHO MAY "approve = yes }", NULL },
    { "access a { " ALL WHO MAY "approve = yes }",
      "1: access \"a\" has approve, but nobody may: add a rule without it that has accounts = "
      "{\"*/*\"} and may = {\"admin\"}, or broker { on_caller = \"/PROGRAM\" }" },
    { "access r { accounts = 'a/*' " WHO "may = admin }\naccess a { " ALL WHO MAY "approve = yes }",
      "2: access \"a\" has approve, but nobody may: add a rule without it that has accounts = "
      "{\"*/*\"} and may = {\"admin\"}, or broker { on_caller = \"/PROGRAM\" }" },
    { "broker { on_caller = '/bin/x' }\naccess 'a/b' { " ALL WHO MAY "approve = yes }",
      "2: access \"a/b\" has approve, and wants a name of 1 to 64 letters, digits and \"-_.@\"" },
    { "broker { on_caller = 'x' }", "1: on_caller must be an absolute path" },
    { "access a { accounts = {'zenegy/dk-*', 'p/a@b.c_d+e', 'p?/x'} " WHO MAY "}", NULL },
    { "access a { " ALL WHO "may = {'token', 'admin'} }", NULL },
    { "access a { " ALL MAY "who = {'user:0+group:root+unit:a@*.service', 'unit:x.scope'} }",
      NULL },
    { "access a { " WHO MAY "}", "1: access \"a\" needs accounts, such as {\"zenegy/*\"}" },
    { "access a { accounts = {} " WHO MAY "}",
      "1: access \"a\" needs accounts, such as {\"zenegy/*\"}" },
    { "access a { " ALL MAY "}", "1: access \"a\" needs who, such as {\"user:payroll\"}" },
    { "access a { who = {} " ALL MAY "}", "1: access \"a\" needs who, such as {\"user:payroll\"}" },
    { "access a { " ALL WHO "}", "1: access \"a\" needs may, such as {\"token\"}" },
    { "access a { " ALL WHO "may = {} }", "1: access \"a\" needs may, such as {\"token\"}" },
    { "access a { " ALL WHO "may = {'token', 'refresh'} }",
      "1: may does not know the word \"refresh\" (\"token\" is one)" },
    { "access a { " ALL WHO "may = {'tokn'} }",
      "1: may does not know the word \"tokn\": did you mean \"token\"?" },
    { "access a { " ALL MAY "who = root }", no_who },
    { "access a { " ALL MAY "who = 'uid:0' }", no_who },
    { "access a { " ALL MAY "who = '' }", no_who },
    { "access a { " ALL MAY "who = 'user:root+' }", no_who },
    { "access a { " ALL MAY "who = 'user:no-such-user-here' }",
      "1: who names user \"no-such-user-here\", whom this machine does not know" },
    { "access a { " ALL MAY "who = 'user:' }",
      "1: who names user \"\", whom this machine does not know" },
    { "access a { " ALL MAY "who = 'group:no-such-group-here' }",
      "1: who names group \"no-such-group-here\", whom this machine does not know" },
    { "access a { " ALL MAY "who = 'user:4294967295' }",
      "1: who names user \"4294967295\", whom this machine does not know" },
    { "access a { " ALL MAY "who = 'user:root+user:0' }", "1: who asks for two users at once" },
    { "access a { " ALL MAY "who = 'group:0+group:0' }", "1: who asks for two groups at once" },
    { "access a { " ALL MAY "who = 'unit:a.service+unit:b.service' }",
      "1: who asks for two units at once" },
    { "access a { " ALL MAY "who = 'unit:sync' }",
      "1: who wants a unit's whole name, such as \"sync.service\"" },
    { "access a { " ALL MAY "who = 'unit:a/b.service' }",
      "1: who wants a unit's whole name, such as \"sync.service\"" },
    { "access a { " ALL MAY "who = 'usr:root' }",
      "1: who wants \"user:NAME\", \"group:NAME\" or \"unit:NAME\", joined by \"+\": did you mean "
      "\"user\"?" },
    { "access a {}\naccess a {}", "2: found duplicate title 'a'" },
};

static void takes_or_refuses(void **state)
{
    for (size_t i = 0; i < LENGTH_OF(rows); i++)
        check_row(i, rows[i].text, rows[i].refused);
}

static void globs_are_checked(void **state)
{
    static const char *const bad[] = { "*",     "zenegy", "/x",     "p/",        "",
                                       "a b/c", "p/x/y",  "p/[ab]", "p/\xc3\xa6" };
    for (size_t i = 0; i < LENGTH_OF(bad); i++) {
        char text[256], wanted[COMPLAINT_MAX];
        (void)snprintf(text, sizeof text, "access a { accounts = '%s' " WHO MAY "}", bad[i]);
        (void)snprintf(wanted, sizeof wanted, "%s\"%s\"", no_glob, bad[i]);
        check_row(i, text, wanted);
    }
}

static void reads_a_rule(void **state)
{
    CLEANUP(cleanup_settings)
    struct settings *settings =
        parsed("access b { " ALL WHO MAY "}\n"
               "access a {\n accounts = {'zenegy/dk-*', 'zenhr/acme'}\n"
               " who = {'user:daemon+group:adm+unit:sync-*.service', 'group:7'}\n"
               " may = {'list', 'token', 'token'}\n}\n");
    assert_int_equal(settings->rule_count, 2);
    assert_string_equal(settings->rules[0].name, "b"); /* the text's order */
    const struct access_rule *rule = &settings->rules[1];
    assert_string_equal(rule->accounts[0], "zenegy/dk-*");
    assert_string_equal(rule->accounts[1], "zenhr/acme");
    assert_null(rule->accounts[2]);
    assert_int_equal(rule->who_count, 2);
    assert_true(rule->who[0].has_user && rule->who[0].has_group);
    assert_int_equal(rule->who[0].user, getpwnam("daemon")->pw_uid);
    assert_int_equal(rule->who[0].group, getgrnam("adm")->gr_gid);
    assert_string_equal(rule->who[0].unit, "sync-*.service");
    assert_true(!rule->who[1].has_user && rule->who[1].has_group);
    assert_int_equal(rule->who[1].group, 7);
    assert_null(rule->who[1].unit);
    assert_int_equal(rule->may, MAY_LIST | MAY_TOKEN);
}

static void every_bit_has_a_word(void **state)
{
    static const char *const words[] = { "token",  "reject", "list",    "login", "link",
                                         "import", "logout", "monitor", "admin" };
    for (unsigned i = 0; i < LENGTH_OF(words); i++)
        assert_string_equal(may_name((enum may)(1u << i)), words[i]);
    assert_string_equal(may_name((enum may)0), "nothing");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(takes_or_refuses),
        cmocka_unit_test(globs_are_checked),
        cmocka_unit_test(reads_a_rule),
        cmocka_unit_test(every_bit_has_a_word),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}

#include "fixture.h"

#include "base/buffer.h"

struct glob_row {
    const char *glob;
    const char *text;
    bool fits;
};

static const struct glob_row globs[] = {
    { "zenegy/acme", "zenegy/acme", true },
    { "zenegy/acme", "zenegy/acm", false },
    { "zenegy/acm", "zenegy/acme", false },
    { "*", "zenegy/acme", true },
    { "*/*", "zenegy/acme", true },
    { "zenegy/*", "zenegy/acme", true },
    { "zenegy/*", "zenegy/", true },
    { "zenegy/*", "zenegyx/acme", false },
    { "zenegy/dk-*", "zenegy/dk-1", true },
    { "zenegy/dk-*", "zenegy/se-1", false },
    { "*/default", "gusto/default", true },
    { "*/default", "gusto/default2", false },
    { "zenegy/?", "zenegy/a", true },
    { "zenegy/?", "zenegy/", false },
    { "zenegy/?", "zenegy/ab", false },
    { "*a*b*c", "xxaxxbxxbc", true },
    { "*a*b*c", "xxaxxbxxbcd", false },
    { "a*a*a*a*a*a*a*a*b", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", false },
    { "**", "", true },
    { "", "", true },
    { "", "a", false },
    { "zenegy/*", "zenegy/*", true },
    { "*/*", "*/*", true },
    { "zenegy/acme", "zenegy/*", false },
    { "zenegy/dk-*", "zenegy/*", false },
    /* All there could be is more than what is one letter long. */
    { "zenegy/?", "zenegy/*", false },
    { "?/*", "*/*", false },
    { "???", "*/*", false },
};

static void test_globs(void **state)
{
    for (size_t i = 0; i < sizeof(globs) / sizeof(globs[0]); i++)
        if (access_glob_matches(globs[i].glob, globs[i].text) != globs[i].fits)
            fail_msg("%s on %s", globs[i].glob, globs[i].text);
}

/* Who may what in the table below: one rule. */
struct rule_row {
    struct access_who who[2];
    unsigned may;
    const char *glob;
    uid_t uid; /* who asks; its groups are its own and 50 */
    enum may asked;
    const char *account; /* of zenegy; NULL: about none */
    bool allowed;
    const char *unit; /* of who asks */
    bool unit_proven;
};

static char unit_name[] = "sync.service";
static char unit_glob[] = "sync-*.service";

static const struct rule_row rules[] = {
    { { { .has_user = true, .user = 1 } }, MAY_TOKEN, "zenegy/*", 1, MAY_TOKEN, "a", true },
    { { { .has_user = true, .user = 1 } }, MAY_TOKEN, "zenegy/*", 2, MAY_TOKEN, "a", false },
    { { { .has_user = true, .user = 1 } }, MAY_TOKEN, "zenegy/*", 1, MAY_LIST, "a", false },
    { { { .has_user = true, .user = 1 } }, MAY_TOKEN, "gusto/*", 1, MAY_TOKEN, "a", false },
    { { { .has_user = true, .user = 1 } }, MAY_TOKEN, "gusto/*", 1, MAY_TOKEN, NULL, true },
    { { { .has_user = true, .user = 1 } }, MAY_TOKEN, "*", 0, MAY_TOKEN, "a", false },
    { { { .has_group = true, .group = 50 } }, MAY_TOKEN, "*", 9, MAY_TOKEN, "a", true },
    { { { .has_group = true, .group = 51 } }, MAY_TOKEN, "*", 9, MAY_TOKEN, "a", false },
    /* + means and */
    { { { .has_user = true, .user = 1, .has_group = true, .group = 50 } },
      MAY_TOKEN,
      "*",
      1,
      MAY_TOKEN,
      "a",
      true },
    { { { .has_user = true, .user = 1, .has_group = true, .group = 51 } },
      MAY_TOKEN,
      "*",
      1,
      MAY_TOKEN,
      "a",
      false },
    { { { .has_user = true, .user = 2, .has_group = true, .group = 50 } },
      MAY_TOKEN,
      "*",
      1,
      MAY_TOKEN,
      "a",
      false },
    /* any of several */
    { { { .has_user = true, .user = 1 }, { .has_user = true, .user = 2 } },
      MAY_TOKEN,
      "*",
      2,
      MAY_TOKEN,
      "a",
      true },
    /* a unit that is not known never fits, nor does a part that says nothing */
    { { { .has_user = true, .user = 1, .unit = unit_name } },
      MAY_TOKEN,
      "*",
      1,
      MAY_TOKEN,
      "a",
      false },
    { { { .unit = unit_name } }, MAY_TOKEN, "*", 1, MAY_TOKEN, "a", false, "", true },
    { { { .unit = unit_name } }, MAY_TOKEN, "*", 1, MAY_TOKEN, "a", true, unit_name, true },
    { { { .unit = unit_name } }, MAY_TOKEN, "*", 1, MAY_TOKEN, "a", false, "other.service", true },
    { { { .unit = unit_glob } }, MAY_TOKEN, "*", 1, MAY_TOKEN, "a", true, "sync-dk.service", true },
    { { { .unit = unit_glob } }, MAY_TOKEN, "*", 1, MAY_TOKEN, "a", false, unit_name, true },
    /* one that the kernel does not vouch for narrows a user or group, and is nothing by itself */
    { { { .unit = unit_name } }, MAY_TOKEN, "*", 1, MAY_TOKEN, "a", false, unit_name, false },
    { { { .has_user = true, .user = 1, .unit = unit_name } },
      MAY_TOKEN,
      "*",
      1,
      MAY_TOKEN,
      "a",
      true,
      unit_name,
      false },
    { { { .has_user = true, .user = 2, .unit = unit_name } },
      MAY_TOKEN,
      "*",
      1,
      MAY_TOKEN,
      "a",
      false,
      unit_name,
      true },
    { { { .has_user = false } }, MAY_TOKEN, "*", 1, MAY_TOKEN, "a", false },
    /* admin includes everything and nothing includes admin */
    { { { .has_user = true, .user = 1 } }, MAY_ADMIN, "*", 1, MAY_IMPORT, "a", true },
    { { { .has_user = true, .user = 1 } }, MAY_ADMIN, "gusto/*", 1, MAY_IMPORT, "a", false },
    { { { .has_user = true, .user = 1 } },
      MAY_TOKEN | MAY_REJECT | MAY_LIST | MAY_LOGIN | MAY_LINK | MAY_IMPORT | MAY_LOGOUT |
          MAY_MONITOR,
      "*",
      1,
      MAY_ADMIN,
      "a",
      false },
};

static void test_rules(void **state)
{
    const struct access_default otherwise = { .own_uid = 1 };

    for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++) {
        const struct rule_row *row = &rules[i];
        char *accounts[] = { (char *)(uintptr_t)row->glob, NULL };
        struct access_rule rule = {
            .accounts = accounts,
            .who = (struct access_who *)(uintptr_t)row->who,
            .who_count = row->who[1].has_user ? 2 : 1,
            .may = row->may,
        };
        const struct settings settings = { .rules = &rule, .rule_count = 1 };
        struct asker asker = {
            .peer = { .uid = row->uid, .group_count = 2, .groups = { row->uid, 50 } },
        };
        struct account_name account;

        asker.peer.unit_proven = row->unit_proven;
        if (row->unit)
            snprintf(asker.peer.unit, sizeof asker.peer.unit, "%s", row->unit);
        if (row->account)
            assert_true(account_name_make("zenegy", row->account, &account));
        if (access_allowed(&settings, &otherwise, &asker, row->asked,
                           row->account ? &account : NULL) != row->allowed)
            fail_msg("rule %zu", i);
    }
}

static void test_defaults(void **state)
{
    const struct settings settings = { .rule_count = 0 };
    const struct access_default user = { .own_uid = 1000 };
    const struct access_default system = { .system_service = true, .own_uid = 1000 };
    const struct asker root = { .peer.uid = 0 };
    const struct asker own = { .peer.uid = 1000 };
    const struct asker other = { .peer.uid = 1001 };

    assert_true(access_allowed(&settings, &user, &own, MAY_ADMIN, NULL));
    assert_false(access_allowed(&settings, &user, &other, MAY_LIST, NULL));
    assert_false(access_allowed(&settings, &user, &root, MAY_LIST, NULL));
    assert_true(access_allowed(&settings, &system, &root, MAY_ADMIN, NULL));
    assert_false(access_allowed(&settings, &system, &own, MAY_LIST, NULL));
}

static void test_advice(void **state)
{
    CLEANUP(cleanup_buffer) struct buffer out = BUFFER_WITH_MAXIMUM(1024);
    const struct asker asker = { .peer.uid = 1000 };
    struct account_name account;

    assert_true(account_name_make("zenegy", "acme", &account));
    access_append_advice(&out, &asker, MAY_REJECT, &account);
    assert_string_equal(buffer_text(&out),
                        "access uid-1000 { accounts = {\"zenegy/acme\"} who = {\"user:1000\"} "
                        "may = {\"reject\"} }");
    buffer_clear(&out);
    access_append_advice(&out, &asker, MAY_ADMIN, NULL);
    assert_non_null(strstr(buffer_text(&out), "{\"*/*\"}"));
}

/* A service is advised by its name, unless that is not sure, or everybody's. */
static void test_advice_for_a_unit(void **state)
{
    static const struct {
        const char *unit;
        bool proven;
        const char *said;
    } rows[] = {
        { "sync.service", true, "who = {'unit:sync.service'}" },
        { "sync\\x2ddk.service", true, "who = {'unit:sync\\x2ddk.service'}" },
        { "sync.service", false, "who = {\"user:7\"}" },
        { "session-2.scope", true, "who = {\"user:7\"}" },
        { "user@1000.service", true, "who = {\"user:7\"}" },
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        CLEANUP(cleanup_buffer) struct buffer out = BUFFER_WITH_MAXIMUM(1024);
        struct asker asker = { .peer = { .uid = 7, .unit_proven = rows[i].proven } };
        snprintf(asker.peer.unit, sizeof asker.peer.unit, "%s", rows[i].unit);
        access_append_advice(&out, &asker, MAY_TOKEN, NULL);
        if (!strstr(buffer_text(&out), rows[i].said))
            fail_msg("%s: %s", rows[i].unit, buffer_text(&out));
    }
}

static void test_when_units_are_asked_for(void **state)
{
    const struct settings named = { .units_named = true }, none = { .units_named = false };
    const struct access_default user = { .own_uid = 1000 }, system = { .system_service = true };

    assert_true(access_asks_for_units(&named, &user));
    assert_true(access_asks_for_units(&none, &system));
    assert_false(access_asks_for_units(&none, &user));
    assert_true(access_asks_for_units(&(struct settings){ .approves = true }, &user));
}

/* --- rules that want their callers approved --- */

struct approve_row {
    uid_t uid;
    const char *unit; /* NULL: none is known */
    bool proven;
    enum may may;
    enum access access;
};

static const struct approve_row approve_rows[] = {
    { 7, NULL, false, MAY_TOKEN, ACCESS_ALLOWED },
    { 7, "session-3.scope", true, MAY_TOKEN, ACCESS_ALLOWED },
    { 7, "user@7.service", true, MAY_TOKEN, ACCESS_ALLOWED },
    { 7, "sync.service", false, MAY_TOKEN, ACCESS_ALLOWED }, /* the kernel does not say so */
    { 7, "sync.service", true, MAY_TOKEN, ACCESS_AWAITS },
    { 8, "sync.service", true, MAY_TOKEN, ACCESS_ALLOWED },
    { 8, "sync2.service", true, MAY_TOKEN, ACCESS_AWAITS },
    { 8, NULL, false, MAY_TOKEN, ACCESS_AWAITS },
    { 9, NULL, false, MAY_TOKEN, ACCESS_AWAITS },
    { 9, NULL, false, MAY_LIST, ACCESS_ALLOWED }, /* by the rule without approve */
    { 9, NULL, false, MAY_LOGOUT, ACCESS_DENIED },
    { 10, NULL, false, MAY_TOKEN, ACCESS_DENIED },
};

static struct caller_row approved_row(const char *rule, uid_t uid, const char *unit)
{
    struct caller_row row = { .uid = uid };
    (void)snprintf(row.rule, sizeof row.rule, "%s", rule);
    (void)snprintf(row.unit, sizeof row.unit, "%s", unit);
    return row;
}

static void test_approved_callers(void **state)
{
    static char all[] = "*/*", sync[] = "sync", lists[] = "lists";
    char *accounts[] = { all, NULL };
    struct access_who who[] = { { .has_user = true, .user = 7 },
                                { .has_user = true, .user = 8 },
                                { .has_user = true, .user = 9 } };
    struct access_rule rules_given[] = {
        { .name = sync,
          .accounts = accounts,
          .who = who,
          .who_count = 3,
          .may = MAY_TOKEN | MAY_LIST,
          .approve = true },
        { .name = lists, .accounts = accounts, .who = who, .who_count = 3, .may = MAY_LIST },
    };
    const struct settings settings = { .rules = rules_given, .rule_count = 2, .approves = true };
    struct access_default otherwise = { .own_uid = 1 };
    struct caller_row *known = calloc(4, sizeof *known);

    known[0] = approved_row("sync", 8, "sync.service");
    known[1] = approved_row("other", 9, "");
    known[2] = approved_row("sync", 7, "");
    known[3] = approved_row("lists", 8, "");
    approvals_set(&otherwise.approved, known, 4);
    for (size_t i = 0; i < sizeof approve_rows / sizeof approve_rows[0]; i++) {
        const struct approve_row *row = &approve_rows[i];
        struct asker asker = { .peer = { .uid = row->uid, .unit_proven = row->proven } };
        const struct access_rule *rule = NULL;
        struct account_name account;
        assert_true(account_name_make("zenegy", "a", &account));
        (void)snprintf(asker.peer.unit, sizeof asker.peer.unit, "%s", row->unit ? row->unit : "");
        if (access_judge(&settings, &otherwise, &asker, row->may, &account, &rule) != row->access)
            fail_msg("row %zu", i);
        assert_ptr_equal(rule, row->access == ACCESS_AWAITS ? &rules_given[0] : NULL);
        assert_int_equal(access_allowed(&settings, &otherwise, &asker, row->may, &account),
                         row->access == ACCESS_ALLOWED);
    }
    approvals_set(&otherwise.approved, NULL, 0);
    const struct asker seven = { .peer.uid = 7 };
    assert_int_equal(access_judge(&settings, &otherwise, &seven, MAY_TOKEN, NULL, NULL),
                     ACCESS_AWAITS);
}

/* --- consumers --- */

struct consumer_row {
    const char *consumer;
    enum may asked;
    const char *account; /* of zenegy; NULL: about none */
    bool allowed;
};

static const struct consumer_row consumer_rows[] = {
    { "powerbi", MAY_TOKEN, "a", true },
    { "powerbi", MAY_TOKEN, "b", false },
    { "powerbi", MAY_REJECT, "a", false },
    { "powerbi", MAY_LIST, "a", false },
    { "powerbi", MAY_ADMIN, NULL, false },
    { "powerbi", (enum may)(MAY_LOGIN | MAY_LINK), "a", false },
    { "gone", MAY_TOKEN, "a", false },
    { "", MAY_TOKEN, "a", false },
};

/* A rule for the uid that is counted for consumers, and for root, lets none in. */
static void test_consumers(void **state)
{
    static char name[] = "powerbi", glob[] = "zenegy/a", all[] = "*/*";
    char *accounts[] = { glob, NULL }, *everything[] = { all, NULL };
    struct access_who who[] = { { .has_user = true, .user = ASKER_NO_UID },
                                { .has_user = true, .user = 0 } };
    struct access_rule rule = {
        .accounts = everything, .who = who, .who_count = 2, .may = MAY_ADMIN
    };
    struct consumer consumer = { .rule = { .name = name, .accounts = accounts, .may = MAY_TOKEN } };
    const struct access_default system = { .system_service = true };

    for (size_t rules_given = 0; rules_given < 2; rules_given++) {
        const struct settings settings = {
            .rules = &rule, .rule_count = rules_given, .consumers = &consumer, .consumer_count = 1
        };
        for (size_t i = 0; i < sizeof(consumer_rows) / sizeof(consumer_rows[0]); i++) {
            const struct consumer_row *row = &consumer_rows[i];
            struct asker asker = { .kind = ASKER_CONSUMER };
            struct account_name account;
            snprintf(asker.consumer, sizeof asker.consumer, "%s", row->consumer);
            if (row->account)
                assert_true(account_name_make("zenegy", row->account, &account));
            if (access_allowed(&settings, &system, &asker, row->asked,
                               row->account ? &account : NULL) != row->allowed)
                fail_msg("row %zu", i);
        }
    }
}

static void test_advice_for_a_consumer(void **state)
{
    CLEANUP(cleanup_buffer) struct buffer out = BUFFER_WITH_MAXIMUM(1024);
    const struct asker asker = { .kind = ASKER_CONSUMER, .consumer = "powerbi" };
    struct account_name account;

    assert_true(account_name_make("zenegy", "acme", &account));
    access_append_advice(&out, &asker, MAY_TOKEN, &account);
    assert_string_equal(buffer_text(&out),
                        "consumer powerbi { accounts = {\"zenegy/acme\"} may = {\"token\"} }");
}

/* What is written about who asks. */
static void test_askers_by_name(void **state)
{
    struct asker peer = { .peer = { .uid = 1000, .unit = "sync.service" } };
    const struct asker consumer = { .kind = ASKER_CONSUMER, .consumer = "powerbi" };
    char unit[AUDIT_UNIT_SIZE], text[ASKER_TEXT_SIZE];

    assert_int_equal(asker_uid(&peer), 1000);
    assert_string_equal(asker_unit(&peer, unit), "sync.service");
    assert_string_equal(asker_text(&peer, text), "uid 1000");
    assert_int_equal(asker_uid(&consumer), UINT32_MAX);
    assert_string_equal(asker_unit(&consumer, unit), "consumer:powerbi");
    assert_string_equal(asker_text(&consumer, text), "consumer powerbi");

    memset(peer.peer.unit, 'u', sizeof peer.peer.unit - 1);
    assert_int_equal(strlen(asker_unit(&peer, unit)), AUDIT_UNIT_SIZE - 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_globs),
        cmocka_unit_test(test_rules),
        cmocka_unit_test(test_defaults),
        cmocka_unit_test(test_advice),
        cmocka_unit_test(test_advice_for_a_unit),
        cmocka_unit_test(test_when_units_are_asked_for),
        cmocka_unit_test(test_approved_callers),
        cmocka_unit_test(test_consumers),
        cmocka_unit_test(test_advice_for_a_consumer),
        cmocka_unit_test(test_askers_by_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Consumers: what their sections take, and where their keys go. */

#include <stdio.h>

#include "settings/sections.h"
#include "support.h"

#define KEY_A "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define KEY_B "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
#define REST " accounts = {'zenhr/*'} may = {token} }"
#define AT(address) "consumer c { key = '" KEY_A "' listen = '" address "'" REST
#define SECOND(name, key, address)                                                                 \
    "\nconsumer " name " { key = '" key "' listen = '" address "'" REST

struct consumer_row {
    const char *text;
    const char *refused;
};

static const struct consumer_row rows[] = {
    { AT("http://127.0.0.1:8770"), NULL },
    { AT("http://[::1]:8770"), NULL },
    { AT("https://localhost:8770"), NULL },
    { AT("http://192.168.1.2:8770"),
      "1: listen takes 127.0.0.1, [::1] and localhost only, not \"192.168.1.2\"" },
    { AT("http://127.0.0.1:8770/x"),
      "1: listen wants addresses such as \"http://localhost:8765\"" },
    { AT("http://127.0.0.1:8765"), "1: listen has port 8765, which is the callback's" },
    { AT("http://localhost:8765"), "1: listen has port 8765, which is the callback's" },
    { AT("http://[::1]:8765"), NULL },
    { AT("http://127.0.0.1:1") SECOND("d", KEY_B, "http://127.0.0.1:1"), NULL },
    { AT("http://127.0.0.1:1") SECOND("d", KEY_B, "http://[::1]:1"), NULL },
    { AT("http://127.0.0.1:1") SECOND("d", KEY_B, "https://127.0.0.1:1"),
      "2: listen has port 1 of consumer \"c\", but another address: write the same one" },
    { AT("http://127.0.0.1:1") SECOND("d", KEY_B, "http://localhost:1"),
      "2: listen has port 1 of consumer \"c\", but another address: write the same one" },
    { AT("http://127.0.0.1:1") SECOND("c", KEY_B, "http://127.0.0.1:1"),
      "2: found duplicate title 'c'" },
    { AT("http://127.0.0.1:1") SECOND("d", KEY_A, "http://127.0.0.1:1"),
      "2: key is that of consumer \"c\" too: each needs its own" },
    { "consumer C { key = '" KEY_A "' listen = 'http://127.0.0.1:1'" REST,
      "1: consumer \"C\" has no valid name: a-z, 0-9 and \"-\", at most 32" },
    { "consumer c { listen = 'http://127.0.0.1:1'" REST,
      "1: consumer \"c\" needs key, such as \"credential:powerbi\"" },
    { "consumer c { key = '" KEY_A "'" REST,
      "1: consumer \"c\" needs listen, such as \"http://127.0.0.1:8770\"" },
    { "consumer c { key = '" KEY_A "' listen = 'http://127.0.0.1:1' may = {token} }",
      "1: consumer \"c\" needs accounts, such as {\"zenegy/*\"}" },
    { "consumer c { key = '" KEY_A "' listen = 'http://127.0.0.1:1' accounts = {'a/*'} }",
      "1: consumer \"c\" needs may, such as {\"token\"}" },
    { "consumer c {\nkey = '" KEY_A "' listen = 'http://127.0.0.1:1' accounts = {'a/*'}\n"
      "may = {token, list} }",
      "3: may takes token and reject only: a key is less than knowing who asks" },
    { "consumer c {\nkey = 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa' listen = 'http://127.0.0.1:1'" REST,
      "2: key is shorter than 32 characters: make one with \"openssl rand -base64 32\"" },
    { "consumer c {\nkey = '" KEY_A " b' listen = 'http://127.0.0.1:1'" REST,
      "2: key holds a space or a character that no header carries" },
    { "consumer c {\nkey = '" KEY_A "é' listen = 'http://127.0.0.1:1'" REST,
      "2: key holds a space or a character that no header carries" },
    { "consumer c {\nkey = 'credentials:x' listen = 'http://127.0.0.1:1'" REST,
      "2: key has an unknown source: did you mean \"credential:\"?" },
    { "consumer c { who = {'user:0'} }", "1: unknown key \"who\" in consumer \"c\"" },
};

static void takes_or_refuses(void **state)
{
    for (size_t i = 0; i < LENGTH_OF(rows); i++) {
        struct complaint complaint = { "" };
        write_file("tokenbroker.conf", rows[i].text, 0600);
        CLEANUP(cleanup_settings) struct settings *settings = parse_folder(true, &complaint);
        if (!rows[i].refused && !settings)
            fail_row(i, complaint.text);
        if (rows[i].refused && (settings || !strstr(complaint.text, rows[i].refused)))
            fail_row(i, complaint.text);
    }
}

static void the_longest_key(void **state)
{
    char text[CONSUMER_KEY_MAX + 200], key[CONSUMER_KEY_MAX + 2];
    struct complaint complaint = { "" };
    for (size_t length = CONSUMER_KEY_MAX; length <= CONSUMER_KEY_MAX + 1; length++) {
        memset(key, 'k', length);
        key[length] = '\0';
        (void)snprintf(text, sizeof text, "consumer c { key = '%s' listen = 'http://[::1]:1'" REST,
                       key);
        write_file("tokenbroker.conf", text, 0600);
        CLEANUP(cleanup_settings) struct settings *settings = parse_folder(true, &complaint);
        assert_int_equal(settings != NULL, length == CONSUMER_KEY_MAX);
    }
    assert_non_null(strstr(complaint.text, "key is longer than 512 characters"));
}

/* SHA-256 of KEY_A. */
static const unsigned char digest_a[] = {
    0x3b, 0xa3, 0xf5, 0xf4, 0x3b, 0x92, 0x60, 0x26, 0x83, 0xc1, 0x9a, 0xee, 0x62, 0xa2, 0x03, 0x42,
    0xb0, 0x84, 0xdd, 0x59, 0x71, 0xdd, 0xd3, 0x38, 0x08, 0xd8, 0x1a, 0x32, 0x88, 0x79, 0xa5, 0x47,
};

/* The thread that answers never sees a key, and a consumer without one fits no key. */
static void keys_are_handed_over_as_digests(void **state)
{
    struct complaint complaint = { "" };
    write_file("tokenbroker.conf", AT("http://127.0.0.1:1") SECOND("d", KEY_B, "http://[::1]:1"),
               0600);
    CLEANUP(cleanup_settings) struct settings *front = parse_folder(false, &complaint);
    CLEANUP(cleanup_settings) struct settings *back = parse_folder(true, &complaint);
    assert_non_null(front);
    assert_non_null(back);
    assert_false(front->consumers[0].has_key);

    settings_hand_over_keys(back, front);
    assert_true(front->consumers[0].has_key && front->consumers[1].has_key);
    assert_memory_equal(settings_consumer(front, "c")->key_digest, digest_a, sizeof digest_a);
    assert_memory_not_equal(settings_consumer(front, "d")->key_digest, digest_a, sizeof digest_a);
    assert_null(settings_consumer(front, "e"));
}

static void what_it_holds(void **state)
{
    CLEANUP(cleanup_settings) struct settings *settings = parsed(AT("https://localhost:8770"));
    const struct consumer *consumer = settings_consumer(settings, "c");
    assert_string_equal(consumer->rule.name, "c");
    assert_string_equal(consumer->rule.accounts[0], "zenhr/*");
    assert_int_equal(consumer->rule.may, MAY_TOKEN);
    assert_int_equal(consumer->rule.who_count, 0);
    assert_true(consumer->listen.https && consumer->listen.both_families);
    assert_int_equal(consumer->listen.port, 8770);
    assert_int_equal(settings->rule_count, 0);
    assert_true(settings_serve_https(settings));
}

static void only_https_serves_https(void **state)
{
    CLEANUP(cleanup_settings) struct settings *settings = parsed(AT("http://localhost:8770"));
    assert_false(settings_serve_https(settings));
}

static void once_in_all_files(void **state)
{
    struct complaint complaint = { "" };
    write_file("tokenbroker.conf", AT("http://127.0.0.1:1"), 0600);
    write_file("providers.d/more.conf", AT("http://127.0.0.1:1"), 0600);
    assert_null(parse_folder(true, &complaint));
    assert_non_null(strstr(complaint.text, "more.conf:1: consumer \"c\" is there twice"));
}

/* As a client's secret: not where others read it. */
static void a_literal_that_others_can_read(void **state)
{
    struct complaint complaint = { "" };
    write_file("tokenbroker.conf", AT("http://127.0.0.1:1"), 0644);
    assert_null(parse_folder(false, &complaint));
    assert_non_null(strstr(complaint.text, "others can read the file"));
    assert_null(strstr(complaint.text, "aaaa"));
}

int main(void)
{
    bool locked;
    if (secret_start(&locked) < 0)
        return 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(takes_or_refuses),
        cmocka_unit_test(the_longest_key),
        cmocka_unit_test(keys_are_handed_over_as_digests),
        cmocka_unit_test(what_it_holds),
        cmocka_unit_test(only_https_serves_https),
        cmocka_unit_test(a_literal_that_others_can_read),
        cmocka_unit_test(once_in_all_files), /* last: it leaves a second file */
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}

#include "settings/settings.h"

#include <stdio.h>
#include <unistd.h>

#include "support.h"

static const char three[] =
    "broker { key = 'credential:k' on_event = '/usr/local/bin/page-me' }\n"
    "provider m { client_id = x client_secret = 'credential:m' issuer = 'https://m.example' }\n"
    "provider a { client_id = x issuer = 'https://a.example' }\n"
    "provider z { client_id = x client_secret = hunter2 issuer = 'https://z.example' }\n";

static void finds_providers(void **state)
{
    CLEANUP(cleanup_settings) struct settings *settings = parsed(three);
    assert_int_equal(settings->provider_count, 3);
    assert_string_equal(settings->providers[0]->name, "a");
    assert_string_equal(settings->providers[2]->name, "z");
    for (size_t i = 0; i < 3; i++)
        assert_ptr_equal(settings_provider(settings, settings->providers[i]->name),
                         settings->providers[i]);
    assert_null(settings_provider(settings, "b"));
    assert_null(settings_provider(settings, ""));
    assert_null(settings_provider(settings, "zz"));
    assert_string_equal(settings->key, "credential:k");
    assert_string_equal(settings->on_event, "/usr/local/bin/page-me");
}

static void without_secrets_there_are_none(void **state)
{
    /* The credentials are not there, and nobody looks for them. */
    CLEANUP(cleanup_settings) struct settings *settings = parsed(three);
    assert_null(settings->credentials);
    assert_null(settings_client_secret(settings, "z"));
}

static void secrets_stand_beside_their_providers(void **state)
{
    struct complaint complaint;
    write_file("tokenbroker.conf", three, 0600);
    write_file("credentials/m", "of m\n", 0400);
    CLEANUP(cleanup_settings) struct settings *settings = parse_folder(true, &complaint);
    if (settings == NULL)
        fail_msg("refused: %s", complaint.text);
    assert_non_null(settings->credentials);
    for (size_t i = 0; i < 3; i++)
        assert_string_equal(settings->credentials[i].provider, settings->providers[i]->name);
    assert_null(settings_client_secret(settings, "a"));
    assert_string_equal(secret_reveal(settings_client_secret(settings, "m")), "of m");
    assert_string_equal(secret_reveal(settings_client_secret(settings, "z")), "hunter2");
    assert_null(settings_client_secret(settings, "b"));
}

static void a_secret_that_cannot_be_had_refuses_all(void **state)
{
    struct complaint complaint;
    char wanted[COMPLAINT_MAX];
    write_file("tokenbroker.conf", three, 0600);
    (void)unlink(path_of("credentials/m"));
    CLEANUP(cleanup_settings) struct settings *settings = parse_folder(true, &complaint);
    assert_null(settings);
    (void)snprintf(wanted, sizeof wanted,
                   "%s:2: client_secret: %s cannot be opened: No such file"
                   " or directory",
                   path_of("tokenbroker.conf"), path_of("credentials/m"));
    assert_string_equal(complaint.text, wanted);
}

static void a_presets_secret_counts(void **state)
{
    struct complaint complaint;
    char text[300];
    (void)snprintf(text, sizeof text, "provider p { preset = '%s' client_id = x }",
                   path_of("preset.conf"));
    write_file("tokenbroker.conf", text, 0644);
    write_file("preset.conf", "issuer = 'https://p.example' client_secret = hunter2", 0644);
    assert_null(parse_folder(true, &complaint));
    assert_non_null(strstr(complaint.text, "preset.conf:1: client_secret stands here in clear"));
    write_file("preset.conf", "issuer = 'https://p.example' client_secret = hunter2", 0600);
    CLEANUP(cleanup_settings) struct settings *settings = parse_folder(true, &complaint);
    assert_non_null(settings);
    assert_string_equal(secret_reveal(settings_client_secret(settings, "p")), "hunter2");
}

/* What was read stays read: files may change between the two parses. */
static void a_text_is_of_one_moment(void **state)
{
    CLEANUP(cleanup_settings_text) struct settings_text *text = NULL;
    CLEANUP(cleanup_settings) struct settings *first = NULL;
    CLEANUP(cleanup_settings) struct settings *second = NULL;
    struct settings_places places = { path_of("credentials") };
    write_file("tokenbroker.conf", three, 0600);
    write_file("credentials/m", "of m\n", 0400);
    assert_int_equal(settings_read(path_of("tokenbroker.conf"), true, &text, NULL), 0);
    write_file("tokenbroker.conf", "nonsense", 0600);
    assert_int_equal(settings_parse(text, &places, false, &first, NULL), 0);
    assert_int_equal(settings_parse(text, &places, true, &second, NULL), 0);
    assert_int_equal(first->provider_count, 3);
    assert_int_equal(second->provider_count, 3);
    assert_null(first->credentials);
    assert_non_null(second->credentials);
}

static void an_empty_file_is_enough(void **state)
{
    struct complaint complaint;
    write_file("tokenbroker.conf", "", 0600);
    CLEANUP(cleanup_settings) struct settings *settings = parse_folder(true, &complaint);
    assert_non_null(settings);
    assert_string_equal(settings->key, "auto");
    assert_null(settings->on_event);
    assert_int_equal(settings->provider_count, 0);
    assert_int_equal(settings->rule_count, 0);
    assert_non_null(settings->credentials); /* with secrets, of which there are none */
}

static void a_section_that_stands_once(void **state)
{
    assert_refused("broker {}\n\nbroker { key = auto }",
                   "3: broker is there twice (first in line 1)");
    assert_refused("broker {\n on_event = 'page-me' }", "2: on_event must be an absolute path");
}

static void providers_have_a_highest_number(void **state)
{
    CLEANUP(cleanup_buffer) struct buffer text = BUFFER_WITH_MAXIMUM(1000000);
    for (unsigned i = 0; i <= SETTINGS_PROVIDERS_MAX; i++)
        buffer_append_format(&text, "provider p%u { grant = static }\n", i);
    assert_refused(buffer_text(&text),
                   "1001: provider \"p1000\" is one too many: 1000 is the most");
}

static void rules_have_a_highest_number(void **state)
{
    CLEANUP(cleanup_buffer) struct buffer text = BUFFER_WITH_MAXIMUM(1000000);
    for (unsigned i = 0; i <= SETTINGS_RULES_MAX; i++)
        buffer_append_format(&text, "access r%u { accounts = '*/*' who = 'user:0' may = list }\n",
                             i);
    assert_refused(buffer_text(&text), "1001: access \"r1000\" is one too many: 1000 is the most");
}

static void nothing_is_freed_well(void **state)
{
    assert_null(settings_free(NULL));
    assert_null(settings_text_free(NULL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds_providers),
        cmocka_unit_test(without_secrets_there_are_none),
        cmocka_unit_test(secrets_stand_beside_their_providers),
        cmocka_unit_test(a_secret_that_cannot_be_had_refuses_all),
        cmocka_unit_test(a_presets_secret_counts),
        cmocka_unit_test(a_text_is_of_one_moment),
        cmocka_unit_test(an_empty_file_is_enough),
        cmocka_unit_test(a_section_that_stands_once),
        cmocka_unit_test(providers_have_a_highest_number),
        cmocka_unit_test(rules_have_a_highest_number),
        cmocka_unit_test(nothing_is_freed_well),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}

#include "settings/text.h"

#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "support.h"

#define PROVIDER(name) "provider " name " { client_id = x issuer = 'https://p.example' }\n"

static int clear_folder(void **state)
{
    return remove_folder(state) == 0 ? make_folder(state) : -1;
}

static void assert_read_refused(const char *part)
{
    struct complaint complaint;
    CLEANUP(cleanup_settings) struct settings *settings = parse_folder(false, &complaint);
    if (settings != NULL || strstr(complaint.text, part) == NULL)
        fail_msg("\"%s\" does not say \"%s\"", complaint.text, part);
}

static struct settings *read_well(void)
{
    struct complaint complaint;
    struct settings *settings = parse_folder(false, &complaint);
    if (settings == NULL)
        fail_msg("refused: %s", complaint.text);
    return settings;
}

static void a_missing_main_file_may_be_empty(void **state)
{
    CLEANUP(cleanup_settings_text) struct settings_text *text = NULL;
    CLEANUP(cleanup_settings) struct settings *settings = NULL;
    struct complaint complaint = { "" };
    const char *path = path_of("tokenbroker.conf");
    assert_int_equal(settings_read(path, true, &text, &complaint), SETTINGS_INVALID);
    assert_null(text);
    assert_non_null(strstr(complaint.text, "cannot be opened"));
    assert_int_equal(settings_read(path, false, &text, &complaint), 0);
    assert_int_equal(settings_parse(text, NULL, false, &settings, &complaint), 0);
    assert_int_equal(settings->provider_count, 0);
    assert_string_equal(settings->key, "auto");
}

static void reads_the_folder_beside_it_in_order(void **state)
{
    write_file("tokenbroker.conf", PROVIDER("m"), 0644);
    write_file("providers.d/20.conf", PROVIDER("b"), 0644);
    write_file("providers.d/10.conf", PROVIDER("z"), 0644);
    write_file("providers.d/.hidden.conf", "nonsense", 0644);
    write_file("providers.d/10.conf~", "nonsense", 0644);
    write_file("providers.d/README", "nonsense", 0644);
    write_file("providers.d/.conf", "nonsense", 0644);
    CLEANUP(cleanup_settings_text) struct settings_text *text = NULL;
    assert_int_equal(settings_read(path_of("tokenbroker.conf"), true, &text, NULL), 0);
    assert_int_equal(text->file_count, 3);
    assert_string_equal(text->files[1]->path, path_of("providers.d/10.conf"));
    assert_string_equal(text->files[2]->path, path_of("providers.d/20.conf"));
    CLEANUP(cleanup_settings) struct settings *settings = read_well();
    assert_string_equal(settings->providers[0]->name, "b");
    assert_string_equal(settings->providers[1]->name, "m");
    assert_string_equal(settings->providers[2]->name, "z");
}

static void the_folder_is_found_without_a_slash(void **state)
{
    char before[256];
    CLEANUP(cleanup_settings_text) struct settings_text *text = NULL;
    write_file("tokenbroker.conf", "", 0600);
    write_file("providers.d/a.conf", PROVIDER("a"), 0600);
    assert_non_null(getcwd(before, sizeof before));
    assert_int_equal(chdir(path_of(".")), 0);
    int r = settings_read("tokenbroker.conf", true, &text, NULL);
    assert_int_equal(chdir(before), 0);
    assert_int_equal(r, 0);
    assert_int_equal(text->file_count, 2);
}

static void a_broken_file_refuses_all(void **state)
{
    write_file("tokenbroker.conf", PROVIDER("m"), 0600);
    write_file("providers.d/a.conf", "\nprovider {}", 0600);
    assert_read_refused("providers.d/a.conf:2: missing title");
}

static void one_provider_stands_in_one_file(void **state)
{
    write_file("tokenbroker.conf", "\n" PROVIDER("m"), 0600);
    write_file("providers.d/a.conf", PROVIDER("m"), 0600);
    assert_read_refused("providers.d/a.conf:1: provider \"m\" is there twice (first in ");
    assert_read_refused("tokenbroker.conf:2)");
}

static void broker_and_callback_stand_in_the_main_file(void **state)
{
    write_file("tokenbroker.conf", "", 0600);
    write_file("providers.d/a.conf", "broker {}", 0600);
    assert_read_refused("a.conf:1: broker belongs in /");
    write_file("providers.d/a.conf", "callback {}", 0600);
    assert_read_refused("a.conf:1: callback belongs in /");
}

static void what_others_can_write_is_refused(void **state)
{
    write_file("tokenbroker.conf", "", 0666);
    assert_read_refused("others can write /");
    write_file("tokenbroker.conf", "", 0600);
    write_file("providers.d/a.conf", "", 0660);
    assert_read_refused("chmod go-w /");
    write_file("providers.d/a.conf", "", 0600);
    assert_int_equal(chmod(path_of("providers.d"), 0777), 0);
    assert_read_refused("chmod go-w /");
    assert_int_equal(chmod(path_of("providers.d"), 0755), 0);
    CLEANUP(cleanup_settings) struct settings *settings = read_well();
    assert_int_equal(settings->provider_count, 0);
}

static void a_file_has_a_largest_size(void **state)
{
    write_file("tokenbroker.conf", "", 0600);
    assert_int_equal(truncate(path_of("tokenbroker.conf"), SETTINGS_FILE_MAX + 1), 0);
    assert_read_refused("tokenbroker.conf holds a NUL byte");
    FILE *file = fopen(path_of("tokenbroker.conf"), "w");
    for (size_t i = 0; i <= SETTINGS_FILE_MAX; i++)
        assert_int_equal(fputc(' ', file), ' ');
    assert_int_equal(fclose(file), 0);
    assert_read_refused("is larger than 1048576 bytes");
}

static void a_preset_may_be_a_file(void **state)
{
    char text[512];
    (void)snprintf(text, sizeof text,
                   "provider p { preset = '%s' client_id = x scope = own }\n"
                   "provider q { preset = '%s' client_id = x }\n",
                   path_of("mine.conf"), path_of("mine.conf"));
    write_file("tokenbroker.conf", text, 0600);
    assert_read_refused("tokenbroker.conf:1: preset: /");
    assert_read_refused("mine.conf cannot be opened: No such file");
    write_file("mine.conf", "# mine\nissuer = 'https://a.example'\nscope = theirs\n", 0644);
    CLEANUP(cleanup_settings) struct settings *settings = read_well();
    assert_string_equal(settings->providers[0]->issuer, "https://a.example");
    assert_string_equal(settings->providers[0]->scope, "own");
    assert_string_equal(settings->providers[1]->scope, "theirs");
    write_file("mine.conf", "issuer = 'https://a.example'\nscoep = x\n", 0644);
    assert_read_refused("mine.conf:2: unknown key \"scoep\": did you mean \"scope\"?");
    write_file("mine.conf", "issuer = 'https://a.example'\n", 0666);
    assert_read_refused("tokenbroker.conf:1: preset: others can write /");
    write_file("mine.conf", "\nissuer = 'http://a.example'\n", 0600);
    assert_read_refused("mine.conf:2: issuer must be https");
}

static void an_unknown_preset_is_refused(void **state)
{
    write_file("tokenbroker.conf", "provider p {\n preset = zenegi client_id = x }", 0600);
    assert_read_refused("tokenbroker.conf:2: preset \"zenegi\" is not known: did you mean "
                        "\"zenegy\"?");
    write_file("tokenbroker.conf", "provider p {\n preset = 'mine.conf' client_id = x }", 0600);
    assert_read_refused("tokenbroker.conf:2: preset \"mine.conf\" is not known");
    write_file("tokenbroker.conf", "provider p {\n preset = '' client_id = x }", 0600);
    assert_read_refused("tokenbroker.conf:2: preset \"\" is not known");
}

#define EACH(test) cmocka_unit_test_setup(test, clear_folder)

int main(void)
{
    const struct CMUnitTest tests[] = {
        EACH(a_missing_main_file_may_be_empty),
        EACH(reads_the_folder_beside_it_in_order),
        EACH(the_folder_is_found_without_a_slash),
        EACH(a_broken_file_refuses_all),
        EACH(one_provider_stands_in_one_file),
        EACH(broker_and_callback_stand_in_the_main_file),
        EACH(what_others_can_write_is_refused),
        EACH(a_file_has_a_largest_size),
        EACH(a_preset_may_be_a_file),
        EACH(an_unknown_preset_is_refused),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}

#include "settings/syntax.h"

#include "../base/memory_search.h"
#include "settings/sections.h"
#include "support.h"

#define PROVIDER "provider p {\n issuer = 'https://p.example'\n "

struct syntax_row {
    const char *text;
    const char *refused;
};

static const struct syntax_row rows[] = {
    { "", NULL },
    { "# only words\n\n", NULL },
    { PROVIDER "client_id = a }", NULL },
    { PROVIDER "'client_id' = \"a\" }", NULL },
    { PROVIDER "client_id = a authorize_params = {} }", NULL },
    { PROVIDER "client_id = a authorize_params = 'x=y' }", NULL },
    { PROVIDER "client_id = a authorize_params = {'x=y'} authorize_params += {'z=y'} }", NULL },
    { "broker {}\n", NULL },
    { PROVIDER "clientid = a\n}",
      "3: unknown key \"clientid\" in provider \"p\": did you mean \"client_id\"?" },
    { PROVIDER "# a\n # b\n colour = blue\n}", "5: unknown key \"colour\" in provider \"p\"" },
    { "broker {\n\n kye = auto\n}\n", "3: unknown key \"kye\" in broker: did you mean \"key\"?" },
    { "\nprovder p {\n}\n", "2: unknown section \"provder\": did you mean \"provider\"?" },
    { "include('/etc/passwd')\n", "1: unknown section \"include\"" },
    { PROVIDER "client_id = a\n client_id = b\n}", "4: client_id is set twice (first in line 3)" },
    { PROVIDER "client_id = a authorize_params = {'x=y'}\n authorize_params = {'z=y'} }",
      "4: authorize_params is set twice (first in line 3)" },
    { "provider p { client_id = a issuer = 'https://a' }\nprovider p {}",
      "2: found duplicate title 'p'" },
    { PROVIDER "client_id = \"a\nb\"\n}", "3: this quoted text is not closed in its line" },
    { PROVIDER "client_id = \"a\\tb\"\n}",
      "3: client_id holds a line end or another control character" },
    { PROVIDER "client_id = a\n", "1: this \"{\" is never closed" },
    { PROVIDER "client_id = \"${HOME}\"\n}",
      "3: ${…} would be replaced from the environment: put the value in single quotes" },
    { PROVIDER "client_id a }", "3: missing equal sign after option 'client_id'" },
    { PROVIDER "client_id = }", "3: unexpected token '}'" },
    { PROVIDER "client_id = {a} }", "3: unexpected token '{'" },
    { PROVIDER "client_id += a }", "3: attempt to append to non-list option 'client_id'" },
    { "provider {}", "1: missing title for section 'provider'" },
    { "broker {}\n'broker|key' = auto", "2: unknown section \"broker|key\"" },
    { "provider p {}\n'provider=p|client_id' = a", "2: unknown section \"provider=p|client_id\"" },
    { PROVIDER "client_id = a authorize_params = {'x=y'}\n authorize_params = {} }",
      "4: authorize_params is set twice (first in line 3)" },
    { PROVIDER "client_id = a authorize_params = {}\n authorize_params += {'z=y'} }", NULL },
    { PROVIDER "client_id = a authorize_params = {'x=y',} }", NULL },
    { PROVIDER "client_id = a authorize_params = {,} }", "3: unexpected token ','" },
    { PROVIDER "client_id = a authorize_params = {a b} }",
      "3: a comma is missing between two values of authorize_params" },
    { PROVIDER "client_id = a authorize_params = {a = b} }", "3: unexpected token '='" },
    { PROVIDER "client_id = a\n authorize_params += {'x=y'} }",
      "4: authorize_params += adds to nothing: a preset's list is replaced, so write all of it" },
    { PROVIDER "client_id = a client_secret = b\n clientid = c }",
      "4: unknown key \"clientid\" in provider \"p\": did you mean \"client_id\"?" },
    { PROVIDER "client_id = a authorize_params = 'x=y' 'z=y' }",
      "3: something follows the value here: put all of it in quotes" },
    { PROVIDER "client_id = a '' = b }", "3: unknown key \"\" in provider \"p\"" },
    { "(", "1: unexpected token '('" },
    { "broker\n", "2: premature end of file" },
    { "provider p", "1: premature end of file" },
    { "provider p =", "1: missing opening brace for section 'provider'" },
    { PROVIDER "access a {} }", "3: unknown key \"access\" in provider \"p\"" },
    { "client_id = a", "1: unknown section \"client_id\"" },
};

static void reads_or_refuses(void **state)
{
    for (size_t i = 0; i < LENGTH_OF(rows); i++)
        check_row(i, rows[i].text, rows[i].refused);
}

/* A slip beside a secret must not put a part of it into the complaint. */
static void complaints_show_no_secret(void **state)
{
    static const char *const slips[] = {
        PROVIDER "client_id = a client_secret = hun ter2 }",
        PROVIDER "client_id = a client_secret = hun\"ter2\" }",
        PROVIDER "client_id = a client_secret = 'hun' 'ter2' }",
        PROVIDER "client_id = a client_secret = hun+=ter2 }",
        PROVIDER "client_id = a client_secret = hun,ter2 }",
        PROVIDER "client_id = a client_secret = hun=ter2 }",
        PROVIDER "client_id = a client_secret = 'hunter2\n' }",
        PROVIDER "client_id = a client_secret = hunter2{} }",
        PROVIDER "client_id = a client_secret 'hunter2' }",
        PROVIDER "client_id = a client_secret = 'hun'\n 'ter2' }",
        PROVIDER "client_id = a client_secret = hun#ter2\n }",
        PROVIDER "client_id = a token_params = {'a=b' 'password=hunter2'} }",
        PROVIDER "client_id = a token_params = 'a=b'\n 'password=hunter2' }",
        PROVIDER "client_id = a client_secret = 'hunter2' client_secret = 'hunter2' }",
        "broker { key = hunter2 }",
    };
    for (size_t i = 0; i < LENGTH_OF(slips); i++) {
        struct complaint complaint;
        CLEANUP(cleanup_settings) struct settings *settings = parse_text(slips[i], &complaint);
        if (settings != NULL || strstr(complaint.text, "ter2") != NULL)
            fail_row(i, complaint.text);
    }
}

static void reads_well_after_a_refusal(void **state)
{
    assert_refused("provider p { client_id = 'a\n",
                   "1: this quoted text is not closed in its line");
    assert_refused("provider p { client_id = \"\\q\" }",
                   "1: provider \"p\" needs token_endpoint or issuer");
    assert_refused("broker { \xff\xc2\x9b"
                   "31m = x }",
                   "1: unknown key \"? 31m\" in broker");
    assert_refused("provider p { client_id = {", "1: this \"{\" is never closed");
    CLEANUP(cleanup_settings)
    struct settings *settings = parsed(PROVIDER "client_id = \"a b\\\"c\" }");
    assert_string_equal(settings->providers[0]->client_id, "a b\"c");
}

static struct config_file *parse_file(const char *text, const struct grammar *grammar)
{
    struct config_file *file = calloc(1, sizeof *file);
    struct complaint complaint = { "" };
    assert_non_null(file);
    file->path = strdup("file.conf");
    if (syntax_parse(text, grammar, file, &complaint) != 0)
        fail_msg("refused: %s", complaint.text);
    return file;
}

static void keeps_lines_and_order(void **state)
{
    CLEANUP(cleanup_config_file)
    struct config_file *file = parse_file("# one\n/* two\n three */ broker {}\naccess\n"
                                          "a // five\n{\n  who = {x, # seven\n y,\n z}\n\n"
                                          "  may = token\n}\nbroker { key = 'k' }\n",
                                          &grammar_of_files);
    assert_int_equal(file->count, 3);
    const struct section *access = file->sections[1];
    assert_int_equal(file->sections[0]->line, 3);
    assert_ptr_equal(file->sections[0]->kind, &broker_section);
    assert_null(file->sections[0]->title);
    assert_int_equal(access->line, 6);
    assert_string_equal(access->title, "a");
    assert_int_equal(access->count, 2);
    assert_string_equal(access->settings[0].key->name, "who");
    assert_int_equal(access->settings[0].line, 7);
    assert_int_equal(access->settings[0].count, 3);
    assert_string_equal(access->settings[0].values[2], "z");
    assert_int_equal(access->settings[1].line, 11);
    assert_int_equal(file->sections[2]->line, 13);
    assert_ptr_equal(section_find(access, "may"), &access->settings[1]);
    assert_null(section_find(access, "accounts"));
}

static void a_preset_is_one_section(void **state)
{
    CLEANUP(cleanup_config_file)
    struct config_file *file =
        parse_file("# c\nscope = 'a b'\ntoken_params = {}\n", &grammar_of_presets);
    assert_int_equal(file->count, 1);
    assert_ptr_equal(file->sections[0]->kind, &preset_section);
    assert_int_equal(file->sections[0]->count, 2);
    assert_int_equal(file->sections[0]->settings[0].line, 2);
    assert_string_equal(file->sections[0]->settings[1].key->name, "token_params");
    assert_int_equal(file->sections[0]->settings[1].count, 0);
}

static void a_preset_has_no_preset_and_no_sections(void **state)
{
    struct complaint complaint = { "" };
    CLEANUP(cleanup_config_file) struct config_file *file = calloc(1, sizeof *file);
    file->path = strdup("file.conf");
    assert_int_equal(syntax_parse("preset = x", &grammar_of_presets, file, &complaint),
                     SETTINGS_INVALID);
    assert_string_equal(complaint.text,
                        "file.conf:1: unknown key \"preset\": did you mean \"present\"?");
    assert_int_equal(syntax_parse("broker {}", &grammar_of_presets, file, &complaint),
                     SETTINGS_INVALID);
    assert_string_equal(complaint.text, "file.conf:1: unknown key \"broker\"");
}

static void a_value_has_a_longest(void **state)
{
    CLEANUP(cleanup_buffer) struct buffer text = BUFFER_WITH_MAXIMUM(VALUE_MAX + 100);
    buffer_append_text(&text, PROVIDER "client_id = '");
    for (size_t i = 0; i <= VALUE_MAX; i++)
        buffer_append_char(&text, 'a');
    buffer_append_text(&text, "' }");
    assert_refused(buffer_text(&text), "3: client_id is longer than 32768 bytes");
}

/* Whichever key a secret was put under. */
static void leaves_nothing_of_a_secret(void **state)
{
    static const char *const forms[] = { "client_secret = %s }", "client_secret = \"\\q%s\" }",
                                         "token_params = {'%s', a} }", "client_secret = %s x }" };
    for (size_t i = 0; i < LENGTH_OF(forms); i++) {
        char needle[MEMORY_NEEDLE + 1] = "q", form[64], text[256];
        struct complaint complaint = { "" };
        struct config_file *file = calloc(1, sizeof *file);
        assert_non_null(file);
        file->path = strdup("file.conf");
        memory_needle(needle, (unsigned)i + 1);
        (void)snprintf(form, sizeof form, "%s", forms[i]);
        char *at = strstr(form, "%s");
        (void)snprintf(text, sizeof text, PROVIDER "%.*s%s%s", (int)(at - form), form, needle,
                       at + 2);
        explicit_bzero(needle, sizeof needle);
        (void)syntax_parse(text, &grammar_of_files, file, &complaint);
        explicit_bzero(text, sizeof text);
        (void)config_file_free(file);
        assert_int_equal(memory_count(), 0);
    }
}

static const char whole[] =
    "broker { key = auto }\n# a\ncallback { listen = {'http://[::1]:1',\n"
    "\"http://localhost:2\"} } /* b */ provider p {\n client_id = \"a\\\"b\"\n"
    "client_secret = 'c d' // e\n token_params = {} scope += x\n"
    "authorize_params = {'a=b'}\n authorize_params += {c=d,} }\n"
    "access a { who = 'user:0+group:0' may = {token} accounts = '*/*' }\n";

/* Whatever is in the text: an answer, one line of complaint that begins with the file. */
static void assert_answered(const char *text)
{
    struct complaint complaint = { "" };
    CLEANUP(cleanup_config_file) struct config_file *file = calloc(1, sizeof *file);
    assert_non_null(file);
    file->path = strdup("file.conf");
    int r = syntax_parse(text, &grammar_of_files, file, &complaint);
    assert_true(r == 0 || r == SETTINGS_INVALID);
    if (r == 0)
        return;
    assert_ptr_equal(strstr(complaint.text, "file.conf:"), complaint.text);
    assert_null(strchr(complaint.text, '\n'));
}

static void any_damage_is_answered(void **state)
{
    static const char damage[] = "\"'{}=+,#/*\\$ \n\t|();\x01\xff"
                                 "0a";
    for (size_t i = 0; i < sizeof whole - 1; i++) {
        char text[sizeof whole];
        memcpy(text, whole, sizeof whole);
        for (size_t j = 0; j < sizeof damage - 1; j++) {
            text[i] = damage[j];
            assert_answered(text);
        }
        text[i] = '\0';
        assert_answered(text);
        memcpy(text, whole, sizeof whole);
        memmove(text + i, text + i + 1, sizeof whole - i - 1);
        assert_answered(text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_or_refuses),
        cmocka_unit_test(complaints_show_no_secret),
        cmocka_unit_test(reads_well_after_a_refusal),
        cmocka_unit_test(keeps_lines_and_order),
        cmocka_unit_test(a_preset_is_one_section),
        cmocka_unit_test(a_preset_has_no_preset_and_no_sections),
        cmocka_unit_test(a_value_has_a_longest),
        cmocka_unit_test(leaves_nothing_of_a_secret),
        cmocka_unit_test(any_damage_is_answered),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}

/* The sample configuration: it is taken as it is, and so are its examples. */

#include <ctype.h>
#include <stdio.h>

#include "base/buffer.h"
#include "settings/presets.h"
#include "settings/sections.h"
#include "support.h"

/* A '#' right before a letter or a brace hides an example. */
static void append_line(struct buffer *out, const char *line, bool uncomment)
{
    const char *rest = line + strspn(line, " ");
    bool example = rest[0] == '#' && (isalpha((unsigned char)rest[1]) || rest[1] == '}');
    buffer_append_text(out, uncomment && example ? rest + 1 : line);
}

static struct buffer read_sample(bool uncomment)
{
    struct buffer text = BUFFER_WITH_MAXIMUM(SETTINGS_FILE_MAX);
    char line[1000];
    FILE *file = fopen(SAMPLE, "r");
    assert_non_null(file);
    while (fgets(line, sizeof line, file) != NULL)
        append_line(&text, line, uncomment);
    assert_int_equal(fclose(file), 0);
    assert_false(text.failed);
    return text;
}

static void it_says_nothing_as_it_is(void **state)
{
    CLEANUP(cleanup_buffer) struct buffer text = read_sample(false);
    CLEANUP(cleanup_settings) struct settings *settings = parsed(buffer_text(&text));
    assert_int_equal(settings->provider_count, 0);
    assert_int_equal(settings->rule_count, 0);
    assert_string_equal(settings->key, "auto");
}

static void its_examples_are_taken(void **state)
{
    struct complaint complaint;
    CLEANUP(cleanup_buffer) struct buffer text = read_sample(true);
    write_file("tokenbroker.conf", buffer_text(&text), 0644);
    CLEANUP(cleanup_settings) struct settings *settings = parse_folder(false, &complaint);
    if (settings == NULL)
        fail_msg("refused: %s", complaint.text);
    assert_int_equal(settings->provider_count, 2);
    assert_int_equal(settings->rule_count, 1);
    assert_int_equal(settings->consumer_count, 1);
}

static void assert_section_named(const struct buffer *text, const struct section_kind *kind)
{
    char wanted[100];
    for (size_t i = 0; i < kind->key_count; i++) {
        (void)snprintf(wanted, sizeof wanted, "    #%s = ", kind->keys[i].name);
        if (strstr(buffer_text(text), wanted) == NULL)
            fail_msg("the sample does not show %s of %s", kind->keys[i].name, kind->name);
    }
}

static void it_shows_every_key_and_preset(void **state)
{
    CLEANUP(cleanup_buffer) struct buffer text = read_sample(false);
    assert_section_named(&text, &broker_section);
    assert_section_named(&text, &callback_section);
    assert_section_named(&text, &provider_section);
    assert_section_named(&text, &access_section);
    assert_section_named(&text, &consumer_section);
    for (size_t i = 0; i < preset_count; i++)
        assert_non_null(strstr(buffer_text(&text), presets[i].name));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_says_nothing_as_it_is),
        cmocka_unit_test(its_examples_are_taken),
        cmocka_unit_test(it_shows_every_key_and_preset),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}

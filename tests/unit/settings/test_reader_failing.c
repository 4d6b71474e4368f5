/* Each allocation of a reading failing once: -ENOMEM, nothing lost, and the next reading is well.
 */

#include <errno.h>

#include "settings/sections.h"
#include "support.h"
#include "tests/unit/failing_allocations.h"

enum { ALLOCATIONS_MAX = 200 };

/* The result, with that allocation failing; false when there is no such allocation. */
static bool read_with(const char *text, const struct grammar *grammar, unsigned failing)
{
    struct complaint complaint = { "" };
    CLEANUP(cleanup_config_file) struct config_file *file = calloc(1, sizeof *file);
    assert_non_null(file);
    file->path = strdup("file.conf");
    allocations_left = (int)failing - 1;
    int r = syntax_parse(text, grammar, file, &complaint);
    bool failed = allocations_left < 0;
    allocations_left = -1;
    assert_int_equal(r, failed ? -ENOMEM : 0);
    assert_string_equal(complaint.text, "");
    return failed;
}

static void walk(const char *text, const struct grammar *grammar)
{
    unsigned failing = 1;
    while (failing < ALLOCATIONS_MAX && read_with(text, grammar, failing))
        failing++;
    assert_in_range(failing, 5, ALLOCATIONS_MAX - 1);
}

static void a_file_is_read_or_memory_is_short(void **state)
{
    walk("broker { key = auto }\nprovider p { client_id = \"a\\\"b\" token_params = {}\n"
         "authorize_params = {'a=b', c} authorize_params += d }\naccess a { may = token }\n",
         &grammar_of_files);
}

static void a_preset_is_read_or_memory_is_short(void **state)
{
    walk("scope = 'a b'\ntoken_params = {'x=y'}\n", &grammar_of_presets);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_file_is_read_or_memory_is_short),
        cmocka_unit_test(a_preset_is_read_or_memory_is_short),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

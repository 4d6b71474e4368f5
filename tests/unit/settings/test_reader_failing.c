/* Each allocation of a reading failing once: -ENOMEM, nothing lost, and the next reading is well.
 */

#include <errno.h>

#include "settings/sections.h"
#include "support.h"

enum { ALLOCATIONS_MAX = 200 };

/* 0: none fails; else this many are still to come. */
static unsigned countdown;

static bool fails_now(void)
{
    return countdown > 0 && --countdown == 0;
}

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_reallocarray(void *old, size_t count, size_t size);
char *__real_strdup(const char *text);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_reallocarray(void *old, size_t count, size_t size);
char *__wrap_strdup(const char *text);

void *__wrap_malloc(size_t size)
{
    return fails_now() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
    return fails_now() ? NULL : __real_calloc(count, size);
}

void *__wrap_reallocarray(void *old, size_t count, size_t size)
{
    return fails_now() ? NULL : __real_reallocarray(old, count, size);
}

char *__wrap_strdup(const char *text)
{
    return fails_now() ? NULL : __real_strdup(text);
}

/* The result, with that allocation failing; false when there is no such allocation. */
static bool read_with(const char *text, const struct grammar *grammar, unsigned failing)
{
    struct complaint complaint = { "" };
    CLEANUP(cleanup_config_file) struct config_file *file = calloc(1, sizeof *file);
    assert_non_null(file);
    file->path = strdup("file.conf");
    countdown = failing;
    int r = syntax_parse(text, grammar, file, &complaint);
    bool failed = countdown == 0;
    countdown = 0;
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

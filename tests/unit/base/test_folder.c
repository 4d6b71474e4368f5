#include "base/folder.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "unit.h"

/* Every test works in a new folder. */
static int enter(void **state)
{
    static char path[64];
    (void)snprintf(path, sizeof path, "/tmp/test-folder-XXXXXX");
    *state = mkdtemp(path);
    return *state && chdir(path) == 0 ? 0 : -1;
}

static int leave(void **state)
{
    (void)rmdir("some/where/deep");
    (void)rmdir("some/where");
    (void)rmdir("some");
    (void)unlink("file");
    return chdir("/") == 0 && rmdir(*state) == 0 ? 0 : -1;
}

static void it_is_made_with_its_parents(void **state)
{
    (void)state;
    struct stat status;
    assert_int_equal(folder_make("some/where/deep", 0700), 0);
    assert_int_equal(stat("some/where/deep", &status), 0);
    assert_int_equal(status.st_mode & 0777, 0700);
    assert_int_equal(folder_make("some/where/deep", 0700), 0);
}

static void a_file_in_its_way_says_so(void **state)
{
    (void)state;
    FILE *file = fopen("file", "we");
    assert_non_null(file);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(folder_make("file/below", 0700), -ENOTDIR);
}

static void what_cannot_be_synced_says_why(void **state)
{
    (void)state;
    assert_int_equal(folder_sync("nowhere"), -ENOENT);
    assert_int_equal(folder_sync_above("nowhere/deep"), -ENOENT);
}

static void the_folder_above(void **state)
{
    (void)state;
    assert_int_equal(folder_sync_above("file"), 0);
    assert_int_equal(folder_sync_above("/tmp"), 0);
    assert_int_equal(folder_sync("."), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(it_is_made_with_its_parents, enter, leave),
        cmocka_unit_test_setup_teardown(a_file_in_its_way_says_so, enter, leave),
        cmocka_unit_test_setup_teardown(what_cannot_be_synced_says_why, enter, leave),
        cmocka_unit_test_setup_teardown(the_folder_above, enter, leave),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* The note of how far a store has come. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* after the four above */
#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "io/guard.h"

static const char uuid[] = "55b3db50-46c6-455d-b3f3-d8f96ec70e1f";
static char folder[] = "/tmp/test-guard-XXXXXX";

static struct guard *open_one(void)
{
    struct complaint complaint = { "" };
    struct guard *guard = NULL;

    if (guard_open(folder, uuid, &guard, &complaint) != 0)
        fail_msg("%s", complaint.text);
    return guard;
}

static void path_of(const char *name, char out[static 128])
{
    (void)snprintf(out, 128, "%s/%s", folder, name);
}

static int set_up(void **state)
{
    (void)state;
    memcpy(folder + sizeof(folder) - 7, "XXXXXX", 6);
    return mkdtemp(folder) ? 0 : -1;
}

static int tear_down(void **state)
{
    DIR *dir = opendir(folder);

    (void)state;
    assert_non_null(dir);
    for (const struct dirent *entry = readdir(dir); entry; entry = readdir(dir))
        (void)unlinkat(dirfd(dir), entry->d_name, 0);
    (void)closedir(dir);
    return rmdir(folder);
}

static uint64_t noted(void)
{
    CLEANUP(cleanup_guard) struct guard *guard = open_one();

    assert_true(guard_take(guard));
    return guard_generation(guard);
}

static void it_lasts_and_only_grows(void **state)
{
    struct guard *guard = open_one();

    (void)state;
    assert_int_equal(guard_generation(guard), 0);
    assert_true(guard_take(guard));
    guard_note(guard, 1000);
    guard_note(guard, 999);
    assert_int_equal(guard_generation(guard), 1000);
    guard_close(guard);
    assert_int_equal(noted(), 1000);
}

static void who_does_not_hold_it_notes_nothing(void **state)
{
    CLEANUP(cleanup_guard) struct guard *guard = open_one();

    (void)state;
    guard_note(guard, 7);
    assert_int_equal(guard_generation(guard), 0);
    assert_int_equal(noted(), 0);
}

static void one_holds_it_at_a_time(void **state)
{
    struct guard *first = open_one();
    CLEANUP(cleanup_guard) struct guard *second = open_one();

    (void)state;
    assert_true(guard_take(first));
    assert_true(guard_take(first));
    assert_false(guard_take(second));
    guard_note(first, 5);
    guard_close(first);
    assert_true(guard_take(second));
    assert_int_equal(guard_generation(second), 5);
}

static void what_is_no_whole_note_counts_as_nothing(void **state)
{
    static const char *const texts[] = {
        "", "x", "\n", "-", "7", "7\x01", "00000000000000000007", "0000000000000000000x7\n",
    };
    char path[128];
    char name[64];

    (void)state;
    (void)snprintf(name, sizeof(name), "store-%s", uuid);
    path_of(name, path);
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        CLEANUP(cleanup_fd) int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

        assert_int_equal(write(fd, texts[i], strlen(texts[i])), strlen(texts[i]));
        assert_int_equal(noted(), 0);
    }
}

static void backups_are_told_to_leave_it_out(void **state)
{
    char path[128];
    char text[64] = "";

    (void)state;
    guard_close(open_one());
    path_of("CACHEDIR.TAG", path);
    CLEANUP(cleanup_fd) int fd = open(path, O_RDONLY | O_CLOEXEC);
    assert_true(read(fd, text, sizeof(text) - 1) > 0);
    assert_string_equal(text, "Signature: 8a477f597d28d172789f06886806bc55\n");
}

static void places_that_do_not_serve(void **state)
{
    static const struct {
        const char *folder, *uuid;
        int error;
    } rows[] = {
        { "/nonexistent/folder", uuid, -ENOENT },
        { "/dev/null", uuid, -ENOTDIR },
        { folder, "../55b3db50", -EINVAL },
        { folder, "a-uuid-that-is-much-longer-than-any-uuid-that-was-ever-seen-anywhere", -EINVAL },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct complaint complaint = { "" };
        struct guard *guard = NULL;

        assert_int_equal(guard_open(rows[i].folder, rows[i].uuid, &guard, &complaint),
                         rows[i].error);
        assert_null(guard);
        assert_non_null(strstr(complaint.text, rows[i].folder));
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(it_lasts_and_only_grows),          TEST(who_does_not_hold_it_notes_nothing),
        TEST(one_holds_it_at_a_time),           TEST(what_is_no_whole_note_counts_as_nothing),
        TEST(backups_are_told_to_leave_it_out), TEST(places_that_do_not_serve),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

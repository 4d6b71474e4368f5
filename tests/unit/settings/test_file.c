#include "settings/file.h"

#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "support.h"

static int read_it(const char *name, size_t maximum, bool *ret_others, struct complaint *complaint)
{
    CLEANUP(cleanup_buffer) struct buffer bytes = BUFFER_WITH_MAXIMUM(maximum);
    int r = file_read(path_of(name), &bytes, ret_others, complaint);
    if (r == 0)
        assert_string_equal(buffer_text(&bytes), "text\n");
    return r;
}

struct mode_row {
    unsigned mode;
    uid_t uid;
    gid_t gid;
    int result;
    bool others;
};

/* The tests run as root: uid 0 and its group are "ours". */
static const struct mode_row mode_rows[] = {
    { 0600, 0, 0, 0, false },
    { 0400, 0, 0, 0, false },
    { 0640, 0, 0, 0, false }, /* root's file, our own group */
    { 0640, 0, 12, 0, true },
    { 0644, 0, 0, 0, true },
    { 0604, 0, 0, 0, true },
    { 0620, 0, 0, SETTINGS_INVALID, false },
    { 0602, 0, 0, SETTINGS_INVALID, false },
    { 0666, 0, 0, SETTINGS_INVALID, false },
    { 0600, 12, 0, SETTINGS_INVALID, false }, /* somebody else's */
};

static void looks_at_owner_and_mode(void **state)
{
    if (geteuid() != 0 || getegid() != 0)
        skip();
    for (size_t i = 0; i < LENGTH_OF(mode_rows); i++) {
        const struct mode_row *row = &mode_rows[i];
        struct complaint complaint = { "" };
        bool others = !row->others;
        write_file("file", "text\n", 0600);
        assert_int_equal(chown(path_of("file"), row->uid, row->gid), 0);
        assert_int_equal(chmod(path_of("file"), row->mode), 0);
        if (read_it("file", 100, &others, &complaint) != row->result)
            fail_row(i, complaint.text);
        /* Untouched on failure. */
        if (others != (row->result == 0 ? row->others : !row->others))
            fail_row(i, "others");
        assert_int_equal(unlink(path_of("file")), 0);
    }
}

static void says_how_to_mend_it(void **state)
{
    struct complaint complaint = { "" };
    char wanted[COMPLAINT_MAX];
    bool others = false;
    write_file("open", "text\n", 0662);
    assert_int_equal(read_it("open", 100, &others, &complaint), SETTINGS_INVALID);
    (void)snprintf(wanted, sizeof wanted, "others can write %s: chmod go-w %s", path_of("open"),
                   path_of("open"));
    assert_string_equal(complaint.text, wanted);
}

static void a_missing_file_is_no_refusal(void **state)
{
    struct complaint complaint = { "" };
    bool others = false;
    assert_int_equal(read_it("missing", 100, &others, &complaint), FILE_MISSING);
    assert_non_null(strstr(complaint.text, "cannot be opened: No such file"));
}

static void only_regular_files(void **state)
{
    struct complaint complaint = { "" };
    bool others = false;
    assert_int_equal(mkfifo(path_of("fifo"), 0600), 0);
    assert_int_equal(read_it("fifo", 100, &others, &complaint), SETTINGS_INVALID);
    assert_non_null(strstr(complaint.text, "is no regular file"));
    assert_int_equal(mkdir(path_of("folder"), 0700), 0);
    assert_int_equal(read_it("folder", 100, &others, &complaint), SETTINGS_INVALID);
}

static void a_file_has_a_largest(void **state)
{
    struct complaint complaint = { "" };
    bool others = false;
    write_file("five", "text\n", 0600);
    assert_int_equal(read_it("five", 5, &others, &complaint), 0);
    assert_int_equal(read_it("five", 4, &others, &complaint), SETTINGS_INVALID);
    assert_non_null(strstr(complaint.text, "is larger than 4 bytes"));
}

static void a_nul_is_refused(void **state)
{
    struct complaint complaint = { "" };
    CLEANUP(cleanup_buffer) struct buffer bytes = BUFFER_WITH_MAXIMUM(100);
    bool others = false;
    FILE *file = fopen(path_of("nul"), "w");
    assert_int_equal(fwrite("a\0b", 1, 3, file), 3);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(file_read(path_of("nul"), &bytes, &others, &complaint), SETTINGS_INVALID);
    assert_non_null(strstr(complaint.text, "holds a NUL byte"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(looks_at_owner_and_mode),      cmocka_unit_test(says_how_to_mend_it),
        cmocka_unit_test(a_missing_file_is_no_refusal), cmocka_unit_test(only_regular_files),
        cmocka_unit_test(a_file_has_a_largest),         cmocka_unit_test(a_nul_is_refused),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}

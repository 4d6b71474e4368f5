#include "base/read.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "unit.h"

static int pipe_with(const char *text)
{
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(write(ends[1], text, strlen(text)), strlen(text));
    assert_int_equal(close(ends[1]), 0);
    return ends[0];
}

static void it_ends_where_the_file_does(void **state)
{
    (void)state;
    char out[8] = "";
    CLEANUP(cleanup_fd) int fd = pipe_with("three");
    assert_int_equal(read_up_to(fd, out, sizeof out), 5);
    assert_memory_equal(out, "three", 6);
}

static void it_ends_where_the_room_does(void **state)
{
    (void)state;
    char out[4] = "xxx";
    CLEANUP(cleanup_fd) int fd = pipe_with("three");
    assert_int_equal(read_up_to(fd, out, 3), 3);
    assert_string_equal(out, "thr");
    assert_int_equal(read_up_to(fd, out, 0), 0);
    assert_int_equal(read_up_to(fd, out, 3), 2);
}

static void what_cannot_be_read_says_why(void **state)
{
    (void)state;
    char out[4];
    assert_int_equal(read_up_to(-1, out, sizeof out), -EBADF);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_ends_where_the_file_does),
        cmocka_unit_test(it_ends_where_the_room_does),
        cmocka_unit_test(what_cannot_be_read_says_why),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Lines of a file: of any length up to the maximum, however they come. */

#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "client/cli/lines.h"

/* A file that holds the text. */
static int file_of(const char *text, size_t length)
{
    char path[] = "/tmp/tb-lines-XXXXXX";
    int fd = mkstemp(path);

    assert_true(fd >= 0);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(write(fd, text, length), (ssize_t)length);
    assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
    return fd;
}

static void expect_line(struct lines *lines, const char *text)
{
    assert_int_equal(lines_next(lines), 1);
    assert_int_equal(lines->line.length, strlen(text));
    assert_string_equal(text_string(&lines->line), text);
}

static void test_lines(void **state)
{
    static const struct {
        const char *text;
        const char *lines[4];
    } rows[] = {
        { "", { NULL } },
        { "\n", { "", NULL } },
        { "a", { "a", NULL } },
        { "a\n", { "a", NULL } },
        { "a\n\nb", { "a", "", "b", NULL } },
        { "a\r\nb\n", { "a\r", "b", NULL } },
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct lines lines = LINES_OF(file_of(rows[i].text, strlen(rows[i].text)));
        for (size_t n = 0; rows[i].lines[n]; n++)
            expect_line(&lines, rows[i].lines[n]);
        assert_int_equal(lines_next(&lines), 0);
        assert_int_equal(lines_next(&lines), 0);
        lines_release(&lines);
        (void)close(lines.fd);
    }
}

static void test_long_lines(void **state)
{
    static char text[3 * LINES_LINE_MAX];

    (void)state;
    memset(text, 'x', sizeof text);
    text[LINES_LINE_MAX] = '\n';         /* the longest that is taken */
    text[2 * LINES_LINE_MAX + 2] = '\n'; /* one byte longer */
    text[2 * LINES_LINE_MAX + 5] = '\0';
    struct lines lines = LINES_OF(file_of(text, strlen(text)));
    assert_int_equal(lines_next(&lines), 1);
    assert_int_equal(lines.line.length, LINES_LINE_MAX);
    assert_int_equal(lines_next(&lines), -EMSGSIZE);
    expect_line(&lines, "xx");
    assert_int_equal(lines_next(&lines), 0);
    lines_release(&lines);
    (void)close(lines.fd);
}

static void test_nothing_stays_in_memory(void **state)
{
    struct lines lines = LINES_OF(file_of("secret\n", 7));

    (void)state;
    expect_line(&lines, "secret");
    lines_release(&lines);
    for (size_t i = 0; i < sizeof lines.piece; i++)
        assert_int_equal(lines.piece[i], 0);
    (void)close(lines.fd);
}

static void test_unreadable(void **state)
{
    struct lines lines = LINES_OF(open("/tmp", O_RDONLY | O_CLOEXEC));

    (void)state;
    assert_int_equal(lines_next(&lines), -EISDIR);
    lines_release(&lines);
    (void)close(lines.fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lines),
        cmocka_unit_test(test_long_lines),
        cmocka_unit_test(test_nothing_stays_in_memory),
        cmocka_unit_test(test_unreadable),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

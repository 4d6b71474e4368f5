#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"

static int reader = -1;
static int saved_stderr = -1;

/* stderr becomes a packet pipe: each read gives what one write wrote. */
static int set_up(void **state)
{
    int ends[2];

    unsetenv("JOURNAL_STREAM");
    if (pipe2(ends, O_CLOEXEC | O_DIRECT | O_NONBLOCK) < 0)
        return -1;
    saved_stderr = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 10);
    reader = ends[0];
    if (dup2(ends[1], STDERR_FILENO) < 0 || close(ends[1]) < 0)
        return -1;
    log_start(LOG_LEVEL_DEBUG);
    return 0;
}

static int tear_down(void **state)
{
    unsetenv("JOURNAL_STREAM");
    if (dup2(saved_stderr, STDERR_FILENO) < 0)
        return -1;
    return close(reader) | close(saved_stderr);
}

/* What the last call wrote, in one piece; "" when it wrote nothing. */
static const char *written(void)
{
    static char text[2 * LOG_LINE_MAX];
    ssize_t got = read(reader, text, sizeof(text) - 1);

    text[got > 0 ? got : 0] = '\0';
    return text;
}

static void test_levels(void **state)
{
    log_error("%d", 1);
    assert_string_equal(written(), "error: 1\n");
    log_warning("%d", 2);
    assert_string_equal(written(), "warning: 2\n");
    log_info("%d", 3);
    assert_string_equal(written(), "3\n");
    log_debug("%d", 4);
    assert_string_equal(written(), "debug: 4\n");
}

static void test_quiet_levels(void **state)
{
    log_start(LOG_LEVEL_WARNING);
    log_info("hidden");
    log_debug("hidden");
    assert_string_equal(written(), "");
    log_warning("shown");
    assert_string_equal(written(), "warning: shown\n");
}

static void name_journal(long inode_offset)
{
    struct stat status;
    char stream[64];

    assert_int_equal(fstat(STDERR_FILENO, &status), 0);
    (void)snprintf(stream, sizeof(stream), "%ju:%ju", (uintmax_t)status.st_dev,
                   (uintmax_t)status.st_ino + (uintmax_t)inode_offset);
    assert_int_equal(setenv("JOURNAL_STREAM", stream, 1), 0);
    log_start(LOG_LEVEL_DEBUG);
}

static void test_journal_prefix(void **state)
{
    name_journal(0);
    log_error("a");
    assert_string_equal(written(), "<3>a\n");
    log_warning("b");
    assert_string_equal(written(), "<4>b\n");
    log_info("c");
    assert_string_equal(written(), "<6>c\n");
    log_debug("d");
    assert_string_equal(written(), "<7>d\n");
}

static void test_another_stream_is_no_journal(void **state)
{
    name_journal(1);
    log_info("a");
    assert_string_equal(written(), "a\n");
    assert_int_equal(setenv("JOURNAL_STREAM", "nonsense", 1), 0);
    log_start(LOG_LEVEL_DEBUG);
    log_info("a");
    assert_string_equal(written(), "a\n");
}

static void test_escapes(void **state)
{
    static const struct {
        const char *text, *line;
    } rows[] = {
        { "a\nerror: forged", "a\\x0aerror: forged\n" },
        { "a\r\t\x1b[31m\x7f", "a\\x0d\\x09\\x1b[31m\\x7f\n" },
        { "\xc3\xa6\xe2\x82\xac\xf0\x9f\x98\x80", "\xc3\xa6\xe2\x82\xac\xf0\x9f\x98\x80\n" },
        { "\xc2\x9b"
          "31m\xc2\xa0",
          "\\xc2\\x9b"
          "31m\xc2\xa0\n" },
        { "\xff\xc3", "\\xff\\xc3\n" },
        { "%s%n 100%", "%s%n 100%\n" },
    };

    for (size_t i = 0; i < LENGTH_OF(rows); i++) {
        log_info("%s", rows[i].text);
        assert_string_equal(written(), rows[i].line);
    }
}

static void assert_cut(const char *line)
{
    size_t length = strlen(line);

    assert_true(length > LOG_LINE_MAX - 16 && length <= LOG_LINE_MAX);
    assert_string_equal(line + length - 4, "...\n");
    assert_string_equal(written(), ""); /* one write, one line */
}

static void test_cuts_long_lines(void **state)
{
    char text[2 * LOG_LINE_MAX];

    memset(text, 'x', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    log_error("%s", text);
    assert_cut(written());
    text[LOG_LINE_MAX - 1] = '\0'; /* fits before the prefix */
    log_error("%s", text);
    assert_cut(written());
    memset(text, '\x01', 500); /* fits before the escapes */
    text[500] = '\0';
    log_error("%s", text);
    assert_cut(written());
}

static void test_longest_whole_line(void **state)
{
    char text[LOG_LINE_MAX];

    memset(text, 'x', sizeof(text));
    text[LOG_LINE_MAX - 4] = '\0';
    log_info("%s", text);
    assert_int_equal(strlen(written()), LOG_LINE_MAX - 3);
    text[LOG_LINE_MAX - 4] = 'x';
    text[LOG_LINE_MAX - 3] = '\0';
    log_info("%s", text);
    assert_cut(written());
}

static void test_keeps_errno(void **state)
{
    errno = ENOENT;
    assert_int_equal(close(STDERR_FILENO), 0);
    log_error("nobody hears");
    assert_int_equal(errno, ENOENT);
}

int main(void)
{
#define LOG_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        LOG_TEST(test_levels),
        LOG_TEST(test_quiet_levels),
        LOG_TEST(test_journal_prefix),
        LOG_TEST(test_another_stream_is_no_journal),
        LOG_TEST(test_escapes),
        LOG_TEST(test_cuts_long_lines),
        LOG_TEST(test_longest_whole_line),
        LOG_TEST(test_keeps_errno),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

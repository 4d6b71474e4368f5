#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/buffer.h"
#include "settings/sections.h"
#include "support.h"

/* Runs a shell script of the test's own. The problem, or NULL and what it wrote. */
static const char *run(const char *script, struct buffer *out)
{
    char text[1000];
    (void)snprintf(text, sizeof text, "#!/bin/sh\n%s\n", script);
    write_file("script", text, 0700);
    char path[300];
    (void)snprintf(path, sizeof path, "%s", path_of("script"));
    char one[] = "one", two[] = "two words";
    char *argv[] = { path, one, two, NULL };
    const char *problem = NULL;
    int r = command_output(argv, out, &problem);
    assert_true((r == 0 && problem == NULL) || (r == SETTINGS_INVALID && problem != NULL));
    return problem;
}

struct command_row {
    const char *script;
    const char *output;
    const char *problem;
};

static const struct command_row rows[] = {
    { "echo hi", "hi\n", NULL },
    { "echo \"$#:$1:$2\"", "2:one:two words\n", NULL },
    { "printf a; printf b", "ab", NULL },
    { "echo noise >&2; echo hi", "hi\n", NULL },
    { "echo \"[$HOME$LEAK]\"", "[]\n", NULL },
    { "test -n \"$PATH\" && env | grep -v -e ^PATH= -e ^PWD= -e ^_= -e ^SHLVL= || echo none",
      "none\n", NULL },
    { "cat", "", NULL },                                     /* its input is empty, not ours */
    { "ls /proc/self/fd | tr '\\n' ' '", "0 1 2 3 ", NULL }, /* 3 is what ls reads */
    { "echo hi; exit 3", NULL, "failed; run it by hand to see why" },
    { "kill -9 $$", NULL, "failed; run it by hand to see why" },
    { "head -c 100001 /dev/zero | tr '\\0' a", NULL, "wrote too much" },
    { "printf 'a\\0b'", NULL, "wrote a NUL byte" },
};

static void gives_the_output(void **state)
{
    assert_int_equal(setenv("LEAK", "leaked", 1), 0);
    for (size_t i = 0; i < LENGTH_OF(rows); i++) {
        CLEANUP(cleanup_buffer) struct buffer out = BUFFER_WITH_MAXIMUM(100000);
        const char *problem = run(rows[i].script, &out);
        if ((problem == NULL) != (rows[i].problem == NULL))
            fail_row(i, problem != NULL ? problem : buffer_text(&out));
        assert_text(problem, rows[i].problem);
        if (problem == NULL)
            assert_string_equal(buffer_text(&out), rows[i].output);
    }
}

static void a_program_that_is_not_there(void **state)
{
    char program[] = "/no/such/program";
    char *argv[] = { program, NULL };
    const char *problem = NULL;
    CLEANUP(cleanup_buffer) struct buffer out = BUFFER_WITH_MAXIMUM(100);
    assert_int_equal(command_output(argv, &out, &problem), SETTINGS_INVALID);
    assert_string_equal(problem, "could not be started");
}

static void signals_are_as_new_in_the_child(void **state)
{
    sigset_t blocked, before;
    CLEANUP(cleanup_buffer) struct buffer out = BUFFER_WITH_MAXIMUM(100);
    assert_int_equal(sigemptyset(&blocked), 0);
    assert_int_equal(sigaddset(&blocked, SIGTERM), 0);
    assert_int_equal(sigprocmask(SIG_BLOCK, &blocked, &before), 0);
    const char *problem = run("grep SigBlk /proc/self/status", &out);
    assert_int_equal(sigprocmask(SIG_SETMASK, &before, NULL), 0);
    assert_null(problem);
    assert_string_equal(buffer_text(&out), "SigBlk:\t0000000000000000\n");
}

/* Ends within the limit, whether the output stays open or not, and its children with it. */
static void slow_commands_are_ended(void **state)
{
    static const char *const scripts[] = {
        "echo $$ > \"$(dirname \"$0\")/pid\"; sleep 60 & sleep 60",
        "echo hi; exec >/dev/null; sleep 60",
    };
    for (size_t i = 0; i < LENGTH_OF(scripts); i++) {
        CLEANUP(cleanup_buffer) struct buffer out = BUFFER_WITH_MAXIMUM(100);
        time_t started = time(NULL);
        const char *problem = run(scripts[i], &out);
        assert_non_null(problem);
        assert_string_equal(problem, "took longer than 10 s");
        assert_in_range(time(NULL) - started, 9, 15);
    }
    int pid = 0;
    FILE *file = fopen(path_of("pid"), "r");
    assert_non_null(file);
    assert_int_equal(fscanf(file, "%d", &pid), 1);
    assert_int_equal(fclose(file), 0);
    /* The group is empty once its orphans are collected, which is not ours to do. */
    for (unsigned tries = 0; tries < 50 && kill(-pid, 0) == 0; tries++)
        (void)usleep(20 * 1000);
    assert_int_equal(kill(-pid, 0), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gives_the_output),
        cmocka_unit_test(a_program_that_is_not_there),
        cmocka_unit_test(signals_are_as_new_in_the_child),
        cmocka_unit_test(slow_commands_are_ended),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}

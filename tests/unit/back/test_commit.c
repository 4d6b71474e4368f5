/* Group commit over a real store: one transaction a turn, and nothing that must be kept is dropped
 * when the disk refuses. */

#include <dirent.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "back/commit.h"

struct fixture {
    char folder[32];
    struct loop *loop;
    struct store *store;
    struct commits *commits;
};

static int set_up(void **state)
{
    struct fixture *fixture = calloc(1, sizeof *fixture);
    struct complaint complaint;
    assert_non_null(fixture);
    memcpy(fixture->folder, "/tmp/tb-commit-XXXXXX", sizeof "/tmp/tb-commit-XXXXXX");
    assert_non_null(mkdtemp(fixture->folder));
    assert_int_equal(loop_new(&fixture->loop), 0);
    assert_int_equal(store_open(fixture->folder, &fixture->store, &complaint), 0);
    assert_int_equal(commits_new(fixture->loop, fixture->store, &fixture->commits), 0);
    *state = fixture;
    return 0;
}

static void remove_folder(const char *folder)
{
    DIR *dir = opendir(folder);
    assert_non_null(dir);
    for (const struct dirent *entry = readdir(dir); entry; entry = readdir(dir))
        (void)unlinkat(dirfd(dir), entry->d_name, 0);
    (void)closedir(dir);
    assert_int_equal(rmdir(folder), 0);
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;
    commits_free(fixture->commits);
    store_close(fixture->store);
    loop_free(fixture->loop);
    remove_folder(fixture->folder);
    free(fixture);
    return 0;
}

/* One write whose first `failures` applications fail as a full disk would, or with `error`. */
struct write {
    struct fixture *fixture;
    const char *name;
    int failures;
    int error;
    int returns;
    int applied;
    int done;
    int result;
    bool last;
};

static int apply(void *userdata, struct store *store)
{
    struct write *write = userdata;
    write->applied++;
    if (write->failures > 0) {
        write->failures--;
        return write->error < 0 ? write->error : -ENOSPC;
    }
    if (write->returns > 0)
        return write->returns;
    return store_put_fact(store, write->name, "written");
}

static void done(void *userdata, int result)
{
    struct write *write = userdata;
    CLEANUP(cleanup_string) char *value = NULL;
    write->done++;
    write->result = result;
    /* Durable before told: it can be read back, outside of any transaction. */
    if (result == 0)
        assert_int_equal(store_get_fact(write->fixture->store, write->name, &value), 0);
    if (write->last)
        loop_exit(write->fixture->loop, 0);
}

static void writes_of_a_turn_go_together(void **state)
{
    struct fixture *fixture = *state;
    struct write a = { .fixture = fixture, .name = "a" };
    struct write b = { .fixture = fixture, .name = "b", .returns = 7 };
    struct write c = { .fixture = fixture, .name = "c", .last = true };
    assert_int_equal(commits_add(fixture->commits, COMMIT_MAY, apply, done, &a), 0);
    assert_int_equal(commits_add(fixture->commits, COMMIT_MAY, apply, done, &b), 0);
    assert_int_equal(commits_add(fixture->commits, COMMIT_MUST, apply, done, &c), 0);
    assert_int_equal(a.done, 0);
    assert_true(commits_pending(fixture->commits));
    assert_int_equal(loop_run(fixture->loop), 0);
    assert_int_equal(a.result, 0);
    assert_int_equal(b.result, 7);
    assert_int_equal(c.result, 0);
    assert_int_equal(a.done + b.done + c.done, 3);
    assert_false(commits_pending(fixture->commits));
}

static int apply_and_say(void *userdata, struct store *store)
{
    const struct write *write = userdata;
    commits_say(write->fixture->commits, "%s is said", write->name);
    return apply(userdata, store);
}

/* How often the text was logged. */
static int count_logged(FILE *caught, const char *text)
{
    char line[256];
    int count = 0;
    rewind(caught);
    while (fgets(line, sizeof line, caught))
        count += strstr(line, text) != NULL;
    return count;
}

/* What a transaction does is in the log once, however often it had to be tried. */
static void what_is_said_is_durable(void **state)
{
    struct fixture *fixture = *state;
    struct write write = { .fixture = fixture, .name = "must", .failures = 2, .last = true };
    FILE *caught = tmpfile();
    const int error_fd = dup(STDERR_FILENO);
    assert_true(caught && error_fd >= 0);
    assert_int_equal(commits_add(fixture->commits, COMMIT_MUST, apply_and_say, done, &write), 0);
    (void)dup2(fileno(caught), STDERR_FILENO);
    commits_flush(fixture->commits);
    const int before = count_logged(caught, "must is said");
    (void)fseek(caught, 0, SEEK_END);
    (void)loop_run(fixture->loop);
    (void)dup2(error_fd, STDERR_FILENO);
    (void)close(error_fd);
    assert_int_equal(before, 0);
    assert_int_equal(count_logged(caught, "must is said"), 1);
    (void)fclose(caught);
}

static void what_must_be_kept_is_written_again(void **state)
{
    struct fixture *fixture = *state;
    struct write may = { .fixture = fixture, .name = "may" };
    struct write must = { .fixture = fixture, .name = "must", .failures = 2, .last = true };
    assert_int_equal(commits_add(fixture->commits, COMMIT_MAY, apply, done, &may), 0);
    assert_int_equal(commits_add(fixture->commits, COMMIT_MUST, apply, done, &must), 0);
    commits_flush(fixture->commits);
    assert_int_equal(may.result, -ENOSPC);
    assert_int_equal(must.done, 0);
    assert_non_null(commits_problem(fixture->commits));
    assert_int_equal(loop_run(fixture->loop), 0);
    assert_int_equal(must.applied, 3);
    assert_int_equal(must.done, 1);
    assert_int_equal(must.result, 0);
    assert_null(commits_problem(fixture->commits));
}

/* Trying it again would not mend the page, and everybody else's tokens would wait for it. */
static void what_meets_damage_fails_alone(void **state)
{
    struct fixture *fixture = *state;
    struct write damaged[] = {
        { .fixture = fixture, .name = "row", .failures = 100, .error = -EBADMSG },
        { .fixture = fixture, .name = "token", .failures = 100, .error = -EBADMSG },
    };
    struct write whole[] = {
        { .fixture = fixture, .name = "first" },
        { .fixture = fixture, .name = "second" },
        { .fixture = fixture, .name = "third" },
    };
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(commits_add(fixture->commits, i == 1 ? COMMIT_MUST : COMMIT_MAY, apply,
                                     done, &whole[i]),
                         0);
        if (i < 2)
            assert_int_equal(commits_add(fixture->commits, i == 1 ? COMMIT_MUST : COMMIT_MAY, apply,
                                         done, &damaged[i]),
                             0);
    }
    commits_flush(fixture->commits);
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(whole[i].done, 1);
        assert_int_equal(whole[i].result, 0);
    }
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(damaged[i].done, 1);
        assert_int_equal(damaged[i].result, -EBADMSG);
    }
    assert_null(commits_problem(fixture->commits));
    assert_false(commits_pending(fixture->commits));
}

/* On a disk that is full, too: those that are whole wait for room, the damaged one does not. */
static void damage_is_told_while_the_disk_is_full(void **state)
{
    struct fixture *fixture = *state;
    struct write damaged = {
        .fixture = fixture, .name = "token", .failures = 100, .error = -EBADMSG
    };
    struct write whole = { .fixture = fixture, .name = "whole", .failures = 2, .last = true };
    assert_int_equal(commits_add(fixture->commits, COMMIT_MUST, apply, done, &damaged), 0);
    assert_int_equal(commits_add(fixture->commits, COMMIT_MUST, apply, done, &whole), 0);
    commits_flush(fixture->commits);
    assert_int_equal(damaged.result, -EBADMSG);
    assert_int_equal(whole.done, 0);
    assert_non_null(commits_problem(fixture->commits));
    assert_int_equal(loop_run(fixture->loop), 0);
    assert_int_equal(damaged.done, 1);
    assert_int_equal(whole.result, 0);
}

static int stamp_on_damage(void *userdata, struct store *store)
{
    (void)userdata;
    (void)store;
    return -EBADMSG;
}

/* What all write lies on a damaged page, and nothing that any of them works on. */
static void damage_of_all_is_held_against_none(void **state)
{
    struct fixture *fixture = *state;
    struct write may = { .fixture = fixture, .name = "may" };
    struct write must = { .fixture = fixture, .name = "must" };
    commits_set_stamp(fixture->commits, &(struct commit_stamp){ .write = stamp_on_damage });
    assert_int_equal(commits_add(fixture->commits, COMMIT_MAY, apply, done, &may), 0);
    assert_int_equal(commits_add(fixture->commits, COMMIT_MUST, apply, done, &must), 0);
    commits_flush(fixture->commits);
    assert_int_equal(may.result, -EIO);
    assert_int_equal(must.done, 0);
    assert_non_null(commits_problem(fixture->commits));
    commits_set_stamp(fixture->commits, &(struct commit_stamp){ .write = NULL });
    commits_flush(fixture->commits);
    assert_int_equal(must.done, 1);
    assert_int_equal(must.result, 0);
}

static void the_end_writes_what_is_pending(void **state)
{
    struct fixture *fixture = *state;
    struct write write = { .fixture = fixture, .name = "late" };
    CLEANUP(cleanup_string) char *value = NULL;
    assert_int_equal(commits_add(fixture->commits, COMMIT_MUST, apply, done, &write), 0);
    commits_finish(fixture->commits);
    assert_int_equal(store_get_fact(fixture->store, "late", &value), 0);
    assert_int_equal(write.done, 1);
    assert_int_equal(write.result, 0);
}

static void the_end_tells_what_it_could_not_write(void **state)
{
    struct fixture *fixture = *state;
    struct write write = { .fixture = fixture, .name = "lost", .failures = 2 };
    assert_int_equal(commits_add(fixture->commits, COMMIT_MUST, apply, done, &write), 0);
    commits_finish(fixture->commits);
    assert_int_equal(write.done, 1);
    assert_int_equal(write.result, -ECANCELED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(writes_of_a_turn_go_together, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_must_be_kept_is_written_again, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_said_is_durable, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_meets_damage_fails_alone, set_up, tear_down),
        cmocka_unit_test_setup_teardown(damage_is_told_while_the_disk_is_full, set_up, tear_down),
        cmocka_unit_test_setup_teardown(damage_of_all_is_held_against_none, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_end_writes_what_is_pending, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_end_tells_what_it_could_not_write, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* What a crash or a full disk leaves, and what stays on the disk. */

#include "store_fixture.h"

#include <sched.h>
#include <signal.h>
#include <sys/mount.h>

enum { SEALED_SIZE = 4096 };

/* The k-th account, with sealed bytes that differ. */
static struct account_row numbered_row(int k, char sealed[static SEALED_SIZE])
{
    char label[32];

    (void)snprintf(label, sizeof label, "a%d", k);
    memset(sealed, 'a' + k % 26, SEALED_SIZE);
    return (struct account_row){ .name = name_of("zenegy", label),
                                 .sealed = sealed,
                                 .sealed_length = SEALED_SIZE };
}

static int commit_number(struct store *store, int k)
{
    char sealed[SEALED_SIZE];
    struct account_row row = numbered_row(k, sealed);

    return commit_account(store, &row);
}

static void assert_numbers(struct store *store, int count)
{
    uint64_t counts[3];

    for (int k = 0; k < count; k++) {
        char sealed[SEALED_SIZE];
        struct account_row row = numbered_row(k, sealed);
        CLEANUP(cleanup_account_row) struct account_row back = { 0 };
        assert_int_equal(store_read(store, &row.name, &back), 0);
        assert_int_equal(back.sealed_length, SEALED_SIZE);
        assert_memory_equal(back.sealed, sealed, SEALED_SIZE);
    }
    assert_int_equal(store_count(store, counts), 0);
    assert_int_equal(counts[ACCOUNT_ACTIVE], count);
}

static void crash_after(const struct fixture *f, int commits)
{
    struct complaint complaint;
    struct store *store;
    char sealed[SEALED_SIZE];
    struct account_row row = numbered_row(commits, sealed);

    if (store_open(f->folder, &store, &complaint) != 0)
        _exit(2);
    for (int k = 0; k < commits; k++) {
        if (commit_number(store, k) != 0)
            _exit(3);
    }
    if (store_begin(store) != 0 || store_put(store, &row) != 0)
        _exit(4);
    (void)kill(getpid(), SIGKILL);
}

static void test_a_crash_loses_nothing(void **state)
{
    struct fixture *f = *state;
    int status;

    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0)
        crash_after(f, 20);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status));
    open_again(f);
    assert_numbers(f->store, 20);
}

static off_t size_of(const char *path)
{
    struct stat st;

    return stat(path, &st) == 0 ? st.st_size : 0;
}

static void test_the_log_does_not_grow(void **state)
{
    struct fixture *f = *state;
    off_t largest = 0;

    for (int i = 0; i < 600; i++) {
        assert_int_equal(commit_number(f->store, i % 10), 0);
        off_t size = size_of(path_in(f, "store.sqlite-wal"));
        largest = size > largest ? size : largest;
    }
    assert_in_range(largest, STORE_PAGE_BYTES, (STORE_WAL_PAGES_MAX + 32) * STORE_PAGE_BYTES);
    assert_numbers(f->store, 10);
}

static bool file_holds(const char *path, const char *text)
{
    FILE *file = fopen(path, "re");
    static char bytes[4 * 1024 * 1024];

    if (!file)
        return false;
    size_t length = fread(bytes, 1, sizeof bytes, file);
    (void)fclose(file);
    return memmem(bytes, length, text, strlen(text)) != NULL;
}

static void test_old_sealed_bytes_do_not_linger(void **state)
{
    struct fixture *f = *state;
    struct account_row row = { .name = name_of("z", "a") };

    row.sealed = (char[]){ "THE-OLD-ONE" };
    row.sealed_length = strlen(row.sealed);
    assert_int_equal(commit_account(f->store, &row), 0);
    assert_true(file_holds(path_in(f, "store.sqlite-wal"), "THE-OLD-ONE"));
    row.sealed = (char[]){ "THE-NEW-ONE" };
    assert_int_equal(commit_account(f->store, &row), 0);
    assert_int_equal(store_checkpoint(f->store), 0);
    assert_int_equal(size_of(path_in(f, "store.sqlite-wal")), 0);
    assert_true(file_holds(path_in(f, "store.sqlite"), "THE-NEW-ONE"));
    assert_false(file_holds(path_in(f, "store.sqlite"), "THE-OLD-ONE"));

    assert_int_equal(store_begin(f->store), 0);
    assert_int_equal(store_delete(f->store, &row.name), 0);
    assert_int_equal(store_commit(f->store), 0);
    f->store = store_close(f->store);
    assert_false(file_holds(path_in(f, "store.sqlite"), "THE-NEW-ONE"));
}

/* Fills the store until it says -ENOSPC; how many commits succeeded. */
static int fill(struct store *store)
{
    for (int k = 0; k < 10 * 1000; k++) {
        int r = commit_number(store, k);
        if (r == -ENOSPC)
            return k;
        assert_int_equal(r, 0);
    }
    fail_msg("it was never full");
    return -1;
}

static void test_full(void **state)
{
    struct fixture *f = *state;

    run_sql(f->store, "PRAGMA max_page_count = 60");
    int count = fill(f->store);
    assert_true(count > 5);
    assert_numbers(f->store, count);

    assert_int_equal(store_begin(f->store), 0);
    char sealed[SEALED_SIZE];
    struct account_row row = numbered_row(count, sealed);
    assert_int_equal(store_put_fact(f->store, "before", "the failure"), 0);
    while (store_put(f->store, &row) == 0)
        row = numbered_row(++count, sealed);
    /* Nothing can slip out of the failed transaction any more. */
    assert_int_equal(store_put_fact(f->store, "after", "the failure"), -ENOSPC);
    assert_int_equal(store_commit(f->store), -ENOSPC);
    assert_string_not_equal(store_message(f->store), "");
    store_rollback(f->store);

    char *value;
    assert_int_equal(store_get_fact(f->store, "before", &value), STORE_NOT_FOUND);
    assert_int_equal(store_get_fact(f->store, "after", &value), STORE_NOT_FOUND);
    run_sql(f->store, "PRAGMA max_page_count = 6000");
    assert_int_equal(commit_number(f->store, count), 0);
}

/* A file system of our own, seen by this process alone. */
static bool mount_small_disk(const char *folder)
{
    return unshare(CLONE_NEWNS) == 0 && mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
           mount("tmpfs", folder, "tmpfs", 0, "size=3m,mode=0700") == 0;
}

static void place_ballast(const struct fixture *f)
{
    int fd = open(path_in(f, "ballast"), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

    assert_true(fd >= 0);
    assert_int_equal(posix_fallocate(fd, 0, 2 * 1024 * 1024), 0);
    assert_int_equal(close(fd), 0);
}

static void test_full_disk(void **state)
{
    struct fixture *f = *state;

    if (!mount_small_disk(f->folder))
        skip();
    open_again(f);
    place_ballast(f);
    int count = fill(f->store);
    assert_true(count > 5);
    assert_numbers(f->store, count);
    assert_int_equal(commit_number(f->store, count), -ENOSPC);

    /* What was committed is there after a restart on the full disk. */
    open_again(f);
    assert_numbers(f->store, count);

    assert_int_equal(unlink(path_in(f, "ballast")), 0);
    assert_int_equal(commit_number(f->store, count), 0);
    assert_numbers(f->store, count + 1);
    open_again(f);
    assert_numbers(f->store, count + 1);
    f->store = store_close(f->store);
    assert_int_equal(umount(f->folder), 0);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_a_crash_loses_nothing, make_folder, drop_store),
        cmocka_unit_test_setup_teardown(test_the_log_does_not_grow, make_store, drop_store),
        cmocka_unit_test_setup_teardown(test_old_sealed_bytes_do_not_linger, make_store,
                                        drop_store),
        cmocka_unit_test_setup_teardown(test_full, make_store, drop_store),
        /* Last: it leaves the mount namespace of the others. */
        cmocka_unit_test_setup_teardown(test_full_disk, make_folder, drop_store),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Copies that are made while the store is used. */

#include "store_fixture.h"

enum { ROWS = 300, SEALED_SIZE = 3000, STEPS_MAX = 100 * 1000 };

static int put_number(struct store *store, int k, char fill)
{
    char sealed[SEALED_SIZE];
    struct account_row row = { .sealed = sealed, .sealed_length = sizeof sealed };

    row.name = name_of("zenegy", "");
    (void)snprintf(row.name.label, sizeof row.name.label, "a%d", k);
    memset(sealed, fill, sizeof sealed);
    return commit_account(store, &row);
}

static void put_all(struct store *store, char fill)
{
    for (int k = 0; k < ROWS; k++)
        assert_int_equal(put_number(store, k, fill), 0);
}

static void assert_fill(struct store *store, int k, char fill)
{
    CLEANUP(cleanup_account_row) struct account_row row = { 0 };
    struct account_name name = name_of("zenegy", "");

    (void)snprintf(name.label, sizeof name.label, "a%d", k);
    assert_int_equal(store_read(store, &name, &row), 0);
    assert_int_equal(row.sealed_length, SEALED_SIZE);
    assert_int_equal(((const char *)row.sealed)[0], fill);
    assert_int_equal(((const char *)row.sealed)[SEALED_SIZE - 1], fill);
}

static int other_names(const struct fixture *f)
{
    DIR *dir = opendir(f->folder);
    int count = 0;

    assert_non_null(dir);
    for (struct dirent *entry = readdir(dir); entry; entry = readdir(dir))
        count += strstr(entry->d_name, "copy") != NULL;
    (void)closedir(dir);
    return count;
}

/* Puts it where another store would be. */
static void keep(const struct store_copy *copy, const char *folder)
{
    char path[PATH_MAX], piece[1000];
    size_t got = 1;

    (void)snprintf(path, sizeof path, "%s/store.sqlite", folder);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    for (uint64_t at = 0; got > 0; at += got) {
        assert_int_equal(store_copy_read(copy, at, piece, sizeof piece, &got), 0);
        assert_int_equal(fwrite(piece, 1, got, file), got);
    }
    assert_int_equal(ftell(file), store_copy_size(copy));
    assert_int_equal(fclose(file), 0);
}

static struct store *open_kept(const char *folder)
{
    struct complaint complaint = { "" };
    struct store *store = NULL;

    if (store_open(folder, &store, &complaint) != 0)
        fail_msg("%s", complaint.text);
    assert_int_equal(store_check(store, &complaint), 0);
    return store;
}

static void assert_fact(struct store *store, const char *name, const char *value)
{
    CLEANUP(cleanup_string) char *fact = NULL;
    int r = store_get_fact(store, name, &fact);

    assert_int_equal(r, value ? 0 : STORE_NOT_FOUND);
    if (value)
        assert_string_equal(fact, value);
}

static void test_what_is_written_meanwhile_is_in_it(void **state)
{
    struct fixture *f = *state;
    struct store_copy *copy = NULL;
    char folder[] = "/tmp/tb-copy-XXXXXX";
    int steps = 0, r;

    put_all(f->store, 'a');
    assert_int_equal(store_copy_begin(f->store, &copy), 0);
    do {
        r = store_copy_step(copy);
        if (r == STORE_COPY_MORE) /* rows that were copied already, and others */
            assert_int_equal(put_number(f->store, steps++ % ROWS, 'b'), 0);
        if (steps == 3)
            assert_int_equal(store_checkpoint(f->store), 0);
    } while (r == STORE_COPY_MORE && steps < STEPS_MAX);
    assert_int_equal(r, 0);
    assert_in_range(steps, 5, ROWS - 1);
    put_all(f->store, 'c'); /* after its end */
    assert_int_equal(other_names(f), 0);

    assert_non_null(mkdtemp(folder));
    keep(copy, folder);
    assert_null(store_copy_free(copy));
    struct store *store = open_kept(folder);
    for (int k = 0; k < ROWS; k++)
        assert_fill(store, k, k < steps ? 'b' : 'a');
    store_close(store);
    empty_folder(folder);
    assert_int_equal(rmdir(folder), 0);
}

static void test_it_knows_that_it_is_a_copy(void **state)
{
    struct fixture *f = *state;
    struct store_copy *copy = NULL;
    char folder[] = "/tmp/tb-copy-XXXXXX";

    assert_int_equal(store_copy_begin(f->store, &copy), 0);
    while (store_copy_step(copy) == STORE_COPY_MORE)
        ;
    assert_non_null(mkdtemp(folder));
    keep(copy, folder);
    store_copy_free(copy);
    struct store *store = open_kept(folder);
    assert_fact(store, "restored", "it was restored from a backup");
    assert_fact(f->store, "restored", NULL);
    assert_int_equal(store_begin(store), 0);
    assert_int_equal(store_put_fact(store, "restored", ""), 0);
    assert_int_equal(store_commit(store), 0);
    store_close(store);
    store = open_kept(folder); /* it is a store now */
    assert_fact(store, "restored", "");
    store_close(store);
    empty_folder(folder);
    assert_int_equal(rmdir(folder), 0);
}

static void test_a_half_made_copy_leaves_nothing(void **state)
{
    struct fixture *f = *state;
    struct store_copy *copy = NULL;

    put_all(f->store, 'a');
    for (int i = 0; i < 3; i++) {
        assert_int_equal(store_copy_begin(f->store, &copy), 0);
        assert_int_equal(store_copy_step(copy), STORE_COPY_MORE);
        assert_null(store_copy_free(copy));
        assert_int_equal(other_names(f), 0);
        put_all(f->store, 'b');
    }
    assert_null(store_copy_free(NULL));
}

static void test_a_damaged_store_is_found(void **state)
{
    struct fixture *f = *state;
    struct complaint complaint = { "" };

    put_all(f->store, 'a');
    assert_int_equal(store_check(f->store, &complaint), 0);
    assert_int_equal(store_checkpoint(f->store), 0);
    f->store = store_close(f->store);
    int fd = open(path_in(f, "store.sqlite"), O_WRONLY);
    for (int page = 8; page < 40; page++)
        assert_int_equal(pwrite(fd, "damage", 6, page * STORE_PAGE_BYTES), 6);
    (void)close(fd);
    open_again(f);
    assert_int_equal(store_check(f->store, &complaint), STORE_FOREIGN);
    assert_non_null(strstr(complaint.text, "damaged"));
}

#define IN_STORE(name) cmocka_unit_test_setup_teardown(name, make_store, drop_store)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_STORE(test_what_is_written_meanwhile_is_in_it),
        IN_STORE(test_it_knows_that_it_is_a_copy),
        IN_STORE(test_a_half_made_copy_leaves_nothing),
        IN_STORE(test_a_damaged_store_is_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

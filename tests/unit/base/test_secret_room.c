#include "unit.h"

#include <errno.h>

#include "base/secret.h"

static int set_up(void **state)
{
    bool locked;

    return secret_start(&locked);
}

/* Takes what is left, of any size. Returns how many. */
static size_t fill(struct secret **secrets, size_t most)
{
    static char text[SECRET_MAX];
    static const size_t lengths[] = { SECRET_MAX, 20 };
    size_t count = 0;

    memset(text, 'x', sizeof(text));
    for (size_t i = 0; i < LENGTH_OF(lengths); i++)
        while (count < most && secret_new(text, lengths[i], &secrets[count]) == 0)
            count++;
    assert_true(count < most);
    return count;
}

/* What was taken before is there when nothing else is, for whoever has entered it and fits. */
static void test_a_room_is_there_in_a_full_region(void **state)
{
    enum { MANY = 64 * 1024, LENGTH = 5000 };
    static struct secret *secrets[MANY];
    static char text[LENGTH * 2];
    CLEANUP(cleanup_secret_room) struct secret_room *room = NULL;
    CLEANUP(cleanup_secret_room) struct secret_room *none = NULL;
    CLEANUP(cleanup_secret) struct secret *first = NULL;
    CLEANUP(cleanup_secret) struct secret *second = NULL;
    struct secret *more = NULL;

    memset(text, 'x', sizeof(text));
    assert_int_equal(secret_room_new(SECRET_MAX + 1, 0, &none), -E2BIG);
    assert_int_equal(secret_room_new(LENGTH, 0, &room), 0);
    const size_t count = fill(secrets, MANY);
    assert_int_equal(secret_room_new(LENGTH, 0, &none), -ENOMEM);
    assert_int_equal(secret_new(text, LENGTH, &more), -ENOMEM);
    secret_room_enter(room);
    assert_int_equal(secret_new(text, sizeof(text), &more), -ENOMEM);
    assert_int_equal(secret_new(text, LENGTH, &first), 0);
    assert_int_equal(secret_new(text, 20, &second), 0);
    assert_int_equal(secret_new(text, 20, &more), -ENOMEM);
    secret_room_leave();
    for (size_t i = 0; i < count; i++)
        secret_free(secrets[i]);
}

/* What serves live tokens is not taken for what is to come. */
static void test_a_room_leaves_the_rest_its_share(void **state)
{
    enum { MANY = SECRET_REGION_MAX / SECRET_MAX };
    static struct secret_room *rooms[MANY];
    static char text[SECRET_MAX];
    struct secret *secrets[SECRET_FREE_BESIDE_ROOMS / SECRET_MAX / 2] = { 0 };
    size_t count = 0;

    memset(text, 'x', sizeof(text));
    while (count < MANY &&
           secret_room_new(SECRET_MAX, SECRET_FREE_BESIDE_ROOMS, &rooms[count]) == 0)
        count++;
    assert_in_range(count, MANY / 8, MANY - 1);
    for (size_t i = 0; i < LENGTH_OF(secrets); i++)
        assert_int_equal(secret_new(text, sizeof(text), &secrets[i]), 0);
    for (size_t i = 0; i < LENGTH_OF(secrets); i++)
        secret_free(secrets[i]);
    assert_int_equal(secret_room_new(SECRET_MAX, SECRET_FREE_BESIDE_FIRST, &rooms[count]), 0);
    secret_room_free(rooms[count]);
    while (count > 0)
        secret_room_free(rooms[--count]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_room_is_there_in_a_full_region),
        cmocka_unit_test(test_a_room_leaves_the_rest_its_share),
    };
    return cmocka_run_group_tests(tests, set_up, NULL);
}

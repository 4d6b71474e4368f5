#include "base/text.h"

#include "unit.h"

static void a_copy_is_its_own(void **state)
{
    (void)state;
    char from[] = "one", *copy = NULL;
    assert_int_equal(text_copy(from, &copy), 0);
    from[0] = 'x';
    assert_string_equal(copy, "one");
    free(copy);
}

static void no_text_leaves_the_place_alone(void **state)
{
    (void)state;
    char kept[] = "kept", *place = kept;
    assert_int_equal(text_copy(NULL, &place), 0);
    assert_ptr_equal(place, kept);
}

static void a_text_takes_the_place_of_another(void **state)
{
    (void)state;
    char *slot = NULL;
    assert_int_equal(text_replace(&slot, "one"), 0);
    assert_int_equal(text_replace(&slot, slot), 0);
    assert_string_equal(slot, "one");
    assert_int_equal(text_replace(&slot, "two"), 0);
    assert_string_equal(slot, "two");
    assert_int_equal(text_replace(&slot, NULL), 0);
    assert_null(slot);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_copy_is_its_own),
        cmocka_unit_test(no_text_leaves_the_place_alone),
        cmocka_unit_test(a_text_takes_the_place_of_another),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#include "settings/nearest.h"

#include "support.h"

struct distance_row {
    const char *a, *b;
    unsigned distance;
};

static const struct distance_row distance_rows[] = {
    { "", "", 0 },
    { "", "abc", 3 },
    { "abc", "", 3 },
    { "client_id", "client_id", 0 },
    { "clientid", "client_id", 1 },
    { "client-id", "client_id", 0 },
    { "Client_ID", "client_id", 0 },
    { "cleint_id", "client_id", 1 },
    { "scoep", "scope", 1 },
    { "kitten", "sitting", 3 },
    { "ab", "ba", 1 },
    { "token", "toucan", 3 },
};

static void counts_edits(void **state)
{
    for (size_t i = 0; i < LENGTH_OF(distance_rows); i++) {
        const struct distance_row *row = &distance_rows[i];
        if (word_distance(row->a, row->b) != row->distance ||
            word_distance(row->b, row->a) != row->distance)
            fail_row(i, row->a);
    }
}

static void gives_up_on_long_words(void **state)
{
    char word[NEAREST_WORD_MAX + 2];
    memset(word, 'a', sizeof word);
    word[NEAREST_WORD_MAX + 1] = '\0';
    assert_int_equal(word_distance(word, "a"), NEAREST_WORD_MAX + 1);
    assert_int_equal(word_distance("a", word), NEAREST_WORD_MAX + 1);
    word[NEAREST_WORD_MAX] = '\0';
    assert_int_equal(word_distance(word, "a"), NEAREST_WORD_MAX - 1);
}

struct hint_row {
    const char *word;
    const char *hint;
};

static const struct hint_row hint_rows[] = {
    { "tokn", ": did you mean \"token\"?" },
    { "list_", ": did you mean \"list\"?" },
    { "admon", ": did you mean \"admin\"?" },
    { "monitro", ": did you mean \"monitor\"?" },
    { "everything", "" },
    { "x", "" },
    { "", "" },
    { "lo", "" },
};

static void hints_at_what_was_meant(void **state)
{
    static const char *const known[] = { "token", "list", "admin", "monitor" };
    for (size_t i = 0; i < LENGTH_OF(hint_rows); i++) {
        struct nearest nearest = { .word = hint_rows[i].word };
        char hint[NEAREST_HINT_SIZE];
        for (size_t j = 0; j < LENGTH_OF(known); j++)
            nearest_offer(&nearest, known[j]);
        if (strcmp(nearest_hint(&nearest, hint), hint_rows[i].hint) != 0)
            fail_row(i, hint);
    }
}

static void takes_the_nearer_of_two(void **state)
{
    struct nearest nearest = { .word = "refresh_endpont" };
    char hint[NEAREST_HINT_SIZE];
    nearest_offer(&nearest, "refresh_endpoints");
    nearest_offer(&nearest, "refresh_endpoint");
    nearest_offer(&nearest, "token_endpoint");
    assert_string_equal(nearest_hint(&nearest, hint), ": did you mean \"refresh_endpoint\"?");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(counts_edits),
        cmocka_unit_test(gives_up_on_long_words),
        cmocka_unit_test(hints_at_what_was_meant),
        cmocka_unit_test(takes_the_nearer_of_two),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

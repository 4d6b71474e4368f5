#include "unit.h"

#include "base/printable.h"

struct row {
    const char *text;
    const char *line;
    enum printable_words words;
    size_t size;
};

static const struct row rows[] = {
    { "The grant is invalid.", "The grant is invalid.", PRINTABLE_MASK_TOKENS, 64 },
    { "", "", PRINTABLE_MASK_TOKENS, 64 },
    { "a\r\nb\tc\x1b[2J", "a  b c [2J", PRINTABLE_ALL_WORDS, 64 },
    { "a\x7f"
      "b\xc2\x85"
      "c",
      "a b c", PRINTABLE_ALL_WORDS, 64 },
    { "l\xc3\xb8n %s %n", "l\xc3\xb8n %s %n", PRINTABLE_ALL_WORDS, 64 },
    { "turn\xe2\x80\xae"
      "ed\xe2\x81\xa6.",
      "turn ed .", PRINTABLE_ALL_WORDS, 64 },
    { "\xe2\x80\xa8line", " line", PRINTABLE_ALL_WORDS, 64 },
    { "bad \xff\xc3(", "bad ?\?(", PRINTABLE_ALL_WORDS, 64 },
    { "overlong \xc0\xaf", "overlong ??", PRINTABLE_ALL_WORDS, 64 },
    { "half \xf0\x9f\x98", "half ???", PRINTABLE_ALL_WORDS, 64 },
    { "\xf0\x9f\x98\x80", "\xf0\x9f\x98\x80", PRINTABLE_ALL_WORDS, 64 },

    /* Cut between characters. */
    { "abcdef", "abcd", PRINTABLE_ALL_WORDS, 5 },
    { "abc\xc3\xb8", "abc", PRINTABLE_ALL_WORDS, 5 },
    { "abc\xc3\xb8z", "abc", PRINTABLE_ALL_WORDS, 5 },
    { "abc", "", PRINTABLE_ALL_WORDS, 1 },

    /* Words that look like tokens. */
    { "token 8257e65c97202ed1726cf9571600918f3bff is spent", "token [...] is spent",
      PRINTABLE_MASK_TOKENS, 64 },
    { "OWViZWNhYWE4NDkzNDNkZDhjYjQ3M2Q1NzI0MmM5OTM=", "[...]", PRINTABLE_MASK_TOKENS, 64 },
    { "refresh_token=onN6Fvu9JM9HfOYWY15MSDo2PRqlbx1xSV9d+nO613g=!", "[...]!",
      PRINTABLE_MASK_TOKENS, 64 },
    { "8257e65c97202ed1726cf9571600918f", "8257e65c97202ed1726cf9571600918f", PRINTABLE_ALL_WORDS,
      64 },
    { "unsupported_grant_type", "unsupported_grant_type", PRINTABLE_MASK_TOKENS, 64 },
    { "AADSTS700082: expired 2024-01-01T00:00", "AADSTS700082: expired 2024-01-01T00:00",
      PRINTABLE_MASK_TOKENS, 64 },
    { "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "[...]", PRINTABLE_MASK_TOKENS, 64 },
    { "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
      PRINTABLE_MASK_TOKENS, 64 },
    { "ab 8257e65c97202ed1726cf", "ab ", PRINTABLE_MASK_TOKENS, 8 },
};

static void makes_lines(void **state)
{
    for (size_t i = 0; i < LENGTH_OF(rows); i++) {
        char line[64];
        memset(line, 'x', sizeof(line));
        printable_line(rows[i].text, rows[i].words, line, rows[i].size);
        assert_string_equal(line, rows[i].line);
    }
}

/* What is cut from the text is not shown by the cut: a word is judged whole. */
static void masks_before_it_cuts(void **state)
{
    char line[10];
    printable_line("abcdefghijklmnop1", PRINTABLE_MASK_TOKENS, line, sizeof(line));
    assert_string_equal(line, "[...]");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(makes_lines),
        cmocka_unit_test(masks_before_it_cuts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

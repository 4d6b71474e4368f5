#include "unit.h"

#include <string.h>

#include "client/cli/qr.h"

#define ON "\033[38;5;16;48;5;231m"
#define OFF "\033[0m\n"
#define QUIET "    "

/* Two rows of modules in a line; other bits than the lowest mean nothing; the odd last row stands
 * above a light one. */
static void test_draws_half_blocks(void **state)
{
    unsigned char modules[] = { 0x01, 0xfe, 0x81, 0x00, 0x01, 0x03, 0x01, 0x00, 0x00 };
    const struct qr qr = { .version = 1, .width = 3, .modules = modules };
    CLEANUP(cleanup_text) struct text out = TEXT_WITH_MAXIMUM(4096);
    qr_draw(&out, &qr);
    assert_int_equal(qr_columns(&qr), 11);
    assert_string_equal(text_string(&out), ON QUIET
                        "   " QUIET OFF ON QUIET "   " QUIET OFF ON QUIET "▀▄█" QUIET OFF ON QUIET
                        "▀  " QUIET OFF ON QUIET "   " QUIET OFF ON QUIET "   " QUIET OFF);
}

static void test_does_not_draw_what_does_not_fit(void **state)
{
    CLEANUP(cleanup_text) struct text out = TEXT_WITH_MAXIMUM(64 * 1024);
    qr_append(&out, "https://h/", 20);
    qr_append(&out, "https://h/", 0);
    assert_int_equal(out.length, 0);
    qr_append(&out, "https://h/", 80); /* nothing either where the library is missing */
    if (out.length > 0)
        assert_non_null(strstr(text_string(&out), ON QUIET));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_draws_half_blocks),
        cmocka_unit_test(test_does_not_draw_what_does_not_fit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

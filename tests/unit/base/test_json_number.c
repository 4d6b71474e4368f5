#include "unit.h"

#include "base/json_number.h"

static void test_integers(void **state)
{
    static const struct {
        const char *text;
        bool should_fail;
        int64_t number;
    } rows[] = {
        { "0", false, 0 },
        { "-0", false, 0 },
        { "7", false, 7 },
        { "-7", false, -7 },
        { "3600", false, 3600 },
        { "3600.0", false, 3600 },
        { "3600.000", false, 3600 },
        { "1e3", false, 1000 },
        { "1E3", false, 1000 },
        { "1e+3", false, 1000 },
        { "1.5e1", false, 15 },
        { "12.50e1", false, 125 },
        { "1000e-3", false, 1 },
        { "-1000e-3", false, -1 },
        { "100.0e-2", false, 1 },
        { "0.001e3", false, 1 },
        { "0e999999999999999999999", false, 0 },
        { "0.000e-999999999999999999999", false, 0 },
        { "0.0", false, 0 },
        { "9007199254740993", false, INT64_C(9007199254740993) }, /* no double */
        { "9223372036854775807", false, INT64_MAX },
        { "9223372036854775807.00", false, INT64_MAX },
        { "9.223372036854775807e18", false, INT64_MAX },
        { "-9223372036854775808", false, INT64_MIN },
        { "-9.223372036854775808e18", false, INT64_MIN },
        { "922337203685477580700e-2", false, INT64_MAX },
        { "1000000000000000000", false, INT64_C(1000000000000000000) },
        { "1e18", false, INT64_C(1000000000000000000) },
        { "9223372036854775808", true, 0 },
        { "-9223372036854775809", true, 0 },
        { "12345678901234567890", true, 0 },
        { "100000000000000000000", true, 0 },
        { "1e19", true, 0 },
        { "1e23", true, 0 },
        { "1e400", true, 0 },
        { "1e999999999999999999999", true, 0 },
        { "-1e999999999999999999999", true, 0 },
        { "1.5", true, 0 },
        { "-1.5", true, 0 },
        { "0.1", true, 0 },
        { "1e-1", true, 0 },
        { "1001e-3", true, 0 },
        { "1e-400", true, 0 },
        { "1e-999999999999999999999", true, 0 },
        { "0.0000000000000000000000001", true, 0 },
    };

    for (size_t i = 0; i < LENGTH_OF(rows); i++) {
        int64_t number = -12345;
        bool done = json_number_integer(rows[i].text, &number);

        if (done == rows[i].should_fail || number != (done ? rows[i].number : -12345))
            fail_row(i, rows[i].text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_integers) };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

#include "base/json_number.h"

#include <stddef.h>

/* Past these, an exponent changes nothing: the number is 0 or does not fit. */
enum { EXPONENT_LIMIT = 100000 };

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static int64_t read_exponent(const char *text)
{
    bool negative = *text == '-';
    int64_t exponent = 0;

    if (*text == '-' || *text == '+')
        text++;
    for (; is_digit(*text); text++)
        if (exponent < EXPONENT_LIMIT)
            exponent = exponent * 10 + (*text - '0');
    return negative ? -exponent : exponent;
}

/* Counts downwards from 0, since INT64_MIN has no positive counterpart. */
static bool push_digit(int64_t *negated, int digit)
{
    return !__builtin_mul_overflow(*negated, 10, negated) &&
           !__builtin_sub_overflow(*negated, digit, negated);
}

/*
 * The digits of the mantissa, the zeros at its end left out: each zero counts in *exponent, each
 * digit after the point counts against it. What fits has at most 19 digits left.
 */
static bool read_mantissa(const char **text, int64_t *negated, int64_t *exponent)
{
    bool fraction = false;
    int64_t zeros = 0;

    for (; is_digit(**text) || **text == '.'; (*text)++) {
        if (**text == '.') {
            fraction = true;
            continue;
        }
        *exponent -= fraction;
        zeros++;
        if (**text == '0')
            continue;
        while (--zeros > 0)
            if (!push_digit(negated, 0))
                return false;
        if (!push_digit(negated, **text - '0'))
            return false;
    }
    *exponent += zeros;
    return true;
}

bool json_number_integer(const char *text, int64_t *ret)
{
    bool negative = *text == '-';
    int64_t negated = 0;
    int64_t exponent = 0;

    if (negative)
        text++;
    if (!read_mantissa(&text, &negated, &exponent))
        return false;
    if (*text == 'e' || *text == 'E')
        exponent += read_exponent(text + 1);
    if (negated == 0)
        exponent = 0;
    if (exponent < 0)
        return false;
    for (; exponent > 0; exponent--)
        if (!push_digit(&negated, 0))
            return false;
    if (!negative && negated == INT64_MIN)
        return false;
    *ret = negative ? negated : -negated;
    return true;
}

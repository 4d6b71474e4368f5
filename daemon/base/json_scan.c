#include "base/json_scan.h"

#include <string.h>

#include "base/json.h"
#include "base/utf8.h"

struct scan {
    const char *start, *at, *end;
    size_t depth;
    size_t values;
    const char *problem; /* set once, where the scan stops */
};

static bool fail(struct scan *scan, const char *problem)
{
    scan->problem = problem;
    return false;
}

/* The next byte, -1 at the end. */
static int peek(const struct scan *scan)
{
    return scan->at < scan->end ? (unsigned char)*scan->at : -1;
}

static bool accept(struct scan *scan, char c)
{
    if (peek(scan) != c)
        return false;
    scan->at++;
    return true;
}

static void skip_space(struct scan *scan)
{
    while (accept(scan, ' ') || accept(scan, '\t') || accept(scan, '\n') || accept(scan, '\r'))
        ;
}

static bool is_digit(int c)
{
    return c >= '0' && c <= '9';
}

static int hex_digit(int c)
{
    if (is_digit(c))
        return c - '0';
    if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f')
        return (c | 0x20) - 'a' + 10;
    return -1;
}

/* The four digits after "\u"; -1 when they are not. */
static int scan_hex4(struct scan *scan)
{
    int unit = 0;

    for (int i = 0; i < 4; i++) {
        int digit = hex_digit(peek(scan));

        if (digit < 0)
            return -1;
        unit = unit * 16 + digit;
        scan->at++;
    }
    return unit;
}

/* A half of a surrogate pair alone is grammar, but no character: it has no UTF-8. */
static bool scan_unicode_escape(struct scan *scan)
{
    int unit = scan_hex4(scan);

    if (unit < 0)
        return fail(scan, "\\u without four hex digits");
    if (unit == 0)
        return fail(scan, "a NUL in a string");
    if (unit < 0xd800 || unit > 0xdfff)
        return true;
    if (unit > 0xdbff || !accept(scan, '\\') || !accept(scan, 'u'))
        return fail(scan, "half a surrogate pair");
    unit = scan_hex4(scan);
    if (unit < 0xdc00 || unit > 0xdfff)
        return fail(scan, "half a surrogate pair");
    return true;
}

static bool scan_escape(struct scan *scan)
{
    int c = peek(scan);

    if (c < 0)
        return fail(scan, "an unfinished string");
    scan->at++;
    if (c == 'u')
        return scan_unicode_escape(scan);
    if (c == '\0' || !strchr("\"\\/bfnrt", c))
        return fail(scan, "an unknown escape");
    return true;
}

static bool scan_string(struct scan *scan)
{
    if (!accept(scan, '"'))
        return fail(scan, "a string expected");
    while (!accept(scan, '"')) {
        size_t length;

        if (peek(scan) < 0)
            return fail(scan, "an unfinished string");
        if (peek(scan) < 0x20)
            return fail(scan, "a control character in a string");
        if (accept(scan, '\\')) {
            if (!scan_escape(scan))
                return false;
            continue;
        }
        length = utf8_character(scan->at, (size_t)(scan->end - scan->at));
        if (length == 0)
            return fail(scan, "not UTF-8");
        scan->at += length;
    }
    return true;
}

static bool scan_digits(struct scan *scan)
{
    if (!is_digit(peek(scan)))
        return fail(scan, "a digit expected");
    while (is_digit(peek(scan)))
        scan->at++;
    return true;
}

static bool scan_number(struct scan *scan)
{
    (void)accept(scan, '-');
    if (!accept(scan, '0') && !scan_digits(scan))
        return false;
    if (accept(scan, '.') && !scan_digits(scan))
        return false;
    if (accept(scan, 'e') || accept(scan, 'E')) {
        if (!accept(scan, '+'))
            (void)accept(scan, '-');
        if (!scan_digits(scan))
            return false;
    }
    return true;
}

static bool scan_word(struct scan *scan, const char *word)
{
    for (; *word; word++)
        if (!accept(scan, *word))
            return fail(scan, "a value expected");
    return true;
}

static bool scan_value(struct scan *scan);

static bool scan_member(struct scan *scan)
{
    skip_space(scan);
    if (!scan_string(scan))
        return false;
    skip_space(scan);
    if (!accept(scan, ':'))
        return fail(scan, "a colon expected");
    return scan_value(scan);
}

/* An object or an array, from its opening bracket on. */
static bool scan_items(struct scan *scan, char closing, bool (*item)(struct scan *scan))
{
    if (++scan->depth > JSON_DEPTH_MAX)
        return fail(scan, "nested too deep");
    scan->at++;
    skip_space(scan);
    if (!accept(scan, closing)) {
        do {
            if (!item(scan))
                return false;
        } while (accept(scan, ','));
        if (!accept(scan, closing))
            return fail(scan, "a comma or a closing bracket expected");
    }
    scan->depth--;
    return true;
}

static bool scan_bare_value(struct scan *scan)
{
    switch (peek(scan)) {
    case '{':
        return scan_items(scan, '}', scan_member);
    case '[':
        return scan_items(scan, ']', scan_value);
    case '"':
        return scan_string(scan);
    case 't':
        return scan_word(scan, "true");
    case 'f':
        return scan_word(scan, "false");
    case 'n':
        return scan_word(scan, "null");
    default:
        if (peek(scan) != '-' && !is_digit(peek(scan)))
            return fail(scan, "a value expected");
        return scan_number(scan);
    }
}

/* Depth bounds the recursion. */
static bool scan_value(struct scan *scan)
{
    scan->values++;
    skip_space(scan);
    if (!scan_bare_value(scan))
        return false;
    skip_space(scan);
    return true;
}

bool json_scan(const char *text, size_t length, size_t *ret_values, struct complaint *complaint)
{
    struct scan scan = { .start = text, .at = text, .end = text + length };

    if (scan_value(&scan) && scan.at == scan.end) {
        *ret_values = scan.values;
        return true;
    }
    complain(complaint, "not JSON: %s at byte %zu", scan.problem ? scan.problem : "more after it",
             (size_t)(scan.at - scan.start));
    return false;
}

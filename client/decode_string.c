#include "client/decode_string.h"

#include <stdint.h>
#include <string.h>

enum {
    HEX_DIGITS = 4,
    SURROGATE_HIGH = 0xd800,
    SURROGATE_LOW = 0xdc00,
    SURROGATE_END = 0xe000,
    SURROGATE_BITS = 10,
    UNICODE_PLANE_1 = 0x10000,
};

struct cursor {
    const char *next;
    const char *end;
    char *out;
};

static bool continues(const char *text, size_t count)
{
    for (size_t i = 1; i <= count; i++) {
        if (((unsigned char)text[i] & 0xc0) != 0x80)
            return false;
    }
    return true;
}

size_t utf8_size(const char *text, size_t length)
{
    const unsigned char *u = (const unsigned char *)text;

    if (length == 0)
        return 0;
    if (u[0] < 0x80)
        return 1;
    if (u[0] >= 0xc2 && u[0] <= 0xdf)
        return length >= 2 && continues(text, 1) ? 2 : 0;
    if ((u[0] & 0xf0) == 0xe0) {
        /* Neither an overlong form nor a surrogate. */
        bool whole = length >= 3 && continues(text, 2);
        return whole && (u[0] != 0xe0 || u[1] >= 0xa0) && (u[0] != 0xed || u[1] < 0xa0) ? 3 : 0;
    }
    if (u[0] >= 0xf0 && u[0] <= 0xf4) {
        bool whole = length >= 4 && continues(text, 3);
        return whole && (u[0] != 0xf0 || u[1] >= 0x90) && (u[0] != 0xf4 || u[1] < 0x90) ? 4 : 0;
    }
    return 0;
}

static void put(struct cursor *cursor, uint32_t byte)
{
    *cursor->out++ = (char)(unsigned char)byte;
}

/* A character as UTF-8; it takes no more bytes than its escape. */
static void put_character(struct cursor *cursor, uint32_t c)
{
    if (c < 0x80) {
        put(cursor, c);
    } else if (c < 0x800) {
        put(cursor, 0xc0 | c >> 6);
        put(cursor, 0x80 | (c & 0x3f));
    } else if (c < UNICODE_PLANE_1) {
        put(cursor, 0xe0 | c >> 12);
        put(cursor, 0x80 | (c >> 6 & 0x3f));
        put(cursor, 0x80 | (c & 0x3f));
    } else {
        put(cursor, 0xf0 | c >> 18);
        put(cursor, 0x80 | (c >> 12 & 0x3f));
        put(cursor, 0x80 | (c >> 6 & 0x3f));
        put(cursor, 0x80 | (c & 0x3f));
    }
}

static bool take_hex(struct cursor *cursor, uint32_t *ret)
{
    static const char digits[] = "0123456789abcdef0123456789ABCDEF";
    uint32_t number = 0;

    if (cursor->end - cursor->next < HEX_DIGITS)
        return false;
    for (int i = 0; i < HEX_DIGITS; i++) {
        const char *digit = memchr(digits, *cursor->next++, sizeof digits - 1);
        if (!digit)
            return false;
        number = number << 4 | (uint32_t)((digit - digits) % 16);
    }
    *ret = number;
    return true;
}

/* Behind "\u". */
static bool take_unicode(struct cursor *cursor)
{
    uint32_t c = 0;
    uint32_t low = 0;

    if (!take_hex(cursor, &c) || c == 0 || (c >= SURROGATE_LOW && c < SURROGATE_END))
        return false;
    if (c >= SURROGATE_HIGH && c < SURROGATE_LOW) {
        if (cursor->end - cursor->next < 2 || memcmp(cursor->next, "\\u", 2) != 0)
            return false;
        cursor->next += 2;
        if (!take_hex(cursor, &low) || low < SURROGATE_LOW || low >= SURROGATE_END)
            return false;
        c = UNICODE_PLANE_1 + ((c - SURROGATE_HIGH) << SURROGATE_BITS) + (low - SURROGATE_LOW);
    }
    put_character(cursor, c);
    return true;
}

/* Behind "\". */
static bool take_escape(struct cursor *cursor)
{
    static const char from[] = "\"\\/bfnrt";
    static const char to[] = "\"\\/\b\f\n\r\t";

    if (cursor->next == cursor->end)
        return false;
    char c = *cursor->next++;
    const char *known = memchr(from, c, sizeof from - 1);
    if (known)
        *cursor->out++ = to[known - from];
    return known || (c == 'u' && take_unicode(cursor));
}

static bool take_character(struct cursor *cursor)
{
    size_t size = utf8_size(cursor->next, (size_t)(cursor->end - cursor->next));

    if (size == 0 || (unsigned char)*cursor->next < ' ')
        return false;
    if (*cursor->next == '\\') {
        cursor->next++;
        return take_escape(cursor);
    }
    memcpy(cursor->out, cursor->next, size);
    cursor->out += size;
    cursor->next += size;
    return true;
}

bool decode_string(const char **next, const char *end, char *out, size_t *ret_length)
{
    struct cursor cursor = { .next = *next, .end = end, .out = out };

    if (cursor.next == end || *cursor.next++ != '"')
        return false;
    while (cursor.next < end && *cursor.next != '"') {
        if (!take_character(&cursor))
            return false;
    }
    if (cursor.next == end)
        return false;
    *cursor.out = '\0';
    *ret_length = (size_t)(cursor.out - out);
    *next = cursor.next + 1;
    return true;
}

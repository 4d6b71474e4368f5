#include "base/printable.h"

#include <stdint.h>
#include <string.h>

#include "base/utf8.h"

enum {
    UTF8_LENGTH_MAX = 4,
    MIXED_TOKEN_MIN = 16, /* bytes of a word with letters and digits that is taken for a token */
    ANY_TOKEN_MIN = 40,   /* and of any word */
};

static const char token_mask[] = "[...]";

/* Where the line goes to. */
struct line {
    char *out;
    size_t size;
    size_t length;
    bool full;
};

static void put(struct line *line, const char *bytes, size_t length)
{
    line->full = line->full || length >= line->size - line->length;
    if (line->full)
        return;
    memcpy(line->out + line->length, bytes, length);
    line->length += length;
}

/* The length of the UTF-8 character at text and its code point; 0 when broken. */
static size_t decode_character(const char *text, uint32_t *ret)
{
    size_t length = utf8_character(text, strnlen(text, UTF8_LENGTH_MAX));
    uint32_t point = (unsigned char)text[0];
    if (length > 1)
        point &= 0x7fu >> length;
    for (size_t i = 1; i < length; i++)
        point = point << 6 | ((unsigned char)text[i] & 0x3fu);
    *ret = point;
    return length;
}

static bool is_invisible(uint32_t point)
{
    return point < 0x20 || (point >= 0x7f && point <= 0x9f) || point == 0x061c ||
           (point >= 0x200b && point <= 0x200f) || (point >= 0x2028 && point <= 0x202e) ||
           (point >= 0x2060 && point <= 0x206f) || point == 0xfeff;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* RFC 6750's b64token, of which tokens are made in practice. */
static bool is_token_character(char c)
{
    return is_digit(c) || is_letter(c) || (c != '\0' && strchr("-._~+/=%", c) != NULL);
}

/* The length of the word at text, which is 0 for other characters. */
static size_t word_length(const char *text, bool *ret_token)
{
    bool digit = false, letter = false;
    size_t length = 0;
    for (; is_token_character(text[length]); length++) {
        digit = digit || is_digit(text[length]);
        letter = letter || is_letter(text[length]);
    }
    *ret_token = length >= ANY_TOKEN_MIN || (length >= MIXED_TOKEN_MIN && digit && letter);
    return length;
}

/* Puts the character at text; returns how many bytes it took. */
static size_t put_character(struct line *line, const char *text)
{
    uint32_t point;
    size_t length = decode_character(text, &point);
    if (length == 0)
        put(line, "?", 1);
    else if (is_invisible(point))
        put(line, " ", 1);
    else
        put(line, text, length);
    return length == 0 ? 1 : length;
}

void printable_line(const char *text, enum printable_words words, char *out, size_t size)
{
    struct line line = { .out = out, .size = size };
    while (*text != '\0' && !line.full) {
        bool token = false;
        size_t length = words == PRINTABLE_MASK_TOKENS ? word_length(text, &token) : 0;
        if (token)
            put(&line, token_mask, sizeof(token_mask) - 1);
        for (size_t i = 0; i < length && !token; i++)
            put(&line, text + i, 1);
        text += length > 0 ? length : put_character(&line, text);
    }
    line.out[line.length] = '\0';
}

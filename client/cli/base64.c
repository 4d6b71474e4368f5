#include "client/cli/base64.h"

#include <stdint.h>
#include <string.h>

enum { GROUP = 4, BYTES = 3, BITS = 6 };

/* 0 to 63; -1: none of the alphabet. */
static int value_of(char c)
{
    static const char alphabet[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const char *found = c ? strchr(alphabet, c) : NULL;

    return found ? (int)(found - alphabet) : -1;
}

/* digits: of the group's that are not padding. */
static bool append_group(const char *group, size_t digits, struct text *out)
{
    uint32_t bits = 0;
    unsigned char bytes[BYTES];

    for (size_t i = 0; i < GROUP; i++) {
        int value = i < digits ? value_of(group[i]) : 0;
        if (value < 0)
            return false;
        bits = bits << BITS | (uint32_t)value;
    }
    for (size_t i = 0; i < BYTES; i++)
        bytes[i] = (unsigned char)(bits >> 8 * (BYTES - 1 - i));
    text_append(out, bytes, digits - 1);
    return true;
}

bool base64_decode(const char *base64, struct text *out)
{
    size_t length = strlen(base64);

    if (length % GROUP != 0)
        return false;
    for (size_t at = 0; at < length; at += GROUP) {
        size_t digits = GROUP;
        if (at + GROUP == length && base64[at + 3] == '=')
            digits = base64[at + 2] == '=' ? 2 : 3;
        if (!append_group(base64 + at, digits, out))
            return false;
    }
    return !out->failed;
}

#include "base/utf8.h"

/* One row of RFC 3629's table: the range of the second byte depends on the first. */
struct lead {
    unsigned char first, last;            /* the first byte */
    unsigned char second_min, second_max; /* the second */
    size_t length;
};

static const struct lead leads[] = {
    { 0xc2, 0xdf, 0x80, 0xbf, 2 }, { 0xe0, 0xe0, 0xa0, 0xbf, 3 }, { 0xe1, 0xec, 0x80, 0xbf, 3 },
    { 0xed, 0xed, 0x80, 0x9f, 3 }, { 0xee, 0xef, 0x80, 0xbf, 3 }, { 0xf0, 0xf0, 0x90, 0xbf, 4 },
    { 0xf1, 0xf3, 0x80, 0xbf, 4 }, { 0xf4, 0xf4, 0x80, 0x8f, 4 },
};

static const struct lead *find_lead(unsigned char byte)
{
    for (size_t i = 0; i < sizeof(leads) / sizeof(leads[0]); i++)
        if (byte >= leads[i].first && byte <= leads[i].last)
            return &leads[i];
    return NULL;
}

size_t utf8_character(const char *bytes, size_t available)
{
    const unsigned char *at = (const unsigned char *)bytes;
    const struct lead *lead;

    if (available == 0)
        return 0;
    if (at[0] < 0x80)
        return 1;
    lead = find_lead(at[0]);
    if (!lead || lead->length > available || at[1] < lead->second_min || at[1] > lead->second_max)
        return 0;
    for (size_t i = 2; i < lead->length; i++)
        if ((at[i] & 0xc0) != 0x80)
            return 0;
    return lead->length;
}

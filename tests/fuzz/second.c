#include "fuzz.h"

#include "client/decode_string.h"

bool is_printable_line(const char *text)
{
    const char *end = text + strlen(text);

    while (text < end) {
        size_t length = utf8_size(text, (size_t)(end - text));
        const unsigned char first = (unsigned char)text[0];
        const unsigned char second = length > 1 ? (unsigned char)text[1] : 0;
        if (length == 0 || first < 0x20 || first == 0x7f || (first == 0xc2 && second < 0xa0))
            return false;
        text += length;
    }
    return true;
}

unsigned json_depth(const struct tb_value *value)
{
    unsigned deepest = 0;

    if (tb_value_type(value) != TB_ARRAY && tb_value_type(value) != TB_OBJECT)
        return 0;
    for (const struct tb_value *at = tb_value_first(value); at; at = tb_value_next(at)) {
        unsigned depth = json_depth(at);
        deepest = depth > deepest ? depth : deepest;
    }
    return deepest + 1;
}

const char *member_text(const struct document *document, const char *name)
{
    return tb_value_text(tb_value_member(document->values, name), NULL);
}

#include <string.h>

#include "client/decode.h"

enum tb_type tb_value_type(const struct tb_value *value)
{
    return value ? value->type : TB_NULL;
}

const char *tb_value_text(const struct tb_value *value, const char *otherwise)
{
    return value && value->type == TB_STRING ? value->text : otherwise;
}

int64_t tb_value_integer(const struct tb_value *value, int64_t otherwise)
{
    return value && value->whole ? value->integer : otherwise;
}

bool tb_value_true(const struct tb_value *value)
{
    return value && value->type == TB_BOOLEAN && value->truth;
}

const struct tb_value *tb_value_member(const struct tb_value *object, const char *name)
{
    const struct tb_value *member = tb_value_first(object);

    if (tb_value_type(object) != TB_OBJECT)
        return NULL;
    while (member && strcmp(member->name, name) != 0)
        member = tb_value_next(member);
    return member;
}

const struct tb_value *tb_value_first(const struct tb_value *value)
{
    return value && value->count > 0 ? value + 1 : NULL;
}

const struct tb_value *tb_value_next(const struct tb_value *value)
{
    return value && value->next > 0 ? value + value->next : NULL;
}

const char *tb_value_name(const struct tb_value *value)
{
    return value ? value->name : NULL;
}

const char *tb_value_json(const struct tb_value *value, size_t *ret_length)
{
    *ret_length = value ? value->json_length : strlen("null");
    return value ? value->json : "null";
}

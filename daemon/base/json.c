#include "base/json.h"

#include <string.h>

#include "base/json_number.h"
#include "base/json_private.h"

enum json_kind json_kind(const struct json *value)
{
    return value ? value->kind : JSON_ABSENT;
}

const struct json *json_member(const struct json *value, const char *key)
{
    if (json_kind(value) != JSON_OBJECT)
        return NULL;
    for (size_t i = 0; i < value->length; i++)
        if (strcmp(value->parts[i]->key, key) == 0)
            return value->parts[i];
    return NULL;
}

const char *json_string(const struct json *value)
{
    return json_kind(value) == JSON_STRING ? value->text : NULL;
}

const char *json_member_string(const struct json *value, const char *key)
{
    return json_string(json_member(value, key));
}

bool json_integer(const struct json *value, int64_t *ret)
{
    return json_kind(value) == JSON_NUMBER && json_number_integer(value->text, ret);
}

bool json_boolean(const struct json *value, bool *ret)
{
    if (json_kind(value) != JSON_BOOLEAN)
        return false;
    *ret = value->truth;
    return true;
}

size_t json_array_length(const struct json *value)
{
    return json_kind(value) == JSON_ARRAY ? value->length : 0;
}

const struct json *json_array_at(const struct json *value, size_t index)
{
    return index < json_array_length(value) ? value->parts[index] : NULL;
}

void json_each_member(const struct json *value,
                      bool (*each)(void *userdata, const char *key, const struct json *member),
                      void *userdata)
{
    if (json_kind(value) != JSON_OBJECT)
        return;
    for (size_t i = 0; i < value->length; i++)
        if (!each(userdata, value->parts[i]->key, value->parts[i]))
            return;
}

static bool append_member(void *userdata, const char *key, const struct json *member)
{
    struct json_writer *writer = userdata;

    json_put_raw(writer, key, "");
    json_append(writer->out, member);
    return true;
}

static void append_object(struct buffer *out, const struct json *value)
{
    struct json_writer writer = json_writer_begin(out, '{');

    json_each_member(value, append_member, &writer);
    json_writer_end(&writer);
}

static void append_array(struct buffer *out, const struct json *value)
{
    struct json_writer writer = json_writer_begin(out, '[');

    for (size_t i = 0; i < json_array_length(value); i++) {
        json_put_raw(&writer, NULL, "");
        json_append(out, json_array_at(value, i));
    }
    json_writer_end(&writer);
}

void json_append(struct buffer *out, const struct json *value)
{
    bool truth = false;

    switch (json_kind(value)) {
    case JSON_ABSENT:
    case JSON_NULL:
        buffer_append_text(out, "null");
        break;
    case JSON_BOOLEAN:
        (void)json_boolean(value, &truth);
        buffer_append_text(out, truth ? "true" : "false");
        break;
    case JSON_NUMBER:
        buffer_append_text(out, value->text);
        break;
    case JSON_STRING:
        json_append_string(out, json_string(value));
        break;
    case JSON_ARRAY:
        append_array(out, value);
        break;
    case JSON_OBJECT:
        append_object(out, value);
        break;
    }
}

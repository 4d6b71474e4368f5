#include "base/json.h"

#include <errno.h>
#include <json-c/json.h>
#include <limits.h>
#include <string.h>

#include "base/json_number.h"
#include "base/json_scan.h"

/* json-c's null is a NULL pointer; a caller must tell it from an absent member. */
struct json {
    char unused;
};

static const struct json null_value;

static const struct json *from_c(const struct json_object *object)
{
    return object ? (const struct json *)object : &null_value;
}

/* json-c's readers take pointers that are not const, but change nothing. */
static struct json_object *to_c(const struct json *value)
{
    return value == &null_value ? NULL : (struct json_object *)(uintptr_t)value;
}

/* json-c reads more than JSON, so json_scan() has been there before: what fails here is memory. */
static struct json_object *read_tree(const char *text, size_t length, bool *ret_done)
{
    /* Their depth counts the values in the innermost brackets too. */
    struct json_tokener *tokener = json_tokener_new_ex(JSON_DEPTH_MAX + 1);
    struct json_object *tree = NULL;

    if (!tokener)
        return NULL;
    /* It collects every string in one growing buffer: grown at once, none is left behind. */
    if (printbuf_memset(tokener->pb, 0, 0, (int)length + 1) == 0) {
        printbuf_reset(tokener->pb);
        tree = json_tokener_parse_ex(tokener, text, (int)length);
        /* A number alone ends where the text does, and only a NUL says so. */
        if (json_tokener_get_error(tokener) == json_tokener_continue)
            tree = json_tokener_parse_ex(tokener, "", 1);
        *ret_done = json_tokener_get_error(tokener) == json_tokener_success;
        explicit_bzero(tokener->pb->buf, (size_t)tokener->pb->size);
    }
    json_tokener_free(tokener);
    return tree;
}

/* Calls visit for the value and all below it, in the text's order, until it returns false. Depth
 * bounds the recursion. */
static bool walk(struct json_object *value,
                 bool (*visit)(void *userdata, struct json_object *value), void *userdata)
{
    if (!visit(userdata, value))
        return false;
    if (json_object_is_type(value, json_type_object)) {
        struct json_object_iterator at = json_object_iter_begin(value);
        struct json_object_iterator end = json_object_iter_end(value);

        for (; !json_object_iter_equal(&at, &end); json_object_iter_next(&at))
            if (!walk(json_object_iter_peek_value(&at), visit, userdata))
                return false;
    } else if (json_object_is_type(value, json_type_array)) {
        for (size_t i = 0; i < json_object_array_length(value); i++)
            if (!walk(json_object_array_get_idx(value, i), visit, userdata))
                return false;
    }
    return true;
}

static bool count_members(void *userdata, struct json_object *value)
{
    size_t *members = userdata;

    if (json_object_is_type(value, json_type_object))
        *members += (size_t)json_object_object_length(value);
    return true;
}

static bool is_number(struct json_object *value)
{
    return json_object_is_type(value, json_type_int) ||
           json_object_is_type(value, json_type_double);
}

struct number_cursor {
    const char *at, *end;
};

/* Gives a number its text, which json-c keeps for some numbers only. */
static bool keep_number_text(void *userdata, struct json_object *value)
{
    struct number_cursor *cursor = userdata;
    const char *start;
    size_t length;
    char *text;

    if (!is_number(value))
        return true;
    /* The tree holds what the text holds, in its order: there is a number for each. */
    if (!json_scan_number(&cursor->at, cursor->end, &start, &length))
        return false;
    text = strndup(start, length);
    if (!text)
        return false;
    json_object_set_serializer(value, json_object_userdata_to_json_string, text,
                               json_object_free_userdata);
    return true;
}

static const char *number_text(const struct json *value)
{
    return json_object_get_userdata(to_c(value));
}

static int build(const char *text, size_t length, size_t members, struct json **ret,
                 struct complaint *complaint)
{
    struct number_cursor cursor = { text, text + length };
    bool done = false;
    struct json_object *tree = read_tree(text, length, &done);
    CLEANUP(cleanup_json) struct json *whole = (struct json *)(uintptr_t)from_c(tree);
    size_t kept = 0;

    if (!done)
        return -ENOMEM;
    /* The last of doubled keys would win: some members of the text are missing then. */
    (void)walk(tree, count_members, &kept);
    if (kept != members) {
        complain(complaint, "a key occurs twice in one JSON object");
        return JSON_INVALID;
    }
    if (!walk(tree, keep_number_text, &cursor))
        return -ENOMEM;
    *ret = steal(whole);
    return 0;
}

int json_parse(const char *text, size_t length, struct json **ret, struct complaint *complaint)
{
    size_t members;

    /* json-c counts in int; whoever reads from outside has a much lower cap. */
    if (length >= INT_MAX) {
        complain(complaint, "too long a JSON text");
        return JSON_INVALID;
    }
    if (!json_scan(text, length, &members, complaint))
        return JSON_INVALID;
    return build(text, length, members, ret, complaint);
}

static bool wipe_string(void *userdata, struct json_object *value)
{
    /* The bytes lie in the object, which is about to be freed and read by nobody else. */
    if (json_object_is_type(value, json_type_string))
        explicit_bzero((char *)(uintptr_t)json_object_get_string(value),
                       (size_t)json_object_get_string_len(value));
    return true;
}

struct json *json_free(struct json *whole)
{
    if (whole && whole != &null_value) {
        (void)walk(to_c(whole), wipe_string, NULL);
        (void)json_object_put(to_c(whole));
    }
    return NULL;
}

enum json_kind json_kind(const struct json *value)
{
    if (!value)
        return JSON_ABSENT;
    switch (json_object_get_type(to_c(value))) {
    case json_type_boolean:
        return JSON_BOOLEAN;
    case json_type_double:
    case json_type_int:
        return JSON_NUMBER;
    case json_type_string:
        return JSON_STRING;
    case json_type_array:
        return JSON_ARRAY;
    case json_type_object:
        return JSON_OBJECT;
    case json_type_null:
    default:
        return JSON_NULL;
    }
}

const struct json *json_member(const struct json *value, const char *key)
{
    struct json_object *member;

    if (json_kind(value) != JSON_OBJECT || !json_object_object_get_ex(to_c(value), key, &member))
        return NULL;
    return from_c(member);
}

const char *json_string(const struct json *value)
{
    return json_kind(value) == JSON_STRING ? json_object_get_string(to_c(value)) : NULL;
}

const char *json_member_string(const struct json *value, const char *key)
{
    return json_string(json_member(value, key));
}

bool json_integer(const struct json *value, int64_t *ret)
{
    return json_kind(value) == JSON_NUMBER && json_number_integer(number_text(value), ret);
}

bool json_boolean(const struct json *value, bool *ret)
{
    if (json_kind(value) != JSON_BOOLEAN)
        return false;
    *ret = json_object_get_boolean(to_c(value));
    return true;
}

size_t json_array_length(const struct json *value)
{
    return json_kind(value) == JSON_ARRAY ? json_object_array_length(to_c(value)) : 0;
}

const struct json *json_array_at(const struct json *value, size_t index)
{
    if (index >= json_array_length(value))
        return NULL;
    return from_c(json_object_array_get_idx(to_c(value), index));
}

void json_each_member(const struct json *value,
                      bool (*each)(void *userdata, const char *key, const struct json *member),
                      void *userdata)
{
    struct json_object_iterator at, end;

    if (json_kind(value) != JSON_OBJECT)
        return;
    at = json_object_iter_begin(to_c(value));
    end = json_object_iter_end(to_c(value));
    for (; !json_object_iter_equal(&at, &end); json_object_iter_next(&at))
        if (!each(userdata, json_object_iter_peek_name(&at),
                  from_c(json_object_iter_peek_value(&at))))
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
        buffer_append_text(out, number_text(value));
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

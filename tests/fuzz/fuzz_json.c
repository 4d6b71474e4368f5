/* base/json: what is accepted is written as it was read, and a second reader agrees with the first
 * on every text. */

#include "daemon.h"

#include "base/json.h"

enum { TEXT_MAX = 64 * 1024, WRITTEN_MAX = 8 * TEXT_MAX };

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    return start_secrets();
}

static void same_value(const struct json *ours, const struct tb_value *theirs);

static void same_number(const struct json *ours, const struct tb_value *theirs)
{
    int64_t integer = 0, other = tb_value_integer(theirs, INT64_MIN + 1);
    size_t length;
    const char *text = tb_value_json(theirs, &length);
    const bool plain =
        !memchr(text, '.', length) && !memchr(text, 'e', length) && !memchr(text, 'E', length);
    const bool fits = json_integer(ours, &integer);

    /* The client takes plain digits alone; there both have to say the same. */
    if (plain && length < 19)
        PROMISE(fits && integer == other);
    if (other != INT64_MIN + 1)
        PROMISE(!fits || integer == other);
}

static void same_members(const struct json *ours, const struct tb_value *theirs)
{
    for (theirs = tb_value_first(theirs); theirs; theirs = tb_value_next(theirs)) {
        const struct json *member = json_member(ours, tb_value_name(theirs));
        PROMISE(member != NULL);
        same_value(member, theirs);
    }
}

static void same_items(const struct json *ours, const struct tb_value *theirs)
{
    size_t count = 0;

    for (theirs = tb_value_first(theirs); theirs; theirs = tb_value_next(theirs))
        same_value(json_array_at(ours, count++), theirs);
    PROMISE(count == json_array_length(ours));
}

static void same_value(const struct json *ours, const struct tb_value *theirs)
{
    static const enum json_kind kinds[] = {
        [TB_NULL] = JSON_NULL,     [TB_BOOLEAN] = JSON_BOOLEAN, [TB_NUMBER] = JSON_NUMBER,
        [TB_STRING] = JSON_STRING, [TB_ARRAY] = JSON_ARRAY,     [TB_OBJECT] = JSON_OBJECT,
    };
    bool truth = false;

    PROMISE(json_kind(ours) == kinds[tb_value_type(theirs)]);
    if (tb_value_type(theirs) == TB_STRING)
        PROMISE(same_text(json_string(ours), tb_value_text(theirs, NULL)));
    else if (tb_value_type(theirs) == TB_BOOLEAN)
        PROMISE(json_boolean(ours, &truth) && truth == tb_value_true(theirs));
    else if (tb_value_type(theirs) == TB_NUMBER)
        same_number(ours, theirs);
    else if (tb_value_type(theirs) == TB_OBJECT)
        same_members(ours, theirs);
    else if (tb_value_type(theirs) == TB_ARRAY)
        same_items(ours, theirs);
}

static void is_written_as_read(const struct json *value)
{
    CLEANUP(cleanup_buffer) struct buffer first = BUFFER_WITH_MAXIMUM(WRITTEN_MAX);
    CLEANUP(cleanup_buffer) struct buffer second = BUFFER_WITH_MAXIMUM(WRITTEN_MAX);
    CLEANUP(cleanup_json) struct json *again = NULL;

    json_append(&first, value);
    PROMISE(!first.failed);
    PROMISE(json_parse(buffer_text(&first), first.length, &again, NULL) == 0);
    json_append(&second, again);
    PROMISE(strcmp(buffer_text(&first), buffer_text(&second)) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct input input = input_of(data, size);
    CLEANUP(cleanup_string) char *text = input_text(&input);
    CLEANUP(cleanup_document) struct document document = { 0 };
    CLEANUP(cleanup_json) struct json *value = NULL;
    struct complaint complaint = { "" };

    if (size > TEXT_MAX)
        return 0;
    int ours = json_parse(text, size, &value, &complaint);
    int theirs = decode(text, size, &document);
    PROMISE(ours == 0 || (ours == JSON_INVALID && !value));
    PROMISE(ours == 0 || (*complaint.text && is_printable_line(complaint.text)));
    PROMISE(theirs == 0 || ours != 0 || document.count == 0);
    if (theirs == 0)
        PROMISE((ours == 0) == (json_depth(document.values) <= JSON_DEPTH_MAX));
    if (ours == 0 && theirs == 0)
        same_value(value, document.values);
    if (ours == 0)
        is_written_as_read(value);
    return 0;
}

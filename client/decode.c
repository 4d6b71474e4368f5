#include "client/decode.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "client/cleanup.h"
#include "client/decode_string.h"

enum { VALUES_FIRST = 32, INTEGER_DIGITS_MAX = 19 };

struct reader {
    struct document document;
    const char *next;
    const char *end;
    int failure; /* 0, or why the reading stopped */
};

static size_t read_value(struct reader *reader, unsigned depth);

static bool fail(struct reader *reader, int failure)
{
    if (!reader->failure)
        reader->failure = failure;
    return false;
}

static void skip_space(struct reader *reader)
{
    while (reader->next < reader->end && memchr(" \t\r\n", *reader->next, 4))
        reader->next++;
}

static char peek(const struct reader *reader)
{
    return reader->next < reader->end ? *reader->next : '\0';
}

static bool take(struct reader *reader, char c)
{
    if (peek(reader) != c || reader->next == reader->end)
        return false;
    reader->next++;
    return true;
}

/* --- values --- */

static bool make_room(struct document *document)
{
    size_t capacity = document->capacity ? document->capacity * 2 : VALUES_FIRST;

    if (document->count < document->capacity)
        return true;
    struct tb_value *values = calloc(capacity, sizeof *values);
    if (!values)
        return false;
    if (document->values)
        memcpy(values, document->values, document->count * sizeof *values);
    /* Numbers stand in the values: they are wiped like the rest. */
    if (document->values)
        explicit_bzero(document->values, document->capacity * sizeof *values);
    free(document->values);
    document->values = values;
    document->capacity = capacity;
    return true;
}

/* The index of a new value, or SIZE_MAX. */
static size_t add_value(struct reader *reader)
{
    struct document *document = &reader->document;

    if (document->count >= DECODE_VALUES_MAX || !make_room(document)) {
        fail(reader, document->count >= DECODE_VALUES_MAX ? -EBADMSG : -ENOMEM);
        return SIZE_MAX;
    }
    document->values[document->count] = (struct tb_value){ .json = reader->next };
    return document->count++;
}

static const char *read_string(struct reader *reader)
{
    struct document *document = &reader->document;
    char *text = document->strings + document->strings_length;
    size_t length = 0;

    if (!decode_string(&reader->next, reader->end, text, &length)) {
        fail(reader, -EBADMSG);
        return NULL;
    }
    document->strings_length += length + 1;
    return text;
}

static bool take_word(struct reader *reader, const char *word)
{
    size_t length = strlen(word);

    if ((size_t)(reader->end - reader->next) < length || memcmp(reader->next, word, length) != 0)
        return fail(reader, -EBADMSG);
    reader->next += length;
    return true;
}

/* --- numbers --- */

static size_t skip_digits(struct reader *reader)
{
    const char *first = reader->next;

    while (peek(reader) >= '0' && peek(reader) <= '9')
        reader->next++;
    return (size_t)(reader->next - first);
}

/* The digits' value, towards the sign, so that INT64_MIN is one too; false when it is too large. */
static bool sum_digits(const char *digits, size_t count, bool negative, int64_t *ret)
{
    int64_t sum = 0;

    if (count > INTEGER_DIGITS_MAX)
        return false;
    for (size_t i = 0; i < count; i++) {
        int64_t digit = digits[i] - '0';
        if (__builtin_mul_overflow(sum, 10, &sum) ||
            __builtin_add_overflow(sum, negative ? -digit : digit, &sum))
            return false;
    }
    *ret = sum;
    return true;
}

static bool read_fraction(struct reader *reader)
{
    if (take(reader, '.') && skip_digits(reader) == 0)
        return fail(reader, -EBADMSG);
    if (!take(reader, 'e') && !take(reader, 'E'))
        return true;
    if (!take(reader, '+'))
        (void)take(reader, '-');
    return skip_digits(reader) > 0 || fail(reader, -EBADMSG);
}

static bool read_number(struct reader *reader, struct tb_value *value)
{
    bool negative = take(reader, '-');
    const char *digits = reader->next;
    size_t count = skip_digits(reader);

    if (count == 0 || (digits[0] == '0' && count > 1))
        return fail(reader, -EBADMSG);
    value->type = TB_NUMBER;
    if (peek(reader) == '.' || peek(reader) == 'e' || peek(reader) == 'E')
        return read_fraction(reader);
    value->whole = sum_digits(digits, count, negative, &value->integer);
    return true;
}

/* --- containers --- */

static bool name_is_new(const struct document *document, size_t container, const char *name)
{
    const struct tb_value *member = &document->values[container] + 1;

    if (document->values[container].count == 0)
        return true;
    for (;; member += member->next) {
        if (strcmp(member->name, name) == 0)
            return false;
        if (member->next == 0)
            return true;
    }
}

static const char *read_name(struct reader *reader, size_t container)
{
    const char *name = peek(reader) == '"' ? read_string(reader) : NULL;

    skip_space(reader);
    if (!name || !take(reader, ':') || !name_is_new(&reader->document, container, name)) {
        fail(reader, -EBADMSG);
        return NULL;
    }
    skip_space(reader);
    return name;
}

/* One value of a container, chained to the one before it, at *last. */
static bool read_entry(struct reader *reader, size_t container, size_t *last, unsigned depth)
{
    bool named = reader->document.values[container].type == TB_OBJECT;
    const char *name = named ? read_name(reader, container) : NULL;

    if (named && !name)
        return false;
    size_t index = read_value(reader, depth + 1);
    if (index == SIZE_MAX)
        return false;
    struct tb_value *values = reader->document.values;
    values[index].name = name;
    if (values[container].count++ > 0)
        values[*last].next = (uint32_t)(index - *last);
    *last = index;
    skip_space(reader);
    return true;
}

static bool read_container(struct reader *reader, size_t container, enum tb_type type, char close,
                           unsigned depth)
{
    size_t last = 0;

    reader->document.values[container].type = type;
    if (depth >= DECODE_DEPTH_MAX)
        return fail(reader, -EBADMSG);
    reader->next++;
    skip_space(reader);
    if (take(reader, close))
        return true;
    for (;;) {
        if (!read_entry(reader, container, &last, depth))
            return false;
        if (take(reader, close))
            return true;
        if (!take(reader, ','))
            return fail(reader, -EBADMSG);
        skip_space(reader);
    }
}

static bool read_content(struct reader *reader, size_t index, unsigned depth)
{
    struct tb_value *value = &reader->document.values[index];

    switch (peek(reader)) {
    case '{':
        return read_container(reader, index, TB_OBJECT, '}', depth);
    case '[':
        return read_container(reader, index, TB_ARRAY, ']', depth);
    case '"':
        value->type = TB_STRING;
        value->text = read_string(reader);
        return value->text != NULL;
    case 't':
        value->type = TB_BOOLEAN;
        value->truth = true;
        return take_word(reader, "true");
    case 'f':
        value->type = TB_BOOLEAN;
        return take_word(reader, "false");
    case 'n':
        return take_word(reader, "null");
    default:
        return read_number(reader, value);
    }
}

/* The index of the value that begins here, or SIZE_MAX. Recursion ends at DECODE_DEPTH_MAX. */
static size_t read_value(struct reader *reader, unsigned depth)
{
    size_t index = add_value(reader);

    if (index == SIZE_MAX || !read_content(reader, index, depth))
        return SIZE_MAX;
    struct tb_value *value = &reader->document.values[index];
    value->json_length = (size_t)(reader->next - value->json);
    return index;
}

int decode(const char *source, size_t length, struct document *ret)
{
    struct reader reader = { .next = source, .end = source + length };

    if (length >= SIZE_MAX / 2)
        return -EBADMSG;
    /* A string's text and its NUL never take more than the string with its quotes. */
    reader.document.strings_size = length + 1;
    reader.document.strings = malloc(length + 1);
    if (!reader.document.strings)
        return -ENOMEM;
    skip_space(&reader);
    if (read_value(&reader, 0) != SIZE_MAX) {
        skip_space(&reader);
        if (reader.next < reader.end)
            fail(&reader, -EBADMSG);
    }
    if (reader.failure) {
        document_release(&reader.document);
        return reader.failure;
    }
    *ret = reader.document;
    return 0;
}

void document_release(struct document *document)
{
    if (!document)
        return;
    if (document->values)
        explicit_bzero(document->values, document->capacity * sizeof *document->values);
    if (document->strings)
        explicit_bzero(document->strings, document->strings_size);
    free(document->values);
    free(document->strings);
    *document = (struct document){ 0 };
}
